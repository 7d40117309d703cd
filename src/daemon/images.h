#pragma once
// What image names mean, for the engine room: those of our own registry are looked up in it, all others belong to the
// engine.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "containers/engine.h"
#include "daemon/image_name.h"
#include "ecs/edges.h"
#include "registry/registry.h"
#include "registry/token.h"

namespace kaapi::daemon {

struct ImagesConfig {
  std::string account_id;
  std::string principal_arn;           // in whose name the platform pulls
  std::vector<std::string> own_hosts;  // "localhost:4566", …: names below them are ours
  std::string pull_host;               // under which the engine reaches our registry
};

// Thread-safe; blocks on the engine.
class RegistryImages final : public ecs::Images {
 public:
  // All outlive it.
  RegistryImages(registry::Registry& registry, const registry::TokenIssuer& tokens, containers::Engine& engine,
                 const Clock& clock, ImagesConfig config);

  // Names of our registry: the digest that the tag has in the task's region, no engine asked. Any other: as the ECS
  // agent's default (ECS_IMAGE_PULL_BEHAVIOR=default) it is pulled, and when that fails a local image serves. An image
  // that came from no registry is what it is: pinned by its id, and nobody is asked.
  Result<ecs::PinnedImage> pin(const std::string& region, const std::string& image) override;
  std::optional<containers::RegistryLogin> login(const std::string& region, const std::string& reference) override;

 private:
  // The region to look in, or nullopt when the name is not ours.
  std::optional<std::string> own_region(const std::string& host, const std::string& task_region) const;
  Result<ecs::PinnedImage> pin_own(const std::string& task_region, const std::string& region, const std::string& image,
                                   const ImageName& name);
  Result<ecs::PinnedImage> pin_foreign(const std::string& image, const ImageName& name);
  containers::RegistryLogin own_login(const std::string& region) const;

  registry::Registry& registry_;
  const registry::TokenIssuer& tokens_;
  containers::Engine& engine_;
  const Clock& clock_;
  ImagesConfig config_;
};

}  // namespace kaapi::daemon
