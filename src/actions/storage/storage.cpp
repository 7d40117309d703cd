#include "actions/storage/storage.h"

#include <fmt/format.h>

#include <unordered_set>

#include "actions/storage/index.h"
#include "base/log.h"

namespace kaapi::actions::storage {
namespace {

using store::Session;
using Names = std::vector<std::string>;

constexpr std::string_view schema = R"sql(
CREATE TABLE artifact(id INTEGER PRIMARY KEY AUTOINCREMENT, repository TEXT NOT NULL, run_id INTEGER NOT NULL,
  name TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, digest TEXT NOT NULL, expires_ms INTEGER NOT NULL,
  UNIQUE(run_id, name));
CREATE INDEX artifact_repository ON artifact(repository);
CREATE INDEX artifact_expiry ON artifact(expires_ms);
CREATE TABLE cache(id INTEGER PRIMARY KEY AUTOINCREMENT, repository TEXT NOT NULL, ref TEXT NOT NULL, key TEXT NOT NULL,
  version TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, used_ms INTEGER NOT NULL,
  UNIQUE(repository, ref, version, key));
CREATE INDEX cache_use ON cache(used_ms);
)sql";
// A job that runs again replaces what it stored before.
constexpr std::string_view jobs_of_artifacts = "ALTER TABLE artifact ADD COLUMN job_id INTEGER NOT NULL DEFAULT 0";
constexpr std::string_view all_migrations[] = {schema, jobs_of_artifacts};

Error exists_already(std::string_view what, std::string_view name, std::string_view advice) {
  return make_error(errc::conflict, fmt::format("there is {} {} already; {}", what, name, advice), 409);
}

Error no_artifact(std::int64_t run_id, std::string_view name) {
  return make_error(errc::not_found,
                    fmt::format("run {} has no artifact {}: it was not uploaded, or has expired", run_id, name), 404);
}

Result<void> check_limits(const StorageLimits& limits) {
  if (limits.max_artifact_bytes == 0 || limits.max_repository_cache_bytes == 0 || limits.cache_unused.count() <= 0) {
    return make_error(errc::invalid, "limits of artifacts and caches are more than nothing");
  }
  return check_retention_days(limits.retention_days);
}

}  // namespace

Result<std::unique_ptr<Storage>> Storage::open(const std::string& directory, StorageLimits limits, const Clock& clock,
                                               IdSource& ids) {
  if (const Result<void> checked = check_limits(limits); !checked) return checked.error();
  auto database = store::Database::open(fmt::format("{}/{}", directory, database_file_name), all_migrations);
  if (!database) return database.error();
  Result<Files> files = Files::open(fmt::format("{}/{}", directory, folder_name), ids);
  if (!files) return files.error();
  std::unique_ptr<Storage> storage(new Storage(std::move(*database), std::move(*files), limits, clock));
  if (const Result<void> reconciled = storage->reconcile(); !reconciled) return reconciled.error();
  if (const Result<std::size_t> tidied = storage->tidy(); !tidied) return tidied.error();
  return storage;
}

// After a crash: files without a row go, and so do rows without a file (which only a hand in the folder can cause).
Result<void> Storage::reconcile() {
  const Result<Names> known = database_->read([](Session& session) -> Result<Names> { return all_files(session); });
  if (!known) return known.error();
  const std::unordered_set<std::string> named(known->begin(), known->end());
  Names unknown;
  files_.for_each([&](const std::string& file) {
    if (!named.contains(file)) unknown.push_back(file);
  });
  for (const std::string& file : unknown) files_.remove(file);
  Names lost;
  for (const std::string& file : *known) {
    if (!files_.has(file)) lost.push_back(file);
  }
  if (lost.empty()) return ok();
  log::warn("actions", "{} of the files of artifacts and caches are missing and are forgotten", lost.size());
  return database_->write([&](Session& session) -> Result<void> {
    for (const std::string& file : lost) forget_file(session, file);
    return ok();
  });
}

