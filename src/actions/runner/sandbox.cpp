#include "actions/runner/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/log.h"

namespace kaapi::actions::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t harmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t read_only = harmless | MOUNT_ATTR_RDONLY;

// What of the machine's root programs are made of. Everything else stays outside: /home, /root, /srv, /mnt, ...
constexpr std::array<std::string_view, 8> programs = {"usr", "bin", "sbin", "opt", "etc", "nix", "snap", "gnu"};
// Of /var: what tools read about what is installed.
constexpr std::array<std::string_view, 6> of_var = {"lib/dpkg", "lib/apt/lists", "lib/texmf",
                                                    "lib/ghc",  "lib/python",    "cache/fontconfig"};
constexpr std::array<std::string_view, 9> devices = {"null", "zero", "full", "random", "urandom",
                                                     "tty",  "kvm",  "fuse", "net/tun"};
// Of /proc: what root may change by a write although it is in a container (runc's readonlyPaths).
constexpr std::array<std::string_view, 5> fixed_of_proc = {"bus", "fs", "irq", "sys", "sysrq-trigger"};
// Of /proc and /sys: what tells of the machine as a whole, or may be changed by root alone (runc's maskedPaths).
constexpr std::array<std::string_view, 7> hidden_folders = {
    "/proc/acpi",    "/proc/asound",      "/proc/dynamic_debug", "/proc/scsi",
    "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing"};
constexpr std::array<std::string_view, 5> hidden_files = {"/proc/kcore", "/proc/keys", "/proc/latency_stats",
                                                          "/proc/timer_list", "/proc/sched_debug"};
constexpr std::size_t max_steps = 2'000;

// Between clone and exec nothing may allocate.
bool failed(const char* what, const std::string& path) {
  const char* why = ::strerrordesc_np(errno);
  for (const char* text : {"the job's sandbox: cannot ", what, " ", path.c_str(), ": ", why, "\n"}) {
    if (text != nullptr && ::write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  return false;
}

bool is_folder(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
}

bool bind_at(const std::string& from, const std::string& to, std::uint64_t attributes) {
  const int tree = ::open_tree(AT_FDCWD, from.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0) return failed("take", from);
  mount_attr wanted{};
  wanted.attr_set = attributes;
  const bool good =
      (attributes == 0 || ::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof wanted) == 0) &&
      ::move_mount(tree, "", AT_FDCWD, to.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0;
  if (!good) failed("show", from);
  ::close(tree);
  return good;
}

bool own_mounts() {
  // What is mounted on the machine later is seen here too where it is shown, and nothing the other way round.
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0;
}

}  // namespace

int Sandbox::clone_flags() {
  return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;
}

std::vector<std::pair<std::string, std::string>> Sandbox::moved(const std::string& job_folder) {
  return {{"/tmp", job_folder + "/tmp"}, {"/var/tmp", job_folder + "/var-tmp"}};
}

// A small one, by every way that a whole one takes.
Sandbox Sandbox::smallest() {
  Sandbox made;
  made.root_ = "/tmp";
  made.bind("/usr", "/usr", read_only);
  made.add_processes();
  made.folder("/dev/pts");
  made.add({Step::Kind::terminals, "/dev/pts", "", 0, 0});
  return made;
}

bool can_sandbox() {
  if (::geteuid() != 0) return false;
  const Sandbox probe = Sandbox::smallest();
  const auto child = static_cast<pid_t>(::syscall(SYS_clone, Sandbox::clone_flags() | SIGCHLD, 0, 0, 0, 0));
  if (child == 0) ::_exit(probe.enter() ? 0 : 1);
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void Sandbox::add(Step step) {
  step.to = root_ + step.to;
  steps_.push_back(std::move(step));
}

void Sandbox::folder(const std::string& path, mode_t mode) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    add({Step::Kind::folder, path.substr(0, slash), "", 0755, 0});
  }
  add({Step::Kind::folder, path, "", mode, 0});
}

void Sandbox::link(const std::string& path, const std::string& target) {
  add({Step::Kind::link, path, target, 0, 0});
}

void Sandbox::bind(const std::string& path, const std::string& from, std::uint64_t attributes) {
  folder(path);
  add({Step::Kind::bind, path, from, 0, attributes});
}

