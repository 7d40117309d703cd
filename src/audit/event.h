#pragma once
// A line of the log, read back, and which lines somebody wants to see.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace kaapi::audit {

struct EventResource {
  std::string arn;
  std::string type;  // "AWS::ECS::Service"; empty when it is not known
};

struct Event {
  std::string id;
  Time time{};
  std::string source;  // "ecs.amazonaws.com"
  std::string name;    // "UpdateService"
  // "root", a user's name, a role session's name, "runner-token/NAME", of a job "repository/OWNER/NAME/run/ID"; empty:
  // nobody that is known.
  std::string user_name;
  std::string role_name;      // of a role's session
  std::string principal_arn;  // empty: nobody that is known
  std::string access_key_id;
  std::string source_ip;
  std::vector<EventResource> resources;
  std::string error_code;  // empty: it succeeded
  std::string error_message;
  bool allowed = false;
  std::string reason;
  bool read_only = false;
};

// Error: `Invalid`, when the line is no event (a crash cut it off).
Result<Event> parse_event(std::string_view line);

// When a line's event was, without reading all of the line; nullopt when it is no event of ours.
std::optional<Time> time_of(std::string_view line);

// What must all be so. Empty members ask for nothing.
struct Filter {
  std::string id;
  std::string name;    // "UpdateService"
  std::string source;  // "ecs.amazonaws.com"
  std::string who;     // a user's, a session's or a role's name, "ROLE/SESSION", or an ARN
  std::string access_key_id;
  std::string resource;  // an ARN, what stands behind its last slash or colon, or a part of it that begins there
  std::string resource_type;
  std::optional<bool> read_only;
  bool refused_only = false;  // and gaps, in which refusals may be missing
  std::optional<Time> start;  // from here on; both in whole seconds, which is what events have
  std::optional<Time> end;    // up to and with this one
};

bool matches(const Filter& filter, const Event& event);

// Texts that stand in every line that can match, so that most lines need not be parsed.
std::vector<std::string> texts_of(const Filter& filter);
bool may_match(const std::vector<std::string>& texts, std::string_view line);

}  // namespace kaapi::audit
