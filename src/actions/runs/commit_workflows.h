#pragma once
// The workflow files of a commit, parsed once.

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/source.h"
#include "actions/runs/model.h"

namespace kaapi::actions::runs {

inline constexpr std::size_t max_cached_commits = 64;

struct CommitWorkflows {
  RunFiles files;
  // ".github/workflows/cd.yml:3:5: ...", also of calls between files; such files start nothing.
  std::vector<std::string> faults;
  std::vector<std::string> startable;  // paths of those without faults
  bool can_start(std::string_view path) const;
};

// The file itself and all that it calls.
std::shared_ptr<const RunFiles> files_of(const CommitWorkflows& commit, const workflow::Workflow& workflow);

// Thread-safe.
class WorkflowCache {
 public:
  explicit WorkflowCache(const Source& source) : source_(source) {}
  // Errors: those of Source.
  Result<std::shared_ptr<const CommitWorkflows>> get(std::string_view repository, std::string_view sha);

 private:
  std::shared_ptr<const CommitWorkflows> known(const std::string& key);  // with mutex_ held; null: it is not

  const Source& source_;
  std::mutex mutex_;
  std::condition_variable read_;
  std::set<std::string> reading_;  // by somebody, without the lock; whoever wants the same waits
  std::list<std::pair<std::string, std::shared_ptr<const CommitWorkflows>>> recent_;  // the newest first
};

// Parses texts that were kept with a run. What has faults, which is none that ran, is left out.
RunFiles parse_files(std::map<std::string, std::string, std::less<>> texts);

}  // namespace kaapi::actions::runs
