#pragma once
// Files of a job are touched with the rights of who owns the job's workspace, not with those of the runner: where the
// runner is root and jobs are not, a workflow's path ("/etc/shadow", a link that it planted) reaches no further than
// its own processes would.

#include <sys/types.h>

#include <string>

namespace kaapi::actions {

// While it lives, this thread's file accesses are those of the owner of `folder` (setfsuid(2), no supplementary
// groups). Does nothing unless the process is root and the folder somebody else's. One thread; not nested.
class OwnerRights {
 public:
  explicit OwnerRights(const std::string& folder);
  ~OwnerRights();
  OwnerRights(const OwnerRights&) = delete;
  OwnerRights& operator=(const OwnerRights&) = delete;

 private:
  bool changed_ = false;
};

}  // namespace kaapi::actions
