// Repositories, blobs and uploads. Manifests and tags: catalog_images.cpp.
#include "registry/catalog.h"

#include <fmt/format.h>

#include "registry/catalog_rows.h"

namespace kaapi::registry {
namespace {

using store::Session;
using store::Statement;

Repository read_repository(const Statement& row) {
  Repository repository;
  repository.id = row.number(0);
  repository.region = row.text(1);
  repository.name = row.text(2);
  repository.created_at = from_millis(row.number(3));
  repository.tag_mutability = row.text(4);
  repository.scan_on_push = row.number(5) != 0;
  repository.encryption_type = row.text(6);
  if (!row.is_null(7)) repository.kms_key = row.text(7);
  return repository;
}

Error blob_unknown(std::string_view repository, std::string_view digest) {
  return make_error("BLOB_UNKNOWN", fmt::format("blob {} is unknown to repository '{}'", digest, repository), 404);
}

Error upload_unknown(std::string_view id) {
  return make_error(
      "BLOB_UPLOAD_UNKNOWN",
      fmt::format("upload '{}' is unknown: it was completed, cancelled or has expired; start a new one", id), 404);
}

std::optional<std::uint64_t> linked_size(Session& session, std::int64_t repository_id, std::string_view digest) {
  Statement row = session.query(
      "SELECT b.size FROM blob_links l JOIN blobs b ON b.digest=l.digest"
      " WHERE l.repository_id=?1 AND l.digest=?2",
      repository_id, digest);
  if (!row.step()) return std::nullopt;
  return static_cast<std::uint64_t>(row.number(0));
}

void touch_link(Session& session, std::int64_t repository_id, std::string_view digest, Time now) {
  session.run(
      "INSERT INTO blob_links(repository_id,digest,touched_at) VALUES(?1,?2,?3)"
      " ON CONFLICT(repository_id,digest) DO UPDATE SET touched_at=excluded.touched_at",
      repository_id, digest, to_millis(now));
}

}  // namespace

Error repository_not_found(std::string_view name, std::string_view account_id) {
  return make_error(
      "RepositoryNotFoundException",
      fmt::format("The repository with name '{}' does not exist in the registry with id '{}'", name, account_id));
}

Result<Repository> find_repository(Session& session, const RepositoryKey& key, std::string_view account_id) {
  Statement row = session.query(
      "SELECT id,region,name,created_at,tag_mutability,scan_on_push,encryption_type,kms_key"
      " FROM repositories WHERE region=?1 AND name=?2",
      key.region, key.name);
  if (!row.step()) return repository_not_found(key.name, account_id);
  return read_repository(row);
}

Result<Repository> Catalog::create_repository(const Repository& wanted, const ResourceTags& tags) {
  return database_.write([&](Session& session) -> Result<Repository> {
    if (find_repository(session, {wanted.region, wanted.name}, account_id_)) {
      return make_error("RepositoryAlreadyExistsException",
                        fmt::format("The repository with name '{}' already exists in the registry with id '{}'",
                                    wanted.name, account_id_));
    }
    session.run(
        "INSERT INTO repositories(region,name,created_at,tag_mutability,scan_on_push,encryption_type,kms_key)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7)",
        wanted.region, wanted.name, to_millis(wanted.created_at), wanted.tag_mutability, wanted.scan_on_push,
        wanted.encryption_type, wanted.kms_key);
    Repository created = wanted;
    created.id = session.last_insert_id();
    if (Result<void> tagged = put_resource_tags(session, created, tags); !tagged) return tagged.error();
    return created;
  });
}

Result<Repository> Catalog::repository(const RepositoryKey& key) {
  return read(key, [](Session&, const Repository& found) -> Result<Repository> { return found; });
}

Result<std::vector<Repository>> Catalog::repositories(std::string_view region, std::string_view after,
                                                      std::int64_t limit) {
  return database_.read([&](Session& session) -> Result<std::vector<Repository>> {
    Statement rows = session.query(
        "SELECT id,region,name,created_at,tag_mutability,scan_on_push,encryption_type,kms_key"
        " FROM repositories WHERE region=?1 AND name>?2 ORDER BY name LIMIT ?3",
        region, after, limit);
    std::vector<Repository> found;
    while (rows.step()) found.push_back(read_repository(rows));
    return found;
  });
}

Result<std::vector<std::string>> Catalog::delete_repository(const RepositoryKey& key, bool force) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<std::vector<std::string>> {
    const std::int64_t images =
        count_of(session.query("SELECT count(*) FROM manifests WHERE repository_id=?1", repository.id));
    if (images > 0 && !force) {
      return make_error(
          "RepositoryNotEmptyException",
          fmt::format("The repository with name '{}' in registry with id '{}' cannot be deleted because it "
                      "still contains images",
                      key.name, account_id_));
    }
    std::vector<std::string> upload_ids;
    Statement uploads = session.query("SELECT id FROM uploads WHERE repository_id=?1", repository.id);
    while (uploads.step()) upload_ids.emplace_back(uploads.text(0));
    session.run("DELETE FROM repositories WHERE id=?1", repository.id);
    return upload_ids;
  });
}

Result<std::uint64_t> Catalog::blob_size(const RepositoryKey& key, std::string_view digest) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<std::uint64_t> {
    const std::optional<std::uint64_t> size = linked_size(session, repository.id, digest);
    if (!size) return blob_unknown(key.name, digest);
    return *size;
  });
}

