// What the runs of a pipeline ask of a repository: protocol/source.h.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "actions/git/git.h"
#include "actions/git/repositories.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::string_view workflow_folder = ".github/workflows/";
constexpr std::size_t max_tree_bytes = 4 * 1024 * 1024;  // of the listing of that folder
constexpr std::size_t max_commit_bytes = 1024 * 1024;
constexpr std::size_t max_new_commits_bytes = 32UL * 1024 * 1024;  // of a new branch, or all its refs
constexpr std::size_t max_listed_commits_bytes = 512UL * 1024;
constexpr std::string_view empty_tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";  // SHA-1
constexpr std::size_t max_path_bytes = 4096;

struct TreeEntry {
  std::string path, object;
  std::int64_t size = 0;
  std::string fault;  // why it is not read
};

bool is_workflow_name(std::string_view path) {
  return path.ends_with(".yml") || path.ends_with(".yaml");
}

std::string fault_of(const TreeEntry& entry, std::string_view mode) {
  if (find_broken_utf8(entry.path)) return "the name of the file is no UTF-8, so nothing can name it: rename it";
  if (mode == "120000") return "it is a symbolic link, which is not followed: put the file itself there";
  if (static_cast<std::size_t>(entry.size) > max_workflow_file_bytes) {
    return fmt::format(
        "it is larger than {} KiB, which is the most for a workflow file: split it, or let it run a script",
        max_workflow_file_bytes / 1024);
  }
  return {};
}

// A line of `git ls-tree -l`: "100644 blob SHA    SIZE\tPATH"; nullopt when it is no file of a workflow.
std::optional<TreeEntry> entry_of(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return std::nullopt;
  TreeEntry entry;
  entry.path = line.substr(tab + 1);
  const std::vector<std::string> words = split(line.substr(0, tab), ' ');
  if (words.size() < 4 || words[1] != "blob" || !is_workflow_name(entry.path)) return std::nullopt;
  entry.object = words[2];
  entry.size = parse_number(words.back()).value_or(0);
  entry.fault = fault_of(entry, words[0]);
  if (!entry.fault.empty()) entry.path = as_utf8(entry.path);
  return entry;
}

// At most twice as many as are read: so many faults are enough to tell.
std::vector<TreeEntry> workflow_entries(const std::string& listing) {
  std::vector<TreeEntry> entries;
  std::size_t readable = 0;
  std::size_t untold = 0;
  for (const std::string& line : split(listing, '\0')) {
    std::optional<TreeEntry> entry = entry_of(line);
    if (!entry) continue;
    if (entry->fault.empty() && ++readable > max_workflow_files) {
      entry->fault =
          fmt::format("it is not read: {} workflow files are the most of a commit, in the order of their names",
                      max_workflow_files);
    }
    if (entries.size() < 2 * max_workflow_files) {
      entries.push_back(std::move(*entry));
    } else {
      ++untold;
    }
  }
  if (untold > 0) entries.back().fault = fmt::format("it and {} more are not read: there are too many files", untold);
  return entries;
}

// Takes apart what `git cat-file --batch` prints for those without faults: "SHA blob SIZE\n", the bytes, "\n".
Result<std::vector<SourceFile>> files_of(std::vector<TreeEntry> entries, std::string_view printed) {
  std::vector<SourceFile> files;
  for (TreeEntry& entry : entries) {
    if (!entry.fault.empty()) {
      files.push_back({std::move(entry.path), "", std::move(entry.fault)});
      continue;
    }
    const std::size_t end = printed.find('\n');
    const auto size = static_cast<std::size_t>(entry.size);
    if (end == std::string_view::npos || printed.size() < end + 1 + size) {
      return make_error(errc::unavailable, fmt::format("git gave no content of {}", entry.path));
    }
    files.push_back({std::move(entry.path), std::string(printed.substr(end + 1, size))});
    printed.remove_prefix(std::min(printed.size(), end + 1 + size + 1));
  }
  return files;
}

constexpr std::string_view commit_format = "--format=%H%x00%an%x00%ae%x00%cn%x00%ce%x00%ct%x00%B";
constexpr std::size_t commit_fields = 7;

// What `git log -z` prints in this format.
std::vector<Commit> commits_of(std::string_view printed) {
  std::vector<Commit> commits;
  const std::vector<std::string> parts = split(printed, '\0');
  for (std::size_t i = 0; i + commit_fields <= parts.size(); i += commit_fields) {
    commits.push_back({parts[i], as_utf8(trim(parts[i + 6])), as_utf8(parts[i + 1]), as_utf8(parts[i + 2]),
                       from_millis(parse_number(parts[i + 5]).value_or(0) * 1000), as_utf8(parts[i + 3]),
                       as_utf8(parts[i + 4])});
  }
  return commits;
}

}  // namespace

