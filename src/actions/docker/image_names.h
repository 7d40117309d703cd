#pragma once
// Names of images that a job has given. Images are everybody's on this machine: a job removes only what it has named.

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/docker/engine_api.h"

namespace kaapi::actions::docker {

inline constexpr std::size_t max_named_images = 1'024;

// Thread-safe.
class ImageNames {
 public:
  // `engine` must outlive it.
  explicit ImageNames(EngineApi& engine) : engine_(engine) {}

  // Of those that a call is about to give, which will be the job's: what nobody has, and what is the job's already.
  std::vector<std::string> may_become_own(const std::vector<std::string>& names);
  // After the engine has agreed: those of them that there are now.
  void note(const std::vector<std::string>& names);
  // Whether the job has given this name, and to that which has it now.
  bool is_own(std::string_view name);
  // "80/tcp", ...: what the image exposes; nothing when there is none.
  std::vector<std::string> exposed_ports(std::string_view name);

 private:
  // Its id; empty: nothing has this name; nullopt: the engine did not say.
  std::optional<std::string> id_of(const std::string& name);

  EngineApi& engine_;
  std::mutex mutex_;
  std::map<std::string, std::string> ids_;  // by whole name
};

}  // namespace kaapi::actions::docker