Result<std::uint64_t> Catalog::claim_blob(const RepositoryKey& key, std::string_view digest, Time now,
                                          Duration refresh_after) {
  struct Found {
    std::uint64_t size;
    bool stale;
  };
  const Result<Found> found = read(key, [&](Session& session, const Repository& repository) -> Result<Found> {
    const std::optional<std::uint64_t> size = linked_size(session, repository.id, digest);
    if (!size) return blob_unknown(key.name, digest);
    Statement row =
        session.query("SELECT touched_at FROM blob_links WHERE repository_id=?1 AND digest=?2", repository.id, digest);
    return Found{*size, row.step() && from_millis(row.number(0)) + refresh_after < now};
  });
  if (!found) return found.error();
  if (!found->stale) return found->size;
  return write(key, [&](Session& session, const Repository& repository) -> Result<std::uint64_t> {
    const std::optional<std::uint64_t> size = linked_size(session, repository.id, digest);
    if (!size) return blob_unknown(key.name, digest);
    touch_link(session, repository.id, digest, now);
    return *size;
  });
}

Result<bool> Catalog::mount_blob(const RepositoryKey& key, std::string_view digest, std::string_view from, Time now) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<bool> {
    const Result<Repository> source = find_repository(session, {key.region, std::string(from)}, account_id_);
    if (!source || !linked_size(session, source->id, digest)) return false;
    touch_link(session, repository.id, digest, now);
    return true;
  });
}

Result<void> Catalog::link_blob(const RepositoryKey& key, std::string_view digest, std::uint64_t size,
                                std::string_view upload_id, Time now) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    session.run("INSERT INTO blobs(digest,size) VALUES(?1,?2) ON CONFLICT(digest) DO UPDATE SET size=excluded.size",
                digest, size);
    touch_link(session, repository.id, digest, now);
    session.run("DELETE FROM uploads WHERE id=?1", upload_id);
    return ok();
  });
}

Result<void> Catalog::unlink_blob(const RepositoryKey& key, std::string_view digest) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    if (!linked_size(session, repository.id, digest)) return blob_unknown(key.name, digest);
    Statement user = session.query("SELECT manifest FROM manifest_blobs WHERE repository_id=?1 AND blob=?2 LIMIT 1",
                                   repository.id, digest);
    if (user.step()) {
      return make_error("UNSUPPORTED",
                        fmt::format("blob {} is part of image {}; delete the image first", digest, user.text(0)), 405);
    }
    session.run("DELETE FROM blob_links WHERE repository_id=?1 AND digest=?2", repository.id, digest);
    return ok();
  });
}

Result<void> Catalog::start_upload(const RepositoryKey& key, std::string_view id, Time now) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    if (count_of(session.query("SELECT count(*) FROM uploads")) >= max_open_uploads) {
      return make_error(
          "TOOMANYREQUESTS",
          fmt::format("{} uploads are in progress, which is the limit; retry when some are done", max_open_uploads),
          429);
    }
    session.run("INSERT INTO uploads(id,repository_id,started_at) VALUES(?1,?2,?3)", id, repository.id, to_millis(now));
    return ok();
  });
}

Result<void> Catalog::find_upload(const RepositoryKey& key, std::string_view id) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<void> {
    if (!session.query("SELECT 1 FROM uploads WHERE id=?1 AND repository_id=?2", id, repository.id).step()) {
      return upload_unknown(id);
    }
    return ok();
  });
}

Result<void> Catalog::end_upload(std::string_view id) {
  return database_.write([&](Session& session) -> Result<void> {
    session.run("DELETE FROM uploads WHERE id=?1", id);
    return ok();
  });
}

Result<std::vector<std::string>> Catalog::uploads() {
  return database_.read([](Session& session) -> Result<std::vector<std::string>> {
    Statement rows = session.query("SELECT id FROM uploads");
    std::vector<std::string> ids;
    while (rows.step()) ids.emplace_back(rows.text(0));
    return ids;
  });
}

Result<void> Catalog::unlink_unreferenced_blobs(Time before) {
  return database_.write([&](Session& session) -> Result<void> {
    session.run(
        "DELETE FROM blob_links WHERE touched_at<?1 AND NOT EXISTS(SELECT 1 FROM manifest_blobs m"
        " WHERE m.repository_id=blob_links.repository_id AND m.blob=blob_links.digest)",
        to_millis(before));
    return ok();
  });
}

Result<std::vector<std::string>> Catalog::remove_unlinked_blobs() {
  return database_.write([](Session& session) -> Result<std::vector<std::string>> {
    std::vector<std::string> digests;
    {
      Statement rows = session.query(
          "SELECT digest FROM blobs WHERE NOT EXISTS(SELECT 1 FROM blob_links l"
          " WHERE l.digest=blobs.digest)");
      while (rows.step()) digests.emplace_back(rows.text(0));
    }
    for (const std::string& digest : digests) session.run("DELETE FROM blobs WHERE digest=?1", digest);
    return digests;
  });
}

Result<bool> Catalog::knows_blob(std::string_view digest) {
  return database_.read([&](Session& session) -> Result<bool> {
    return session.query("SELECT 1 FROM blobs WHERE digest=?1", digest).step();
  });
}

}  // namespace kaapi::registry