void Sandbox::bind_file(const std::string& path, const std::string& from, std::uint64_t attributes) {
  if (const std::size_t slash = path.rfind('/'); slash > 0) folder(path.substr(0, slash));
  add({Step::Kind::file, path, "", 0, 0});
  add({Step::Kind::bind, path, from, 0, attributes});
}

void Sandbox::add_programs() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/", ignored)) {
    const std::string name = entry.path().filename().string();
    const bool wanted = name.starts_with("lib") || std::find(programs.begin(), programs.end(), name) != programs.end();
    if (!wanted) continue;
    if (entry.is_symlink(ignored)) {
      link("/" + name, fs::read_symlink(entry.path(), ignored).string());
    } else if (entry.is_directory(ignored)) {
      bind("/" + name, "/" + name, read_only);
    }
  }
  bind("/sys", "/sys", read_only);
  // Names are looked up as the machine does it, wherever it keeps that.
  const std::string names = fs::canonical("/etc/resolv.conf", ignored).string();
  if (names.starts_with("/run/")) bind_file(names, names, read_only);
}

void Sandbox::add_devices() {
  folder("/dev");
  for (const std::string_view name : devices) {
    const std::string path = fmt::format("/dev/{}", name);
    // Where only some may use it, it is not for jobs.
    struct stat about {};
    if (::stat(path.c_str(), &about) == 0 && (about.st_mode & 0006U) == 0006U) bind_file(path, path, 0);
  }
  folder("/dev/pts");
  add({Step::Kind::terminals, "/dev/pts", "", 0, 0});
  // In memory, as programs expect it; gone with the last process of the job.
  folder("/dev/shm");
  add({Step::Kind::temporary, "/dev/shm", "mode=1777", 0, 0});
  for (const auto& [name, target] : {std::pair{"ptmx", "pts/ptmx"},
                                     {"fd", "/proc/self/fd"},
                                     {"stdin", "/proc/self/fd/0"},
                                     {"stdout", "/proc/self/fd/1"},
                                     {"stderr", "/proc/self/fd/2"}}) {
    link(fmt::format("/dev/{}", name), target);
  }
}

void Sandbox::add_processes() {
  folder("/proc");
  add({Step::Kind::processes, "/proc", "", 0, 0});
  for (const std::string_view name : fixed_of_proc) {
    const std::string path = fmt::format("/proc/{}", name);
    // From the new one, where it was just mounted: the machine's tells of other processes.
    if (fs::exists(path)) add({Step::Kind::bind, path, root_ + path, 0, read_only | MOUNT_ATTR_NOEXEC});
  }
}

void Sandbox::hide_one(const std::string& path, bool folder) {
  add({Step::Kind::bind, path, root_ + (folder ? "/.hidden/folder" : "/.hidden/file"), 0, read_only, true});
}

void Sandbox::add_run(const std::string& docker_socket) {
  folder("/run/lock");
  add({Step::Kind::temporary, "/run/lock", "mode=1777,size=5m", 0, 0});
  if (docker_socket.empty()) return;
  bind_file(docker_socket, docker_socket, harmless);
  if (docker_socket != "/run/docker.sock") bind_file("/run/docker.sock", docker_socket, harmless);
}

void Sandbox::add_var(const SandboxConfig& config) {
  folder("/var");
  link("/var/run", "/run");
  link("/var/lock", "/run/lock");
  for (const std::string_view name : of_var) {
    const std::string path = fmt::format("/var/{}", name);
    if (is_folder(path)) bind(path, path, read_only);
  }
  for (const auto& [seen, real] : moved(config.job_folder)) bind(seen, real, harmless);
}

void Sandbox::add_work(const SandboxConfig& config) {
  // Wherever it is, other jobs' folders in it are hidden.
  folder(config.work_folder);
  add({Step::Kind::temporary, config.work_folder, "mode=0755,size=1m", 0, 0});
  bind(config.job_folder, config.job_folder, harmless);
  for (const std::string& path : config.shared) {
    if (is_folder(path)) bind(path, path, read_only);
  }
}

