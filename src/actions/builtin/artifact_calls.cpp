#include "actions/builtin/artifact_calls.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "actions/builtin/inputs.h"
#include "actions/builtin/storage_calls.h"
#include "base/file_descriptor.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

constexpr std::int64_t max_retention_days = 400;  // what the platform keeps

// Another run is named; that also tells the platform to look whether the job may read it.
std::string run_parameter(const ActionHost& host, std::int64_t run_id) {
  return run_id == host.job().run_id ? "" : fmt::format("?run={}", run_id);
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

// Returns how many files there were.
Result<std::size_t> fetch(ActionHost& host, std::int64_t run_id, const KnownArtifact& artifact,
                          const std::string& into) {
  const Result<std::string> folder = prepared(into);
  if (!folder) return folder.error();
  const TemporaryFile archive(host, "artifact-download");
  const auto answer = host.get(
      fmt::format("artifacts/{}{}", percent_encode(artifact.name), run_parameter(host, run_id)), archive.path());
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
  return unpack(archive.path(), unpacking);
}

Result<void> check_name(const std::string& name) {
  constexpr std::string_view refused = "\":<>|*?\r\n\\/";
  if (name.find_first_of(refused) == std::string::npos && name != "." && name != "..") return ok();
  return make_error(errc::invalid, fmt::format("the artifact name '{}' is not valid: it must not have any of "
                                               "\" : < > | * ? \\ / or a line break in it",
                                               name));
}

Error exists_error(const NewArtifact& artifact) {
  return make_error(errc::conflict,
                    fmt::format("there is an artifact '{}' in this run already: {}", artifact.name, artifact.if_taken));
}

// What the platform has under that name, when it is these bytes: an answer was lost, and they were sent again.
Result<std::optional<json::value>> kept_already(ActionHost& host, const NewArtifact& artifact,
                                                const std::string& archive) {
  const auto all = artifacts_of_run(host, host.job().run_id);
  if (!all) return all.error();
  const auto same_name = [&](const KnownArtifact& each) { return each.name == artifact.name; };
  const auto found = std::find_if(all->begin(), all->end(), same_name);
  const Result<std::string> digest = digest_of(archive);
  if (!digest) return digest.error();
  if (found == all->end() || found->digest != *digest) return std::optional<json::value>();
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(archive, failed);
  return std::optional<json::value>(json::object{{"id", found->id}, {"digest", found->digest}, {"size", size}});
}

Result<json::value> send(ActionHost& host, const NewArtifact& artifact, const std::string& archive) {
  std::string path = fmt::format("artifacts/{}?overwrite={}", percent_encode(artifact.name), artifact.overwrite);
  if (artifact.retention_days > 0) path += fmt::format("&retention_days={}", artifact.retention_days);
  const auto answer = host.put_file(path, archive);
  if (!answer) return answer.error();
  if (answer->status == 409) {
    // Nobody had the name a moment ago.
    auto kept = kept_already(host, artifact, archive);
    if (!kept) return kept.error();
    return *kept ? Result<json::value>(**std::move(kept)) : Result<json::value>(exists_error(artifact));
  }
  if (answer->status != 201) return make_error(errc::unavailable, refusal(*answer));
  return parse_json(answer->body);
}

void tell(ActionHost& host, const NewArtifact& artifact, const json::value& made) {
  const std::int64_t id = int_member(made, "id");
  std::string digest = string_member(made, "digest");
  if (const std::size_t colon = digest.find(':'); colon != std::string::npos) digest.erase(0, colon + 1);
  const std::string url = fmt::format("{}/{}/actions/runs/{}/artifacts/{}", host.server_url(), host.job().repository,
                                      host.job().run_id, id);
  host.set_output("artifact-id", fmt::format("{}", id));
  host.set_output("artifact-digest", digest);
  host.set_output("artifact-url", url);
  const json::value* size = find_member(made, "size");
  host.log(fmt::format("Artifact {} has been successfully uploaded! Final size is {} bytes. Artifact ID is {}",
                       artifact.name, size == nullptr ? "?" : json::serialize(*size), id));
  host.log(fmt::format("SHA256 digest of uploaded artifact zip is {}", digest));
  host.log(fmt::format("It is listed by: kaapi run artifacts {} --repo {}", host.job().run_id, host.job().repository));
}

}  // namespace

