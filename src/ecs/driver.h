#pragma once
// Carries out what lifecycle decided for one container: calls the engine and returns what was seen, as facts. Decides
// nothing.

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "containers/engine.h"
#include "ecs/edges.h"
#include "ecs/lifecycle.h"
#include "ecs/task_network.h"
#include "store/database.h"

namespace kaapi::ecs {

struct DriverConfig {
  std::string instance;    // of the data directory: labels every container and network of ours
  std::string account_id;  // for the ARNs in labels
  std::string network;     // of awsvpc tasks
};

struct TaskFact {
  std::string task_id;
  Fact fact;
};

// Thread-safe. Every call blocks on the engine.
class TaskDriver {
 public:
  // All outlive the driver.
  // `roles`: nullptr when no task has a role.
  TaskDriver(containers::Engine& engine, Images& images, Output& output, const Clock& clock, DriverConfig config,
             TaskRoles* roles = nullptr);

  std::vector<Fact> resolve(const Task& task);
  std::vector<Fact> start(const Task& task, std::size_t container);
  std::vector<Fact> probe(const Task& task, std::size_t container);
  std::vector<Fact> signal(const Task& task, std::size_t container, bool kill);
  std::vector<Fact> remove(const Task& task, std::size_t container);
  // An exit that the engine told of. Asks whether the engine itself is going down.
  std::vector<Fact> exited(ContainerExited fact);
  // The task is STOPPED.
  void release_role(const Task& task);
  // What the engine says of one container now.
  std::vector<Fact> look(const Task& task, std::size_t container);

  // Compares everything that the engine has of ours with what is stored: facts about what changed while nobody watched,
  // output followed again, and containers that belong to no unfinished task removed. Error: the engine does not answer.
  Result<std::vector<TaskFact>> resync(store::Database& database);

  std::map<std::string, std::string> our_labels() const;
  static std::string container_name(const Task& task, std::size_t container);
  static std::string source_key(const Task& task, std::size_t container);

 private:
  std::map<std::string, std::string> labels_of(const Task& task) const;
  containers::ContainerSpec spec_of(const Task& task, std::size_t container, std::string network) const;
  Result<void> make_image_available(const Task& task, const ContainerState& state);
  bool not_its_fault(const Error& error);
  ContainerNotStarted not_started(std::size_t container, std::string runtime_id, std::string_view kind,
                                  const Error& error);
  std::vector<Fact> not_made(const Task& task, std::size_t container, std::string_view kind, const Error& error);
  Result<std::vector<Fact>> unheard(const Task& task, std::size_t container);
  std::vector<Fact> refused(std::size_t container, const std::string& runtime_id, const Error& error);
  std::vector<Fact> facts_of(const Task& task, std::size_t index, const containers::Container& found);
  void follow(const Task& task, std::size_t container, const std::string& runtime_id);
  void compare(const Task& task, const std::map<std::string, containers::Container>& by_name,
               std::vector<TaskFact>& facts);
  void remove_strangers(store::Database& database, const std::vector<Task>& tasks,
                        const std::vector<containers::Container>& found);

  containers::Engine& engine_;
  Images& images_;
  Output& output_;
  const Clock& clock_;
  DriverConfig config_;
  TaskRoles* roles_;
  TaskNetwork network_;
};

// Labels by which a container is found again.
inline constexpr std::string_view instance_label = "kaapi.instance";
inline constexpr std::string_view task_label = "kaapi.task";
inline constexpr std::string_view job_label = "kaapi.job";              // of containers of jobs, actions/docker
inline constexpr std::string_view container_label = "kaapi.container";  // the index in the task, or pause_label_value

}  // namespace kaapi::ecs
