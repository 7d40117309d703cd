// actions/cache, actions/cache/restore, actions/cache/save.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "actions/builtin/actions.h"
#include "actions/builtin/archive.h"
#include "actions/builtin/cache_plan.h"
#include "actions/builtin/file_search.h"
#include "actions/builtin/inputs.h"
#include "actions/builtin/storage_calls.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

// Of the action's own steps.
constexpr std::string_view key_state = "CACHE_KEY", found_state = "CACHE_RESULT";

struct CacheInputs {
  std::string key;
  std::vector<std::string> restore_keys;
  std::vector<std::string> lines;  // of `path`
  PathPatterns paths;
  std::string version;
};

// What is wrong with the inputs fails the step, as it does in the original: it is not the cache that fails.
Result<CacheInputs> read_inputs(const ActionHost& host, const std::string& key) {
  CacheInputs made;
  made.key = key;
  made.restore_keys = lines_of(host.input("restore-keys"));
  if (const Result<void> checked = check_cache_keys(made.key, made.restore_keys); !checked) return checked.error();
  if (const auto flag = bool_input(host, "enableCrossOsArchive", false); !flag) return flag.error();
  made.lines = lines_of(host.input("path"));
  Result<PathPatterns> paths = PathPatterns::prepare(host, made.lines);
  if (!paths) return paths.error();
  if (paths->roots().empty()) {
    return make_error(errc::invalid, "the input 'path' names nothing: expected one path or pattern a line");
  }
  made.paths = std::move(*paths);
  made.version = cache_version(made.lines);
  return made;
}

std::string request_for(const CacheInputs& inputs, bool with_restore_keys, bool lookup) {
  std::string path = fmt::format("caches?key={}&version={}", percent_encode(inputs.key), inputs.version);
  if (with_restore_keys) {
    for (const std::string& each : inputs.restore_keys) path += fmt::format("&restore={}", percent_encode(each));
  }
  if (lookup) path += "&lookup=true";
  return path;
}

// The key of what was found, empty when nothing was; the archive is in `into` unless that is empty (a look only).
Result<std::string> fetch(ActionHost& host, const CacheInputs& inputs, const std::string& into) {
  const auto answer = host.get(request_for(inputs, true, into.empty()), into);
  if (!answer) return answer.error();
  if (answer->status == 204) return std::string();
  if (answer->status != 200) return make_error(errc::unavailable, refusal(*answer));
  const auto key = answer->headers.find("x-kaapi-cache-key");
  if (key == answer->headers.end()) return make_error(errc::unavailable, "the platform's answer names no cache");
  return key->second;
}

Result<std::string> restore(ActionHost& host, const CacheInputs& inputs, bool lookup_only) {
  if (lookup_only) return fetch(host, inputs, "");
  const TemporaryFile archive(host, "cache-restore");
  const Result<std::string> key = fetch(host, inputs, archive.path());
  if (!key || key->empty()) return key;
  const CachePlaces places(host.workspace(), home_folder(host), inputs.paths.roots());
  Unpacking unpacking;
  unpacking.format = ArchiveFormat::tar_zstd;
  unpacking.place = [&](std::string_view name) { return places.place_of(name); };
  unpacking.cancelled = [&] { return host.cancelled(); };
  const Result<std::size_t> unpacked = unpack(archive.path(), unpacking);
  if (!unpacked) return unpacked.error();
  debug(host, fmt::format("{} files were restored", *unpacked));
  return key;
}

Result<bool> flag(const ActionHost& host, std::string_view name) {
  return bool_input(host, name, false);
}

ActionResult run_restore(ActionHost& host) {
  const std::string key = host.input("key");
  host.save_state(key_state, key);
  host.set_output("cache-primary-key", key);
  const Result<CacheInputs> inputs = read_inputs(host, key);
  if (!inputs) return inputs.error();
  const Result<bool> must_hit = flag(host, "fail-on-cache-miss"), lookup_only = flag(host, "lookup-only");
  if (!must_hit) return must_hit.error();
  if (!lookup_only) return lookup_only.error();

  const Result<std::string> found = restore(host, *inputs, *lookup_only);
  if (!found && found.error().code == errc::cancelled) return found.error();
  if (!found) warn(host, fmt::format("Failed to restore: {}", found.error().message));
  if (!found || found->empty()) {
    if (*must_hit) {
      return make_error(errc::not_found, fmt::format("Failed to restore cache entry. Exiting as fail-on-cache-miss is "
                                                     "set. Input key: {}",
                                                     key));
    }
    std::vector<std::string> asked = {key};
    asked.insert(asked.end(), inputs->restore_keys.begin(), inputs->restore_keys.end());
    host.log(fmt::format("Cache not found for input keys: {}", fmt::join(asked, ", ")));
    return ok();
  }
  host.save_state(found_state, *found);
  host.set_output("cache-matched-key", *found);
  host.set_output("cache-hit", same_cache_key(key, *found) ? "true" : "false");
  host.log(fmt::format("{}: {}", *lookup_only ? "Cache found and can be restored from key" : "Cache restored from key",
                       *found));
  return ok();
}

