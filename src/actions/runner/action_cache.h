#pragma once
// Actions of other repositories, fetched by git and kept by commit. The runner fetches, jobs only read: a job cannot
// change what a later one runs.

#include <mutex>
#include <string>
#include <string_view>

#include "actions/runner/place.h"

namespace kaapi::actions::runner {

inline constexpr std::chrono::minutes fetch_timeout{5};

// Thread-safe.
class ActionCache {
 public:
  // `base_url`: "https://github.com" or a mirror; repositories are BASE/OWNER/NAME. `folder` exists.
  ActionCache(std::string base_url, std::string folder) : base_url_(std::move(base_url)), folder_(std::move(folder)) {}

  // Asks which commit the ref is (a full commit is itself), fetches it unless it is kept. Errors as ActionSource.
  Result<FetchedAction> fetch(std::string_view owner, std::string_view name, std::string_view ref);

 private:
  Result<std::string> resolve(const std::string& url, const std::string& ref);
  Result<std::string> git(std::vector<std::string> arguments, const std::string& directory);

  const std::string base_url_;
  const std::string folder_;
  std::mutex mutex_;  // one at a time: two jobs often want the same
};

// An ActionSource in the same process, for tests and for job processes without a runner above them.
class DirectActions final : public ActionSource {
 public:
  explicit DirectActions(ActionCache& cache) : cache_(cache) {}
  Result<FetchedAction> fetch(std::string_view owner, std::string_view name, std::string_view ref) override {
    return cache_.fetch(owner, name, ref);
  }

 private:
  ActionCache& cache_;
};

}  // namespace kaapi::actions::runner
