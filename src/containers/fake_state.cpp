#include "containers/fake_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "containers/docker_json.h"

namespace kaapi::containers {
namespace {

constexpr std::uint16_t last_port = 60999;

std::string with_tag(const std::string& reference) {
  if (reference.starts_with("sha256:") || reference.find('@') != std::string::npos) {
    return reference;
  }
  const PullTarget target = split_reference(reference);
  return target.name + ":" + target.tag_or_digest;
}

bool every_address(const std::string& ip) {
  return ip.empty() || ip == "0.0.0.0";
}

}  // namespace

Image FakeImages::add(const std::string& reference, Image image) {
  const PullTarget target = split_reference(reference);
  if (image.id.empty()) {
    image.id = "sha256:" + to_hex(sha256("image " + reference));
  }
  if (image.repo_digests.empty()) {
    const std::string digest = target.tag_or_digest.starts_with("sha256:")
                                   ? target.tag_or_digest
                                   : "sha256:" + to_hex(sha256("manifest " + reference));
    image.repo_digests.push_back(target.name + "@" + digest);
  }
  images_[with_tag(reference)] = image;
  images_[image.id] = image;
  for (const std::string& digest : image.repo_digests) {
    images_[digest] = image;
  }
  return image;
}

const Image* FakeImages::find(const std::string& reference) const {
  auto found = images_.find(with_tag(reference));
  if (found == images_.end() && reference.find('@') != std::string::npos) {
    const PullTarget target = split_reference(reference);  // "app:1@sha256:…": the tag does not count
    found = images_.find(target.name + "@" + target.tag_or_digest);
  }
  return found == images_.end() ? nullptr : &found->second;
}

void FakeImages::remove(const std::string& reference) {
  images_.erase(with_tag(reference));
}

std::optional<Error> FakeEngine::State::fail(std::string_view call, const std::string& subject) {
  FailureHook hook;
  {
    const std::lock_guard lock(mutex);
    calls.push_back(FakeCall{std::string(call), subject});
    hook = failure;
  }
  return hook ? hook(call, subject) : std::nullopt;
}

FakeContainer* FakeEngine::State::find(const std::string& container) {
  for (FakeContainer& box : containers) {
    if (box.now.id == container || box.now.name == container) {
      return &box;
    }
  }
  return nullptr;
}

FakeContainer* FakeEngine::State::running(const std::string& container) {
  FakeContainer* box = find(container);
  return box != nullptr && box->now.status == ContainerStatus::running ? box : nullptr;
}

std::string FakeEngine::State::next_id() {
  return to_hex(sha256(fmt::format("container {}", ++ids_given)));
}

std::int64_t FakeEngine::State::next_nanos() {
  last_nanos = std::max(last_nanos + 1, to_millis(clock.now()) * 1'000'000);
  return last_nanos;
}

Result<std::string> FakeEngine::State::create(const ContainerSpec& spec) {
  if (const FakeContainer* known = find(spec.name); known != nullptr && !spec.name.empty()) {
    if (carries_labels(known->now.labels, spec.labels)) {
      return known->now.id;
    }
    return make_error(
        errc::conflict,
        fmt::format("Conflict. The container name \"/{}\" is already in use by container \"{}\". You have to remove "
                    "(or rename) that container to be able to reuse that name.",
                    spec.name, known->now.id),
        409);
  }
  const Image* image = local.find(spec.image);
  if (image == nullptr) {
    return make_error(errc::not_found, "No such image: " + with_tag(spec.image), 404);
  }
  if (spec.network.starts_with("container:") && !spec.ports.empty()) {
    return make_error(errc::invalid, "conflicting options: port publishing and the container type network mode", 400);
  }
  if (spec.network.starts_with("container:") && !spec.hostname.empty()) {
    return make_error(errc::invalid, "conflicting options: hostname and the network mode", 400);
  }
  FakeContainer box;
  box.spec = spec;
  box.stop_signal = image->stop_signal.empty() ? "SIGTERM" : image->stop_signal;
  box.now.id = next_id();
  box.now.name = spec.name.empty() ? "container_" + std::to_string(ids_given) : spec.name;
  box.now.image = spec.image;
  box.now.image_id = image->id;
  box.now.labels = spec.labels;
  containers.push_back(std::move(box));
  return containers.back().now.id;
}

Result<void> FakeEngine::State::ensure_network(const NetworkSpec& spec) {
  if (spec.name == "host" || spec.name == "none") {
    return make_error(errc::conflict, "a network '" + spec.name + "' exists, but its driver is not 'bridge'", 409);
  }
  if (const auto known = networks.find(spec.name); known != networks.end()) {
    if (spec.gateway.empty() || known->second.gateway == spec.gateway) {
      return ok();
    }
    return make_error(errc::conflict,
                      fmt::format("a network '{}' exists, but its gateway is {} and not {}", spec.name,
                                  known->second.gateway, spec.gateway),
                      409);
  }
  const bool taken = !spec.subnet.empty() && std::any_of(networks.begin(), networks.end(), [&](const auto& other) {
    return other.second.subnet == spec.subnet;
  });
  if (taken) {
    return make_error(errc::conflict, "Pool overlaps with other one on this address space", 409);
  }
  networks.emplace(spec.name, spec);
  return ok();
}

Result<void> FakeEngine::State::connect(FakeContainer& box, const std::string& network) {
  if (box.spec.network == "host" || box.spec.network == "none" || box.spec.network.starts_with("container:")) {
    return make_error(errc::invalid,
                      "container sharing network namespace with another container or host cannot be connected to any "
                      "other network",
                      400);
  }
  const auto& more = box.more_networks;
  if (box.spec.network == network || std::find(more.begin(), more.end(), network) != more.end()) {
    return ok();
  }
  box.more_networks.push_back(network);
  if (box.now.status == ContainerStatus::running) {
    if (const auto refused = join_network(box, network)) {
      return *refused;
    }
  }
  return ok();
}

std::string FakeEngine::State::next_address(const std::string& network) {
  if (const auto found = networks.find(network); found != networks.end() && !found->second.subnet.empty()) {
    const std::string& subnet = found->second.subnet;  // "10.1.2.0/24"
    std::string address;
    do {
      address = fmt::format("{}.{}", subnet.substr(0, subnet.rfind('.')), ++addresses_given[network]);
    } while (address == found->second.gateway);
    return address;
  }
  const std::size_t number = network_numbers.emplace(network, network_numbers.size()).first->second;
  const std::size_t host = ++addresses_given[network] + 1;  // 10.x.0.1 is the gateway
  return fmt::format("10.{}.{}.{}", number & 255U, host >> 8U & 255U, host & 255U);
}

std::optional<Error> FakeEngine::State::join_networks(FakeContainer& box) {
  auto refused = join_network(box, box.spec.network.empty() ? "bridge" : box.spec.network);
  for (auto more = box.more_networks.begin(); !refused && more != box.more_networks.end(); ++more) {
    refused = join_network(box, *more);
  }
  return refused ? refused : bind_ports(box);
}

std::optional<Error> FakeEngine::State::join_network(FakeContainer& box, const std::string& network) {
  constexpr std::string_view joined = "container:";
  if (network.starts_with(joined)) {
    const FakeContainer* other = find(network.substr(joined.size()));
    if (other == nullptr) {
      return make_error(errc::not_found, "No such container: " + network.substr(joined.size()), 404);
    }
    if (other->now.status != ContainerStatus::running) {
      return make_error(errc::conflict, "cannot join network of a non running container: " + other->now.id, 409);
    }
    return std::nullopt;
  }
  if (!networks.contains(network)) {
    return make_error(errc::not_found, fmt::format("network {} not found", network), 404);
  }
  if (network == "host" || network == "none") {
    return std::nullopt;
  }
  const std::string address = next_address(network);
  box.now.addresses[network] = address;
  box.now.mac_addresses[network] = fmt::format("02:42:{:02x}:{:02x}:{:02x}:{:02x}", 10, network_numbers[network] & 255U,
                                               addresses_given[network] >> 8U & 255U, addresses_given[network] & 255U);
  return std::nullopt;
}

bool FakeEngine::State::port_taken(const PortBinding& port) const {
  return std::any_of(containers.begin(), containers.end(), [&](const FakeContainer& other) {
    return std::any_of(other.now.ports.begin(), other.now.ports.end(), [&](const PortBinding& bound) {
      return bound.host_port == port.host_port && bound.protocol == port.protocol &&
             (bound.host_ip == port.host_ip || every_address(bound.host_ip) || every_address(port.host_ip));
    });
  });
}

std::optional<Error> FakeEngine::State::bind_ports(FakeContainer& box) {
  for (PortBinding port : box.spec.ports) {
    if (port.host_ip.empty()) {
      port.host_ip = "0.0.0.0";
    }
    if (port.host_port == 0) {
      do {
        const bool wrap = last_dynamic_port < config.first_dynamic_port || last_dynamic_port >= last_port;
        last_dynamic_port = wrap ? config.first_dynamic_port : static_cast<std::uint16_t>(last_dynamic_port + 1);
        port.host_port = last_dynamic_port;
      } while (port_taken(port));
    } else if (port_taken(port)) {
      return make_error(
          errc::conflict,
          fmt::format("driver failed programming external connectivity on endpoint {}: Bind for {}:{} failed: port "
                      "is already allocated",
                      box.now.name, port.host_ip, port.host_port),
          409);
    }
    box.now.ports.push_back(std::move(port));
  }
  return std::nullopt;
}

Result<void> FakeEngine::State::start(FakeContainer& box) {
  if (box.now.status == ContainerStatus::running) {
    return ok();
  }
  if (const auto refused = join_networks(box)) {
    box.now.ports.clear();
    box.now.addresses.clear();
    box.now.mac_addresses.clear();
    box.now.error = refused->message;
    box.now.exit_code = 128;
    return *refused;
  }
  box.now.status = ContainerStatus::running;
  box.now.error.clear();
  box.now.exit_code = 0;
  box.now.oom_killed = false;
  box.now.started_at = clock.now();
  box.now.finished_at.reset();
  box.was_started = true;
  emit(EventKind::start, box);
  return ok();
}

void FakeEngine::State::end(FakeContainer& box, int exit_code, bool oom_killed) {
  box.now.status = ContainerStatus::exited;
  box.now.exit_code = exit_code;
  box.now.oom_killed = oom_killed;
  box.now.finished_at = clock.now();
  box.now.ports.clear();
  box.now.addresses.clear();
  box.now.mac_addresses.clear();
  if (oom_killed) {
    emit(EventKind::oom, box);
  }
  emit(EventKind::die, box, exit_code);
  for (const FakeFollower& follower : box.followers) {
    delivery.push(follower.subscriber, false, [on_end = follower.on_end] { on_end(ok()); });
  }
  box.followers.clear();
}

void FakeEngine::State::erase(FakeContainer& box) {
  if (box.now.status == ContainerStatus::running) {
    end(box, 137, false);
  }
  emit(EventKind::destroy, box);
  std::erase_if(containers, [id = box.now.id](const FakeContainer& other) { return other.now.id == id; });
}

void FakeEngine::State::emit(EventKind kind, const FakeContainer& box, int exit_code) {
  Event event;
  event.kind = kind;
  event.container = box.now.id;
  event.labels = box.now.labels;
  event.exit_code = exit_code;
  event.at = clock.now();
  const int copies = event_filter ? event_filter(event) : 1;
  std::erase_if(watchers, [](const FakeWatcher& watcher) { return watcher.subscriber->stopped(); });
  for (const FakeWatcher& watcher : watchers) {
    if (!std::includes(event.labels.begin(), event.labels.end(), watcher.labels.begin(), watcher.labels.end())) {
      continue;
    }
    for (int copy = 0; copy < copies; ++copy) {
      delivery.push(watcher.subscriber, true, [on_event = watcher.on_event, event] { on_event(event); });
    }
  }
}

void FakeEngine::State::emit_reconnected() {
  delivery.drop_events();
  Event event;
  event.kind = EventKind::reconnected;
  event.at = clock.now();
  for (const FakeWatcher& watcher : watchers) {
    // Not dropped by the next interruption: whoever was told once must look again anyway.
    delivery.push(watcher.subscriber, false, [on_event = watcher.on_event, event] { on_event(event); });
  }
}

void FakeEngine::State::append(FakeContainer& box, OutputStream stream, std::string text, bool partial) {
  OutputLine line;
  line.stream = stream;
  line.at_nanos = next_nanos();
  line.partial = partial;
  line.text = std::move(text);
  for (const FakeFollower& follower : box.followers) {
    delivery.push(follower.subscriber, false, [on_line = follower.on_line, line] { on_line(line); });
  }
  box.lines.push_back(std::move(line));
}

}  // namespace kaapi::containers
