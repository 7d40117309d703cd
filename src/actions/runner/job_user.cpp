#include "actions/runner/job_user.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_status_bytes = 64UL * 1024;
constexpr std::size_t max_environ_bytes = 4UL * 1024 * 1024;

// Those of a named user are the administrator's choice: who is not in the docker group gets no Docker.
std::vector<gid_t> groups_of(const std::string& name, gid_t first) {
  std::array<gid_t, 256> groups{};
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(name.c_str(), first, groups.data(), &count) < 0) return {first};
  return {groups.begin(), groups.begin() + count};
}

// Two runners that gave one uid to their jobs would end each other's, and the jobs could read each other's files.
Result<SlotUser> claim_user(JobUser user) {
  const std::string folder(job_uid_folder);
  if (const Result<void> made = make_folder(folder, 0700); !made) return made.error();
  for (std::size_t number = 0; number < max_job_uids; ++number) {
    user.uid = user.gid = first_job_uid + static_cast<uid_t>(number);
    const std::string path = fmt::format("{}/{}", folder, user.uid);
    FileDescriptor claim(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!claim) return file_error("open", path);
    if (::flock(claim.get(), LOCK_EX | LOCK_NB) != 0) continue;
    user.own = true;
    return SlotUser{user, std::move(claim)};
  }
  return make_error(errc::conflict, fmt::format("all {} users of jobs are taken by runners on this machine: end some, "
                                                "or give this one a user with --job-user",
                                                max_job_uids));
}

}  // namespace

Result<SlotUser> slot_user(std::string_view mode) {
  const bool root = ::geteuid() == 0;
  if (mode == "off" || (mode == "auto" && !root)) return SlotUser();
  JobUser user;
  if (mode == "auto") return claim_user(std::move(user));
  if (!root) {
    return make_error(errc::invalid, fmt::format("--job-user {}: only root can run jobs as another user", mode));
  }
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  const std::string name(mode);
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return make_error(errc::not_found, fmt::format("--job-user {}: there is no such user on this machine", mode));
  }
  user.uid = found->pw_uid;
  user.gid = found->pw_gid;
  user.groups = groups_of(name, user.gid);
  return SlotUser{user};
}

bool become(const JobUser& user) {
  if (user.own && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  // The kernel's own calls: those of the C library wait for threads of the runner, of which its child knows nothing.
  return ::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

namespace {

// Runners in containers of this machine take the same users, without knowing of each other: what has another network
// than this process is not ours. A job gets itself another network only in another user namespace, which such
// containers do not have.
struct ProcessesOf {
  std::vector<pid_t> ours;
  bool others = false;
};

bool runs_as(const fs::path& process, uid_t uid) {
  const Result<std::string> status = read_file((process / "status").string(), max_status_bytes);
  if (!status || status->find("\nState:\tZ") != std::string::npos) return false;
  const std::size_t at = status->find("\nUid:\t");
  if (at == std::string::npos) return false;
  const std::size_t begin = at + std::string_view("\nUid:\t").size();
  return parse_number(status->substr(begin, status->find('\t', begin) - begin)) == static_cast<std::int64_t>(uid);
}

ProcessesOf processes_of(uid_t uid) {
  std::error_code failed;
  const fs::path own_network = fs::read_symlink("/proc/self/ns/net", failed);
  const fs::path own_users = fs::read_symlink("/proc/self/ns/user", failed);
  ProcessesOf found;
  for (auto at = fs::directory_iterator("/proc", failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    const auto process = parse_number(at->path().filename().string());
    if (!process || !runs_as(at->path(), uid)) continue;
    std::error_code gone;
    const fs::path network = fs::read_symlink(at->path() / "ns/net", gone);
    const fs::path users = gone ? fs::path() : fs::read_symlink(at->path() / "ns/user", gone);
    if (!gone && network != own_network && users == own_users) {
      found.others = true;
    } else {
      found.ours.push_back(static_cast<pid_t>(*process));
    }
  }
  return found;
}

// One after the other: those that begin meanwhile are found by the next look.
void end_one_by_one(uid_t uid) {
  constexpr int looks = 100;
  for (int look = 0; look < looks; ++look) {
    const std::vector<pid_t> ours = processes_of(uid).ours;
    if (ours.empty()) return;
    for (const pid_t process : ours) ::kill(process, SIGKILL);
  }
}

}  // namespace

void end_processes_of(const JobUser& user) {
  if (!user.own) return;
  if (processes_of(user.uid).others) return end_one_by_one(user.uid);
  const pid_t child = ::fork();
  if (child == 0) {
    // As that user, everybody but this process itself is its own.
    if (::setresuid(user.uid, user.uid, user.uid) == 0) ::kill(-1, SIGKILL);
    ::_exit(0);
  }
  if (child > 0) ::waitpid(child, nullptr, 0);
}

void delete_files_of(const JobUser& user) {
  if (!user.own) return;
  for (const char* const folder : {"/tmp", "/var/tmp", "/dev/shm"}) {
    std::error_code failed;
    std::vector<std::string> left;
    for (auto at = fs::directory_iterator(folder, failed); !failed && at != fs::directory_iterator();
         at.increment(failed)) {
      struct stat about {};
      if (::lstat(at->path().c_str(), &about) == 0 && about.st_uid == user.uid) left.push_back(at->path().string());
    }
    for (const std::string& path : left) delete_folder(path);
  }
}

void end_processes_in(const std::string& job_folder) {
  const std::string mark = fmt::format("RUNNER_TEMP={}/", job_folder);
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/proc", failed)) {
    const auto process = parse_number(entry.path().filename().string());
    if (!process || *process == ::getpid()) continue;
    const Result<std::string> environment = read_file(entry.path().string() + "/environ", max_environ_bytes);
    if (!environment) continue;
    const std::size_t at = environment->find(mark);
    if (at == 0 || (at != std::string::npos && (*environment)[at - 1] == '\0')) {
      ::kill(static_cast<pid_t>(*process), SIGKILL);
    }
  }
}

Result<void> make_folder(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return file_error("make the folder", path);
  // Job users pass through; what is inside is each job's own.
  if (::chmod(path.c_str(), mode) != 0) return file_error("set the mode of", path);
  return ok();
}

void delete_folder(const std::string& folder) {
  std::error_code failed;
  fs::remove_all(folder, failed);
  if (!failed) return;
  // Tools make folders that not even their owner may write to (Go's module cache).
  std::error_code ignored;
  for (auto at = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, ignored);
       !ignored && at != fs::recursive_directory_iterator(); at.increment(ignored)) {
    std::error_code alone;
    if (at->symlink_status(alone).type() == fs::file_type::directory) {
      fs::permissions(at->path(), fs::perms::owner_all, fs::perm_options::add, alone);
    }
  }
  fs::remove_all(folder, failed);
  if (failed) log::warn("runner", "the folder {} cannot be deleted: {}", folder, failed.message());
}

}  // namespace kaapi::actions::runner
