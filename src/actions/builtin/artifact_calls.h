#pragma once
// What the actions for artifacts share: which ones a run has, one of them as files, and files as a new one.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actions/builtin/action_host.h"
#include "actions/builtin/archive.h"
#include "actions/builtin/file_search.h"

namespace kaapi::actions {

struct KnownArtifact {
  std::string name, digest;
  std::int64_t id = 0;
  bool outdated = false;  // of a job that was started again since
};

// Those of a run of the job's repository, in order of their names. Errors besides the host's: `Unavailable`, with the
// platform's own words.
Result<std::vector<KnownArtifact>> artifacts_of_run(ActionHost& host, std::int64_t run_id);
// "run 7 has 'one', 'two'", for errors.
std::string names_of(const ActionHost& host, std::int64_t run_id, const std::vector<KnownArtifact>& all);

// Its files into a folder, which is made. Errors besides the host's and unpack()'s: `Damaged`. They name the artifact.
Result<void> fetch_artifact(ActionHost& host, std::int64_t run_id, const KnownArtifact& artifact,
                            const std::string& into);

// One that comes to be, by the inputs that all who make one have.
struct NewArtifact {
  std::string name;
  std::int64_t retention_days = 0;  // 0: the platform's
  std::int64_t level = 6;           // of compression
  bool hidden = false;              // files and folders whose names begin with a dot belong to it
  bool overwrite = false;
  std::string if_taken = "choose another name";  // the advice when there is one of that name
};

// Error: `Invalid`, naming the input.
Result<NewArtifact> new_artifact(const ActionHost& host, std::string_view default_name);
// Asked before gigabytes are packed and sent in vain. Error: `Conflict`.
Result<void> check_free(const NewArtifact& artifact, const std::vector<KnownArtifact>& all);
// What it will have in it. Names begin below what all paths have in common; a file that is named by itself is alone.
// Errors: those of find_files().
Result<std::vector<PackedFile>> files_of_artifact(const ActionHost& host, const NewArtifact& artifact,
                                                  const PathPatterns& paths);
// Packs and stores it, and sets the outputs that tell of it. Errors besides the host's and pack()'s: `Conflict`,
// `Unavailable`, with the platform's own words.
Result<void> store_artifact(ActionHost& host, const NewArtifact& artifact, const std::vector<PackedFile>& files);

// Of this run. One that is gone already is no error.
Result<void> remove_artifact(ActionHost& host, const std::string& name);

}  // namespace kaapi::actions
