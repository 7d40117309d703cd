#pragma once
// How runners talk to the platform: HTTP below /runner/v1/, JSON unless said otherwise, Bearer tokens. The platform
// never calls a runner. Bodies of errors: {"message": "..."}.
//
//   POST acquire                      runner token. Acquire → 200 JobMessage, or 204 after at most acquire_wait.
//   POST jobs/ID/steps                StepUpdates → 204. Entries replace those with the same number.
//   POST jobs/ID/log?offset=N         text, appended at byte N of the job's log → 204. Bytes that are there already are
//                                     skipped, so a lost answer is repaired by sending again; 409 {"size": S} for a
//                                     gap.
//   GET  jobs/ID/commands             held up to acquire_wait → 204, or 200 {"cancel": true, "reason": "..."}.
//   GET  jobs/ID/deployments?known=K  held until the deployments that the job asked for stand otherwise than K, up to
//                                     acquire_wait → {"lines": [".."], "over": B, "failure": "..", "known": K}.
//   POST jobs/ID/complete             Completion → 204; again: the same.
//   GET  jobs/ID/id-token?audience=A  {"value": JWT}; 403 without the permission id-token: write.
//   PUT  jobs/ID/artifacts/NAME?retention_days=N&overwrite=true   a zip → 201 {"id": .., "size": .., "digest": ".."};
//                                     409 when the run has one of that name already.
//   GET  jobs/ID/artifacts            {"artifacts": [{"id","name","size","digest","outdated"}]} of this run;
//                                     outdated: of a job that was started again since, so that PUT replaces it.
//   GET  jobs/ID/artifacts/NAME       the zip; 404.
//                                     With ?run=N both are of that run: 403 without the permission actions: read, 404
//                                     unless it is a run of the job's repository.
//   DELETE jobs/ID/artifacts/NAME     of this run → 204; 404.
//   GET  jobs/ID/caches?key=K&restore=A&restore=B&version=V       the archive with header x-kaapi-cache-key; 204: none.
//                                                               With &lookup=true the header alone.
//   PUT  jobs/ID/caches?key=K&version=V                           an archive → 201; 409 when it exists.
//   GET  runs/ID/follow               a watch token. Chunked: one FollowEvent as JSON on each line, from the run's
//                                     beginning until its end.
//
// Tokens below jobs/ID: JobMessage::id_request_token for id-token, JobMessage::token for all others. Answers to
// anything there: 401 unknown token, 403 a token of the job that is for something else, 410 {"message"} when the job is
// over for the platform (cancelled long ago, lost): the runner then ends the job and forgets it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions {

inline constexpr std::string_view runner_api_path = "/runner/v1/";
inline constexpr std::chrono::seconds acquire_wait{50};
inline constexpr std::size_t max_log_chunk_bytes = 256UL * 1024;
// A job whose runner has not been heard of for so long is lost. Runners keep trying for that long.
inline constexpr std::chrono::seconds runner_lost_after{60};

struct Acquire {
  std::string name;                   // of the runner
  std::vector<std::string> labels;    // "ubuntu-latest", "self-hosted", "linux", "x64"
  std::vector<std::int64_t> running;  // ids of jobs that it is at
  std::string id{};                   // of its work folder: the same after a restart, and no other runner's
};

// "completed" steps have a conclusion and, before continue-on-error, an outcome.
struct StepUpdate {
  std::int64_t number = 0;  // from 1, in the order they are shown: "Set up job", the steps, the post steps
  std::string name;
  std::string status;                         // "in_progress", "completed"
  std::string conclusion;                     // "success", "failure", "cancelled", "skipped"
  std::int64_t started_ms = 0, ended_ms = 0;  // since 1970
  std::int64_t log_from = 0, log_to = 0;      // bytes of the job's log
};

struct Annotation {
  std::string level;  // "error", "warning", "notice"
  std::string message, title, file;
  std::int64_t line = 0, column = 0;
};

struct Completion {
  std::string conclusion;  // "success", "failure", "cancelled"
  std::string reason;      // for people: "the step \"Build\" failed with exit code 1"
  json::object outputs;    // texts by name
  std::string environment_url;
  std::string summary;  // Markdown of GITHUB_STEP_SUMMARY, at most 1 MiB
  std::vector<Annotation> annotations;
};

// One line of runs/ID/follow.
struct FollowEvent {
  std::string kind;         // "run", "job", "step", "log", "end"
  std::int64_t job_id = 0;  // of job, step and log
  std::string name;         // of the run, job or step
  std::string status;       // "queued", "waiting", "in_progress", "completed"
  std::string conclusion;   // once completed; of "end": the run's
  std::string text;         // of log: whole lines; otherwise why (a failure, what it waits for)
};

json::value to_json(const Acquire& acquire);
Result<Acquire> acquire_from(const json::value& value);
json::value to_json(const StepUpdate& step);
Result<StepUpdate> step_update_from(const json::value& value);
json::value to_json(const Completion& completion);
Result<Completion> completion_from(const json::value& value);
json::value to_json(const FollowEvent& event);
Result<FollowEvent> follow_event_from(const json::value& value);

}  // namespace kaapi::actions
