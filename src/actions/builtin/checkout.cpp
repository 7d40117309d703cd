// actions/checkout.

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "actions/builtin/actions.h"
#include "actions/builtin/checkout_plan.h"
#include "actions/builtin/git_client.h"
#include "actions/builtin/inputs.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

namespace fs = std::filesystem;

// Beside the repository's own configuration and named in it by a relative path, so that it holds inside containers too.
constexpr std::string_view credentials_file = "kaapi-credentials.config";
constexpr std::int64_t max_depth = 1'000'000'000;  // commits

struct Checkout {
  CheckoutSource source;
  CheckoutTarget target;
  std::string directory;
  std::string token;  // empty: none
  std::int64_t depth = 1;
  bool clean = true, tags = false, lfs = false, persist = true, safe_directory = true, cone = true;
  std::string filter;
  std::vector<std::string> sparse;
  bool submodules = false, nested_submodules = false;

  std::string header() const {
    return fmt::format("AUTHORIZATION: basic {}", base64_encode(fmt::format("x-access-token:{}", token)));
  }
  std::string header_key() const { return fmt::format("http.{}/.extraheader", source.server); }
};

Result<void> read_flags(const ActionHost& host, Checkout& into) {
  struct Flag {
    std::string_view name;
    bool& value;
  };
  for (const Flag& flag : {Flag{"clean", into.clean}, Flag{"fetch-tags", into.tags}, Flag{"lfs", into.lfs},
                           Flag{"persist-credentials", into.persist}, Flag{"set-safe-directory", into.safe_directory},
                           Flag{"sparse-checkout-cone-mode", into.cone}}) {
    const Result<bool> value = bool_input(host, flag.name, flag.value);
    if (!value) return value.error();
    flag.value = *value;
  }
  return ok();
}

Result<Checkout> read_inputs(ActionHost& host) {
  Checkout made;
  const JobMessage& job = host.job();
  if (const Result<void> flags = read_flags(host, made); !flags) return flags.error();
  const Result<std::int64_t> depth = number_input(host, "fetch-depth", 1, 0, max_depth);
  if (!depth) return depth.error();
  made.depth = *depth;
  Result<CheckoutSource> source = checkout_source(host.input("repository"), job.repository, job.clone_path,
                                                  host.server_url(), host.input("github-server-url"));
  if (!source) return source.error();
  made.source = std::move(*source);

  const json::value* github = job.contexts.if_contains("github");
  const json::value& facts = github == nullptr ? json::value() : *github;
  made.target =
      checkout_target(host.input("ref"), made.source.own, string_member(facts, "ref"), string_member(facts, "sha"));
  const Result<std::string> directory = absolute_path(host, host.input("path"));
  if (!directory) return directory.error();
  made.directory = *directory;
  if (!is_below(made.directory, host.workspace())) {
    return make_error(errc::invalid, fmt::format("the input 'path' is a folder below the workspace {}, not '{}'",
                                                 host.workspace(), host.input("path")));
  }
  made.token = host.input("token");
  if (made.token.empty() && made.source.platform) made.token = job.git_token;
  made.filter = host.input("filter");
  made.sparse = lines_of(host.input("sparse-checkout"));
  if (made.filter.empty() && !made.sparse.empty()) made.filter = "blob:none";
  const std::string submodules = lower(host.input("submodules"));
  made.nested_submodules = submodules == "recursive";
  made.submodules = made.nested_submodules || submodules == "true";
  if (!made.submodules && !submodules.empty() && submodules != "false") {
    return make_error(errc::invalid,
                      fmt::format("the input 'submodules' is true, false or recursive, not '{}'", submodules));
  }
  for (const std::string_view name : {"ssh-key", "ssh-known-hosts"}) {
    if (!host.input(name).empty()) {
      warn(host, fmt::format("The input '{}' has no effect: repositories are fetched over HTTP with a token.", name));
    }
  }
  return made;
}

// For between quotes in git's configuration.
std::string in_quotes(std::string_view text) {
  std::string value;
  for (const char c : text) {
    if (c == '"' || c == '\\') value += '\\';
    value += c;
  }
  return value;
}

