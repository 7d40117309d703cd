// What the machine under the platform does: how containers behave, and what happens to them.

#include "world.h"

namespace kaapi::simulation {

using containers::ExecResult;

namespace {

Error no_answer() {
  return make_error(errc::unavailable, "the engine does not answer");
}

}  // namespace

bool is_pause(const containers::Container& container) {
  return container.labels.at("kaapi.container") == "pause";
}

void World::set_up_engine() {
  const auto behaviour_of = [this](const containers::Container& container) {
    if (is_pause(container)) return Behaviour::good;
    return behaviours_.at(container.image.substr(container.image.find('@') + 1));
  };
  engine_.set_start([this, behaviour_of](const containers::Container& container) -> std::optional<int> {
    // One that nobody needed any more may have been made anew.
    if (++starts_[is_pause(container) ? container.id : container.name] > 1) {
      for (const containers::FakeCall& call : engine_.calls()) {
        if (call.subject == container.name || call.subject == container.id)
          tell("  asked the engine: {} {}", call.call, call.subject);
      }
      fail("container {} was started twice", container.name);
    }
    return behaviour_of(container) == Behaviour::crashes_at_start ? std::optional(1) : std::nullopt;
  });
  engine_.set_exec([this, behaviour_of](const containers::Container& container,
                                        const std::vector<std::string>&) -> Result<ExecResult> {
    const Behaviour behaviour = behaviour_of(container);
    const Duration age = clock_.now() - container.started_at.value_or(clock_.now());
    const bool flaps = !calm_ && chance(0.05);
    const bool ready = behaviour != Behaviour::never_healthy && (behaviour != Behaviour::slow || age > Duration(4'000));
    return ExecResult{ready && !flaps ? 0 : 1, ""};
  });
  engine_.set_signal([](const containers::Container& container, std::string_view signal) -> std::optional<int> {
    // One in eight containers ignores SIGTERM, for its whole life.
    const bool ignores = std::hash<std::string>()(container.name) % 8 == 0;
    if (signal != "SIGKILL" && ignores) return std::nullopt;
    return signal == "SIGKILL" ? 137 : 0;
  });
  engine_.set_failure([this](std::string_view call, const std::string& subject) -> std::optional<Error> {
    if (call == "remove") check_removal(subject);
    if (calm_ || watching_ || !chance(0.02)) return std::nullopt;
    if (call == "start" && chance(0.3)) return make_error(errc::internal, "no space left on device");
    return no_answer();
  });
  engine_.set_answer_loss([this](std::string_view, const std::string&) -> std::optional<Error> {
    return !calm_ && !watching_ && chance(0.01) ? std::optional(no_answer()) : std::nullopt;
  });
  engine_.set_event_filter([this](const containers::Event&) { return !calm_ && chance(0.1) ? 2 : 1; });
}

// What the engine has, without any trouble in asking.
std::vector<containers::Container> World::containers_now() {
  watching_ = true;
  Result<std::vector<containers::Container>> found = engine_.list(driver_->our_labels());
  watching_ = false;
  if (!found) fail("the engine cannot be looked at: {}", found.error().message);
  return found ? std::move(*found) : std::vector<containers::Container>();
}

// Things that happen to a machine.
void World::trouble() {
  next_trouble_ = clock_.now() + Duration(between(100, 4'000));
  for (const containers::Container& container : containers_now()) {
    if (container.status != containers::ContainerStatus::running) continue;
    const auto behaviour =
        is_pause(container) ? Behaviour::good : behaviours_.at(container.image.substr(container.image.find('@') + 1));
    if (behaviour == Behaviour::crashes_soon || chance(0.02)) {
      tell("container {} dies", container.name);
      engine_.exit(container.id, 1);
    }
  }
  if (chance(0.03)) {
    tell("the stream of events breaks");
    engine_.disconnect_events();
  }
  if (chance(0.01)) {
    const bool keep = chance(0.7);
    tell("the engine restarts, containers {}", keep ? "go on" : "die");
    engine_.restart_engine(keep);
  }
}

}  // namespace kaapi::simulation