Result<Artifact> Storage::put_artifact(std::string_view repository, std::int64_t run_id, std::int64_t job_id,
                                       std::string_view name, std::optional<int> retention_days, bool overwrite,
                                       http::BodyReader& body) {
  const int days = retention_days.value_or(limits_.retention_days);
  if (const Result<void> checked = check_artifact_name(name); !checked) return checked.error();
  if (const Result<void> checked = check_retention_days(days); !checked) return checked.error();
  const auto room = [&](Session& session, std::uint64_t bytes) -> Result<void> {
    const ArtifactsThere there = artifacts_there(session, repository, run_id, name, clock_.now());
    if (there.has_name && !overwrite) {
      return exists_already("an artifact", name, "choose another name, or say overwrite: true");
    }
    if (!there.has_name && there.of_run >= max_artifacts_of_run) {
      return make_error(errc::too_large, fmt::format("a run may have at most {} artifacts", max_artifacts_of_run), 413);
    }
    if (there.other_bytes + bytes > limits_.max_repository_artifact_bytes) {
      return make_error(
          errc::too_large,
          fmt::format("the artifacts of {} would take more than {} bytes; delete runs that are not needed", repository,
                      limits_.max_repository_artifact_bytes),
          413);
    }
    return ok();
  };
  // Asked before the body is read, so that nobody sends gigabytes in vain, and again when they are there.
  const Result<void> welcome = database_->read([&](Session& session) { return room(session, 0); });
  if (!welcome) return welcome.error();
  const Result<Stored> stored = files_.receive(body, limits_.max_artifact_bytes, "an artifact");
  if (!stored) return stored.error();

  std::string replaced;
  const Time expires = clock_.now() + std::chrono::hours(24) * days;
  const Result<Artifact> kept = database_->write([&](Session& session) -> Result<Artifact> {
    if (const Result<void> fits = room(session, stored->size); !fits) return fits.error();
    replaced = erase_artifact(session, run_id, name);
    return insert_artifact(session, repository, {0, run_id, std::string(name), stored->size, stored->digest, job_id},
                           stored->file, expires);
  });
  const std::string& unneeded = kept ? replaced : stored->file;
  if (!unneeded.empty()) files_.remove(unneeded);
  return kept;
}

Result<std::vector<Artifact>> Storage::artifacts(std::int64_t run_id) const {
  return database_->read([&](Session& session) -> Result<std::vector<Artifact>> {
    return artifacts_of_run(session, run_id, clock_.now());
  });
}

Result<http::FileBody> Storage::artifact(std::int64_t run_id, std::string_view name) const {
  const auto file = database_->read([&](Session& session) -> Result<std::optional<std::string>> {
    return artifact_file(session, run_id, name, clock_.now());
  });
  if (!file) return file.error();
  if (!*file) return no_artifact(run_id, name);
  Result<http::FileBody> body = files_.read(**file);
  // It went between the look at the index and here.
  if (!body && body.error().code == errc::not_found) return no_artifact(run_id, name);
  return body;
}

Result<void> Storage::remove_artifact(std::int64_t run_id, std::string_view name) {
  const Result<std::string> gone = database_->write([&](Session& session) -> Result<std::string> {
    if (!artifact_file(session, run_id, name, clock_.now())) return no_artifact(run_id, name);
    return erase_artifact(session, run_id, name);
  });
  if (!gone) return gone.error();
  files_.remove(*gone);
  return ok();
}

Result<void> Storage::forget_run(std::int64_t run_id) {
  const Result<Names> gone =
      database_->write([&](Session& session) -> Result<Names> { return erase_run(session, run_id); });
  if (!gone) return gone.error();
  for (const std::string& file : *gone) files_.remove(file);
  return ok();
}

Result<void> Storage::forget_repository(std::string_view repository) {
  const Result<Names> gone =
      database_->write([&](Session& session) -> Result<Names> { return erase_repository(session, repository); });
  if (!gone) return gone.error();
  for (const std::string& file : *gone) files_.remove(file);
  return ok();
}