// Whether it was stored; false: it is there already.
Result<bool> save(ActionHost& host, const CacheInputs& inputs) {
  const auto there = host.get(request_for(inputs, false, true));
  if (!there) return there.error();
  const auto key = there->headers.find("x-kaapi-cache-key");
  if (there->status == 200 && key != there->headers.end() && key->second == inputs.key) return false;

  FileSearch search;
  search.folders = true;
  search.cancelled = [&] { return host.cancelled(); };
  const auto found = find_files(inputs.paths, search);
  if (!found) return found.error();
  if (found->empty()) {
    return make_error(errc::not_found,
                      "Path Validation Error: Path(s) specified in the action for caching do(es) not exist, hence no "
                      "cache is being saved.");
  }
  std::vector<PackedFile> files;
  files.reserve(found->size());
  const std::string home = home_folder(host);
  for (const std::string& path : *found) files.push_back({path, cache_name(host.workspace(), home, path)});
  const TemporaryFile archive(host, "cache-save");
  Packing packing;
  packing.format = ArchiveFormat::tar_zstd;
  packing.max_bytes = max_cache_archive_bytes;
  packing.cancelled = search.cancelled;
  if (const Result<void> packed = pack(files, archive.path(), packing); !packed) return packed.error();
  const auto answer = host.put_file(request_for(inputs, false, false), archive.path());
  if (!answer) return answer.error();
  if (answer->status == 409) return false;
  if (answer->status < 200 || answer->status > 299) return make_error(errc::unavailable, refusal(*answer));
  std::error_code ignored;
  host.log(fmt::format("Cache Size: {} bytes", std::filesystem::file_size(archive.path(), ignored)));
  return true;
}

// Nothing here fails the step.
ActionResult run_save(ActionHost& host) {
  const std::string kept = host.state(key_state);
  const std::string key = kept.empty() ? host.input("key") : kept;
  if (key.empty()) {
    warn(host, "Key is not specified.");
    return ok();
  }
  if (const std::string found = host.state(found_state); same_cache_key(key, found)) {
    host.log(fmt::format("Cache hit occurred on the primary key {}, not saving cache.", key));
    return ok();
  }
  const Result<CacheInputs> inputs = read_inputs(host, key);
  if (!inputs) {
    warn(host, inputs.error().message);
    return ok();
  }
  const Result<bool> saved = save(host, *inputs);
  if (!saved && saved.error().code == errc::cancelled) return saved.error();
  if (!saved) {
    warn(host, fmt::format("Failed to save: {}", saved.error().message));
  } else if (*saved) {
    host.log(fmt::format("Cache saved with key: {}", key));
  } else {
    host.log(fmt::format("Failed to save: there is a cache with the key {} already, and caches do not change.", key));
  }
  return ok();
}

}  // namespace

BuiltIn cache_action() {
  BuiltIn action = cache_restore_action();
  action.name = "actions/cache";
  action.inputs.push_back({"upload-chunk-size", ""});
  action.inputs.push_back({"save-always", "false"});
  action.post = run_save;
  action.post_on_success_only = true;
  return action;
}

BuiltIn cache_restore_action() {
  BuiltIn action;
  action.name = "actions/cache/restore";
  action.inputs = {{"path", "", true},
                   {"key", "", true},
                   {"restore-keys", ""},
                   {"enableCrossOsArchive", "false"},
                   {"fail-on-cache-miss", "false"},
                   {"lookup-only", "false"}};
  action.main = run_restore;
  return action;
}

BuiltIn cache_save_action() {
  BuiltIn action;
  action.name = "actions/cache/save";
  action.inputs = {{"path", "", true}, {"key", "", true}, {"upload-chunk-size", ""}, {"enableCrossOsArchive", "false"}};
  action.main = run_save;
  return action;
}

}  // namespace kaapi::actions
