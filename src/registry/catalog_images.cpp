// The catalog's manifests and tags.
#include <fmt/format.h>

#include <algorithm>

#include "registry/catalog_rows.h"
#include "registry/names.h"

namespace kaapi::registry {
namespace {

using store::Session;
using store::Statement;

Error missing(std::string_view repository, std::string_view what, std::string_view digest) {
  return make_error("MANIFEST_BLOB_UNKNOWN",
                    fmt::format("the manifest refers to {} {}, which is not in repository '{}'; push it first", what,
                                digest, repository),
                    404);
}

// The digest a tag names, or the digest itself when there is such an image.
Result<std::string> digest_of_reference(Session& session, const Repository& repository, std::string_view reference) {
  const bool by_digest = reference.find(':') != std::string_view::npos;
  Statement row =
      by_digest
          ? session.query("SELECT digest FROM manifests WHERE repository_id=?1 AND digest=?2", repository.id, reference)
          : session.query("SELECT digest FROM image_tags WHERE repository_id=?1 AND tag=?2", repository.id, reference);
  if (!row.step()) return manifest_unknown(repository.name, reference);
  return std::string(row.text(0));
}

// Config and layers must have been pushed, and the images of an index: the OCI distribution specification, "Pushing
// Manifests".
Result<void> require_references(Session& session, const Repository& repository, const Manifest& manifest) {
  for (const std::string& blob : manifest.blobs) {
    if (!session.query("SELECT 1 FROM blob_links WHERE repository_id=?1 AND digest=?2", repository.id, blob).step()) {
      return missing(repository.name, "blob", blob);
    }
  }
  for (const std::string& child : manifest.children) {
    if (!session.query("SELECT 1 FROM manifests WHERE repository_id=?1 AND digest=?2", repository.id, child).step()) {
      return missing(repository.name, "manifest", child);
    }
  }
  return ok();
}

Result<void> require_tag_may_move(Session& session, const Repository& repository, std::string_view tag,
                                  std::string_view digest) {
  if (tag.empty() || repository.tag_mutability != "IMMUTABLE") return ok();
  const Result<std::string> current = digest_of_reference(session, repository, tag);
  if (!current || *current == digest) return ok();
  return make_error(
      "ImageTagAlreadyExistsException",
      fmt::format("The image tag '{}' already exists in the '{}' repository and cannot be overwritten because "
                  "the repository is immutable.",
                  tag, repository.name));
}

// ECR API reference, ImageDetail: of a manifest list this is the largest of its images.
std::int64_t size_of(Session& session, const Repository& repository, const Manifest& manifest) {
  std::int64_t size = static_cast<std::int64_t>(manifest.image_bytes);
  for (const std::string& child : manifest.children) {
    Statement row =
        session.query("SELECT size FROM manifests WHERE repository_id=?1 AND digest=?2", repository.id, child);
    if (row.step()) size = std::max(size, row.number(0));
  }
  return size;
}

// False when the image was there already: then nothing about it changes, pushed_at included.
bool insert_manifest(Session& session, const Repository& repository, const Manifest& manifest, std::string_view content,
                     std::string_view digest, Time now) {
  const std::int64_t size = size_of(session, repository, manifest);
  Statement insert = session.query(
      "INSERT OR IGNORE INTO "
      "manifests(repository_id,digest,media_type,artifact_media_type,config_digest,size,pushed_at,content)"
      " VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
      repository.id, digest, manifest.media_type, manifest.artifact_media_type, manifest.config_digest, size,
      to_millis(now));
  insert.bind_blob(8, content);
  insert.run();
  return session.changes() > 0;
}

std::vector<std::string> tags_of(Session& session, const Repository& repository, std::string_view digest) {
  Statement rows = session.query("SELECT tag FROM image_tags WHERE repository_id=?1 AND digest=?2 ORDER BY tag",
                                 repository.id, digest);
  std::vector<std::string> tags;
  while (rows.step()) tags.emplace_back(rows.text(0));
  return tags;
}

Image read_image(const Statement& row) {
  Image image;
  image.digest = row.text(0);
  image.media_type = row.text(1);
  image.artifact_media_type = row.text(2);
  image.size_bytes = row.number(3);
  image.pushed_at = from_millis(row.number(4));
  return image;
}

}  // namespace

Error manifest_unknown(std::string_view repository, std::string_view reference) {
  return make_error("MANIFEST_UNKNOWN",
                    fmt::format("Requested image not found: repository '{}' has no image '{}'", repository, reference),
                    404);
}

Result<void> Catalog::put_manifest(const RepositoryKey& key, const Manifest& manifest, std::string_view content,
                                   std::string_view digest, std::string_view tag, Time now) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    if (Result<void> complete = require_references(session, repository, manifest); !complete) return complete;
    if (Result<void> allowed = require_tag_may_move(session, repository, tag, digest); !allowed) return allowed;
    if (insert_manifest(session, repository, manifest, content, digest, now)) {
      for (const std::string& blob : manifest.blobs) {
        session.run("INSERT OR IGNORE INTO manifest_blobs(repository_id,manifest,blob) VALUES(?1,?2,?3)", repository.id,
                    digest, blob);
      }
      for (const std::string& child : manifest.children) {
        session.run("INSERT OR IGNORE INTO manifest_children(repository_id,manifest,child) VALUES(?1,?2,?3)",
                    repository.id, digest, child);
      }
    }
    if (!tag.empty()) {
      session.run(
          "INSERT INTO image_tags(repository_id,tag,digest) VALUES(?1,?2,?3)"
          " ON CONFLICT(repository_id,tag) DO UPDATE SET digest=excluded.digest",
          repository.id, tag, digest);
    }
    return ok();
  });
}