Result<std::vector<KnownArtifact>> artifacts_of_run(ActionHost& host, std::int64_t run_id) {
  const auto answer = host.get(fmt::format("artifacts{}", run_parameter(host, run_id)));
  if (!answer) return answer.error();
  if (answer->status != 200) return make_error(errc::unavailable, refusal(*answer));
  const Result<json::value> list = parse_json(answer->body);
  if (!list) return list.error();
  std::vector<KnownArtifact> all;
  const json::value* artifacts = find_member(*list, "artifacts");
  if (artifacts == nullptr || !artifacts->is_array()) return all;
  for (const json::value& each : artifacts->as_array()) {
    all.push_back({string_member(each, "name"), string_member(each, "digest"), int_member(each, "id"),
                   bool_member(each, "outdated")});
  }
  return all;
}

std::string names_of(const ActionHost& host, std::int64_t run_id, const std::vector<KnownArtifact>& all) {
  const std::string run = run_id == host.job().run_id ? "this run" : fmt::format("run {}", run_id);
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const KnownArtifact& each : all) names.push_back(fmt::format("'{}'", each.name));
  return names.empty() ? fmt::format("{} has none so far", run) : fmt::format("{} has {}", run, fmt::join(names, ", "));
}

Result<void> fetch_artifact(ActionHost& host, std::int64_t run_id, const KnownArtifact& artifact,
                            const std::string& into) {
  const Result<std::size_t> files = fetch(host, run_id, artifact, into);
  if (files) {
    host.log(fmt::format("Artifact {} (ID: {}): {} file{} in {}", artifact.name, artifact.id, *files,
                         *files == 1 ? "" : "s", host.job_path(into)));
    return ok();
  }
  if (files.error().code == errc::cancelled) return files.error();
  return make_error(files.error().code,
                    fmt::format("Unable to download artifact(s): '{}': {}", artifact.name, files.error().message));
}

Result<NewArtifact> new_artifact(const ActionHost& host, std::string_view default_name) {
  NewArtifact made;
  made.name = host.input("name");
  if (made.name.empty()) made.name = default_name;
  if (const Result<void> checked = check_name(made.name); !checked) return checked.error();
  const auto days = number_input(host, "retention-days", 0, 0, max_retention_days);
  if (!days) return days.error();
  made.retention_days = *days;
  const auto level = number_input(host, "compression-level", made.level, 0, 9);
  if (!level) return level.error();
  made.level = *level;
  const Result<bool> hidden = bool_input(host, "include-hidden-files", false);
  if (!hidden) return hidden.error();
  made.hidden = *hidden;
  return made;
}

Result<void> check_free(const NewArtifact& artifact, const std::vector<KnownArtifact>& all) {
  const bool taken = std::any_of(
      all.begin(), all.end(), [&](const KnownArtifact& each) { return each.name == artifact.name && !each.outdated; });
  if (taken && !artifact.overwrite) return exists_error(artifact);
  return ok();
}

Result<std::vector<PackedFile>> files_of_artifact(const ActionHost& host, const NewArtifact& artifact,
                                                  const PathPatterns& paths) {
  FileSearch search;
  search.follow_links = true;
  search.hidden = artifact.hidden;
  search.cancelled = [&] { return host.cancelled(); };
  const auto files = find_files(paths, search);
  if (!files) return files.error();
  std::vector<PackedFile> all;
  if (files->empty()) return all;
  const std::vector<std::string>& roots = paths.roots();
  std::string root = common_folder(roots);
  if (roots.size() == 1 && files->size() == 1 && files->front() == roots[0]) {
    root = std::filesystem::path(root).parent_path().string();
  }
  const std::size_t skipped = root == "/" ? 1 : root.size() + 1;
  all.reserve(files->size());
  for (const std::string& file : *files) all.push_back({file, file.substr(skipped)});
  return all;
}

Result<void> store_artifact(ActionHost& host, const NewArtifact& artifact, const std::vector<PackedFile>& files) {
  const TemporaryFile archive(host, "artifact-upload");
  Packing packing;
  packing.level = static_cast<int>(artifact.level);
  packing.max_bytes = max_artifact_archive_bytes;
  packing.cancelled = [&] { return host.cancelled(); };
  if (Result<void> packed = pack(files, archive.path(), packing); !packed) return packed;
  const Result<json::value> made = send(host, artifact, archive.path());
  if (!made) return made.error();
  tell(host, artifact, *made);
  return ok();
}

Result<void> remove_artifact(ActionHost& host, const std::string& name) {
  const auto answer = host.remove(fmt::format("artifacts/{}", percent_encode(name)));
  if (!answer) return answer.error();
  if (answer->status == 204 || answer->status == 404) return ok();
  return make_error(errc::unavailable, refusal(*answer));
}

}  // namespace kaapi::actions