Result<std::size_t> Storage::tidy() {
  const Time now = clock_.now();
  const Result<Names> gone = database_->write(
      [&](Session& session) -> Result<Names> { return erase_expired(session, now, now - limits_.cache_unused); });
  if (!gone) return gone.error();
  for (const std::string& file : *gone) files_.remove(file);
  return gone->size();
}

struct Storage::NewCache {
  std::string_view repository, ref, key, version;
  const Stored& stored;
};

// The files of those that had to make room.
Result<std::vector<std::string>> Storage::keep_cache(const NewCache& made) {
  return database_->write([&](Session& session) -> Result<Names> {
    Names gone = erase_cache_unused_since(session, {made.repository, made.ref, made.version, made.key},
                                          clock_.now() - limits_.cache_unused);
    if (has_cache(session, {made.repository, made.ref, made.version, made.key})) {
      return exists_already("a cache", made.key, "caches do not change: choose another key");
    }
    insert_cache(session, {made.repository, made.ref, made.version, made.key}, made.stored.file, made.stored.size,
                 clock_.now());
    const Names evicted =
        evict_caches(session, made.repository, limits_.max_repository_cache_bytes, max_caches_of_repository);
    gone.insert(gone.end(), evicted.begin(), evicted.end());
    return gone;
  });
}

Result<void> Storage::put_cache(std::string_view repository, std::string_view ref, std::string_view key,
                                std::string_view version, http::BodyReader& body) {
  if (const Result<void> checked = check_cache_key(key); !checked) return checked;
  if (const Result<void> checked = check_cache_version(version); !checked) return checked;
  const Time unused_since = clock_.now() - limits_.cache_unused;
  const Result<void> welcome = database_->read([&](Session& session) -> Result<void> {
    const std::optional<FoundCache> there = find_cache(session, {repository, ref, version, key}, unused_since);
    if (there) return exists_already("a cache", key, "caches do not change: choose another key");
    return ok();
  });
  if (!welcome) return welcome;
  const Result<Stored> stored = files_.receive(body, limits_.max_repository_cache_bytes, "a cache");
  if (!stored) return stored.error();
  const Result<Names> gone = keep_cache({repository, ref, key, version, *stored});
  if (!gone) {
    files_.remove(stored->file);
    return gone.error();
  }
  for (const std::string& file : *gone) files_.remove(file);
  return ok();
}

Result<std::optional<CacheHit>> Storage::cache(std::string_view repository, std::string_view ref,
                                               std::string_view default_ref, std::string_view key,
                                               const std::vector<std::string>& restore, std::string_view version) {
  if (const Result<void> checked = check_cache_key(key); !checked) return checked.error();
  if (restore.size() > max_restore_keys) {
    return make_error(errc::invalid,
                      fmt::format("{} restore keys: at most {} are taken", restore.size(), max_restore_keys));
  }
  Names prefixes{std::string(key)};
  for (const std::string& one : restore) {
    if (!one.empty()) prefixes.push_back(one);
  }
  const Time now = clock_.now();
  const auto found = database_->write([&](Session& session) -> Result<std::optional<FoundCache>> {
    const Time unused_since = now - limits_.cache_unused;
    for (const std::string_view from : {ref, default_ref}) {
      std::optional<FoundCache> one = find_cache(session, {repository, from, version, key}, unused_since);
      for (auto prefix = prefixes.begin(); !one && prefix != prefixes.end(); ++prefix) {
        one = newest_cache(session, {repository, from, version, *prefix}, unused_since);
      }
      if (!one) continue;
      note_cache_use(session, one->id, now);
      return one;
    }
    return std::optional<FoundCache>();
  });
  if (!found) return found.error();
  if (!*found) return std::optional<CacheHit>();
  Result<http::FileBody> body = files_.read((*found)->file);
  if (!body && body.error().code == errc::not_found) return std::optional<CacheHit>();  // evicted meanwhile
  if (!body) return body.error();
  return std::optional<CacheHit>(CacheHit{(*found)->key, std::move(*body)});
}

}  // namespace kaapi::actions::storage
