#pragma once
// Which network the containers of a task are on. An awsvpc task has one network namespace and one address, whatever the
// number of its containers: a single container is put on the network by itself; several join the namespace of a pause
// container that holds it open for them, as in ECS. Not to be mixed up with the containers of the task definition: the
// pause container is the driver's own business, and nothing is decided on what happens to it.

#include <map>
#include <string>

#include "base/error.h"
#include "containers/engine.h"
#include "ecs/model.h"

namespace kaapi::ecs {

// The value of the container label of a pause container; the others have their number there.
inline constexpr std::string_view pause_label_value = "pause";

// Thread-safe. Every call blocks on the engine.
class TaskNetwork {
 public:
  // `name`: the network of awsvpc tasks. `labels`: of everything that is ours. The engine outlives this.
  TaskNetwork(containers::Engine& engine, std::string name, std::map<std::string, std::string> labels);

  struct Address {
    std::string address;  // empty: none of its own, or not known
    std::string mac_address;
  };
  // Makes sure that there is a network for a container of the task to join, and returns it for ContainerSpec::network.
  // `labels`: of the task's containers. May be called for several containers of a task at once, and again after an
  // answer was lost. Errors: the engine's; `Conflict` when the namespace that the task began with is gone, for there
  // can be no second one like it.
  Result<std::string> join(const Task& task, std::map<std::string, std::string> labels);

  // To be called between making a container of the task and starting it: puts it on the network of credentials, when it
  // needs that and is not there through the namespace that it joined.
  Result<void> reach_credentials(const Task& task, const std::string& container);

  // Of a container of the task, as the engine shows it. Asks the engine for what the containers share, unless the task
  // knows it.
  Address address_of(const Task& task, const containers::Container& container);

  // To be called after a container of the task was removed, or could not be made: removes the pause container, unless
  // another container of the task is left in the engine.
  Result<void> leave(const Task& task);

  // Whether the task needs a pause container.
  static bool is_shared(const Task& task);
  static std::string pause_name(const Task& task);

 private:
  containers::ContainerSpec pause_spec(const Task& task, std::map<std::string, std::string> labels) const;
  Result<containers::Container> running_pause(const Task& task, std::map<std::string, std::string> labels);
  Result<void> connect_pause(const Task& task, const containers::Container& pause);
  Result<std::string> create_pause(const containers::ContainerSpec& spec);
  Address own_address(const containers::Container& container) const;

  containers::Engine& engine_;
  std::string name_;
  std::map<std::string, std::string> labels_;
};

}  // namespace kaapi::ecs
