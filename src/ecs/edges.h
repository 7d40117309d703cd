#pragma once
// What the engine room needs of other rooms, as small interfaces handed over in daemon/. Tests and the simulation bring
// their own.

#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "containers/engine.h"
#include "ecs/model.h"
#include "store/database.h"

namespace kaapi::ecs {

struct PinnedImage {
  std::string reference;  // what the engine is asked for: NAME@sha256:… or an image id
  std::string digest;     // "sha256:…"
};

// Image names. Thread-safe; calls may block on the engine.
class Images {
 public:
  virtual ~Images() = default;
  // What the name means now. Errors: `Unavailable` and `TimedOut` when nobody answers (tried again); any other ends the
  // task's start with "CannotPullContainerError: MESSAGE".
  virtual Result<PinnedImage> pin(const std::string& region, const std::string& image) = 0;
  // Credentials for pulling it, when it needs any.
  virtual std::optional<containers::RegistryLogin> login(const std::string& region, const std::string& reference) = 0;
};

// Where container output goes. Thread-safe.
class Output {
 public:
  virtual ~Output() = default;
  // Makes sure that there is somewhere to write, before the container starts.
  virtual Result<void> prepare(const LogTarget& target) = 0;
  // Follows the output of a container from where it was left. Harmless when it is followed already.
  virtual void attach(const std::string& runtime_id, const std::string& source_key, const LogTarget& target) = 0;
  // The container was removed.
  virtual void forget(const std::string& runtime_id, const std::string& source_key) = 0;
};

// What the role of a task is worth to its containers. Thread-safe; calls may block.
class TaskRoles {
 public:
  virtual ~TaskRoles() = default;
  // Before a container of a task with a role starts: from now on the task's containers get credentials. May be called
  // again. Errors: `Unavailable` and `TimedOut` when nobody answers (tried again); any other ends the task's start, its
  // message is the task's stopped reason.
  virtual Result<void> admit(const Task& task) = 0;
  // The task is STOPPED: what its containers got is worth nothing any more. May be called again.
  virtual void release(const std::string& task_id) = 0;
};

// Runs work elsewhere, soon. `slow` work (pulls and starts, minutes) never holds up `quick` work (probes, signals,
// seconds).
enum class Lane { slow, quick };
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void run(Lane lane, std::function<void()> work) = 0;
};

// Makes a new task of a deployment from its task definition. An error is told as a service event.
using TaskFactory = std::function<Result<Task>(store::Session&, const Service&, const Deployment&, Time now)>;

}  // namespace kaapi::ecs
