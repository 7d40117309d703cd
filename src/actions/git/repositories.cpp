#include "actions/git/repositories.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "actions/git/git.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view first_branch = "main";
constexpr std::size_t max_head_bytes = 1024;
constexpr std::size_t max_branches_named = 5;         // in an error
constexpr const char* max_push_bytes = "2147483648";  // 2 GiB, as GitHub's
constexpr std::chrono::minutes tidy_timeout{30};

constexpr std::string_view select_repositories_one =
    "SELECT id, owner_id, name, created_ms, rules, coalesce(url, '') FROM repositories "
    "LEFT JOIN mirrors ON mirrors.repository = name WHERE name = ?";
constexpr std::string_view select_repositories_page =
    "SELECT id, owner_id, name, created_ms, rules, coalesce(url, '') FROM repositories "
    "LEFT JOIN mirrors ON mirrors.repository = name WHERE name > ? ORDER BY name LIMIT ?";

Error not_found(std::string_view name) {
  return make_error(errc::not_found, fmt::format("there is no repository {}", name));
}

Result<void> make_folder(const std::string& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) return make_error(errc::unavailable, fmt::format("{} cannot be made: {}", path, failed.message()));
  return ok();
}

Result<void> make_bare(const std::string& path, std::string_view branch) {
  std::error_code ignored;
  fs::remove_all(path, ignored);  // left behind by a creation that was cut off
  if (const Result<void> made = make_folder(path); !made) return made.error();
  const Result<std::string> done =
      git(path, {"init", "--quiet", "--bare", "--template=", fmt::format("--initial-branch={}", branch)});
  if (!done) return done.error();
  return ok();
}

}  // namespace

Result<std::unique_ptr<Repositories>> Repositories::open(store::Database& database, const Clock& clock,
                                                         RepositoriesConfig config) {
  std::unique_ptr<Repositories> made(new Repositories(database, clock, std::move(config)));
  if (const Result<void> prepared = made->prepare(); !prepared) return prepared.error();
  return made;
}

Result<void> Repositories::prepare() {
  std::error_code ignored;
  fs::remove_all(root() + "/.trash", ignored);
  if (const Result<void> made = make_folder(root()); !made) return made.error();
  ::chmod(root().c_str(), S_IRWXU);
  if (!fs::exists(empty_root() + "/new.git/HEAD", ignored)) {
    const Result<void> made = make_bare(empty_root() + "/new.git", first_branch);
    if (!made) {
      return make_error(errc::unavailable, fmt::format("git repositories cannot be kept: {}; install git 2.31 or newer",
                                                       made.error().message));
    }
  }
  return write_hooks();
}

Result<void> Repositories::write_hooks() const {
  const std::string folder = config_.data_dir + "/git-hooks";
  if (const Result<void> made = make_folder(folder); !made) return made.error();
  std::string quoted = "'";
  for (const char c : config_.hook_program) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  quoted += "'";
  for (const std::string hook : {"pre-receive", "post-receive"}) {
    const std::string text = fmt::format("#!/bin/sh\nexec {} git-hook {}\n", quoted, hook);
    const Result<void> written = write_file_atomically(fmt::format("{}/{}", folder, hook), text, 0700);
    if (!written) return written.error();
  }
  return ok();
}

std::vector<std::pair<std::string, std::string>> fsck_settings(const std::string& section) {
  std::vector<std::pair<std::string, std::string>> settings = {{section + ".fsckObjects", "true"}};
  // What was written long ago may lack what fsck asks for today; GitHub takes these too.
  for (const char* id : {"zeroPaddedFilemode", "missingSpaceBeforeDate", "badTimezone"}) {
    settings.emplace_back(fmt::format("{}.fsck.{}", section, id), "warn");
  }
  return settings;
}

std::vector<std::pair<std::string, std::string>> Repositories::serving_settings() const {
  std::vector<std::pair<std::string, std::string>> settings = {
      {"core.hooksPath", config_.data_dir + "/git-hooks"},
      {"http.receivepack", "true"},
      {"receive.advertisePushOptions", "true"},
      {"receive.maxInputSize", max_push_bytes},
      {"receive.autogc", "false"},  // tidy() does it
      {"uploadpack.allowFilter", "true"},
      {"uploadpack.allowAnySHA1InWant", "true"}};  // a checkout of a commit that no branch holds any more
  for (auto& one : fsck_settings("receive")) settings.push_back(std::move(one));
  return settings;
}

std::string Repositories::directory(std::string_view name) const {
  return fmt::format("{}/{}.git", root(), name);
}

