#include "containers/fake_engine.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "containers/docker_json.h"
#include "containers/fake_state.h"

namespace kaapi::containers {
namespace {

constexpr std::size_t max_exec_output_bytes = 4 * 1024;
constexpr int killed_exit_code = 137;
constexpr std::string_view predefined[] = {"bridge", "host", "none"};

Error no_container(const std::string& container) {
  return make_error(errc::not_found, "No such container: " + container, 404);
}

// "TERM", "15" -> "SIGTERM"; nullopt for what is no signal.
std::optional<std::string> signal_name(std::string_view signal) {
  static const std::map<std::string_view, std::string_view> numbers = {
      {"1", "SIGHUP"},   {"2", "SIGINT"},   {"3", "SIGQUIT"},  {"9", "SIGKILL"},
      {"10", "SIGUSR1"}, {"12", "SIGUSR2"}, {"15", "SIGTERM"}, {"28", "SIGWINCH"}};
  if (const auto found = numbers.find(signal); found != numbers.end()) {
    return std::string(found->second);
  }
  const std::string name = signal.starts_with("SIG") ? std::string(signal) : "SIG" + std::string(signal);
  const bool known =
      std::any_of(numbers.begin(), numbers.end(), [&](const auto& entry) { return entry.second == name; });
  return known ? std::optional(name) : std::nullopt;
}

std::optional<int> default_signal(std::string_view signal) {
  static const std::map<std::string_view, int> codes = {
      {"SIGHUP", 129}, {"SIGINT", 130}, {"SIGQUIT", 131}, {"SIGTERM", 143}};
  const auto found = codes.find(signal);
  return found == codes.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

FakeEngine::FakeEngine(const Clock& clock, FakeEngineConfig config) : state_(std::make_shared<State>(clock, config)) {}
FakeEngine::~FakeEngine() = default;

Image FakeEngine::add_image(const std::string& reference, Image image) {
  const std::lock_guard lock(state_->mutex);
  return state_->local.add(reference, std::move(image));
}
Image FakeEngine::add_remote_image(const std::string& reference, Image image) {
  const std::lock_guard lock(state_->mutex);
  return state_->remote.add(reference, std::move(image));
}
void FakeEngine::remove_remote_image(const std::string& reference) {
  const std::lock_guard lock(state_->mutex);
  state_->remote.remove(reference);
}
void FakeEngine::require_login(const std::string& reference, RegistryLogin login) {
  const std::lock_guard lock(state_->mutex);
  state_->logins[reference] = std::move(login);
}
void FakeEngine::set_failure(FailureHook hook) {
  const std::lock_guard lock(state_->mutex);
  state_->failure = std::move(hook);
}
void FakeEngine::set_answer_loss(FailureHook hook) {
  const std::lock_guard lock(state_->mutex);
  state_->answer_loss = std::move(hook);
}
void FakeEngine::set_exec(ExecHook hook) {
  const std::lock_guard lock(state_->mutex);
  state_->exec = std::move(hook);
}
void FakeEngine::set_signal(SignalHook hook) {
  const std::lock_guard lock(state_->mutex);
  state_->signal = std::move(hook);
}
void FakeEngine::set_start(StartHook hook) {
  const std::lock_guard lock(state_->mutex);
  state_->on_start = std::move(hook);
}
void FakeEngine::set_event_filter(EventFilter filter) {
  const std::lock_guard lock(state_->mutex);
  state_->event_filter = std::move(filter);
}

bool FakeEngine::exit(const std::string& container, int exit_code, bool oom_killed) {
  const std::lock_guard lock(state_->mutex);
  FakeContainer* box = state_->running(container);
  if (box != nullptr) {
    state_->end(*box, exit_code, oom_killed);
  }
  return box != nullptr;
}

bool FakeEngine::append_output(const std::string& container, OutputStream stream, std::string text, bool partial) {
  const std::lock_guard lock(state_->mutex);
  FakeContainer* box = state_->find(container);
  if (box != nullptr) {
    state_->append(*box, stream, std::move(text), partial);
  }
  return box != nullptr;
}

void FakeEngine::disconnect_events() {
  const std::lock_guard lock(state_->mutex);
  state_->emit_reconnected();
}

void FakeEngine::restart_engine(bool keep_containers) {
  const std::lock_guard lock(state_->mutex);
  for (FakeContainer& box : state_->containers) {
    for (const FakeFollower& follower : box.followers) {
      state_->delivery.push(follower.subscriber, false, [on_end = follower.on_end] {
        on_end(make_error(errc::unavailable, "the connection to the engine was lost", 503));
      });
    }
    box.followers.clear();
    if (!keep_containers && box.now.status == ContainerStatus::running) {
      state_->end(box, killed_exit_code, false);
    }
  }
  state_->emit_reconnected();
}

std::size_t FakeEngine::deliver(std::size_t limit) {
  return state_->delivery.deliver(limit);
}
std::size_t FakeEngine::undelivered() const {
  return state_->delivery.size();
}

std::vector<FakeCall> FakeEngine::calls() const {
  const std::lock_guard lock(state_->mutex);
  return state_->calls;
}
void FakeEngine::clear_calls() {
  const std::lock_guard lock(state_->mutex);
  state_->calls.clear();
}
std::optional<ContainerSpec> FakeEngine::spec(const std::string& container) const {
  const std::lock_guard lock(state_->mutex);
  const FakeContainer* box = state_->find(container);
  return box == nullptr ? std::nullopt : std::optional(box->spec);
}
std::size_t FakeEngine::container_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->containers.size();
}
std::size_t FakeEngine::running_count() const {
  const std::lock_guard lock(state_->mutex);
  return static_cast<std::size_t>(
      std::count_if(state_->containers.begin(), state_->containers.end(),
                    [](const FakeContainer& box) { return box.now.status == ContainerStatus::running; }));
}

Result<EngineInfo> FakeEngine::info() {
  if (const auto failed = state_->fail("info", "")) {
    return *failed;
  }
  return EngineInfo{"fake", "1.41"};
}

Result<void> FakeEngine::ping() {
  if (const auto failed = state_->fail("ping", "")) {
    return *failed;
  }
  return ok();
}

Result<Image> FakeEngine::pull(const std::string& reference, const std::optional<RegistryLogin>& login) {
  if (const auto failed = state_->fail("pull", reference)) {
    return *failed;
  }
  const auto effect = [&]() -> Result<Image> {
    const std::lock_guard lock(state_->mutex);
    if (reference.starts_with("sha256:")) {
      const Image* local = state_->local.find(reference);
      return local != nullptr ? Result<Image>(*local) : make_error(errc::not_found, "No such image: " + reference, 404);
    }
    if (const auto needed = state_->logins.find(reference); needed != state_->logins.end()) {
      if (!login || login->user != needed->second.user || login->password != needed->second.password) {
        return make_error(access_denied, "pull access denied for " + reference + ": no basic auth credentials", 403);
      }
    }
    const Image* found = state_->remote.find(reference);
    if (found == nullptr) {
      return make_error(errc::not_found, "manifest for " + reference + " not found: manifest unknown", 404);
    }
    return state_->local.add(reference, *found);
  };
  return state_->answer("pull", reference, effect());
}

Result<Image> FakeEngine::inspect_image(const std::string& reference) {
  if (const auto failed = state_->fail("inspect_image", reference)) {
    return *failed;
  }
  const std::lock_guard lock(state_->mutex);
  const Image* found = state_->local.find(reference);
  return found != nullptr ? Result<Image>(*found) : make_error(errc::not_found, "No such image: " + reference, 404);
}

Result<Image> FakeEngine::import_image(const std::string& reference, std::string archive,
                                       const std::vector<std::string>&) {
  if (const auto failed = state_->fail("import_image", reference)) {
    return *failed;
  }
  const auto effect = [&]() -> Result<Image> {
    const std::lock_guard lock(state_->mutex);
    return state_->local.add(reference, Image{"sha256:" + to_hex(sha256(archive)), {}, {}});
  };
  return state_->answer("import_image", reference, effect());
}

Result<std::string> FakeEngine::create(const ContainerSpec& spec) {
  if (const auto failed = state_->fail("create", spec.name)) {
    return *failed;
  }
  const auto effect = [&] {
    const std::lock_guard lock(state_->mutex);
    return state_->create(spec);
  };
  return state_->answer("create", spec.name, effect());
}

Result<void> FakeEngine::start(const std::string& container) {
  if (const auto failed = state_->fail("start", container)) {
    return *failed;
  }
  std::optional<Container> begun;
  const auto effect = [&]() -> Result<void> {
    const std::lock_guard lock(state_->mutex);
    FakeContainer* box = state_->find(container);
    if (box == nullptr) {
      return no_container(container);
    }
    const bool ran = box->now.status == ContainerStatus::running;
    Result<void> started = state_->start(*box);
    if (started && !ran) {
      begun = box->now;
    }
    return started;
  };
  Result<void> started = effect();
  const StartHook hook = state_->locked_copy(state_->on_start);
  if (begun && hook) {
    if (const auto exit_code = hook(*begun)) {
      exit(begun->id, *exit_code);
    }
  }
  return state_->answer("start", container, std::move(started));
}

Result<void> FakeEngine::signal(const std::string& container, std::string_view signal) {
  if (const auto failed = state_->fail("signal", container)) {
    return *failed;
  }
  std::optional<Container> target;
  std::optional<std::string> name;
  {
    const std::lock_guard lock(state_->mutex);
    const FakeContainer* box = state_->find(container);
    if (box == nullptr) {
      return no_container(container);
    }
    name = signal_name(signal.empty() ? std::string_view(box->stop_signal) : signal);
    if (!name) {
      return make_error(errc::invalid, "Invalid signal: " + std::string(signal), 400);
    }
    if (box->now.status == ContainerStatus::running) {
      target = box->now;
    }
  }
  if (target) {
    const SignalHook hook = state_->locked_copy(state_->signal);
    const auto exit_code = *name == "SIGKILL" ? std::optional(killed_exit_code)
                           : hook             ? hook(*target, *name)
                                              : default_signal(*name);
    if (exit_code) {
      exit(target->id, *exit_code);
    }
  }
  return state_->answer("signal", container, ok());
}

Result<void> FakeEngine::remove(const std::string& container) {
  if (const auto failed = state_->fail("remove", container)) {
    return *failed;
  }
  {
    const std::lock_guard lock(state_->mutex);
    if (FakeContainer* box = state_->find(container)) {
      state_->erase(*box);
    }
  }
  return state_->answer("remove", container, ok());
}

Result<Container> FakeEngine::inspect(const std::string& container) {
  if (const auto failed = state_->fail("inspect", container)) {
    return *failed;
  }
  const std::lock_guard lock(state_->mutex);
  const FakeContainer* box = state_->find(container);
  return box != nullptr ? Result<Container>(box->now) : no_container(container);
}

Result<std::vector<Container>> FakeEngine::list(const std::map<std::string, std::string>& labels) {
  if (const auto failed = state_->fail("list", "")) {
    return *failed;
  }
  const std::lock_guard lock(state_->mutex);
  std::vector<Container> result;
  for (const FakeContainer& box : state_->containers) {
    if (std::includes(box.now.labels.begin(), box.now.labels.end(), labels.begin(), labels.end())) {
      Container entry = box.now;
      entry.exit_code = 0;
      entry.oom_killed = false;
      entry.error.clear();
      entry.started_at.reset();
      entry.finished_at.reset();
      result.push_back(std::move(entry));
    }
  }
  return result;
}

Result<ExecResult> FakeEngine::exec(const std::string& container, const std::vector<std::string>& command,
                                    std::chrono::milliseconds) {
  if (const auto failed = state_->fail("exec", container)) {
    return *failed;
  }
  std::optional<Container> target;
  ExecHook hook;
  {
    const std::lock_guard lock(state_->mutex);
    const FakeContainer* box = state_->find(container);
    if (box == nullptr) {
      return no_container(container);
    }
    if (box->now.status != ContainerStatus::running) {
      return make_error(errc::conflict, "Container " + box->now.id + " is not running", 409);
    }
    target = box->now;
    hook = state_->exec;
  }
  Result<ExecResult> result = hook ? hook(*target, command) : ExecResult{};
  if (result && result->output.size() > max_exec_output_bytes) {
    result->output.resize(max_exec_output_bytes);
  }
  return state_->answer("exec", container, std::move(result));
}

Result<void> FakeEngine::ensure_network(const NetworkSpec& spec) {
  if (const auto failed = state_->fail("ensure_network", spec.name)) {
    return *failed;
  }
  const auto effect = [&] {
    const std::lock_guard lock(state_->mutex);
    return state_->ensure_network(spec);
  };
  return state_->answer("ensure_network", spec.name, effect());
}

Result<void> FakeEngine::connect(const std::string& network, const std::string& container) {
  if (const auto failed = state_->fail("connect", container)) {
    return *failed;
  }
  const auto effect = [&]() -> Result<void> {
    const std::lock_guard lock(state_->mutex);
    FakeContainer* box = state_->find(container);
    return box == nullptr ? no_container(container) : state_->connect(*box, network);
  };
  return state_->answer("connect", container, effect());
}

Result<void> FakeEngine::remove_network(const std::string& name) {
  if (const auto failed = state_->fail("remove_network", name)) {
    return *failed;
  }
  const auto effect = [&]() -> Result<void> {
    const std::lock_guard lock(state_->mutex);
    if (std::find(std::begin(predefined), std::end(predefined), name) != std::end(predefined)) {
      return make_error(errc::conflict, name + " is a pre-defined network and cannot be removed", 409);
    }
    if (!state_->networks.contains(name)) {
      return make_error(errc::not_found, "network " + name + " not found", 404);
    }
    for (const FakeContainer& box : state_->containers) {
      if (box.now.addresses.contains(name)) {
        return make_error(errc::conflict, "network " + name + " has active endpoints", 409);
      }
    }
    state_->networks.erase(name);
    return ok();
  };
  return state_->answer("remove_network", name, effect());
}

std::unique_ptr<Subscription> FakeEngine::watch(const std::map<std::string, std::string>& labels,
                                                std::function<void(const Event&)> on_event) {
  const std::lock_guard lock(state_->mutex);
  auto subscriber = std::make_shared<FakeSubscriber>();
  state_->watchers.push_back(FakeWatcher{subscriber, labels, std::move(on_event)});
  return std::make_unique<FakeSubscription>(std::move(subscriber));
}

std::unique_ptr<Subscription> FakeEngine::follow_output(const std::string& container, std::int64_t since_nanos,
                                                        std::function<void(OutputLine)> on_line,
                                                        std::function<void(Result<void>)> on_end) {
  auto subscriber = std::make_shared<FakeSubscriber>();
  const auto end = [&](const Result<void>& result) {
    state_->delivery.push(subscriber, false, [on_end, result] { on_end(result); });
  };
  if (const auto failed = state_->fail("follow_output", container)) {
    end(*failed);
    return std::make_unique<FakeSubscription>(std::move(subscriber));
  }
  const std::lock_guard lock(state_->mutex);
  FakeContainer* box = state_->find(container);
  if (box == nullptr) {
    end(no_container(container));
  } else if (!box->was_started) {
    end(make_error(errc::conflict, "container " + container + " has no output yet: it was never started", 409));
  } else {
    for (const OutputLine& line : box->lines) {
      if (line.at_nanos >= since_nanos) {
        state_->delivery.push(subscriber, false, [on_line, line] { on_line(line); });
      }
    }
    if (box->now.status == ContainerStatus::running) {
      box->followers.push_back(FakeFollower{subscriber, std::move(on_line), std::move(on_end)});
    } else {
      end(ok());
    }
  }
  return std::make_unique<FakeSubscription>(std::move(subscriber));
}

}  // namespace kaapi::containers
