#pragma once
// Actions of other repositories, fetched by git and kept by commit. The runner fetches, jobs only read: a job cannot
// change what a later one runs.

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "actions/runner/place.h"
#include "actions/runner/stop.h"

namespace kaapi::actions::runner {

inline constexpr std::chrono::minutes fetch_timeout{5};
inline constexpr std::chrono::hours action_kept_unused{24 * 30};

// Thread-safe.
class ActionCache {
 public:
  // `base_url`: "https://github.com" or a mirror; repositories are BASE/OWNER/NAME. `folder` exists.
  ActionCache(std::string base_url, std::string folder) : base_url_(std::move(base_url)), folder_(std::move(folder)) {}

  // Asks which commit the ref is (a full commit is itself), fetches it unless it is kept. A new one makes those go that
  // nobody used for action_kept_unused. Errors as ActionSource;
  // `Cancelled` once `stop` is raised, which ends git.
  Result<FetchedAction> fetch(std::string_view owner, std::string_view name, std::string_view ref, StopSource& stop);

 private:
  Result<std::string> resolve(const std::string& url, const std::string& ref, StopSource& stop);
  Result<void> download(const std::string& url, const FetchedAction& action, StopSource& stop);
  void prune() const;
  Result<std::string> git(std::vector<std::string> arguments, const std::string& directory, StopSource& stop);
  // Waits until nobody else fetches this action; false: stopped meanwhile.
  bool claim(const std::string& action, StopSource& stop);
  void release(const std::string& action);

  const std::string base_url_;
  const std::string folder_;
  std::mutex mutex_;
  std::condition_variable released_;
  std::set<std::string> claimed_;  // "owner/name": two jobs often want the same
};

// An ActionSource in the same process, for tests and for job processes without a runner above them.
class DirectActions final : public ActionSource {
 public:
  DirectActions(ActionCache& cache, StopSource& stop) : cache_(cache), stop_(stop) {}
  Result<FetchedAction> fetch(std::string_view owner, std::string_view name, std::string_view ref) override {
    return cache_.fetch(owner, name, ref, stop_);
  }

 private:
  ActionCache& cache_;
  StopSource& stop_;
};

}  // namespace kaapi::actions::runner
