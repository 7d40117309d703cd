#include "actions/runner/job_user.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>

#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_environ_bytes = 4UL * 1024 * 1024;

std::vector<gid_t> docker_groups() {
  struct stat about {};
  if (::stat("/var/run/docker.sock", &about) != 0) return {};
  return {about.st_gid};
}

}  // namespace

Result<std::optional<JobUser>> job_user(std::string_view mode, std::size_t slot) {
  const bool root = ::geteuid() == 0;
  if (mode == "off" || (mode == "auto" && !root)) return std::optional<JobUser>();
  JobUser user;
  user.groups = docker_groups();
  if (mode == "auto") {
    user.uid = first_job_uid + static_cast<uid_t>(slot);
    user.gid = user.uid;
    user.own = true;
    return std::optional<JobUser>(user);
  }
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
  return std::optional<JobUser>(user);
}

bool become(const JobUser& user) {
  return ::setgroups(user.groups.size(), user.groups.data()) == 0 && ::setresgid(user.gid, user.gid, user.gid) == 0 &&
         ::setresuid(user.uid, user.uid, user.uid) == 0;
}

void end_processes_of(const JobUser& user) {
  if (!user.own) return;
  const pid_t child = ::fork();
  if (child == 0) {
    // As that user, everybody but this process itself is its own.
    if (::setresuid(user.uid, user.uid, user.uid) == 0) ::kill(-1, SIGKILL);
    ::_exit(0);
  }
  if (child > 0) ::waitpid(child, nullptr, 0);
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
