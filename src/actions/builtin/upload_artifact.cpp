// actions/upload-artifact.

#include <fmt/format.h>

#include <filesystem>

#include "actions/builtin/actions.h"
#include "actions/builtin/archive.h"
#include "actions/builtin/file_search.h"
#include "actions/builtin/inputs.h"
#include "actions/builtin/storage_calls.h"
#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

constexpr std::int64_t max_retention_days = 400;  // what the platform keeps
constexpr std::string_view default_name = "artifact";

struct Upload {
  std::string name;
  PathPatterns paths;
  std::string if_none;
  std::int64_t retention_days = 0;  // 0: the platform's
  std::int64_t level = 6;
  bool overwrite = false, hidden = false;
};

Result<void> check_name(const std::string& name) {
  constexpr std::string_view refused = "\":<>|*?\r\n\\/";
  if (name.find_first_of(refused) == std::string::npos && name != "." && name != "..") return ok();
  return make_error(errc::invalid, fmt::format("the artifact name '{}' is not valid: it must not have any of "
                                               "\" : < > | * ? \\ / or a line break in it",
                                               name));
}

Result<Upload> read_inputs(const ActionHost& host) {
  Upload made;
  made.name = host.input("name");
  if (made.name.empty()) made.name = default_name;
  if (const Result<void> checked = check_name(made.name); !checked) return checked.error();
  Result<PathPatterns> paths =
      PathPatterns::prepare(host.workspace(), host.env("HOME").value_or("/"), lines_of(host.input("path")));
  if (!paths) return paths.error();
  made.paths = std::move(*paths);
  made.if_none = lower(host.input("if-no-files-found"));
  if (made.if_none.empty()) made.if_none = "warn";
  if (made.if_none != "warn" && made.if_none != "error" && made.if_none != "ignore") {
    return make_error(errc::invalid,
                      fmt::format("the input 'if-no-files-found' is warn, error or ignore, not '{}'", made.if_none));
  }
  const auto days = number_input(host, "retention-days", 0, 0, max_retention_days);
  if (!days) return days.error();
  made.retention_days = *days;
  const auto level = number_input(host, "compression-level", made.level, 0, 9);
  if (!level) return level.error();
  made.level = *level;
  const Result<bool> overwrite = bool_input(host, "overwrite", false);
  if (!overwrite) return overwrite.error();
  made.overwrite = *overwrite;
  const Result<bool> hidden = bool_input(host, "include-hidden-files", false);
  if (!hidden) return hidden.error();
  made.hidden = *hidden;
  return made;
}

// Names in the archive begin below what all paths have in common; a file that is named by itself is alone in it.
std::vector<PackedFile> named(const std::vector<std::string>& files, const std::vector<std::string>& roots) {
  std::string root = common_folder(roots);
  if (roots.size() == 1 && files.size() == 1 && files[0] == roots[0]) {
    root = std::filesystem::path(root).parent_path().string();
  }
  const std::size_t skipped = root == "/" ? 1 : root.size() + 1;
  std::vector<PackedFile> all;
  all.reserve(files.size());
  for (const std::string& file : files) all.push_back({file, file.substr(skipped)});
  return all;
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

Error exists_error(const Upload& upload) {
  return make_error(errc::conflict, fmt::format("there is an artifact '{}' in this run already: choose another name, "
                                                "for example with ${{{{ matrix.NAME }}}} in it, or say overwrite: true",
                                                upload.name));
}

// Asked before gigabytes are packed and sent in vain.
Result<void> check_free(ActionHost& host, const Upload& upload) {
  if (upload.overwrite) return ok();
  const auto answer = host.get("artifacts");
  if (!answer) return answer.error();
  if (answer->status != 200) return make_error(errc::unavailable, refusal(*answer));
  const Result<json::value> list = parse_json(answer->body);
  if (!list) return list.error();
  const json::value* artifacts = find_member(*list, "artifacts");
  if (artifacts == nullptr || !artifacts->is_array()) return ok();
  for (const json::value& each : artifacts->as_array()) {
    if (string_member(each, "name") == upload.name) return exists_error(upload);
  }
  return ok();
}

Result<json::value> send(ActionHost& host, const Upload& upload, const std::string& archive) {
  std::string path = fmt::format("artifacts/{}?overwrite={}", percent_encode(upload.name), upload.overwrite);
  if (upload.retention_days > 0) path += fmt::format("&retention_days={}", upload.retention_days);
  const auto answer = host.put_file(path, archive);
  if (!answer) return answer.error();
  if (answer->status == 409) return exists_error(upload);
  if (answer->status != 201) return make_error(errc::unavailable, refusal(*answer));
  return parse_json(answer->body);
}

void tell(ActionHost& host, const Upload& upload, const json::value& made) {
  const json::value* number = find_member(made, "id");
  const std::int64_t id = number != nullptr && number->is_int64() ? number->as_int64() : 0;
  std::string digest = string_member(made, "digest");
  if (const std::size_t colon = digest.find(':'); colon != std::string::npos) digest.erase(0, colon + 1);
  const std::string url = fmt::format("{}/{}/actions/runs/{}/artifacts/{}", host.server_url(), host.job().repository,
                                      host.job().run_id, id);
  host.set_output("artifact-id", fmt::format("{}", id));
  host.set_output("artifact-digest", digest);
  host.set_output("artifact-url", url);
  const json::value* size = find_member(made, "size");
  host.log(fmt::format("Artifact {} has been successfully uploaded! Final size is {} bytes. Artifact ID is {}",
                       upload.name, size == nullptr ? "?" : json::serialize(*size), id));
  host.log(fmt::format("SHA256 digest of uploaded artifact zip is {}", digest));
  host.log(fmt::format("It is listed by: kaapi run artifacts {} --repo {}", host.job().run_id, host.job().repository));
}

ActionResult run(ActionHost& host) {
  const Result<Upload> upload = read_inputs(host);
  if (!upload) return upload.error();
  FileSearch search;
  search.follow_links = true;
  search.hidden = upload->hidden;
  search.cancelled = [&] { return host.cancelled(); };
  const auto files = find_files(upload->paths, search);
  if (!files) return files.error();
  if (files->empty()) return nothing_found(host, *upload);
  host.log(fmt::format("With the provided path, there will be {} file{} uploaded", files->size(),
                       files->size() == 1 ? "" : "s"));
  if (const Result<void> free = check_free(host, *upload); !free) return free;
  const TemporaryFile archive(host, "artifact-upload");
  Packing packing;
  packing.level = static_cast<int>(upload->level);
  packing.max_bytes = max_artifact_archive_bytes;
  packing.cancelled = search.cancelled;
  const Result<void> packed = pack(named(*files, upload->paths.roots()), archive.path(), packing);
  if (!packed) return packed;
  const Result<json::value> made = send(host, *upload, archive.path());
  if (!made) return made.error();
  tell(host, *upload, *made);
  return ok();
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
