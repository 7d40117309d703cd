#pragma once
// What a job's processes see of the machine: its programs and settings, read-only; their own folder, /tmp, /proc and
// /run; of Docker the job's socket; and nothing else. Not for the files' modes alone: a job may have containers, whose
// root is the machine's root as far as files go, and it could hand them any folder that it can open itself. So what a
// job can open is nothing that matters.

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace kaapi::actions::runner {

// Whether this process may make such places: root with CAP_SYS_ADMIN, which a container seldom has.
bool can_sandbox();

struct SandboxConfig {
  std::string work_folder;          // the runner's, of which a job sees its own part only
  std::string job_folder;           // in it; seen at its own path, writable
  std::string docker_socket;        // seen at its own path and at /run/docker.sock; empty: none
  std::vector<std::string> shared;  // seen at their own paths, read-only; what does not exist is left out
};

// Prepared in the runner, entered by its child between clone and exec.
class Sandbox {
 public:
  // Flags for clone(2): mounts, processes and System V memory of its own. The child is process 1 of its namespace, and
  // all others end with it.
  static int clone_flags();

  // All paths absolute, without links. Makes JOB_FOLDER/tmp and JOB_FOLDER/var-tmp. Errors: the file system's.
  static Result<Sandbox> prepare(const SandboxConfig& config);

  // In the child, while it is root; only what is safe after fork in a program with threads. False: it cannot go on; the
  // standard error says why.
  bool enter() const;

  // Folders that a job sees elsewhere than they are: {"/tmp", JOB_FOLDER/tmp}.
  static std::vector<std::pair<std::string, std::string>> moved(const std::string& job_folder);

  // To try whether they can be.
  static Sandbox smallest();

 private:
  // One thing of the new root; `to` is where it comes in the old one.
  struct Step {
    enum class Kind { folder, file, link, bind, temporary, processes, terminals } kind = Kind::folder;
    std::string to;
    std::string from;              // of a link what it says; of a bind what is bound
    mode_t mode = 0755;            // of a folder
    std::uint64_t attributes = 0;  // of a bind: MOUNT_ATTR_*
    bool may_be_gone = false;      // of a bind: nothing is wrong when its place is gone meanwhile
  };

  void add(Step step);
  void folder(const std::string& path, mode_t mode = 0755);
  void link(const std::string& path, const std::string& target);
  void bind(const std::string& path, const std::string& from, std::uint64_t attributes);
  void bind_file(const std::string& path, const std::string& from, std::uint64_t attributes);
  void add_programs();
  void add_devices();
  void add_processes();
  void add_run(const std::string& docker_socket);
  void add_var(const SandboxConfig& config);
  void add_work(const SandboxConfig& config);
  void hide(const std::string& folder, int depth);
  void hide_one(const std::string& path, bool folder);
  static bool carry_out(const Step& step);
  bool turn_to() const;

  std::string root_;
  std::vector<Step> steps_;
};

// A folder that is a mount of its own, where set-user-ID bits and devices mean nothing: containers of a job may make
// either in it. Errors: `Unavailable`.
Result<void> mount_harmless(const std::string& folder);
void unmount(const std::string& folder);

}  // namespace kaapi::actions::runner