Result<StoredManifest> Catalog::manifest(const RepositoryKey& key, std::string_view reference) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<StoredManifest> {
    const Result<std::string> digest = digest_of_reference(session, repository, reference);
    if (!digest) return digest.error();
    Statement row = session.query("SELECT media_type,content FROM manifests WHERE repository_id=?1 AND digest=?2",
                                  repository.id, *digest);
    if (!row.step()) return manifest_unknown(key.name, reference);
    return StoredManifest{*digest, std::string(row.text(0)), std::string(row.blob(1))};
  });
}

Result<std::string> Catalog::resolve(const RepositoryKey& key, std::string_view reference) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<std::string> {
    return digest_of_reference(session, repository, reference);
  });
}

Result<std::vector<Image>> Catalog::expire_images(const RepositoryKey& key, const std::vector<Image>& seen) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<std::vector<Image>> {
    std::vector<Image> left;
    for (const Image& image : seen) {
      bool expired = tags_of(session, repository, image.digest) == image.tags;
      if (expired) {
        session.run(
            "DELETE FROM manifests WHERE repository_id=?1 AND digest=?2 AND pushed_at=?3 AND NOT EXISTS(SELECT 1 FROM"
            " manifest_children c WHERE c.repository_id=?1 AND c.child=?2 AND c.manifest<>?2)",
            repository.id, image.digest, to_millis(image.pushed_at));
        expired = session.changes() > 0;
      }
      if (!expired) left.push_back(image);
    }
    return left;
  });
}

Result<void> Catalog::delete_manifest(const RepositoryKey& key, std::string_view digest) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    Statement parent =
        session.query("SELECT manifest FROM manifest_children WHERE repository_id=?1 AND child=?2 AND manifest<>?2",
                      repository.id, digest);
    if (parent.step()) {
      return make_error("ImageReferencedByManifestList",
                        fmt::format("Requested image referenced by manifest list: [{}]", parent.text(0)), 405);
    }
    session.run("DELETE FROM manifests WHERE repository_id=?1 AND digest=?2", repository.id, digest);
    if (session.changes() == 0) return manifest_unknown(key.name, digest);
    return ok();
  });
}

