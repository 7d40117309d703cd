#include "ecs/task_network.h"

#include <fmt/format.h>

#include <algorithm>

#include "containers/pause_image.h"
#include "ecs/driver.h"
#include "ecs/task_role.h"

namespace kaapi::ecs {
namespace {

using containers::ContainerStatus;

// A container of the task has run, so there was a namespace for it.
bool has_begun(const Task& task) {
  return std::any_of(task.containers.begin(), task.containers.end(),
                     [](const Container& container) { return container.state.started_at.has_value(); });
}

Error namespace_gone(const Task& task, std::string_view what) {
  return make_error(errc::conflict, fmt::format("the network namespace that the containers of the task share is gone: "
                                                "its pause container {} {}; run the task again",
                                                TaskNetwork::pause_name(task), what));
}

}  // namespace

TaskNetwork::TaskNetwork(containers::Engine& engine, std::string name, std::map<std::string, std::string> labels)
    : engine_(engine), name_(std::move(name)), labels_(std::move(labels)) {}

bool TaskNetwork::is_shared(const Task& task) {
  // The pause container of a task with a role is on two networks, in this order: then the name of the machine leads to
  // the task's own address. Of networks that a container begins with Docker keeps no order.
  return task.network_mode == NetworkMode::awsvpc && (task.containers.size() > 1 || !task.role.empty());
}

std::string TaskNetwork::pause_name(const Task& task) {
  // A dot can be in no container's name of a task definition, so this is never the name of another container.
  return fmt::format("kaapi-{}-internal.pause-{}", task.family, task.id);
}

containers::ContainerSpec TaskNetwork::pause_spec(const Task& task, std::map<std::string, std::string> labels) const {
  containers::ContainerSpec spec;
  spec.name = pause_name(task);
  spec.image = containers::pause_image_reference();
  spec.labels = std::move(labels);
  spec.labels[std::string(container_label)] = pause_label_value;
  spec.labels["com.amazonaws.ecs.container-name"] = "~internal~ecs~pause";  // as the ECS agent names it
  spec.network = name_;
  spec.user = "65534:65534";  // it needs no rights at all
  spec.read_only_root = true;
  return spec;
}

Result<std::string> TaskNetwork::create_pause(const containers::ContainerSpec& spec) {
  Result<std::string> id = engine_.create(spec);
  if (id || id.error().code != errc::not_found) return id;
  // The engine has not seen the image yet, or somebody tidied it away.
  const Result<void> image = containers::ensure_pause_image(engine_);
  if (!image) return image.error();
  return engine_.create(spec);
}

Result<containers::Container> TaskNetwork::running_pause(const Task& task, std::map<std::string, std::string> labels) {
  std::string pause = pause_name(task);
  if (!has_begun(task)) {
    const Result<void> network = engine_.ensure_network({name_, labels_, {}, {}});
    if (!network) return network.error();
    Result<std::string> id = create_pause(pause_spec(task, std::move(labels)));
    if (!id) return id.error();
    pause = std::move(*id);
  }
  Result<containers::Container> found = engine_.inspect(pause);
  if (found && !found->started_at && !has_begun(task)) {
    const Result<void> started = engine_.start(pause);
    if (!started) return started.error();
    found = engine_.inspect(pause);
  }
  if (!found && found.error().code == errc::not_found) return namespace_gone(task, "was removed");
  if (!found) return found.error();
  // Started again it would hold another namespace, with another address.
  if (found->status != ContainerStatus::running && found->status != ContainerStatus::paused) {
    return namespace_gone(task, fmt::format("does not run any more (exit code {})", found->exit_code));
  }
  if (const Result<void> connected = connect_pause(task, *found); !connected) return connected.error();
  return found;
}

Result<void> TaskNetwork::connect_pause(const Task& task, const containers::Container& pause) {
  const std::string network(credentials_network);
  if (!joins_credentials_network(task) || pause.addresses.contains(network)) return ok();
  return engine_.connect(network, pause.id);
}

Result<void> TaskNetwork::reach_credentials(const Task& task, const std::string& container) {
  if (!joins_credentials_network(task) || is_shared(task)) return ok();
  return engine_.connect(std::string(credentials_network), container);
}

Result<std::string> TaskNetwork::join(const Task& task, std::map<std::string, std::string> labels) {
  if (is_shared(task)) {
    const Result<containers::Container> pause = running_pause(task, std::move(labels));
    if (!pause) return pause.error();
    // By id: whatever bears the name later is another namespace.
    return "container:" + pause->id;
  }
  if (task.network_mode != NetworkMode::awsvpc) return std::string(wire_name(task.network_mode));
  const Result<void> network = engine_.ensure_network({name_, labels_, {}, {}});
  if (!network) return network.error();
  return name_;
}

TaskNetwork::Address TaskNetwork::own_address(const containers::Container& container) const {
  Address own;
  if (const auto found = container.addresses.find(name_); found != container.addresses.end()) {
    own.address = found->second;
  }
  if (const auto found = container.mac_addresses.find(name_); found != container.mac_addresses.end()) {
    own.mac_address = found->second;
  }
  return own;
}

TaskNetwork::Address TaskNetwork::address_of(const Task& task, const containers::Container& container) {
  if (task.network_mode != NetworkMode::awsvpc) return {};
  if (!is_shared(task)) return own_address(container);
  if (!task.address.empty()) return {task.address, task.mac_address};
  const Result<containers::Container> pause = engine_.inspect(pause_name(task));
  return pause ? own_address(*pause) : Address{};
}

Result<void> TaskNetwork::leave(const Task& task) {
  if (!is_shared(task)) return ok();
  std::map<std::string, std::string> labels = labels_;
  labels[std::string(task_label)] = task.id;
  const Result<std::vector<containers::Container>> left = engine_.list(labels);
  if (!left) return left.error();
  const std::string pause = pause_name(task);
  const bool last = std::all_of(left->begin(), left->end(),
                                [&](const containers::Container& container) { return container.name == pause; });
  return last ? engine_.remove(pause) : ok();
}

}  // namespace kaapi::ecs
