#include <array>

#include "registry/catalog.h"

namespace kaapi::registry {
namespace {

constexpr std::string_view first_schema = R"sql(
CREATE TABLE repositories(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  tag_mutability TEXT NOT NULL,
  scan_on_push INTEGER NOT NULL,
  encryption_type TEXT NOT NULL,
  kms_key TEXT,
  UNIQUE(region, name));
CREATE TABLE resource_tags(
  repository_id INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY(repository_id, key)) WITHOUT ROWID;

CREATE TABLE blobs(
  digest TEXT PRIMARY KEY,
  size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE blob_links(
  repository_id INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
  digest TEXT NOT NULL REFERENCES blobs(digest),
  touched_at INTEGER NOT NULL,
  PRIMARY KEY(repository_id, digest)) WITHOUT ROWID;
CREATE INDEX blob_links_by_digest ON blob_links(digest);
CREATE TABLE uploads(
  id TEXT PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
  started_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX uploads_by_repository ON uploads(repository_id);

CREATE TABLE manifests(
  repository_id INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  artifact_media_type TEXT NOT NULL,
  config_digest TEXT NOT NULL,
  size INTEGER NOT NULL,
  pushed_at INTEGER NOT NULL,
  content BLOB NOT NULL,
  UNIQUE(repository_id, digest));
CREATE TABLE manifest_blobs(
  repository_id INTEGER NOT NULL,
  manifest TEXT NOT NULL,
  blob TEXT NOT NULL,
  PRIMARY KEY(repository_id, manifest, blob),
  FOREIGN KEY(repository_id, manifest) REFERENCES manifests(repository_id, digest) ON DELETE CASCADE,
  FOREIGN KEY(repository_id, blob) REFERENCES blob_links(repository_id, digest)
    DEFERRABLE INITIALLY DEFERRED) WITHOUT ROWID;
CREATE INDEX manifest_blobs_by_blob ON manifest_blobs(repository_id, blob);
CREATE TABLE manifest_children(
  repository_id INTEGER NOT NULL,
  manifest TEXT NOT NULL,
  child TEXT NOT NULL,
  PRIMARY KEY(repository_id, manifest, child),
  FOREIGN KEY(repository_id, manifest) REFERENCES manifests(repository_id, digest) ON DELETE CASCADE) WITHOUT ROWID;
CREATE INDEX manifest_children_by_child ON manifest_children(repository_id, child);
CREATE TABLE image_tags(
  repository_id INTEGER NOT NULL,
  tag TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY(repository_id, tag),
  FOREIGN KEY(repository_id, digest) REFERENCES manifests(repository_id, digest) ON DELETE CASCADE) WITHOUT ROWID;
CREATE INDEX image_tags_by_digest ON image_tags(repository_id, digest);
)sql";

constexpr std::string_view policies = R"sql(
ALTER TABLE repositories ADD COLUMN policy TEXT;
ALTER TABLE repositories ADD COLUMN lifecycle_policy TEXT;
ALTER TABLE repositories ADD COLUMN lifecycle_evaluated_at INTEGER NOT NULL DEFAULT 0;
)sql";

constexpr std::array<std::string_view, 2> schema = {first_schema, policies};

}  // namespace

store::Migrations migrations() {
  return schema;
}

}  // namespace kaapi::registry