Result<void> Catalog::delete_tag(const RepositoryKey& key, std::string_view tag) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    session.run("DELETE FROM image_tags WHERE repository_id=?1 AND tag=?2", repository.id, tag);
    if (session.changes() == 0) return manifest_unknown(key.name, tag);
    return ok();
  });
}

Result<std::string> Catalog::delete_tagged_image(const RepositoryKey& key, std::string_view tag,
                                                 std::string_view expected) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<std::string> {
    Result<std::string> digest = digest_of_reference(session, repository, tag);
    if (!digest) return digest.error();
    if (!expected.empty() && *digest != expected) {
      return make_error("ImageTagDoesNotMatchDigest",
                        fmt::format("Requested image tag '{}' does not match digest {}", tag, expected));
    }
    session.run("DELETE FROM image_tags WHERE repository_id=?1 AND tag=?2", repository.id, tag);
    session.run(
        "DELETE FROM manifests WHERE repository_id=?1 AND digest=?2"
        " AND NOT EXISTS(SELECT 1 FROM image_tags t WHERE t.repository_id=?1 AND t.digest=?2)"
        " AND NOT EXISTS(SELECT 1 FROM manifest_children c WHERE c.repository_id=?1 AND c.child=?2 AND c.manifest<>?2)",
        repository.id, *digest);
    return digest;
  });
}

Result<std::vector<std::string>> Catalog::tags(const RepositoryKey& key, std::string_view after, std::int64_t limit) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<std::vector<std::string>> {
    Statement rows = session.query("SELECT tag FROM image_tags WHERE repository_id=?1 AND tag>?2 ORDER BY tag LIMIT ?3",
                                   repository.id, after, limit);
    std::vector<std::string> tags;
    while (rows.step()) tags.emplace_back(rows.text(0));
    return tags;
  });
}

Result<Image> Catalog::image(const RepositoryKey& key, std::string_view digest) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<Image> {
    Statement row = session.query(
        "SELECT digest,media_type,artifact_media_type,size,pushed_at FROM manifests"
        " WHERE repository_id=?1 AND digest=?2",
        repository.id, digest);
    if (!row.step()) return manifest_unknown(key.name, digest);
    Image image = read_image(row);
    image.tags = tags_of(session, repository, digest);
    return image;
  });
}

Result<std::vector<Image>> Catalog::images(const RepositoryKey& key, TagStatus status, std::string_view after,
                                           std::int64_t limit) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<std::vector<Image>> {
    Statement rows = session.query(
        "SELECT m.digest,m.media_type,m.artifact_media_type,m.size,m.pushed_at FROM manifests m"
        " WHERE m.repository_id=?1 AND m.digest>?2 AND (?3=0 OR (?3=1)=EXISTS(SELECT 1 FROM image_tags t"
        " WHERE t.repository_id=m.repository_id AND t.digest=m.digest)) ORDER BY m.digest LIMIT ?4",
        repository.id, after, static_cast<std::int64_t>(status), limit);
    std::vector<Image> found;
    while (rows.step()) found.push_back(read_image(rows));
    for (Image& image : found) image.tags = tags_of(session, repository, image.digest);
    return found;
  });
}

Result<std::vector<ImageName>> Catalog::image_names(const RepositoryKey& key, TagStatus status, const ImageName& after,
                                                    std::int64_t limit) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<std::vector<ImageName>> {
    Statement rows = session.query(
        "SELECT m.digest,coalesce(t.tag,'') FROM manifests m"
        " LEFT JOIN image_tags t ON t.repository_id=m.repository_id AND t.digest=m.digest"
        " WHERE m.repository_id=?1 AND m.digest>=?2 AND (m.digest,coalesce(t.tag,''))>(?2,?3)"
        " AND (?4=0 OR (?4=1)=(t.tag IS NOT NULL)) ORDER BY 1,2 LIMIT ?5",
        repository.id, after.digest, after.tag, static_cast<std::int64_t>(status), limit);
    std::vector<ImageName> found;
    while (rows.step()) found.push_back({std::string(rows.text(0)), std::string(rows.text(1))});
    return found;
  });
}

}  // namespace kaapi::registry
