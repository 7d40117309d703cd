#pragma once
// The edges of the engine room, for its tests: nothing that waits, nothing that leaves the process.

#include <functional>
#include <optional>
#include <string>

#include "ecs/edges.h"

namespace kaapi::ecs {

class OneImage final : public Images {
 public:
  Result<PinnedImage> pin(const std::string&, const std::string&) override { return PinnedImage{"app:1", "sha256:1"}; }
  std::optional<containers::RegistryLogin> login(const std::string&, const std::string&) override {
    return std::nullopt;
  }
};

class NoOutput final : public Output {
 public:
  Result<void> prepare(const LogTarget&) override { return ok(); }
  void attach(const std::string&, const std::string&, const LogTarget&) override {}
  void forget(const std::string&, const std::string&) override {}
};

// At once, on the caller's thread.
class Direct final : public Executor {
 public:
  void run(Lane, std::function<void()> work) override { work(); }
};

}  // namespace kaapi::ecs