Result<void> Repositories::require_commit(std::string_view name, const std::string& place, std::string_view sha) const {
  const Error missing = make_error(errc::not_found, fmt::format("{} has no commit {}", name, sha.substr(0, 64)));
  if (!is_commit(sha)) return missing;
  const Result<Finished> found = run(git_command(place, {"cat-file", "-e", fmt::format("{}^{{commit}}", sha)}));
  if (!found) return found.error();
  return found->exit_code == 0 ? ok() : Result<void>(missing);
}

Result<std::vector<SourceFile>> Repositories::workflow_files(std::string_view repository, std::string_view sha) const {
  const Result<std::string> where = place(repository);
  if (!where) return where.error();
  const Limits tree_limits{max_tree_bytes, std::chrono::seconds(60)};
  Result<std::string> listing =
      is_commit(sha)
          ? git(*where, {"ls-tree", "-z", "-l", std::string(sha), std::string(workflow_folder)}, {}, tree_limits)
          : Result<std::string>(make_error(errc::not_found, "no commit"));
  if (!listing) {
    const Result<void> there = require_commit(repository, *where, sha);
    return there ? listing.error() : there.error();
  }
  std::vector<TreeEntry> entries = workflow_entries(*listing);
  std::string wanted;
  for (const TreeEntry& entry : entries) {
    if (entry.fault.empty()) wanted += entry.object + "\n";
  }
  if (wanted.empty()) return files_of(std::move(entries), {});
  const Limits limits{max_workflow_files * (max_workflow_file_bytes + 128), std::chrono::seconds(60)};
  const Result<std::string> printed = git(*where, {"cat-file", "--batch"}, wanted, limits);
  if (!printed) return printed.error();
  return files_of(std::move(entries), *printed);
}

// What tells `git rev-list --stdin` of the commits that only the ref at this commit has; nullopt: another one is there
// too, so it has none. ("^COMMIT", as git before 2.42 takes no "--not" there.)
Result<std::optional<std::string>> Repositories::only_here(const std::string& place, const std::string& commit,
                                                           const std::vector<RefUpdate>& together) const {
  const Limits limits{max_new_commits_bytes, std::chrono::seconds(60)};
  const Result<std::string> listed =
      git(place, {"for-each-ref", "--format=%(objectname) %(*objectname) %(refname)", "refs/heads", "refs/tags"}, {},
          limits);
  if (!listed) return listed.error();
  std::set<std::string, std::less<>> changed;
  std::vector<std::string> others;
  for (const RefUpdate& update : together) {
    changed.insert(update.ref);
    if (update.before != no_commit) others.push_back(update.before);
  }
  for (const std::string& line : split(*listed, '\n')) {
    const std::vector<std::string> words = split(line, ' ');
    if (words.size() == 3 && !changed.contains(words[2])) others.push_back(words[1].empty() ? words[0] : words[1]);
  }
  const std::ptrdiff_t own = together.empty() ? 1 : 0;
  if (std::count(others.begin(), others.end(), commit) > own) return std::nullopt;
  std::string wanted = commit + "\n";
  for (const std::string& other : others) {
    if (other != commit) wanted += fmt::format("^{}\n", other);
  }
  return std::optional(std::move(wanted));
}

// What a new branch at this commit begins from: the parent of the deepest commit that no other branch or tag has, as
// GitHub ("Workflow syntax", "Git diff comparisons"). The commit itself stands for nothing new, so that `show` tells.
Result<std::string> Repositories::begin_of_new(const std::string& place, const std::string& commit,
                                               const std::vector<RefUpdate>& together) const {
  const auto wanted = only_here(place, commit, together);
  if (!wanted) return wanted.error();
  if (!*wanted) return std::string(no_commit);
  const Limits limits{max_new_commits_bytes, std::chrono::seconds(60)};
  const Result<std::string> fresh =
      git(place, {"rev-list", "--ignore-missing", "--topo-order", "--parents", "--stdin"}, **wanted, limits);
  if (!fresh) return fresh.error();
  const std::string_view all = trim(*fresh);
  if (all.empty()) return std::string(no_commit);
  const std::vector<std::string> deepest = split(all.substr(all.rfind('\n') + 1), ' ');
  return deepest.size() > 1 ? deepest[1] : std::string(empty_tree);
}

