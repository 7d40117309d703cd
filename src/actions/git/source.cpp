// What the runs of a pipeline ask of a repository: protocol/source.h.

#include <fmt/format.h>

#include "actions/git/git.h"
#include "actions/git/repositories.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::string_view workflow_folder = ".github/workflows/";
constexpr std::size_t max_tree_bytes = 4 * 1024 * 1024;  // of the listing of that folder
constexpr std::size_t max_commit_bytes = 1024 * 1024;
constexpr std::size_t max_new_commits_bytes = 8UL * 1024 * 1024;                     // of a new branch, or all its refs
constexpr std::string_view empty_tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";  // SHA-1
constexpr std::size_t max_path_bytes = 4096;

struct TreeEntry {
  std::string path, object;
  std::int64_t size = 0;
};

bool is_workflow_name(std::string_view path) {
  return path.ends_with(".yml") || path.ends_with(".yaml");
}

// A line of `git ls-tree -l`: "100644 blob SHA    SIZE\tPATH"; nullopt when it is no file of a workflow.
std::optional<TreeEntry> entry_of(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos || !line.starts_with("100")) return std::nullopt;
  TreeEntry entry;
  entry.path = line.substr(tab + 1);
  const std::vector<std::string> words = split(line.substr(0, tab), ' ');
  if (words.size() < 4 || words[1] != "blob" || !is_workflow_name(entry.path)) return std::nullopt;
  entry.object = words[2];
  entry.size = parse_number(words.back()).value_or(0);
  return entry;
}

Result<std::vector<TreeEntry>> workflow_entries(const std::string& listing) {
  std::vector<TreeEntry> entries;
  for (const std::string& line : split(listing, '\0')) {
    std::optional<TreeEntry> entry = entry_of(line);
    if (!entry) continue;
    if (static_cast<std::size_t>(entry->size) > max_workflow_file_bytes) {
      return make_error(errc::too_large, fmt::format("{} is larger than {} KiB, which is the most for a workflow file",
                                                     entry->path, max_workflow_file_bytes / 1024));
    }
    entries.push_back(std::move(*entry));
    if (entries.size() > max_workflow_files) {
      return make_error(errc::too_large,
                        fmt::format("{} holds more than {} workflow files", workflow_folder, max_workflow_files));
    }
  }
  return entries;
}

// Takes apart what `git cat-file --batch` prints: "SHA blob SIZE\n", the bytes, "\n".
Result<std::vector<SourceFile>> files_of(std::vector<TreeEntry> entries, std::string_view printed) {
  std::vector<SourceFile> files;
  for (TreeEntry& entry : entries) {
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
  Result<std::vector<TreeEntry>> entries = workflow_entries(*listing);
  if (!entries) return entries.error();
  if (entries->empty()) return std::vector<SourceFile>();
  std::string wanted;
  for (const TreeEntry& entry : *entries) wanted += entry.object + "\n";
  const Limits limits{max_workflow_files * (max_workflow_file_bytes + 128), std::chrono::seconds(60)};
  const Result<std::string> printed = git(*where, {"cat-file", "--batch"}, wanted, limits);
  if (!printed) return printed.error();
  return files_of(std::move(*entries), *printed);
}

// What a new branch at this commit begins from: the parent of the deepest commit that no other branch or tag has, as
// GitHub ("Workflow syntax", "Git diff comparisons"). The commit itself stands for nothing new, so that `show` tells.
Result<std::string> Repositories::begin_of_new(const std::string& place, const std::string& commit) const {
  const Limits limits{max_new_commits_bytes, std::chrono::seconds(60)};
  const Result<std::string> listed =
      git(place, {"for-each-ref", "--format=%(objectname) %(*objectname)", "refs/heads", "refs/tags"}, {}, limits);
  if (!listed) return listed.error();
  std::size_t here = 0;
  std::string wanted = commit + "\n--not\n";
  for (const std::string& line : split(*listed, '\n')) {
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string other = line.size() > space + 1 ? line.substr(space + 1) : line.substr(0, space);
    if (other == commit) {
      ++here;
    } else if (!other.empty()) {
      wanted += other + "\n";
    }
  }
  if (here > 1) return std::string(no_commit);
  const Result<std::string> fresh = git(place, {"rev-list", "--topo-order", "--parents", "--stdin"}, wanted, limits);
  if (!fresh) return fresh.error();
  const std::string_view all = trim(*fresh);
  if (all.empty()) return std::string(no_commit);
  const std::vector<std::string> deepest = split(all.substr(all.rfind('\n') + 1), ' ');
  return deepest.size() > 1 ? deepest[1] : std::string(empty_tree);
}

Result<std::optional<std::vector<std::string>>> Repositories::changed(std::string_view repository,
                                                                      std::string_view before, std::string_view after,
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
    const Result<std::string> from = begin_of_new(*where, std::string(after));
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
      git(*where, {"log", "-1", "--no-show-signature", "--format=%H%x00%an%x00%ae%x00%ct%x00%B", std::string(sha)}, {},
          limits);
  if (!printed) return printed.error();
  const std::vector<std::string> parts = split(*printed, '\0');
  if (parts.size() < 5)
    return make_error(errc::unavailable, fmt::format("git's words on commit {} cannot be read", sha));
  Commit commit;
  commit.sha = parts[0];
  commit.author_name = as_utf8(parts[1]);
  commit.author_email = as_utf8(parts[2]);
  commit.time = from_millis(parse_number(parts[3]).value_or(0) * 1000);
  commit.message = as_utf8(trim(parts[4]));
  return commit;
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