// `how`: O_EXCL, O_APPEND. What it makes is for the job's user alone.
Result<void> write_file(const std::string& path, std::string_view text, int how) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | how, 0600));
  if (!file) return file_error("cannot write", path);
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0) return file_error("cannot write", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ok();
}

void remove_contents(const Checkout& checkout) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkout.directory, ignored)) {
    fs::remove_all(entry.path(), ignored);
  }
}

// Whether what is there already is a clone of the same repository that may be used again.
bool reuse(ActionHost& host, const Checkout& checkout, const GitClient& git) {
  std::error_code ignored;
  if (!fs::exists(checkout.directory + "/.git", ignored)) return false;
  const Result<std::string> url = git.must({"config", "--local", "--get", "remote.origin.url"});
  if (!url || *url != checkout.source.url) return false;
  fs::remove(checkout.directory + "/.git/index.lock", ignored);
  fs::remove(checkout.directory + "/.git/shallow.lock", ignored);
  if (!checkout.clean) return true;
  const Result<std::string> cleaned = git.must({"clean", "-ffdx"});
  const Result<std::string> reset = cleaned ? git.must({"reset", "--hard", "HEAD"}) : cleaned;
  if (!reset) warn(host, "What is in the folder cannot be cleaned, and is fetched anew.");
  return static_cast<bool>(reset);
}

Result<void> prepare_folder(ActionHost& host, const Checkout& checkout, const GitClient& git) {
  if (reuse(host, checkout, git)) return ok();
  remove_contents(checkout);
  const GitClient outside(host, host.workspace());
  if (const auto made = outside.must({"init", "-q", checkout.directory}); !made) return made.error();
  // One write instead of a git process for each line.
  const std::string text = fmt::format(
      "[remote \"origin\"]\n\turl = \"{}\"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[gc]\n\tauto = 0\n"
      "[include]\n\tpath = {}\n",
      in_quotes(checkout.source.url), credentials_file);
  return write_file(checkout.directory + "/.git/config", text, O_APPEND);
}

// A default branch or a short name becomes a whole ref.
Result<void> resolve(Checkout& checkout, const GitClient& git) {
  CheckoutTarget& target = checkout.target;
  if (!target.commit.empty() || target.ref.starts_with("refs/")) return ok();
  if (target.ref.empty()) {
    const Result<std::string> head = git.must({"ls-remote", "--symref", "origin", "HEAD"});
    if (!head) return head.error();
    const std::optional<std::string> ref = head_ref(*head);
    if (!ref) {
      return make_error(errc::not_found,
                        fmt::format("{} has no default branch: is it empty?", checkout.source.repository));
    }
    target.ref = *ref;
    return ok();
  }
  const std::string& name = target.ref;
  const Result<std::string> refs =
      git.must({"ls-remote", "origin", fmt::format("refs/heads/{}", name), fmt::format("refs/tags/{}", name)});
  if (!refs) return refs.error();
  const std::optional<std::string> ref = choose_ref(name, *refs);
  if (!ref) {
    return make_error(errc::not_found, fmt::format("{} has no branch or tag named '{}' (a commit needs all of its 40 "
                                                   "digits)",
                                                   checkout.source.repository, name));
  }
  target.ref = *ref;
  return ok();
}

std::vector<std::string> fetch_command(const Checkout& checkout, std::vector<std::string> specs) {
  std::vector<std::string> command = {"fetch", "--no-tags", "--prune", "--no-recurse-submodules"};
  if (!checkout.filter.empty()) command.push_back(fmt::format("--filter={}", checkout.filter));
  if (checkout.depth > 0) command.push_back(fmt::format("--depth={}", checkout.depth));
  command.emplace_back("origin");
  for (std::string& spec : specs) command.push_back(std::move(spec));
  return command;
}

