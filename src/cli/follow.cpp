#include "cli/follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <thread>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "cli/program.h"
#include "cli/table.h"

namespace kaapi::cli {
namespace {

Tone tone_of(std::string_view conclusion) {
  if (conclusion == "success") return Tone::good;
  if (conclusion == "skipped" || conclusion == "neutral") return Tone::faint;
  return Tone::bad;
}

bool is_good(std::string_view conclusion) {
  return conclusion == "success" || conclusion == "skipped" || conclusion == "neutral";
}

// The line of a log without the time at its beginning, "2026-07-01T09:30:00.000Z ".
std::string_view without_time(std::string_view text) {
  constexpr std::string_view shape = "dddd-dd-ddTdd:dd:dd.dddZ ";
  if (text.size() < shape.size()) return text;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (shape[i] == 'd' ? !digit : text[i] != shape[i]) return text;
  }
  return text.substr(shape.size());
}

// Cuts the answer into lines, each an event.
class EventReader {
 public:
  explicit EventReader(FollowPrinter& printer) : printer_(printer) {}

  // False: stop.
  bool take(std::string_view bytes) {
    rest_ += bytes;
    std::size_t from = 0;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', from)) {
      if (!event(std::string_view(rest_).substr(from, end - from))) return false;
      from = end + 1;
    }
    rest_.erase(0, from);
    if (rest_.size() > max_follow_line_bytes) {
      failure_ = make_error(errc::invalid, "the platform sent an event that is too long");
      return false;
    }
    return true;
  }

  const std::optional<Error>& failure() const { return failure_; }
  // What came without an end of line: the body of a refusal.
  const std::string& rest() const { return rest_; }

 private:
  bool event(std::string_view text) {
    if (trim(text).empty()) return true;
    const Result<json::value> value = parse_json(text);
    const Result<actions::FollowEvent> read =
        value ? actions::follow_event_from(*value) : Result<actions::FollowEvent>(value.error());
    if (!read || read->kind.empty()) {
      const std::string said = value ? string_member(*value, "message") : std::string();
      failure_ =
          make_error(errc::invalid, said.empty() ? "the platform sent something that is no event of a run" : said);
      return false;
    }
    printer_.print(*read);
    return true;
  }

  FollowPrinter& printer_;
  std::string rest_;
  std::optional<Error> failure_;
};

Error refusal_of(int status, std::string_view body) {
  const Result<json::value> value = parse_json(body);
  std::string said = value ? string_member(*value, "message") : std::string();
  if (said.empty()) said = fmt::format("the platform answered with status {}", status);
  const std::string_view code = status == 404 ? errc::not_found : status >= 500 ? errc::unavailable : errc::invalid;
  return make_error(code, fmt::format("the run cannot be followed: {}", harmless(said)), status);
}

}  // namespace

Result<http::Endpoint> peer_of(const std::string& endpoint) {
  constexpr std::string_view scheme = "http://";
  std::string_view rest = endpoint;
  if (!rest.starts_with(scheme)) {
    return make_error(errc::invalid, fmt::format("only http:// is spoken here, not '{}'", endpoint));
  }
  rest.remove_prefix(scheme.size());
  rest = rest.substr(0, rest.find('/'));
  http::Endpoint peer;
  const std::size_t colon = rest.rfind(':');
  const std::size_t bracket = rest.rfind(']');
  std::string_view host = rest;
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const std::optional<std::int64_t> port = parse_number(rest.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) {
      return make_error(errc::invalid, fmt::format("the endpoint '{}' has no usable port", endpoint));
    }
    peer.port = static_cast<std::uint16_t>(*port);
    host = rest.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return make_error(errc::invalid, fmt::format("the endpoint '{}' names no host", endpoint));
  peer.host = host;
  return peer;
}

