// actions/download-artifact.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "actions/builtin/actions.h"
#include "actions/builtin/artifact_calls.h"
#include "actions/builtin/inputs.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

struct Download {
  std::int64_t run_id = 0;  // whose artifacts
  std::string name, pattern;
  std::vector<std::string> ids;
  std::string folder;  // absolute
  bool merge = false;

  // One that was asked for by itself is not put into a folder of its name.
  bool single() const { return !name.empty() || ids.size() == 1; }
};

// Whose artifacts are meant. Whether the job may have those of another run is the platform's to say, by the job's
// permissions: what `github-token` holds makes no difference.
Result<std::int64_t> run_input(const ActionHost& host) {
  const std::string run = host.input("run-id"), repository = host.input("repository");
  if (!repository.empty() && lower(repository) != lower(host.job().repository)) {
    return make_error(errc::invalid, fmt::format("artifacts of another repository are not served to jobs: leave the "
                                                 "input 'repository' out, it is '{}' (this is run {} of {})",
                                                 repository, host.job().run_id, host.job().repository));
  }
  if (run.empty()) return host.job().run_id;
  const std::optional<std::int64_t> number = parse_number(run);
  if (number) return *number;
  return make_error(errc::invalid, fmt::format("the input 'run-id' is the number of a run, not '{}'", run));
}

Result<Download> read_inputs(const ActionHost& host) {
  Download made;
  const Result<std::int64_t> run_id = run_input(host);
  if (!run_id) return run_id.error();
  made.run_id = *run_id;
  made.name = host.input("name");
  made.pattern = host.input("pattern");
  made.ids = items_of(host.input("artifact-ids"));
  if (!made.name.empty() && !made.ids.empty()) {
    return make_error(errc::invalid, "the inputs 'name' and 'artifact-ids' cannot be used together: choose one");
  }
  for (const std::string& id : made.ids) {
    if (parse_number(id)) continue;
    return make_error(errc::invalid, fmt::format("the input 'artifact-ids' has numbers in it, not '{}'", id));
  }
  const Result<bool> merge = bool_input(host, "merge-multiple", false);
  if (!merge) return merge.error();
  made.merge = *merge;
  Result<std::string> folder = absolute_path(host, host.input("path"));
  if (!folder) return folder.error();
  made.folder = std::move(*folder);
  return made;
}

// Those that are wanted, of all.
Result<std::vector<KnownArtifact>> choose(ActionHost& host, const Download& download,
                                          const std::vector<KnownArtifact>& all) {
  std::vector<KnownArtifact> chosen;
  for (const KnownArtifact& each : all) {
    const bool by_id =
        std::find(download.ids.begin(), download.ids.end(), fmt::format("{}", each.id)) != download.ids.end();
    const bool by_pattern = download.pattern.empty() || wildcard_matches(download.pattern, each.name);
    const bool wanted = !download.name.empty()  ? each.name == download.name
                        : !download.ids.empty() ? by_id
                                                : by_pattern;
    if (wanted) chosen.push_back(each);
  }
  if (!download.name.empty() && chosen.empty()) {
    return make_error(errc::not_found, fmt::format("Unable to download artifact(s): Artifact '{}' not found; {}",
                                                   download.name, names_of(host, download.run_id, all)));
  }
  if (chosen.size() < download.ids.size()) {
    warn(host, fmt::format("Not all of the artifacts {} were found; {}", fmt::join(download.ids, ", "),
                           names_of(host, download.run_id, all)));
  }
  return chosen;
}

ActionResult run(ActionHost& host) {
  const Result<Download> download = read_inputs(host);
  if (!download) return download.error();
  const Result<std::vector<KnownArtifact>> all = artifacts_of_run(host, download->run_id);
  if (!all) return all.error();
  const Result<std::vector<KnownArtifact>> chosen = choose(host, *download, *all);
  if (!chosen) return chosen.error();
  for (const KnownArtifact& artifact : *chosen) {
    const bool direct = download->single() || download->merge;
    const std::string into = direct ? download->folder : fmt::format("{}/{}", download->folder, artifact.name);
    const Result<void> fetched = fetch_artifact(host, download->run_id, artifact, into);
    if (!fetched) return fetched;
  }
  host.log(fmt::format("Total of {} artifact(s) downloaded", chosen->size()));
  host.set_output("download-path", host.job_path(download->folder));
  return ok();
}

}  // namespace

BuiltIn download_artifact_action() {
  BuiltIn action;
  action.name = "actions/download-artifact";
  action.inputs = {
      {"name", ""},         {"artifact-ids", ""}, {"path", ""},  {"pattern", ""}, {"merge-multiple", "false"},
      {"github-token", ""}, {"repository", ""},   {"run-id", ""}};
  action.main = run;
  return action;
}

}  // namespace kaapi::actions