Result<void> fetch(ActionHost& host, const Checkout& checkout, const GitClient& git) {
  if (checkout.depth == 0) {
    // History that an earlier step left out.
    std::error_code ignored;
    if (fs::exists(checkout.directory + "/.git/shallow", ignored)) {
      if (auto all = git.transfer({"fetch", "--no-tags", "--unshallow", "origin"}); !all) return all;
    }
  }
  host.log(fmt::format("Fetching {} from {}", checkout.source.repository, checkout.source.url));
  auto fetched = git.transfer(fetch_command(checkout, refspecs(checkout.target, checkout.depth, checkout.tags)));
  if (!fetched) return fetched;
  if (checkout.target.commit.empty() || !checkout.target.ref.starts_with("refs/tags/")) return ok();
  // The tag may have been moved since the run began.
  const auto there = git.run({"cat-file", "-e", fmt::format("{}^{{commit}}", checkout.target.commit)});
  if (!there) return there.error();
  if (there->exit_code == 0) return ok();
  return git.transfer(fetch_command(checkout, {checkout.target.commit}));
}

Result<void> set_sparse(const Checkout& checkout, const GitClient& git) {
  if (checkout.sparse.empty()) {
    std::error_code ignored;
    if (!fs::exists(checkout.directory + "/.git/info/sparse-checkout", ignored)) return ok();
    const auto disabled = git.must({"sparse-checkout", "disable"});
    return disabled ? ok() : Result<void>(disabled.error());
  }
  std::vector<std::string> command = {"sparse-checkout", "set", checkout.cone ? "--cone" : "--no-cone"};
  command.insert(command.end(), checkout.sparse.begin(), checkout.sparse.end());
  const auto set = git.must(command);
  return set ? ok() : Result<void>(set.error());
}

Result<void> check_out(const Checkout& checkout, const GitClient& git) {
  std::vector<std::string> command = {"checkout", "--quiet", "--force"};
  for (std::string& argument : checkout_arguments(checkout.target)) command.push_back(std::move(argument));
  const auto done = git.must(command);
  return done ? ok() : Result<void>(done.error());
}

Result<void> fetch_lfs(const Checkout& checkout, const GitClient& git) {
  if (!checkout.lfs) return ok();
  const auto version = git.run({"lfs", "version"});
  if (!version) return version.error();
  if (version->exit_code != 0) {
    return make_error(errc::not_found,
                      "the input 'lfs' is true, and there is no git-lfs where this job runs: install the package "
                      "git-lfs on the runner or in the job's container image, or set lfs: false");
  }
  if (const auto installed = git.must({"lfs", "install", "--local"}); !installed) return installed.error();
  const std::vector<std::string> what = checkout_arguments(checkout.target);
  return git.transfer({"lfs", "fetch", "origin", what.back()});
}

Result<void> fetch_submodules(const Checkout& checkout, const GitClient& git) {
  if (!checkout.submodules) return ok();
  std::vector<std::string> sync = {"submodule", "sync", "--quiet"};
  std::vector<std::string> update = {"submodule", "update", "--init", "--force"};
  if (checkout.depth > 0) update.push_back(fmt::format("--depth={}", checkout.depth));
  if (checkout.nested_submodules) {
    sync.emplace_back("--recursive");
    update.emplace_back("--recursive");
  }
  if (const auto synced = git.must(sync); !synced) return synced.error();
  return git.transfer(update);
}

// The token for later git commands of the job, in a file that the repository's configuration includes.
Result<void> persist_credentials(ActionHost& host, const Checkout& checkout, const GitClient& git) {
  const std::string path = fmt::format("{}/.git/{}", checkout.directory, credentials_file);
  std::error_code ignored;
  fs::remove(path, ignored);  // of an earlier step
  if (!checkout.persist || checkout.token.empty()) return ok();
  host.save_state("directory", checkout.directory);
  // git of a container of the job knows the platform by another address.
  std::string text;
  for (const std::string& server :
       std::set<std::string>{checkout.source.server, host.job_path(checkout.source.server)}) {
    text += fmt::format("[http \"{}/\"]\n\textraheader = {}\n", server, checkout.header());
  }
  if (auto written = write_file(path, text, O_EXCL); !written) return written;
  if (!checkout.submodules) return ok();
  const auto below = git.must(
      {"submodule", "foreach", "--quiet", "--recursive", fmt::format("git config --local include.path '{}'", path)});
  return below ? ok() : Result<void>(below.error());
}