Repository Repositories::read_row(store::Statement& row) const {
  Repository repository;
  repository.id = row.number(0);
  repository.owner_id = row.number(1);
  repository.name = row.text(2);
  repository.created_at = from_millis(row.number(3));
  Result<std::vector<Rule>> rules = rules_from_text(row.text(4));
  repository.mirror_of = row.text(5);
  // What cannot be read may have protected everything.
  repository.rules = rules ? std::move(*rules) : std::vector<Rule>{{Rule::Kind::branch, "**", {"arn:"}}};
  return repository;
}

Result<Repository> Repositories::create(std::string_view name, std::string_view default_branch) {
  if (!is_repository_name(name)) return bad_name(name);
  const Result<std::string> branch = branch_named(default_branch.empty() ? first_branch : default_branch);
  if (!branch) return branch.error();
  const std::lock_guard lock(changing_);
  if (find(name)) return make_error(errc::conflict, fmt::format("the repository {} exists already", name));
  const Result<void> made = make_bare(directory(name), *branch);
  if (!made) return made.error();
  const std::string owner(name.substr(0, name.find('/')));
  const Result<void> stored = database_.write([&](store::Session& session) -> Result<void> {
    store::Statement count = session.query("SELECT count(*) FROM repositories");
    if (count.step() && count.number(0) >= static_cast<std::int64_t>(max_repositories)) {
      return make_error(errc::too_large, fmt::format("there are {} repositories, which is the most", max_repositories));
    }
    session.run("INSERT OR IGNORE INTO owners (name) VALUES (?)", owner);
    session.run(
        "INSERT INTO repositories (owner_id, name, created_ms, rules) "
        "VALUES ((SELECT id FROM owners WHERE name = ?), ?, ?, ?)",
        owner, name, to_millis(clock_.now()), rules_text(default_rules(*branch)));
    return ok();
  });
  if (!stored) return stored.error();
  log::info("git", "repository {} made", name);
  return find(name);
}

Result<Repository> Repositories::find(std::string_view name) const {
  if (!is_repository_name(name)) return not_found(name.substr(0, 2 * max_name_part_bytes));
  Result<Repository> found = database_.read([&](store::Session& session) -> Result<Repository> {
    store::Statement row = session.query(select_repositories_one, name);
    if (!row.step()) return not_found(name);
    return read_row(row);
  });
  if (found) found->default_branch = branch_of_head(name);
  return found;
}

Result<std::vector<Repository>> Repositories::list(std::string_view after, std::size_t limit) const {
  auto found = database_.read([&](store::Session& session) -> Result<std::vector<Repository>> {
    std::vector<Repository> out;
    store::Statement rows = session.query(select_repositories_page, after, limit);
    while (rows.step()) out.push_back(read_row(rows));
    return out;
  });
  if (!found) return found.error();
  for (Repository& repository : *found) repository.default_branch = branch_of_head(repository.name);
  return found;
}

Result<void> Repositories::remove(std::string_view name) {
  const std::lock_guard lock(changing_);
  const Result<Repository> found = find(name);
  if (!found) return found.error();
  const Result<void> gone = database_.write([&](store::Session& session) -> Result<void> {
    session.run("DELETE FROM repositories WHERE name = ?", name);
    session.run("DELETE FROM mirrors WHERE repository = ?", name);
    session.run("DELETE FROM former_mirrors WHERE repository = ?", name);
    session.run("DELETE FROM pushes WHERE repository = ?", name);
    return ok();
  });
  if (!gone) return gone.error();
  // Aside at once, so that the name is free; what is in it takes its time.
  const std::string trash = fmt::format("{}/.trash/{}", root(), found->id);
  std::error_code failed;
  fs::create_directories(root() + "/.trash", failed);
  fs::rename(directory(name), trash, failed);
  if (!failed) fs::remove_all(trash, failed);
  if (failed) log::warn("git", "what was in repository {} cannot be deleted: {}", name, failed.message());
  log::info("git", "repository {} deleted", name);
  return ok();
}

Result<Repository> Repositories::protect(std::string_view name, std::vector<Rule> rules) {
  if (const Result<void> good = check_rules(rules); !good) return good.error();
  const Result<void> stored = database_.write([&](store::Session& session) -> Result<void> {
    session.run("UPDATE repositories SET rules = ? WHERE name = ?", rules_text(rules), name);
    return session.changes() == 1 ? ok() : Result<void>(not_found(name));
  });
  if (!stored) return stored.error();
  return find(name);
}

Result<Repository> Repositories::set_default_branch(std::string_view name, std::string_view given) {
  const Result<std::string> where = place(name);
  if (!where) return where.error();
  const Result<std::string> branch = branch_named(given);
  if (!branch) return branch.error();
  if (const Result<void> there = require_branch(name, *branch); !there) return there.error();
  const std::string before = branch_of_head(name);
  const Result<std::string> done = git(*where, {"symbolic-ref", "HEAD", "refs/heads/" + *branch});
  if (!done) return done.error();
  protect_default_branch(name, before, *branch);
  log::info("git", "the default branch of {} is now {}", name, *branch);
  return find(name);
}

