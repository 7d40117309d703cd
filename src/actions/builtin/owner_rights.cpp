#include "actions/builtin/owner_rights.h"

#include <grp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace kaapi::actions {
namespace {

// Of this thread alone: the library's setgroups() would change every thread.
bool set_thread_groups(const std::vector<gid_t>& groups) {
  return ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
}

// Those of the process; read before any thread gives its own away.
const std::vector<gid_t>& process_groups() {
  static const std::vector<gid_t> groups = [] {
    std::vector<gid_t> found(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    if (!found.empty() && ::getgroups(static_cast<int>(found.size()), found.data()) < 0) found.clear();
    return found;
  }();
  return groups;
}

}  // namespace

OwnerRights::OwnerRights(const std::string& folder) {
  if (::geteuid() != 0) return;
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0 || facts.st_uid == 0) return;
  process_groups();
  changed_ = true;
  if (!set_thread_groups({})) throw std::runtime_error("cannot give up the groups of root for a job's files");
  ::setfsgid(facts.st_gid);
  ::setfsuid(facts.st_uid);
  // setfsuid() tells no failure; asked for an impossible id it answers the present one.
  if (::setfsuid(static_cast<uid_t>(-1)) != static_cast<int>(facts.st_uid)) {
    throw std::runtime_error("cannot give up the rights of root for a job's files");
  }
}

OwnerRights::~OwnerRights() {
  if (!changed_) return;
  ::setfsuid(0);
  ::setfsgid(::getegid());
  set_thread_groups(process_groups());
}

}  // namespace kaapi::actions