// Later steps may run as another user than the one who owns the files (containers). Their own variables stay.
void trust_directory(ActionHost& host, const Checkout& checkout) {
  if (!checkout.safe_directory) return;
  const std::string below = checkout.directory.substr(host.workspace().size());
  const std::string seen = host.env("GITHUB_WORKSPACE").value_or(host.workspace()) + below;
  const std::int64_t count = parse_number(host.env("GIT_CONFIG_COUNT").value_or("")).value_or(0);
  for (std::int64_t i = 0; i < count; ++i) {
    if (host.env(fmt::format("GIT_CONFIG_VALUE_{}", i)).value_or("") == seen) return;
  }
  host.set_env(fmt::format("GIT_CONFIG_KEY_{}", count), "safe.directory");
  host.set_env(fmt::format("GIT_CONFIG_VALUE_{}", count), seen);
  host.set_env("GIT_CONFIG_COUNT", fmt::format("{}", count + 1));
}

GitClient client_for(ActionHost& host, const Checkout& checkout) {
  GitClient git(host, checkout.directory);
  git.configure("safe.directory", "*");
  git.configure("advice.detachedHead", "false");
  git.configure("protocol.version", "2");
  if (!checkout.lfs) git.set_env("GIT_LFS_SKIP_SMUDGE", "1");
  if (!checkout.token.empty()) {
    // The empty value takes back what an earlier step has kept for the same server: two would both be sent.
    git.configure(checkout.header_key(), "");
    git.configure(checkout.header_key(), checkout.header());
  }
  return git;
}

ActionResult run(ActionHost& host) {
  Result<Checkout> read = read_inputs(host);
  if (!read) return read.error();
  Checkout& checkout = *read;
  if (!checkout.token.empty()) {
    host.add_mask(checkout.token);
    host.add_mask(base64_encode(fmt::format("x-access-token:{}", checkout.token)));
  }
  const GitClient git = client_for(host, checkout);
  if (auto ready = prepare_folder(host, checkout, git); !ready) return ready;
  if (auto known = resolve(checkout, git); !known) return known;
  if (auto fetched = fetch(host, checkout, git); !fetched) return fetched;
  if (auto lfs = fetch_lfs(checkout, git); !lfs) return lfs;
  if (auto sparse = set_sparse(checkout, git); !sparse) return sparse;
  if (auto out = check_out(checkout, git); !out) return out;
  if (auto below = fetch_submodules(checkout, git); !below) return below;
  if (auto kept = persist_credentials(host, checkout, git); !kept) return kept;
  trust_directory(host, checkout);
  const auto head = git.must({"log", "-1", "--format=%H %s"});
  if (!head) return head.error();
  host.log(fmt::format("HEAD is now at {}", *head));
  // As it was written, which is what the original hands on.
  host.set_output("ref", host.input("ref").empty() ? checkout.target.ref : host.input("ref"));
  host.set_output("commit", head->substr(0, head->find(' ')));
  return ok();
}

ActionResult forget_credentials(ActionHost& host) {
  const std::string directory = host.state("directory");
  if (directory.empty()) return ok();
  std::error_code wrong;
  fs::remove(fmt::format("{}/.git/{}", directory, credentials_file), wrong);
  if (wrong) {
    return make_error(errc::unavailable,
                      fmt::format("cannot remove the credentials in {}/.git: {}", directory, wrong.message()));
  }
  return ok();
}

}  // namespace

BuiltIn checkout_action() {
  BuiltIn action;
  action.name = "actions/checkout";
  action.inputs = {{"repository", ""},
                   {"ref", ""},
                   {"token", ""},
                   {"ssh-key", ""},
                   {"ssh-known-hosts", ""},
                   {"ssh-strict", "true"},
                   {"ssh-user", "git"},
                   {"persist-credentials", "true"},
                   {"path", ""},
                   {"clean", "true"},
                   {"filter", ""},
                   {"sparse-checkout", ""},
                   {"sparse-checkout-cone-mode", "true"},
                   {"fetch-depth", "1"},
                   {"fetch-tags", "false"},
                   {"show-progress", "true"},
                   {"lfs", "false"},
                   {"submodules", "false"},
                   {"set-safe-directory", "true"},
                   {"github-server-url", ""}};
  action.main = run;
  action.post = forget_credentials;
  return action;
}

}  // namespace kaapi::actions
