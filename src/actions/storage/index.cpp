#include "actions/storage/index.h"

namespace kaapi::actions::storage {
namespace {

using store::Session;
using store::Statement;

// Column 0 of each row.
void append_texts(Statement rows, std::vector<std::string>& into) {
  while (rows.step()) into.emplace_back(rows.text(0));
}

std::optional<FoundCache> first_cache(Statement row) {
  if (!row.step()) return std::nullopt;
  return FoundCache{row.number(0), std::string(row.text(1)), std::string(row.text(2))};
}

}  // namespace

std::vector<std::string> all_files(Session& session) {
  std::vector<std::string> files;
  append_texts(session.query("SELECT file FROM artifact UNION ALL SELECT file FROM cache"), files);
  return files;
}

void forget_file(Session& session, std::string_view file) {
  session.run("DELETE FROM artifact WHERE file = ?1", file);
  session.run("DELETE FROM cache WHERE file = ?1", file);
}

ArtifactsThere artifacts_there(Session& session, std::string_view repository, std::int64_t run_id,
                               std::string_view name, Time now) {
  ArtifactsThere there;
  there.has_name = session
                       .query("SELECT 1 FROM artifact WHERE run_id = ?1 AND name = ?2 AND expires_ms > ?3", run_id,
                              name, to_millis(now))
                       .step();
  Statement count = session.query("SELECT COUNT(*) FROM artifact WHERE run_id = ?1", run_id);
  count.step();
  there.of_run = static_cast<std::size_t>(count.number(0));
  Statement sum = session.query(
      "SELECT COALESCE(SUM(size), 0) FROM artifact WHERE repository = ?1 AND NOT (run_id = ?2 AND name = ?3)",
      repository, run_id, name);
  sum.step();
  there.other_bytes = static_cast<std::uint64_t>(sum.number(0));
  return there;
}

Artifact insert_artifact(Session& session, std::string_view repository, Artifact artifact, std::string_view file,
                         Time expires) {
  session.run(
      "INSERT INTO artifact(repository, run_id, name, file, size, digest, expires_ms, job_id) VALUES(?1, ?2, ?3, ?4, "
      "?5, ?6, ?7, ?8)",
      repository, artifact.run_id, artifact.name, file, artifact.size, artifact.digest, to_millis(expires),
      artifact.job_id);
  artifact.id = session.last_insert_id();
  return artifact;
}

std::string erase_artifact(Session& session, std::int64_t run_id, std::string_view name) {
  std::vector<std::string> files;
  append_texts(session.query("SELECT file FROM artifact WHERE run_id = ?1 AND name = ?2", run_id, name), files);
  session.run("DELETE FROM artifact WHERE run_id = ?1 AND name = ?2", run_id, name);
  return files.empty() ? std::string() : files.front();
}

std::vector<Artifact> artifacts_of_run(Session& session, std::int64_t run_id, Time now) {
  Statement rows = session.query(
      "SELECT id, name, size, digest, job_id FROM artifact WHERE run_id = ?1 AND expires_ms > ?2 ORDER BY name", run_id,
      to_millis(now));
  std::vector<Artifact> all;
  while (rows.step()) {
    all.push_back({rows.number(0), run_id, std::string(rows.text(1)), static_cast<std::uint64_t>(rows.number(2)),
                   std::string(rows.text(3)), rows.number(4)});
  }
  return all;
}

std::optional<std::string> artifact_file(Session& session, std::int64_t run_id, std::string_view name, Time now) {
  Statement row = session.query("SELECT file FROM artifact WHERE run_id = ?1 AND name = ?2 AND expires_ms > ?3", run_id,
                                name, to_millis(now));
  if (!row.step()) return std::nullopt;
  return std::string(row.text(0));
}

std::vector<std::string> erase_run(Session& session, std::int64_t run_id) {
  std::vector<std::string> files;
  append_texts(session.query("SELECT file FROM artifact WHERE run_id = ?1", run_id), files);
  session.run("DELETE FROM artifact WHERE run_id = ?1", run_id);
  return files;
}

bool has_cache(Session& session, const CacheName& name) {
  return session
      .query("SELECT 1 FROM cache WHERE repository = ?1 AND ref = ?2 AND version = ?3 AND key = ?4", name.repository,
             name.ref, name.version, name.key)
      .step();
}

std::optional<FoundCache> find_cache(Session& session, const CacheName& name, Time unused_since) {
  return first_cache(session.query(
      "SELECT id, key, file FROM cache WHERE repository = ?1 AND ref = ?2 AND version = ?3 AND key = ?4 AND used_ms > "
      "?5",
      name.repository, name.ref, name.version, name.key, to_millis(unused_since)));
}

std::optional<FoundCache> newest_cache(Session& session, const CacheName& prefix, Time unused_since) {
  return first_cache(session.query(
      "SELECT id, key, file FROM cache WHERE repository = ?1 AND ref = ?2 AND version = ?3 AND substr(key, 1, "
      "length(?4)) = ?4 AND used_ms > ?5 ORDER BY id DESC LIMIT 1",
      prefix.repository, prefix.ref, prefix.version, prefix.key, to_millis(unused_since)));
}

void insert_cache(Session& session, const CacheName& name, std::string_view file, std::uint64_t size, Time now) {
  session.run(
      "INSERT INTO cache(repository, ref, version, key, file, size, used_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
      name.repository, name.ref, name.version, name.key, file, size, to_millis(now));
}

void note_cache_use(Session& session, std::int64_t id, Time now) {
  session.run("UPDATE cache SET used_ms = ?2 WHERE id = ?1", id, to_millis(now));
}

std::vector<std::string> erase_cache_unused_since(Session& session, const CacheName& name, Time unused_since) {
  std::vector<std::string> files;
  append_texts(
      session.query("SELECT file FROM cache WHERE repository = ?1 AND ref = ?2 AND version = ?3 AND key = ?4 AND "
                    "used_ms <= ?5",
                    name.repository, name.ref, name.version, name.key, to_millis(unused_since)),
      files);
  for (const std::string& file : files) forget_file(session, file);
  return files;
}

std::vector<std::string> evict_caches(Session& session, std::string_view repository, std::uint64_t max_bytes,
                                      std::size_t max_count) {
  std::vector<std::string> gone;
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  {
    Statement rows =
        session.query("SELECT file, size FROM cache WHERE repository = ?1 ORDER BY used_ms DESC, id DESC", repository);
    while (rows.step()) {
      bytes += static_cast<std::uint64_t>(rows.number(1));
      ++count;
      if (count > 1 && (bytes > max_bytes || count > max_count)) gone.emplace_back(rows.text(0));
    }
  }
  for (const std::string& file : gone) forget_file(session, file);
  return gone;
}

std::vector<std::string> erase_repository(Session& session, std::string_view repository) {
  std::vector<std::string> files;
  append_texts(session.query("SELECT file FROM artifact WHERE repository = ?1", repository), files);
  append_texts(session.query("SELECT file FROM cache WHERE repository = ?1", repository), files);
  session.run("DELETE FROM artifact WHERE repository = ?1", repository);
  session.run("DELETE FROM cache WHERE repository = ?1", repository);
  return files;
}

std::vector<std::string> erase_expired(Session& session, Time now, Time caches_unused_since) {
  std::vector<std::string> files;
  append_texts(session.query("SELECT file FROM artifact WHERE expires_ms <= ?1", to_millis(now)), files);
  append_texts(session.query("SELECT file FROM cache WHERE used_ms <= ?1", to_millis(caches_unused_since)), files);
  session.run("DELETE FROM artifact WHERE expires_ms <= ?1", to_millis(now));
  session.run("DELETE FROM cache WHERE used_ms <= ?1", to_millis(caches_unused_since));
  return files;
}

}  // namespace kaapi::actions::storage
