#pragma once
// What a built-in action sees of the job it runs in, and may do to it. Implemented by runner/; tests have a fake.

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actions/protocol/job_message.h"
#include "base/error.h"

namespace kaapi::actions {

struct ProcessSpec {
  std::vector<std::string> argv;           // argv[0] is looked up in the job's PATH
  std::string directory;                   // empty: the workspace
  std::map<std::string, std::string> env;  // besides the step's
  std::string input;                       // its standard input
  bool capture = false;  // standard output is returned; otherwise it goes to the log, as standard error does
  bool quiet = false;    // standard error is captured too and returned in `errors`
};

struct ProcessResult {
  int exit_code = 0;           // 128 + signal when one ended it
  std::string output, errors;  // at most 16 MiB each
};

// Used on the step's thread only.
class ActionHost {
 public:
  virtual ~ActionHost() = default;

  virtual const JobMessage& job() const = 0;
  // `with`, evaluated and trimmed; empty when it is not given.
  virtual std::string input(std::string_view name) const = 0;
  // A variable as the step's processes would see it; nullopt when it is not set.
  virtual std::optional<std::string> env(std::string_view name) const = 0;
  virtual const std::string& workspace() const = 0;      // GITHUB_WORKSPACE, absolute
  virtual const std::string& temp() const = 0;           // RUNNER_TEMP: of this job alone, deleted afterwards
  virtual const std::string& docker_config() const = 0;  // the folder that DOCKER_CONFIG of the job names
  virtual const std::string& server_url() const = 0;     // of the platform as this runner reaches it; no final slash

  // A path as the job's steps know it, absolute and normal, for this action to open: a container of the job has the
  // job's folders under other names. Error: `Invalid`, for what is in the container alone; says which folders are not.
  virtual Result<std::string> host_path(std::string_view path) const = 0;
  // The other way round: a path of the host, or a URL of the platform, for the steps that follow.
  virtual std::string job_path(std::string_view path) const = 0;

  virtual void set_output(std::string_view name, std::string_view value) = 0;
  virtual void set_env(std::string_view name, std::string_view value) = 0;  // for the steps that follow
  virtual void add_path(std::string_view directory) = 0;
  virtual void add_mask(std::string_view value) = 0;  // before the value can reach a log
  // For the action's own post step.
  virtual void save_state(std::string_view name, std::string_view value) = 0;
  virtual std::string state(std::string_view name) const = 0;

  // A line of the log; commands ("::group::Fetching", "::warning::...") work as if a process had printed it.
  virtual void log(std::string_view line) = 0;

  // Runs to the end; killed with its descendants when the step is cancelled. Error: `NotFound` (no such program),
  // `Cancelled`, `Unavailable`.
  virtual Result<ProcessResult> run(const ProcessSpec& spec) = 0;
  virtual bool cancelled() const = 0;

  // runner_api.h's requests below jobs/ID/ with the token that each asks for; `path` is what follows that
  // ("artifacts/dist").
  // Bodies travel from and to files. Any status is an answer; errors: `Unavailable`, `TimedOut`, `Cancelled`.
  struct Answer {
    int status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;                            // empty when it went to a file; at most 8 MiB
  };
  virtual Result<Answer> get(std::string_view path, std::string_view into_file = {}) = 0;
  virtual Result<Answer> put_file(std::string_view path, std::string_view from_file) = 0;
  virtual Result<Answer> remove(std::string_view path) = 0;  // DELETE

  // hashFiles and the like live in the runner; whether the job has succeeded so far, for post steps.
  virtual bool job_succeeded() const = 0;
};

// What an action ends with: success, or why it failed (one or more lines for people).
using ActionResult = Result<void>;

struct BuiltIn {
  std::string_view name;  // "actions/checkout"
  // Inputs that it knows, with defaults as the original's action.yml; others are warned of by name, as GitHub does.
  struct Input {
    std::string_view name;
    std::string_view default_value;
    bool required = false;
  };
  std::vector<Input> inputs;
  std::function<ActionResult(ActionHost&)> main;
  std::function<ActionResult(ActionHost&)> post;  // may be empty
  bool post_on_success_only = false;              // actions/cache
};

// The built-in of "OWNER/NAME" or "OWNER/NAME/PATH" ("actions/cache/restore"), case does not count; nullptr when there
// is none. `ref`: v1 to v6, a tag below those ("v4.1.2"), or a commit; other refs ("main") map to it too.
const BuiltIn* find_builtin(std::string_view name_with_path);

}  // namespace kaapi::actions