Result<void> Repositories::require_branch(std::string_view name, const std::string& branch) const {
  const auto there = refs(name);
  if (!there) return there.error();
  if (there->contains("refs/heads/" + branch)) return ok();
  std::vector<std::string> others;
  for (const auto& [ref, commit] : *there) {
    if (!branch_of(ref).empty()) others.push_back(as_utf8(branch_of(ref)));
  }
  if (others.empty()) return ok();
  const std::size_t more = others.size() - std::min(others.size(), max_branches_named);
  others.resize(others.size() - more);
  return make_error(errc::not_found, fmt::format("{} has no branch {}: push it first, or name one that is there ({}{})",
                                                 name, branch, fmt::join(others, ", "),
                                                 more == 0 ? std::string() : fmt::format(" and {} more", more)));
}

void Repositories::protect_default_branch(std::string_view name, const std::string& before, const std::string& branch) {
  const Result<Repository> found = find(name);
  if (!found) return;
  std::vector<Rule> rules = found->rules;
  const bool untouched = std::find(rules.begin(), rules.end(), default_rules(before).front()) != rules.end();
  if (!untouched || !rules_of(rules, "refs/heads/" + branch).empty()) return;
  rules.push_back(default_rules(branch).front());
  const Result<Repository> done = protect(name, std::move(rules));
  if (!done) log::warn("git", "the default branch of {} is not protected: {}", name, done.error().message);
}

std::string Repositories::branch_of_head(std::string_view name) const {
  const Result<std::string> head = read_file(directory(name) + "/HEAD", max_head_bytes);
  constexpr std::string_view symbolic = "ref: ";
  if (!head || !head->starts_with(symbolic)) return std::string(first_branch);
  const std::string_view branch = branch_of(trim(std::string_view(*head).substr(symbolic.size())));
  return std::string(branch.empty() ? first_branch : branch);
}

Result<std::map<std::string, std::string>> Repositories::refs(std::string_view name) const {
  const Result<std::string> where = place(name);
  if (!where) return where.error();
  const Result<std::string> listed =
      git(*where, {"for-each-ref", fmt::format("--count={}", max_refs_listed), "--format=%(objectname) %(refname)"});
  if (!listed) return listed.error();
  std::map<std::string, std::string> out;
  for (const std::string& line : split(*listed, '\n')) {
    const std::size_t space = line.find(' ');
    if (space != std::string::npos) out[line.substr(space + 1)] = line.substr(0, space);
  }
  return out;
}

void Repositories::adopt_default_branch(std::string_view name, const std::vector<RefUpdate>& updates) {
  const Result<std::string> where = place(name);
  if (!where) return;
  const Result<std::map<std::string, std::string>> there = refs(name);
  if (!there || there->contains("refs/heads/" + branch_of_head(name))) return;
  std::string head;
  for (const RefUpdate& update : updates) {
    if (branch_of(update.ref).empty() || !there->contains(update.ref)) continue;
    const bool usual = branch_of(update.ref) == "main" || branch_of(update.ref) == "master";
    if (head.empty() || usual) head = update.ref;
  }
  if (head.empty()) return;
  const std::string before = branch_of_head(name);
  const Result<std::string> done = git(*where, {"symbolic-ref", "HEAD", head});
  if (!done) return log::warn("git", "HEAD of {} stays where it is: {}", name, done.error().message);
  protect_default_branch(name, before, std::string(branch_of(head)));
}

bool Repositories::is_forced(std::string_view name, std::string_view before, std::string_view after) const {
  const Command ancestor =
      git_command(directory(name), {"merge-base", "--is-ancestor", std::string(before), std::string(after)});
  const Result<Finished> finished = run(ancestor);
  return !finished || finished->exit_code != 0;
}

void Repositories::tidy() const {
  std::string after;
  while (true) {
    const Result<std::vector<Repository>> page = list(after, 100);
    if (!page || page->empty()) return;
    for (const Repository& repository : *page) {
      const Limits limits{64UL * 1024, tidy_timeout};
      const Result<std::string> done = git(directory(repository.name), {"gc", "--auto", "--quiet"}, {}, limits);
      if (!done) log::warn("git", "{} cannot be packed: {}", repository.name, done.error().message);
    }
    after = page->back().name;
  }
}

Result<std::string> Repositories::place(std::string_view name) const {
  const Result<Repository> found = find(name);
  if (!found) return found.error();
  return directory(name);
}

}  // namespace kaapi::actions::git
