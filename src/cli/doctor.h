#pragma once
// `kaapi doctor`: whether the machine, the data directory and the rights of a platform are as they should be. Changes
// nothing.

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/program.h"

namespace kaapi::aws {
class Client;
}  // namespace kaapi::aws

namespace kaapi::cli {

// Exit code: failure when a problem was found, success otherwise, warnings included.
int run_doctor(const DoctorCommand& command, const Surroundings& surroundings, std::ostream& out);

// The parts below look at one thing each.

enum class Severity {
  ok,
  note,     // worth knowing; may well be meant so
  warning,  // works, and should be otherwise
  problem,  // does not work, or others may read what is secret
};
struct Finding {
  Severity severity = Severity::ok;
  std::string check;   // "files", "platform", "clock", "docker", "disk", "trust", "keys", "administrators"
  std::string what;    // what was found, and why it matters
  std::string advice;  // what to do; empty when nothing is to be done
};

// Whether the folder and the files with secrets are there and nobody else's to read.
std::vector<Finding> check_files(const std::string& data_dir);
// Whether a platform runs on the directory and answers, and whether its clock agrees with this one.
std::vector<Finding> check_platform(const std::string& data_dir, const Surroundings& surroundings, const Clock& clock);
Finding check_engine(const Surroundings& surroundings);
Finding check_disk(const std::string& data_dir, const Surroundings& surroundings);

// "Sun, 06 Nov 1994 08:49:37 GMT": HTTP's Date (RFC 9110, section 5.6.7, its preferred form).
std::optional<Time> parse_http_date(std::string_view text);

// What is looked at of the account's rights.
struct RightsFacts {
  struct Role {
    std::string name;
    std::string trust_policy;  // JSON
  };
  struct Key {
    std::string user;
    std::string id;
    Time made{};
    std::optional<Time> last_used;  // nullopt: never
  };
  std::vector<Role> roles;
  std::vector<Key> keys;                    // active ones
  std::vector<std::string> administrators;  // "user alice", "group ops": those with AWS's AdministratorAccess
};
// Asks IAM. Errors: those of the calls.
Result<RightsFacts> ask_rights(aws::Client& client);
// Pure.
std::vector<Finding> judge_rights(const RightsFacts& facts, Time now);

// One line for each finding: how bad, which check, what and what to do.
std::string render_findings(const std::vector<Finding>& findings, bool colors);
// {"dataDirectory", "problems", "warnings", "findings": [{"check", "severity", "what", "advice"}]}
std::string render_findings_json(const std::vector<Finding>& findings, const std::string& data_dir);

}  // namespace kaapi::cli