void FollowPrinter::print(const actions::FollowEvent& event) {
  ++events_;
  if (is_known(event)) return;
  if (event.kind == "run") print_run(event);
  if (event.kind == "job") print_job(event);
  if (event.kind == "step") print_step(event);
  if (event.kind == "log") print_log(event);
  if (event.kind == "end") print_end(event);
  out_.flush();
}

void FollowPrinter::begin_again() {
  known_ = told_;
  for (auto& [id, job] : jobs_) job.known_bytes = job.log_bytes;
}

bool FollowPrinter::is_known(const actions::FollowEvent& event) {
  if (event.kind == "log") return false;  // its pieces may be others: by bytes
  std::string text = json::serialize(to_json(event));
  if (const auto known = known_.find(text); known != known_.end()) {
    known_.erase(known);
    return true;
  }
  told_.insert(std::move(text));
  return false;
}

int FollowPrinter::exit_code() const {
  return is_good(conclusion_) ? exit_success : exit_failure;
}

void FollowPrinter::line(std::string_view text) {
  out_ << text << '\n';
}

std::string FollowPrinter::prefix(const Job& job) const {
  return jobs_.size() > 1 ? painted(job.name + " | ", Tone::faint, colors_) : std::string();
}

void FollowPrinter::print_run(const actions::FollowEvent& event) {
  if (!event.name.empty()) run_name_ = harmless(event.name);
  if (event.status == run_status_) return;
  run_status_ = event.status;
  if (event.status == "completed") return;  // "end" tells it
  line(fmt::format("{}: {}{}", painted(run_name_, Tone::strong, colors_),
                   event.status == "in_progress" ? "runs" : event.status,
                   event.text.empty() ? "" : ": " + harmless(event.text)));
}

void FollowPrinter::print_job(const actions::FollowEvent& event) {
  Job& job = jobs_[event.job_id];
  if (!event.name.empty()) job.name = harmless(event.name);
  if (event.status == job.status && event.status != "waiting") return;
  job.status = event.status;
  const std::string name = painted("job " + job.name, Tone::strong, colors_);
  const std::string why = event.text.empty() ? "" : ": " + harmless(event.text);
  if (event.status == "completed") {
    line(fmt::format("{}: {}{}", name, painted(harmless(event.conclusion), tone_of(event.conclusion), colors_), why));
  } else if (event.status == "in_progress") {
    line(fmt::format("{}: started{}", name, why));
  } else if (event.status == "waiting" || !why.empty()) {
    line(fmt::format("{}: {}{}", name, harmless(event.status), why));
  }
}

void FollowPrinter::print_step(const actions::FollowEvent& event) {
  Job& job = jobs_[event.job_id];
  const std::string name = harmless(event.name);
  if (event.status == "in_progress" && job.step != name) {
    job.step = name;
    job.step_begins = true;
    job.in_header = false;
    line(fmt::format("{}{}", prefix(job), painted("> " + name, Tone::busy, colors_)));
  }
  if (event.status != "completed") return;
  job.step.clear();
  if (is_good(event.conclusion)) return;
  line(fmt::format("{}{}{}", prefix(job),
                   painted(fmt::format("> {}: {}", name, harmless(event.conclusion)), Tone::bad, colors_),
                   event.text.empty() ? "" : ": " + harmless(event.text)));
}

// The marks of GitHub's logs ("##[error]...") as words; nullopt: the line is for the whole log only.
std::optional<std::string> FollowPrinter::log_line(Job& job, std::string_view text) const {
  constexpr std::string_view mark = "##[";
  const bool begins = std::exchange(job.step_begins, false);
  const std::size_t end = text.find(']');
  const bool marked = text.starts_with(mark) && end != std::string_view::npos;
  const std::string_view word = marked ? text.substr(mark.size(), end - mark.size()) : std::string_view();
  if (word == "endgroup") {
    job.in_header = false;
    return std::nullopt;
  }
  if (job.in_header) return std::nullopt;
  if (!marked) return terminal_line(text, colors_);
  const std::string_view rest = text.substr(end + 1);
  if (word == "group") {
    job.in_header = begins && rest.starts_with("Run ");
    return job.in_header ? std::nullopt : std::optional(painted(terminal_line(rest, colors_), Tone::strong, colors_));
  }
  if (word == "error") return painted("error: " + terminal_line(rest, colors_), Tone::bad, colors_);
  if (word == "warning" || word == "notice" || word == "debug") {
    return painted(fmt::format("{}: {}", word, terminal_line(rest, colors_)),
                   word == "warning" ? Tone::busy : Tone::faint, colors_);
  }
  return terminal_line(text, colors_);
}

