#pragma once
// One task's state machine, pure: what has been seen is applied as facts; what to do next is computed from the task and
// the time. No I/O, no clock, no randomness. Rules: "Amazon ECS task lifecycle" and "Container health checks" in AWS's
// developer guide.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "ecs/model.h"

namespace kaapi::ecs {

// How long a container that has ended is kept for output that is not stored yet. Reading all that Docker keeps of one
// container takes about a minute; this is for a disk that is full, and for an engine that is out of order.
inline constexpr Duration drain_limit{3'600'000};

// What the task's driver should do. `container` is an index into Task::containers.
struct ResolveImages {};  // pin every image to a digest
struct StartContainer {
  std::size_t container;
};  // pull, create, attach logs, start
struct ProbeContainer {
  std::size_t container;
};  // run the health check once
struct SignalContainer {
  std::size_t container;
  bool kill;
};
struct RemoveContainer {
  std::size_t container;
};
using Action = std::variant<ResolveImages, StartContainer, ProbeContainer, SignalContainer, RemoveContainer>;

// What was seen. Facts may come late, twice, or out of order; applying one again changes nothing.
struct ImagesResolved {
  struct Image {
    std::string reference;
    std::string digest;
  };
  std::vector<Image> images;  // one per container
};
struct ImagesUnresolved {
  std::string reason;  // "CannotPullContainerError: …"
  bool retry = false;  // nobody answered: try again, nothing is known
};
struct ContainerStarted {
  std::size_t container = 0;
  std::string runtime_id;
  Time at{};
  std::string address;
  std::string mac_address;
  std::vector<PortMapping> bindings;
};
struct ContainerNotStarted {
  std::size_t container = 0;
  std::string runtime_id;  // when it was created
  std::string reason;      // "CannotPullContainerError: …", "CannotStartContainerError: …"
  bool retry = false;      // the engine did not answer: try again, nothing is known
  // What an engine that died in a start had left was in the way; it was removed. Worth another try or two.
  bool remnant = false;
};
struct ContainerExited {
  std::size_t container = 0;
  std::optional<int> exit_code;  // absent: the container is gone and nobody knows
  bool oom_killed = false;
  Time at{};
  // Learned while the engine was going down or after nobody had watched for a while: no evidence against the task.
  bool blameless = false;
};
struct ContainerProbed {
  std::size_t container = 0;
  std::string runtime_id;
  bool success = false;
  bool answered = true;  // false: the engine did not answer, which says nothing about the container
  std::string output;    // of a failure: why, as one line
  Time at{};
};
struct ContainerDrained {
  std::size_t container = 0;
};
// What it left is being read again, after nobody could for a while.
struct OutputFollowed {
  std::size_t container = 0;
};
struct ContainerRemoved {
  std::size_t container = 0;
  bool failed = false;  // the engine did not do it: try again
};
using Fact = std::variant<ImagesResolved, ImagesUnresolved, ContainerStarted, ContainerNotStarted, ContainerExited,
                          ContainerProbed, ContainerDrained, OutputFollowed, ContainerRemoved>;

// Changes the task by what was seen.
void apply(Task& task, const Fact& fact, Time now);

// Marks the task for stopping; the first caller's code and reason stay. Harmless on one that stops already.
void request_stop(Task& task, StopCode code, std::string_view reason, Time now);

// Kinds of work that are under way for a container, known to the scheduler, lost on a restart.
struct Busy {
  bool resolving = false;      // of the task as a whole
  std::vector<bool> starting;  // per container
  std::vector<bool> probing;
  std::vector<bool> signalling;
  std::vector<bool> removing;
};

// Marks the work that an action stands for as under way, or as over.
void set_busy(Busy& busy, const Action& action, bool under_way);

struct TaskPlan {
  std::vector<Action> actions;
  std::vector<std::string> warnings;  // whole texts for people, each given once
  std::optional<Time> wake_at;        // look again then, even if nothing is seen before
};

// Advances the task's own status as far as what is known allows, records intents (Phase::starting, term_sent_at, …) in
// the task and returns the actions that carry them out. The caller stores the task before it acts.
TaskPlan lifecycle(Task& task, const Busy& busy, Time now);

// When the next health probe of a running container is due. Quick while its health is not known, then at the interval.
Time next_probe_at(const HealthCheck& check, const ContainerState& state);

// Everything that happens after the end is done: nothing of the task is left in the engine.
bool finished(const Task& task);

}  // namespace kaapi::ecs
