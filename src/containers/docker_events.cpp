#include "containers/docker_events.h"

#include "base/text.h"

namespace kaapi::containers {
namespace {

std::optional<EventKind> kind_of(std::string_view action) {
  if (action == "start") {
    return EventKind::start;
  }
  if (action == "die") {
    return EventKind::die;
  }
  if (action == "oom") {
    return EventKind::oom;
  }
  if (action == "destroy") {
    return EventKind::destroy;
  }
  return std::nullopt;
}

}  // namespace

Result<void> LineSplitter::feed(std::string_view bytes, const std::function<void(std::string_view line)>& on_line) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    if (newline == std::string_view::npos) {
      pending_ += bytes;
      break;
    }
    std::string_view line = bytes.substr(0, newline);
    bytes.remove_prefix(newline + 1);
    std::string joined;
    if (!pending_.empty()) {
      joined = std::move(pending_);
      pending_.clear();
      joined += line;
      line = joined;
    }
    if (line = trim(line); !line.empty()) {
      on_line(line);
    }
  }
  if (pending_.size() > max_json_line_bytes) {
    return make_error(errc::too_large, "the engine sent a line without end");
  }
  return ok();
}

std::optional<DockerEvent> parse_event(const json::value& object) {
  DockerEvent result;
  result.action = string_member(object, "Action");
  const auto kind = kind_of(result.action);
  const json::value* actor = find_member(object, "Actor");
  if (string_member(object, "Type") != "container" || !kind || actor == nullptr) {
    return std::nullopt;
  }
  result.at_nanos = int_member(object, "timeNano");
  result.event.kind = *kind;
  result.event.container = string_member(*actor, "ID");
  result.event.at = from_millis(result.at_nanos / 1'000'000);
  const json::value* attributes = find_member(*actor, "Attributes");
  if (attributes != nullptr && attributes->is_object()) {
    for (const auto& entry : attributes->get_object()) {
      const std::string_view key(entry.key().data(), entry.key().size());
      if (entry.value().is_string() && key != "image" && key != "name" && key != "exitCode" && key != "execDuration") {
        result.event.labels.emplace(key, std::string(entry.value().get_string()));
      }
    }
    if (*kind == EventKind::die) {
      result.event.exit_code = static_cast<int>(parse_number(string_member(*attributes, "exitCode")).value_or(0));
    }
  }
  return result;
}

}  // namespace kaapi::containers