void FollowPrinter::print_log(const actions::FollowEvent& event) {
  Job& job = jobs_[event.job_id];
  std::string_view text = event.text;
  const std::size_t known = std::min(job.known_bytes, text.size());
  job.known_bytes -= known;
  text.remove_prefix(known);
  if (text.empty()) return;
  job.log_bytes += text.size();
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (const std::string& one : split(text, '\n')) {
    const std::optional<std::string> shown = log_line(job, without_time(one));
    if (shown) line(prefix(job) + *shown + (colors_ ? "\x1b[0m" : ""));
  }
}

void FollowPrinter::print_end(const actions::FollowEvent& event) {
  conclusion_ = event.conclusion.empty() ? "failure" : harmless(event.conclusion);
  const std::string name = event.name.empty() ? run_name_ : harmless(event.name);
  line(fmt::format("{}: {}{}", painted(name.empty() ? "the run" : name, Tone::strong, colors_),
                   painted(conclusion_, tone_of(conclusion_), colors_),
                   event.text.empty() ? "" : ": " + harmless(event.text)));
}

Result<void> follow_run(const std::string& endpoint, const std::string& path, const std::string& token,
                        FollowPrinter& printer, std::chrono::milliseconds limit) {
  const Result<http::Endpoint> peer = peer_of(endpoint);
  if (!peer) return peer.error();
  http::Client client(*peer);
  http::ClientRequest request;
  request.target = path;
  request.headers.add("Authorization", "Bearer " + token);
  EventReader reader(printer);
  const Result<http::ClientResponse> answer =
      client.send(request, limit, [&](std::string_view bytes) { return reader.take(bytes); });
  if (reader.failure()) return *reader.failure();
  if (answer && answer->status != 200) return refusal_of(answer->status, reader.rest());
  if (!printer.conclusion().empty()) return ok();
  if (!answer && answer.error().code == errc::timed_out) {
    return make_error(errc::timed_out,
                      fmt::format("it was not over within {} hours, and goes on: follow it with `kaapi "
                                  "run watch`",
                                  std::chrono::duration_cast<std::chrono::hours>(limit).count()));
  }
  return make_error(errc::unavailable,
                    fmt::format("the connection to {} broke{}; the run goes on: look at it with `kaapi run list`",
                                endpoint, answer ? "" : ": " + answer.error().message));
}

Result<void> follow_through_restarts(const std::string& endpoint, const std::string& path, const std::string& token,
                                     FollowPrinter& printer, std::ostream& err, Patience patience) {
  using Watch = std::chrono::steady_clock;
  std::optional<Watch::time_point> away_since;
  while (true) {
    const std::size_t before = printer.events();
    Result<void> seen = follow_run(endpoint, path, token, printer);
    if (seen || seen.error().code != errc::unavailable) return seen;
    if (!away_since || printer.events() > before) {
      away_since = Watch::now();
      err << fmt::format(
          "kaapi: the connection to {} broke; the run goes on, and so does this when the platform is back\n", endpoint);
    }
    if (Watch::now() + patience.pause > *away_since + patience.at_most) return seen;
    std::this_thread::sleep_for(patience.pause);
    printer.begin_again();
  }
}

}  // namespace kaapi::cli
