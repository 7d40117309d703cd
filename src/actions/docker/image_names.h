#pragma once
// Names of images that a job has given. Images are everybody's on this machine: a job removes only what it has named.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
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

  // A call that gives names, from before the engine gets it until its answer is there.
  class Giving {
   public:
    Giving(ImageNames& images, std::vector<std::string> names) : images_(images), names_(std::move(names)) {}
    ~Giving() { images_.end(names_, done_); }
    Giving(const Giving&) = delete;
    Giving& operator=(const Giving&) = delete;
    // The engine has agreed: what there is of these names now is the job's.
    void done() { done_ = true; }

   private:
    ImageNames& images_;
    const std::vector<std::string> names_;
    bool done_ = false;
  };
  // Of these names those will be the job's which nobody has, and which are the job's already.
  std::unique_ptr<Giving> begin(const std::vector<std::string>& names);
  // Whether the job has given this name, and to that which has it now. Waits a moment for a call that gives it: its
  // client may have heard of its end before us.
  bool is_own(std::string_view name);
  // "80/tcp", ...: what the image exposes; nothing when there is none.
  std::vector<std::string> exposed_ports(std::string_view name);

 private:
  friend class Giving;
  void end(const std::vector<std::string>& names, bool done);
  void note(const std::vector<std::string>& names);
  // Its id; empty: nothing has this name; nullopt: the engine did not say.
  std::optional<std::string> id_of(const std::string& name);

  EngineApi& engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multiset<std::string> giving_;
  std::map<std::string, std::string> ids_;  // by whole name
};

}  // namespace kaapi::actions::docker
