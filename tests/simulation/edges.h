#pragma once
// What the daemon wires to real threads, registry and logs, for a world on one thread.

#include <fmt/format.h>

#include "world.h"

namespace kaapi::simulation {

// Takes work and does it later, in the order of the clock.
class World::QueueExecutor final : public ecs::Executor {
 public:
  explicit QueueExecutor(World& world) : world_(world) {}

  void run(ecs::Lane lane, std::function<void()> work) override {
    Duration delay(world_.between(1, lane == ecs::Lane::slow ? 400 : 80));
    // Now and then something hangs.
    if (!world_.calm_ && world_.chance(0.02)) delay = Duration(world_.between(5'000, 40'000));
    queue_.insert({world_.clock_.now() + delay, ++order_, std::move(work)});
  }

  std::optional<Time> next() const { return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->due); }
  void run_due() {
    while (!queue_.empty() && queue_.begin()->due <= world_.clock_.now()) {
      const Pending pending = *queue_.begin();
      queue_.erase(queue_.begin());
      pending.work();
    }
  }
  // The platform died: some of the work reached the engine all the same, but nobody hears of it.
  void die() {
    for (const Pending& pending : std::exchange(queue_, {})) {
      if (world_.chance(0.3)) pending.work();
    }
  }
  bool idle() const { return queue_.empty(); }

 private:
  World& world_;
  std::uint64_t order_ = 0;
  std::set<Pending> queue_;
};

// One tag, moved by every push.
class World::TagImages final : public ecs::Images {
 public:
  explicit TagImages(World& world) : world_(world) {}

  Result<ecs::PinnedImage> pin(const std::string&, const std::string&) override {
    if (!world_.calm_ && world_.chance(0.03)) return make_error(errc::unavailable, "the registry does not answer");
    const std::string digest = current();
    if (world_.behaviours_.at(digest) == Behaviour::image_missing) {
      return make_error(errc::not_found, fmt::format("image {} not found", "app:latest"));
    }
    return ecs::PinnedImage{"app@" + digest, digest};
  }
  std::optional<containers::RegistryLogin> login(const std::string&, const std::string&) override {
    return std::nullopt;
  }

  std::string current() const { return fmt::format("sha256:{:064x}", world_.version_); }

 private:
  World& world_;
};

// Stores what a container wrote some time after it ended; now and then the disk is slow.
class World::WatchedOutput final : public ecs::Output {
 public:
  explicit WatchedOutput(World& world) : world_(world) {}

  Result<void> prepare(const ecs::LogTarget&) override { return ok(); }
  void attach(const std::string& runtime_id, const std::string& source_key, const ecs::LogTarget&) override {
    followed_.try_emplace(source_key, Followed{runtime_id, std::nullopt});
  }
  void forget(const std::string&, const std::string& source_key) override { followed_.erase(source_key); }

  void tell_drained() {
    for (auto it = followed_.begin(); it != followed_.end();) {
      Followed& followed = it->second;
      if (!followed.stored_at && has_ended(followed.runtime_id)) {
        const bool slow = !world_.calm_ && world_.chance(0.1);
        followed.stored_at =
            world_.clock_.now() + Duration(slow ? world_.between(5'000, 60'000) : world_.between(0, 50));
      }
      if (followed.stored_at && *followed.stored_at <= world_.clock_.now()) {
        world_.stored_.insert(followed.runtime_id);
        world_.scheduler_->output_drained(it->first);
        it = followed_.erase(it);
      } else {
        ++it;
      }
    }
  }
  std::optional<Time> next() const {
    std::optional<Time> next;
    for (const auto& [key, followed] : followed_) {
      if (followed.stored_at && (!next || *followed.stored_at < *next)) next = followed.stored_at;
    }
    return next;
  }
  void die() { followed_.clear(); }

 private:
  struct Followed {
    std::string runtime_id;
    std::optional<Time> stored_at;  // all that it wrote; none: it has not ended
  };

  bool has_ended(const std::string& runtime_id) {
    world_.watching_ = true;
    const auto found = world_.engine_.inspect(runtime_id);
    world_.watching_ = false;
    return found ? found->status == containers::ContainerStatus::exited : found.error().code == errc::not_found;
  }

  World& world_;
  std::map<std::string, Followed> followed_;
};

}  // namespace kaapi::simulation
