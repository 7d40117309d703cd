#pragma once
// One job as a runner gets it. The workflow travels as text and is parsed again where it runs: parsing is cheap, and
// there is one reader of workflow files.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions {

inline constexpr std::size_t max_job_message_bytes = 8UL * 1024 * 1024;

struct JobMessage {
  std::int64_t run_id = 0;
  std::int64_t job_id = 0;
  std::int64_t attempt = 1;
  // Three tokens, each for one thing, all worth nothing once the job is over. Never logged.
  // The runner's own: Bearer of everything below /runner/v1/jobs/JOB_ID but the id token. Steps never see it: with it
  // they could forge the log and how the job ended.
  std::string token;
  std::string git_token;         // GITHUB_TOKEN: the password of "x-access-token" for git, and nothing else
  std::string id_request_token;  // Bearer of jobs/JOB_ID/id-token, and nothing else; empty without may_ask_token
  std::string name;              // as shown: "test (linux, 20)"
  std::string repository;        // "OWNER/NAME"
  std::string clone_path;        // "/git/OWNER/NAME.git", below the platform's address
  std::string workflow_path;     // ".github/workflows/cd.yml"
  std::string workflow_text;
  std::string job;                  // the job's id in that file
  std::vector<std::string> labels;  // runs-on, evaluated
  std::int64_t timeout_s = 360L * 60;
  std::string environment;                         // evaluated; empty: none
  bool may_ask_token = false;                      // permissions: id-token: write
  bool may_write_code = false;                     // permissions: contents: write
  std::string runner_environment = "self-hosted";  // runner.environment: the platform says where its jobs run
  // Contexts that are known before the job starts: github, vars, secrets, needs, strategy, matrix, inputs. Objects, or
  // null where GitHub has null.
  json::object contexts;
  // The event's payload: becomes GITHUB_EVENT_PATH (and is github.event).
  json::value event;
  // Values besides those of `secrets` that must not appear in logs.
  std::vector<std::string> masks;
  // For people, at the beginning of the log.
  std::vector<std::string> warnings;
};

json::value to_json(const JobMessage& message);
// Errors: `Invalid`, naming the member.
Result<JobMessage> job_message_from(const json::value& value);

}  // namespace kaapi::actions
