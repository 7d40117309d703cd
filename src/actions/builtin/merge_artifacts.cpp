// actions/upload-artifact/merge.

#include <fmt/format.h>

#include "actions/builtin/actions.h"
#include "actions/builtin/artifact_calls.h"
#include "actions/builtin/inputs.h"
#include "actions/builtin/storage_calls.h"

namespace kaapi::actions {
namespace {

constexpr std::string_view default_name = "merged-artifacts";

struct Merge {
  NewArtifact artifact;
  std::string pattern;
  bool separate = false;  // each in a folder of its name
  bool remove = false;    // those that were merged, afterwards
};

Result<Merge> read_inputs(const ActionHost& host) {
  Merge made;
  Result<NewArtifact> artifact = new_artifact(host, default_name);
  if (!artifact) return artifact.error();
  made.artifact = std::move(*artifact);
  made.pattern = host.input("pattern");
  if (made.pattern.empty()) made.pattern.push_back('*');
  const Result<bool> separate = bool_input(host, "separate-directories", false);
  if (!separate) return separate.error();
  made.separate = *separate;
  const Result<bool> remove = bool_input(host, "delete-merged", false);
  if (!remove) return remove.error();
  made.remove = *remove;
  return made;
}

Result<std::vector<KnownArtifact>> choose(ActionHost& host, const Merge& merge) {
  const Result<std::vector<KnownArtifact>> all = artifacts_of_run(host, host.job().run_id);
  if (!all) return all.error();
  std::vector<KnownArtifact> chosen;
  for (const KnownArtifact& each : *all) {
    if (wildcard_matches(merge.pattern, each.name)) chosen.push_back(each);
  }
  if (chosen.empty()) {
    return make_error(errc::not_found, fmt::format("No artifacts found matching pattern '{}'; {}", merge.pattern,
                                                   names_of(host, host.job().run_id, *all)));
  }
  if (const Result<void> free = check_free(merge.artifact, *all); !free) return free.error();
  return chosen;
}

// All that is in the folder as one artifact.
Result<void> store(ActionHost& host, const Merge& merge, const std::string& folder) {
  // The folder as a starting point and not as a line: its path is no pattern.
  const Result<PathPatterns> everything = PathPatterns::prepare(folder, folder, {"."});
  if (!everything) return everything.error();
  const Result<std::vector<PackedFile>> files = files_of_artifact(host, merge.artifact, *everything);
  if (!files) return files.error();
  if (!files->empty()) return store_artifact(host, merge.artifact, *files);
  return make_error(errc::not_found, fmt::format("the artifacts that match '{}' have hidden files only: say "
                                                 "include-hidden-files: true to merge those too",
                                                 merge.pattern));
}

Result<void> remove_merged(ActionHost& host, const Merge& merge, const std::vector<KnownArtifact>& merged) {
  for (const KnownArtifact& each : merged) {
    const Result<void> removed = remove_artifact(host, each.name);
    if (removed) continue;
    return make_error(removed.error().code, fmt::format("'{}' is merged into '{}', but could not be deleted: {}",
                                                        each.name, merge.artifact.name, removed.error().message));
  }
  host.log(fmt::format("The {} artifact(s) have been deleted", merged.size()));
  return ok();
}

ActionResult run(ActionHost& host) {
  const Result<Merge> merge = read_inputs(host);
  if (!merge) return merge.error();
  const Result<std::vector<KnownArtifact>> chosen = choose(host, *merge);
  if (!chosen) return chosen.error();
  const TemporaryFile folder(host, "artifact-merge");
  for (const KnownArtifact& artifact : *chosen) {
    const std::string into = merge->separate ? fmt::format("{}/{}", folder.path(), artifact.name) : folder.path();
    const Result<void> fetched = fetch_artifact(host, host.job().run_id, artifact, into);
    if (!fetched) return fetched;
  }
  if (const Result<void> stored = store(host, *merge, folder.path()); !stored) return stored;
  host.log(fmt::format("The {} artifact(s) have been successfully merged!", chosen->size()));
  return merge->remove ? remove_merged(host, *merge, *chosen) : ok();
}

}  // namespace

BuiltIn merge_artifacts_action() {
  BuiltIn action;
  action.name = "actions/upload-artifact/merge";
  action.inputs = {{"name", default_name},           {"pattern", "*"},       {"separate-directories", "false"},
                   {"delete-merged", "false"},       {"retention-days", ""}, {"compression-level", "6"},
                   {"include-hidden-files", "false"}};
  action.main = run;
  return action;
}

}  // namespace kaapi::actions
