#include "cli/audit.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>

#include "audit/reader.h"
#include "audit/watch.h"
#include "cli/table.h"

namespace kaapi::cli {
namespace {

constexpr std::string_view source_suffix = ".amazonaws.com";

struct Column {
  std::string text;
  std::size_t width = 0;  // 0: the last one
  Tone tone = Tone::plain;
};
constexpr std::size_t time_width = 20;
constexpr std::size_t who_width = 20;
constexpr std::size_t action_width = 28;
constexpr std::size_t resource_width = 36;
constexpr std::size_t from_width = 15;

std::string line_of(const std::vector<Column>& columns, bool colors) {
  std::string line;
  for (const Column& column : columns) {
    const std::string text = harmless(column.text);
    line += painted(text, column.tone, colors);
    if (column.width == 0) break;
    line.append(text.size() < column.width ? column.width - text.size() : 0, ' ').append("  ");
  }
  return line + "\n";
}

std::string who_of(const audit::Event& event) {
  if (!event.role_name.empty()) return event.role_name + "/" + event.user_name;
  if (!event.user_name.empty()) return event.user_name;
  if (!event.access_key_id.empty()) return event.access_key_id;
  return "-";
}

std::string action_of(const audit::Event& event) {
  std::string_view service = event.source;
  if (service.ends_with(source_suffix)) service.remove_suffix(source_suffix.size());
  return fmt::format("{}:{}", service, event.name.empty() ? "-" : event.name);
}

// "service/demo/web"; of several the first, and how many more.
std::string resource_of(const audit::Event& event) {
  if (event.resources.empty()) return "-";
  std::string_view name = event.resources.front().arn;
  constexpr int parts_before_the_resource = 5;
  for (int i = 0; i < parts_before_the_resource && name.find(':') != std::string_view::npos; ++i) {
    name.remove_prefix(name.find(':') + 1);
  }
  const std::size_t more = event.resources.size() - 1;
  return more == 0 ? std::string(name) : fmt::format("{} +{}", name, more);
}

Column outcome_of(const audit::Event& event) {
  const auto with = [](std::string_view word, std::string_view why) {
    return why.empty() ? std::string(word) : fmt::format("{}: {}", word, why);
  };
  if (!event.allowed && !event.reason.empty()) return {with("denied", event.reason), 0, Tone::bad};
  if (!event.error_code.empty()) {
    return {with("failed", with(event.error_code, event.error_message)), 0, Tone::busy};
  }
  return {with("allowed", event.reason), 0, Tone::good};
}

// Where the lines begin that are asked for: as many as wanted, and none that are too old.
Result<audit::Position> beginning(const std::string& folder, const AuditCommand& command, const audit::Filter& filter,
                                  audit::Position newest) {
  std::optional<std::size_t> wanted = command.last;
  if (!wanted && !filter.start) wanted = default_audit_lines;
  const std::vector<std::string> texts = texts_of(filter);
  audit::BackwardReader reader(folder, newest);
  audit::Position begin = newest;
  std::size_t found = 0;
  while (!wanted || found < *wanted) {
    const Result<std::optional<audit::BackwardReader::Line>> line = reader.next();
    if (!line) return line.error();
    if (!*line) break;
    const std::optional<Time> time = audit::time_of((*line)->text);
    if (time && filter.start && *time + audit::max_disorder < *filter.start) break;
    if (!audit::may_match(texts, (*line)->text)) continue;
    const Result<audit::Event> event = audit::parse_event((*line)->text);
    if (!event || !matches(filter, *event)) continue;
    begin = (*line)->at;
    ++found;
  }
  return begin;
}

// Shows what there is from where the reader stands.
class Printer {
 public:
  Printer(audit::Filter filter, bool as_json, bool colors, std::ostream& out)
      : filter_(std::move(filter)), texts_(texts_of(filter_)), as_json_(as_json), colors_(colors), out_(out) {
    if (!as_json_) out_ << audit_heading(colors_);
  }