Result<std::optional<std::vector<std::string>>> Repositories::changed(std::string_view repository,
                                                                      std::string_view before, std::string_view after,
                                                                      const std::vector<RefUpdate>& together,
                                                                      std::size_t limit) const {
  using Paths = std::optional<std::vector<std::string>>;
  const Result<std::string> where = place(repository);
  if (!where) return where.error();
  for (const std::string_view sha : {before, after}) {
    if (!is_commit(sha)) return require_commit(repository, *where, sha).error();
  }
  std::vector<std::string> arguments;
  std::string base(before);
  if (before == no_commit) {
    const Result<std::string> from = begin_of_new(*where, std::string(after), together);
    // Too much is new to tell.
    if (!from && from.error().code == errc::too_large) return Paths();
    if (from) base = *from;
  }
  if (base == no_commit) {
    arguments = {
        "show", "--format=", "-z", "--name-only", "--no-renames", "--diff-merges=first-parent", std::string(after)};
  } else {
    arguments = {"diff-tree", "-r", "-z", "--name-only", "--no-renames", base, std::string(after)};
  }
  const Limits limits{(limit + 1) * max_path_bytes, std::chrono::seconds(60)};
  const Result<std::string> printed = git(*where, std::move(arguments), {}, limits);
  if (!printed && printed.error().code == errc::too_large) return Paths();
  if (!printed) {
    for (const std::string_view sha : {before, after}) {
      if (sha == no_commit) continue;
      if (const Result<void> there = require_commit(repository, *where, sha); !there) return there.error();
    }
    return printed.error();
  }
  std::vector<std::string> paths;
  for (std::string& path : split(*printed, '\0')) {
    if (path.empty()) continue;
    if (paths.size() == limit) return Paths();
    paths.push_back(std::move(path));
  }
  return Paths(std::move(paths));
}

Result<Commit> Repositories::commit(std::string_view repository, std::string_view sha) const {
  const Result<std::string> where = place(repository);
  if (!where) return where.error();
  if (const Result<void> there = require_commit(repository, *where, sha); !there) return there.error();
  const Limits limits{max_commit_bytes, std::chrono::seconds(60)};
  const Result<std::string> printed =
      git(*where, {"log", "-1", "-z", "--no-show-signature", std::string(commit_format), std::string(sha)}, {}, limits);
  if (!printed) return printed.error();
  std::vector<Commit> commits = commits_of(*printed);
  if (commits.empty()) {
    return make_error(errc::unavailable, fmt::format("git's words on commit {} cannot be read", sha));
  }
  return std::move(commits.front());
}

Result<std::vector<Commit>> Repositories::new_commits(std::string_view repository, std::string_view before,
                                                      std::string_view after, const std::vector<RefUpdate>& together,
                                                      std::size_t limit) const {
  const Result<std::string> where = place(repository);
  if (!where) return where.error();
  if (const Result<void> there = require_commit(repository, *where, after); !there) return there.error();
  std::optional<std::string> wanted;
  if (before == no_commit) {
    auto only = only_here(*where, std::string(after), together);
    if (!only) return only.error();
    wanted = std::move(*only);
  } else {
    if (const Result<void> there = require_commit(repository, *where, before); !there) return there.error();
    wanted = fmt::format("{}\n^{}\n", after, before);
  }
  if (!wanted) return std::vector<Commit>();
  const Limits limits{max_listed_commits_bytes, std::chrono::seconds(60)};
  const Result<std::string> printed =
      git(*where,
          {"log", "-z", "--ignore-missing", "--no-show-signature", "--topo-order", "--reverse",
           fmt::format("--max-count={}", limit), std::string(commit_format), "--stdin"},
          *wanted, limits);
  if (!printed) return printed.error();
  return commits_of(*printed);
}

Result<Source::Resolved> Repositories::resolve(std::string_view repository, std::string_view ref) const {
  const Result<std::string> where = place(repository);
  if (!where) return where.error();
  std::vector<std::string> candidates;
  if (ref.starts_with("refs/")) {
    candidates = {std::string(ref)};
  } else {
    candidates = {fmt::format("refs/heads/{}", ref), fmt::format("refs/tags/{}", ref)};
  }
  for (const std::string& candidate : candidates) {
    if (!is_ref(candidate)) continue;
    const Result<Finished> found =
        run(git_command(*where, {"rev-parse", "--verify", "--quiet", "--end-of-options", candidate + "^{commit}"}));
    if (!found) return found.error();
    if (found->exit_code == 0) return Resolved{candidate, std::string(trim(found->output))};
  }
  if (is_commit(ref)) {
    if (const Result<void> there = require_commit(repository, *where, ref); !there) return there.error();
    return Resolved{"", std::string(ref)};
  }
  return make_error(errc::not_found,
                    fmt::format("{} has no branch, tag or commit '{}'", repository, ref.substr(0, max_ref_bytes)));
}

Result<RepositoryIds> Repositories::ids(std::string_view repository) const {
  const Result<Repository> found = find(repository);
  if (!found) return found.error();
  return RepositoryIds{found->id, found->owner_id};
}

Result<std::string> Repositories::default_branch(std::string_view repository) const {
  const Result<Repository> found = find(repository);
  if (!found) return found.error();
  return found->default_branch;
}

bool Repositories::is_protected(std::string_view repository, std::string_view ref) const {
  const Result<Repository> found = find(repository);
  return found && !rules_of(found->rules, ref).empty();
}

}  // namespace kaapi::actions::git