// Settings that are not for everybody. They stay closed to the job by their modes; to its containers' root they would
// be open.
void Sandbox::hide(const std::string& top, int depth) {
  std::error_code failed;
  for (auto at = fs::directory_iterator(top, failed); !failed && at != fs::directory_iterator(); at.increment(failed)) {
    const std::string path = at->path().string();
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0 || S_ISLNK(about.st_mode)) continue;
    const bool folder = S_ISDIR(about.st_mode);
    const unsigned wanted = folder ? 0005U : 0004U;
    if ((about.st_mode & wanted) == wanted) {
      if (folder && depth > 1) hide(path, depth - 1);
      continue;
    }
    if (steps_.size() > max_steps) return;
    hide_one(path, folder);
  }
}

Result<Sandbox> Sandbox::prepare(const SandboxConfig& config) {
  Sandbox made;
  made.root_ = config.work_folder + "/.root";
  if (::mkdir(made.root_.c_str(), 0700) != 0 && errno != EEXIST) return file_error("make", made.root_);
  for (const auto& [seen, folder] : moved(config.job_folder)) {
    // The sticky bit, as usual there: containers of the job write to it as root.
    if (::mkdir(folder.c_str(), 0700) != 0 || ::chmod(folder.c_str(), 01777) != 0) return file_error("make", folder);
  }
  made.folder("/.hidden/folder", 0000);
  made.add({Step::Kind::file, "/.hidden/file", "", 0, 0});
  made.add_programs();
  made.hide("/etc", 8);
  made.hide("/usr/local/etc", 8);
  made.hide("/opt", 3);
  made.add_devices();
  made.add_processes();
  for (const std::string_view path : hidden_folders) made.hide_one(std::string(path), true);
  for (const std::string_view path : hidden_files) made.hide_one(std::string(path), false);
  made.add_run(config.docker_socket);
  made.add_var(config);
  made.add_work(config);
  if (made.steps_.size() <= max_steps) return made;
  return make_error(errc::too_large, fmt::format("more than {} files and folders in /etc, /usr/local/etc and /opt are "
                                                 "not for everybody and would have to be hidden: --sandbox off, or "
                                                 "change their modes",
                                                 max_steps));
}

bool Sandbox::carry_out(const Step& step) {
  const char* to = step.to.c_str();
  switch (step.kind) {
    case Step::Kind::folder:
      if (::mkdir(to, 0755) != 0) return errno == EEXIST || errno == EROFS || failed("make", step.to);
      return ::chmod(to, step.mode) == 0 || failed("make", step.to);
    case Step::Kind::file: {
      const int made = ::open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0000);
      if (made < 0) return failed("make", step.to);
      return ::close(made) == 0;
    }
    case Step::Kind::link:
      return ::symlink(step.from.c_str(), to) == 0 || failed("link", step.to);
    case Step::Kind::bind:
      return (step.may_be_gone && ::access(to, F_OK) != 0) || bind_at(step.from, step.to, step.attributes);
    case Step::Kind::temporary:
      return ::mount("tmpfs", to, "tmpfs", MS_NOSUID | MS_NODEV, step.from.c_str()) == 0 || failed("mount", step.to);
    case Step::Kind::processes:
      return ::mount("proc", to, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0 || failed("mount", step.to);
    case Step::Kind::terminals:
      return ::mount("devpts", to, "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620") == 0 ||
             failed("mount", step.to);
  }
  return false;
}

// The old root stays nowhere.
bool Sandbox::turn_to() const {
  if (::chdir(root_.c_str()) != 0) return failed("enter", root_);
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return failed("turn to", root_);
  if (::umount2(".", MNT_DETACH) != 0) return failed("leave the old root for", root_);
  return ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) == 0 ||
         failed("close", root_);
}

bool Sandbox::enter() const {
  if (!own_mounts()) return failed("have mounts of its own for", root_);
  if (::mount("tmpfs", root_.c_str(), "tmpfs", MS_NOSUID, "mode=0755,size=4m") != 0) return failed("mount", root_);
  const bool done = std::all_of(steps_.begin(), steps_.end(), [](const Step& step) { return carry_out(step); });
  return done && turn_to();
}

Result<void> mount_harmless(const std::string& folder) {
  const bool done =
      ::mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
      ::mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, nullptr) == 0;
  if (done) return ok();
  return make_error(errc::unavailable, fmt::format("cannot mount {}: {}", folder, std::strerror(errno)));
}

void unmount(const std::string& folder) {
  // Also what a runner that died has left, be it several times.
  while (::umount2(folder.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
}

}  // namespace kaapi::actions::runner