  Result<void> print_rest(audit::ForwardReader& reader) {
    while (true) {
      const Result<std::optional<std::string_view>> line = reader.next();
      if (!line) return line.error();
      if (!*line) break;
      print(**line);
    }
    out_ << std::flush;
    return ok();
  }

 private:
  void print(std::string_view line) {
    if (!audit::may_match(texts_, line)) return;
    const Result<audit::Event> event = audit::parse_event(line);
    if (!event || !matches(filter_, *event)) return;
    if (as_json_) {
      out_ << line << "\n";
    } else {
      out_ << audit_line(*event, colors_);
    }
  }

  audit::Filter filter_;
  std::vector<std::string> texts_;
  bool as_json_;
  bool colors_;
  std::ostream& out_;
};

Result<void> show(const AuditCommand& command, bool colors, std::ostream& out) {
  const std::string folder = fmt::format("{}/{}", command.data_dir, audit::folder_name);
  // Listens before it looks, so that nothing falls between.
  std::optional<audit::FolderWatch> watch;
  if (command.follow) {
    Result<audit::FolderWatch> opened = audit::FolderWatch::open(folder);
    if (!opened) return opened.error();
    watch.emplace(std::move(*opened));
  }
  audit::Filter filter = audit_filter(command, SystemClock().now());
  const Result<audit::Position> newest = audit::newest_position(folder);
  if (!newest) return newest.error();
  const Result<audit::Position> from = beginning(folder, command, filter, *newest);
  if (!from) return from.error();
  audit::ForwardReader reader(folder, *from);
  Printer printer(std::move(filter), command.json, colors, out);
  while (true) {
    if (const Result<void> printed = printer.print_rest(reader); !printed) return printed.error();
    if (!watch || !out) return ok();
    if (const Result<bool> changed = watch->wait(); !changed) return changed.error();
  }
}

std::string explained(const Error& error, const AuditCommand& command) {
  if (error.code == errc::not_found) {
    return fmt::format(
        "there is no audit log in {}: no platform has been started there yet; start one with kaapi up, or name the "
        "data "
        "directory of the one that runs with --data DIR",
        command.data_dir);
  }
  return error.message + "; only the user who runs the platform may read its audit log";
}

}  // namespace

audit::Filter audit_filter(const AuditCommand& command, Time now) {
  audit::Filter filter;
  const std::size_t colon = command.event.find(':');
  if (colon != std::string::npos) filter.source = command.event.substr(0, colon) + std::string(source_suffix);
  filter.name = command.event.substr(colon == std::string::npos ? 0 : colon + 1);
  filter.who = command.user;
  filter.resource = command.resource;
  filter.refused_only = command.denied;
  if (command.since) filter.start = std::chrono::floor<std::chrono::seconds>(now - *command.since);
  return filter;
}

std::string audit_heading(bool colors) {
  return line_of({{"TIME", time_width, Tone::faint},
                  {"WHO", who_width, Tone::faint},
                  {"ACTION", action_width, Tone::faint},
                  {"RESOURCE", resource_width, Tone::faint},
                  {"FROM", from_width, Tone::faint},
                  {"OUTCOME", 0, Tone::faint}},
                 colors);
}

std::string audit_line(const audit::Event& event, bool colors) {
  const std::string time = format_time(event.time);
  return line_of({{time.substr(0, time.find('.')) + "Z", time_width, Tone::faint},
                  {who_of(event), who_width, Tone::strong},
                  {action_of(event), action_width},
                  {resource_of(event), resource_width},
                  {event.source_ip.empty() ? "-" : event.source_ip, from_width},
                  outcome_of(event)},
                 colors);
}

int run_audit(const AuditCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  if (const Result<void> shown = show(command, surroundings.is_terminal, out); !shown) {
    err << "kaapi: " << explained(shown.error(), command) << "\n";
    return exit_failure;
  }
  return exit_success;
}

}  // namespace kaapi::cli
