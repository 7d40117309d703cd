// actions/upload-artifact.

#include <fmt/format.h>

#include "actions/builtin/actions.h"
#include "actions/builtin/artifact_calls.h"
#include "actions/builtin/inputs.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

constexpr std::string_view default_name = "artifact";

struct Upload {
  NewArtifact artifact;
  PathPatterns paths;
  std::string if_none;
};

Result<Upload> read_inputs(const ActionHost& host) {
  Upload made;
  Result<NewArtifact> artifact = new_artifact(host, default_name);
  if (!artifact) return artifact.error();
  made.artifact = std::move(*artifact);
  made.artifact.if_taken = "choose another name, for example with ${{ matrix.NAME }} in it, or say overwrite: true";
  Result<PathPatterns> paths = PathPatterns::prepare(host, lines_of(host.input("path")));
  if (!paths) return paths.error();
  made.paths = std::move(*paths);
  made.if_none = lower(host.input("if-no-files-found"));
  if (made.if_none.empty()) made.if_none = "warn";
  if (made.if_none != "warn" && made.if_none != "error" && made.if_none != "ignore") {
    return make_error(errc::invalid,
                      fmt::format("the input 'if-no-files-found' is warn, error or ignore, not '{}'", made.if_none));
  }
  const Result<bool> overwrite = bool_input(host, "overwrite", false);
  if (!overwrite) return overwrite.error();
  made.artifact.overwrite = *overwrite;
  return made;
}

Result<void> nothing_found(ActionHost& host, const Upload& upload) {
  const std::string text =
      fmt::format("No files were found with the provided path: {}. No artifacts will be uploaded.", host.input("path"));
  if (upload.if_none == "error") return make_error(errc::not_found, text);
  if (upload.if_none == "warn") {
    warn(host, text);
  } else {
    host.log(text);
  }
  return ok();
}

ActionResult run(ActionHost& host) {
  const Result<Upload> upload = read_inputs(host);
  if (!upload) return upload.error();
  const NewArtifact& artifact = upload->artifact;
  const Result<std::vector<PackedFile>> files = files_of_artifact(host, artifact, upload->paths);
  if (!files) return files.error();
  if (files->empty()) return nothing_found(host, *upload);
  host.log(fmt::format("With the provided path, there will be {} file{} uploaded", files->size(),
                       files->size() == 1 ? "" : "s"));
  if (!artifact.overwrite) {
    const Result<std::vector<KnownArtifact>> all = artifacts_of_run(host, host.job().run_id);
    if (!all) return all.error();
    if (const Result<void> free = check_free(artifact, *all); !free) return free;
  }
  return store_artifact(host, artifact, *files);
}

}  // namespace

BuiltIn upload_artifact_action() {
  BuiltIn action;
  action.name = "actions/upload-artifact";
  action.inputs = {{"name", default_name},           {"path", "", true},         {"if-no-files-found", "warn"},
                   {"retention-days", ""},           {"compression-level", "6"}, {"overwrite", "false"},
                   {"include-hidden-files", "false"}};
  action.main = run;
  return action;
}

}  // namespace kaapi::actions
