// actions/download-artifact.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "actions/builtin/actions.h"
#include "actions/builtin/archive.h"
#include "actions/builtin/file_search.h"
#include "actions/builtin/inputs.h"
#include "actions/builtin/storage_calls.h"
#include "base/file_descriptor.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

struct Found {
  std::string name, digest;
  std::int64_t id = 0;
};

struct Download {
  std::string name, pattern;
  std::vector<std::string> ids;
  std::string folder;  // absolute
  bool merge = false;

  // One that was asked for by itself is not put into a folder of its name.
  bool single() const { return !name.empty() || ids.size() == 1; }
};

// Artifacts of other runs are not served to jobs.
Result<void> check_run(const ActionHost& host) {
  const std::string run = host.input("run-id"), repository = host.input("repository");
  const bool this_run = run.empty() || run == fmt::format("{}", host.job().run_id);
  if (this_run && (repository.empty() || lower(repository) == lower(host.job().repository))) return ok();
  return make_error(errc::invalid,
                    fmt::format("artifacts of another run or repository are not served to jobs: leave the inputs "
                                "'run-id' and 'repository' out (this is run {} of {})",
                                host.job().run_id, host.job().repository));
}

Result<Download> read_inputs(const ActionHost& host) {
  if (const Result<void> checked = check_run(host); !checked) return checked.error();
  Download made;
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
  made.folder = absolute_path(host, host.input("path"));
  return made;
}

Result<std::vector<Found>> artifacts_of_run(ActionHost& host) {
  const auto answer = host.get("artifacts");
  if (!answer) return answer.error();
  if (answer->status != 200) return make_error(errc::unavailable, refusal(*answer));
  const Result<json::value> list = parse_json(answer->body);
  if (!list) return list.error();
  std::vector<Found> all;
  const json::value* artifacts = find_member(*list, "artifacts");
  if (artifacts == nullptr || !artifacts->is_array()) return all;
  for (const json::value& each : artifacts->as_array()) {
    const json::value* id = find_member(each, "id");
    all.push_back({string_member(each, "name"), string_member(each, "digest"),
                   id != nullptr && id->is_int64() ? id->as_int64() : 0});
  }
  return all;
}

std::string names_of(const std::vector<Found>& all) {
  std::vector<std::string> names;
  for (const Found& each : all) names.push_back(fmt::format("'{}'", each.name));
  return names.empty() ? "this run has none so far" : fmt::format("this run has {}", fmt::join(names, ", "));
}

// Those that are wanted, of all.
Result<std::vector<Found>> choose(ActionHost& host, const Download& download, const std::vector<Found>& all) {
  std::vector<Found> chosen;
  for (const Found& each : all) {
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
                                                   download.name, names_of(all)));
  }
  if (chosen.size() < download.ids.size()) {
    warn(host, fmt::format("Not all of the artifacts {} were found in this run.", fmt::join(download.ids, ", ")));
  }
  return chosen;
}

Result<std::string> digest_of(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return file_error("cannot read", path);
  Sha256 hash;
  std::vector<char> buffer(128UL * 1024);
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) return file_error("cannot read", path);
    if (got == 0) return hash.digest();
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
  }
}

// The folder exists afterwards and has no links in its path.
Result<std::string> prepared(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  const std::string real = failed ? folder : std::filesystem::canonical(folder, failed).string();
  if (!failed) return real;
  return make_error(errc::unavailable, fmt::format("cannot make the folder {}: {}", folder, failed.message()));
}

Result<void> fetch(ActionHost& host, const Found& artifact, const std::string& into) {
  const Result<std::string> folder = prepared(into);
  if (!folder) return folder.error();
  const TemporaryFile archive(host, "artifact-download");
  const auto answer = host.get(fmt::format("artifacts/{}", percent_encode(artifact.name)), archive.path());
  if (!answer) return answer.error();
  if (answer->status != 200) return make_error(errc::unavailable, refusal(*answer));
  const Result<std::string> digest = digest_of(archive.path());
  if (!digest) return digest.error();
  if (!artifact.digest.empty() && *digest != artifact.digest) {
    return make_error(errc::damaged, fmt::format("what came is not what was uploaded: its digest is {}, not {}; run "
                                                 "the job again",
                                                 *digest, artifact.digest));
  }
  Unpacking unpacking;
  unpacking.place = [&](std::string_view name) { return place_below(*folder, name); };
  unpacking.cancelled = [&] { return host.cancelled(); };
  const Result<std::size_t> unpacked = unpack(archive.path(), unpacking);
  if (!unpacked) return unpacked.error();
  host.log(fmt::format("Artifact {} (ID: {}): {} file{} in {}", artifact.name, artifact.id, *unpacked,
                       *unpacked == 1 ? "" : "s", into));
  return ok();
}

ActionResult run(ActionHost& host) {
  const Result<Download> download = read_inputs(host);
  if (!download) return download.error();
  const Result<std::vector<Found>> all = artifacts_of_run(host);
  if (!all) return all.error();
  const Result<std::vector<Found>> chosen = choose(host, *download, *all);
  if (!chosen) return chosen.error();
  for (const Found& artifact : *chosen) {
    const bool direct = download->single() || download->merge;
    const Result<void> fetched =
        fetch(host, artifact, direct ? download->folder : fmt::format("{}/{}", download->folder, artifact.name));
    if (fetched) continue;
    if (fetched.error().code == errc::cancelled) return fetched.error();
    return make_error(fetched.error().code,
                      fmt::format("Unable to download artifact(s): '{}': {}", artifact.name, fetched.error().message));
  }
  host.log(fmt::format("Total of {} artifact(s) downloaded", chosen->size()));
  host.set_output("download-path", download->folder);
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
