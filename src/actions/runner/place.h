#pragma once
// Where a job runs: what its process is told by the runner besides the job, and the folders that it makes of it.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "actions/builtin/action_host.h"
#include "actions/protocol/job_message.h"
#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions::runner {

struct JobPlace {
  std::string server_url;     // "http://127.0.0.1:4566"
  std::string folder;         // the job's own, exists, empty; deleted by the runner afterwards
  std::string action_folder;  // fetched actions, shared by jobs, read-only
  std::string runner_name;
  std::map<std::string, std::string> label_images;  // jobs with this label run in a container of that image
  std::vector<std::string> originals;               // built-in actions that are fetched all the same
  // DOCKER_BUILDKIT for the job's `docker build`: "1", or empty where this docker cannot.
  std::string docker_buildkit;
  // What the wrapper of `aws` keeps: whether the client reads AWS_ENDPOINT_URL ("yes" or "no"), and where it is, a line
  // each. Empty: it finds out itself, which takes as long as the client takes to start.
  std::string aws_client;
  std::int64_t lost_after_ms = 60'000;
};

json::value to_json(const JobPlace& place);
Result<JobPlace> job_place_from(const json::value& value);

// All absolute, below JobPlace::folder. `work` is what a container sees as /__w.
struct JobPaths {
  std::string work;
  std::string workspace;      // work/REPO/REPO
  std::string temp;           // work/_temp
  std::string tools;          // work/_tool
  std::string home;           // work/_temp/_github_home
  std::string workflow;       // work/_temp/_github_workflow: event.json
  std::string commands;       // work/_temp/_runner_file_commands
  std::string docker_config;  // work/_temp/_docker
  std::string bin;            // work/_bin: first in PATH
  std::string spool;          // the log
};

// Makes the folders and what lies in them from the start. Errors: the file system's.
Result<JobPaths> make_paths(const JobPlace& place, const JobMessage& message);

using BuiltInFinder = const BuiltIn* (*)(std::string_view name_with_path);

// An action of another repository, brought to this machine.
struct FetchedAction {
  std::string folder;  // of the repository
  std::string commit;
};

// Fetches actions "OWNER/NAME" at a ref. One thread.
class ActionSource {
 public:
  virtual ~ActionSource() = default;
  // Errors: `NotFound`, `Unavailable`, `Invalid`; they say what git said and what to do.
  virtual Result<FetchedAction> fetch(std::string_view owner, std::string_view name, std::string_view ref) = 0;
};

}  // namespace kaapi::actions::runner
