#include "actions/runner/action_cache.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "actions/runner/job_user.h"
#include "actions/runner/process.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

namespace fs = std::filesystem;

// How late it is noticed that nobody waits for a claim any more.
constexpr std::chrono::milliseconds claim_check_interval{100};

bool is_commit(std::string_view ref) {
  return ref.size() == 40 && ref.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Names that become parts of paths and of git's arguments.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 100 && text != "." && text != ".." && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
         });
}

bool is_ref(std::string_view ref) {
  return !ref.empty() && ref.size() <= 255 && ref[0] != '-' && ref.find("..") == std::string_view::npos &&
         ref.find_first_of(" \t\n\r:?*[\\^~{") == std::string_view::npos;
}

Error stopped(const StopSource& stop) {
  return make_error(errc::cancelled, stop.reason());
}

// When it was used last is the folder's time.
void mark_used(const std::string& folder) {
  std::error_code failed;
  fs::last_write_time(folder, fs::file_time_type::clock::now(), failed);
}

// What is in a folder, as far as it can be read; nothing of a link.
std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (auto at = fs::directory_iterator(folder, failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    if (at->symlink_status(failed).type() == fs::file_type::directory) found.push_back(at->path());
  }
  return found;
}

}  // namespace

void ActionCache::prune() const {
  const auto long_ago = fs::file_time_type::clock::now() - action_kept_unused;
  std::error_code failed;
  for (const fs::path& owner : folders_in(folder_)) {
    for (const fs::path& name : folders_in(owner)) {
      for (const fs::path& commit : folders_in(name)) {
        const auto used = fs::last_write_time(commit, failed);
        if (!failed && used < long_ago) delete_folder(commit.string());
      }
    }
  }
}

bool ActionCache::claim(const std::string& action, StopSource& stop) {
  std::unique_lock lock(mutex_);
  while (claimed_.contains(action)) {
    if (stop.level() != StopLevel::none) return false;
    released_.wait_for(lock, claim_check_interval);
  }
  claimed_.insert(action);
  return true;
}

void ActionCache::release(const std::string& action) {
  {
    const std::lock_guard lock(mutex_);
    claimed_.erase(action);
  }
  released_.notify_all();
}

Result<std::string> ActionCache::git(std::vector<std::string> arguments, const std::string& directory,
                                     StopSource& stop) {
  ProcessRun run;
  run.argv = std::move(arguments);
  run.argv.insert(run.argv.begin(), find_program("git", own_search_path(), "/"));
  if (run.argv[0].empty()) return make_error(errc::unavailable, "git is not installed here: apt install git");
  run.directory = directory;
  run.env = {fmt::format("PATH={}", own_search_path()),
             "GIT_TERMINAL_PROMPT=0",
             "GIT_CONFIG_NOSYSTEM=1",
             "GIT_CONFIG_GLOBAL=/dev/null",
             "LC_ALL=C",
             "HOME=" + folder_};
  for (const char* name : {"http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE"}) {
    if (const char* value = std::getenv(name)) run.env.push_back(fmt::format("{}={}", name, value));
  }
  std::string out, errors;
  run.on_output = [&out](std::string_view bytes) {
    out += bytes.substr(0, 1'000'000 - std::min<std::size_t>(out.size(), 1'000'000));
  };
  run.on_error = [&errors](std::string_view bytes) {
    errors += bytes.substr(0, 4096 - std::min<std::size_t>(errors.size(), 4096));
  };
  run.timeout = fetch_timeout;
  const Result<ProcessEnd> end = run_process(run, stop, StopLevel::none);
  if (!end) return end.error();
  if (end->how == ProcessEnd::How::stopped) return stopped(stop);
  if (end->how == ProcessEnd::How::timed_out) {
    return make_error(errc::unavailable, fmt::format("git took more than {} minutes", fetch_timeout.count()));
  }
  if (end->exit_code != 0) return make_error(errc::unavailable, std::string(trim(errors)));
  return out;
}

Result<std::string> ActionCache::resolve(const std::string& url, const std::string& ref, StopSource& stop) {
  if (is_commit(ref)) return ref;
  const Result<std::string> listed = git({"ls-remote", "--", url, ref, fmt::format("{}^{{}}", ref)}, folder_, stop);
  if (!listed) return listed.error();
  // A tag goes before a branch, and what an annotated tag points at before the tag itself.
  std::string branch, tag, peeled;
  for (const std::string& line : split(*listed, '\n')) {
    if (line.size() < 42) continue;
    const std::string name = line.substr(41);
    if (name == "refs/tags/" + ref + "^{}") peeled = line.substr(0, 40);
    if (name == "refs/tags/" + ref) tag = line.substr(0, 40);
    if (name == "refs/heads/" + ref || name == ref) branch = line.substr(0, 40);
  }
  for (const std::string& found : {peeled, tag, branch}) {
    if (is_commit(found)) return found;
  }
  return make_error(errc::not_found, fmt::format("there is no tag, branch or full commit '{}'", ref));
}

Result<void> ActionCache::download(const std::string& url, const FetchedAction& action, StopSource& stop) {
  std::error_code failed;
  if (fs::exists(action.folder, failed)) return ok();
  const std::string fresh = action.folder + ".new";
  fs::remove_all(fresh, failed);
  fs::create_directories(fresh, failed);
  if (failed) return make_error(errc::unavailable, fmt::format("cannot make {}: {}", fresh, failed.message()));
  const std::vector<std::vector<std::string>> commands = {
      {"init", "--quiet"},
      {"fetch", "--quiet", "--depth=1", "--no-tags", "--", url, action.commit},
      {"-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--detach", "FETCH_HEAD"}};
  for (const auto& command : commands) {
    if (const Result<std::string> done = git(command, fresh, stop); !done) return done.error();
  }
  fs::remove_all(fresh + "/.git", failed);
  fs::rename(fresh, action.folder, failed);
  if (failed) return make_error(errc::unavailable, fmt::format("cannot keep {}: {}", fresh, failed.message()));
  return ok();
}

Result<FetchedAction> ActionCache::fetch(std::string_view owner, std::string_view name, std::string_view ref,
                                         StopSource& stop) {
  const std::string what = fmt::format("{}/{}@{}", owner, name, ref);
  if (!is_name(owner) || !is_name(name) || !is_ref(ref)) {
    return make_error(errc::invalid, fmt::format("'{}' names no action: expected OWNER/NAME@REF", what));
  }
  const std::string url = fmt::format("{}/{}/{}", base_url_, owner, name);
  const auto explained = [&](const Error& error) {
    if (error.code == errc::cancelled) return error;
    return make_error(error.code, fmt::format("cannot fetch the action {} from {}: {}; the runner's --actions-url "
                                              "names where actions come from",
                                              what, url, error.message));
  };
  const Result<std::string> commit = resolve(url, std::string(ref), stop);
  if (!commit) return explained(commit.error());
  const std::string of_action = fmt::format("{}/{}", lower(owner), lower(name));
  const FetchedAction action{fmt::format("{}/{}/{}", folder_, of_action, *commit), *commit};
  std::error_code failed;
  if (fs::exists(action.folder, failed)) {
    mark_used(action.folder);
    return action;
  }
  if (!claim(of_action, stop)) return stopped(stop);
  const Result<void> done = download(url, action, stop);
  if (done) prune();
  release(of_action);
  if (!done) return explained(done.error());
  return action;
}

}  // namespace kaapi::actions::runner
