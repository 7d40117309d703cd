#include "registry/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "registry/lifecycle_policy.h"

namespace kaapi::registry {
namespace {

constexpr std::int64_t images_per_read = 1000;
// Other writers wait no longer than for these.
constexpr std::size_t images_per_commit = 200;

}  // namespace

Registry::Registry(Config config, store::Database& database, const Clock& clock, IdSource& ids)
    : config_(std::move(config)), catalog_(database, config_.account_id), clock_(clock), ids_(ids) {}

Result<std::unique_ptr<Registry>> Registry::open(Config config, store::Database& database, const Clock& clock,
                                                 IdSource& ids) {
  std::unique_ptr<Registry> registry(new Registry(std::move(config), database, clock, ids));
  Result<std::unique_ptr<BlobStore>> blobs = BlobStore::open(registry->config_.data_dir);
  if (!blobs) return blobs.error();
  registry->blobs_ = std::move(*blobs);
  if (Result<void> recovered = registry->recover_uploads(); !recovered) return recovered.error();
  return registry;
}

// Uploads the catalog knows can be resumed; other files are what a crash left of requests that were never answered.
Result<void> Registry::recover_uploads() {
  if (Result<void> expired = expire_uploads(); !expired) return expired;
  const Result<std::vector<std::string>> known = catalog_.uploads();
  if (!known) return known.error();
  const std::set<std::string, std::less<>> ids(known->begin(), known->end());
  blobs_->remove_uploads_unless([&](std::string_view id) { return ids.contains(id); });
  return ok();
}

Result<void> Registry::expire_uploads() {
  const Result<std::vector<std::string>> known = catalog_.uploads();
  if (!known) return known.error();
  for (const std::string& id : *known) {
    const std::optional<Time> touched_at = blobs_->upload_touched_at(id);
    if (touched_at && *touched_at + upload_lifetime > now()) continue;
    if (Result<void> ended = catalog_.end_upload(id); !ended) return ended;
    forget_upload(id);
    blobs_->remove_upload(id);
  }
  return ok();
}

void Registry::forget_upload(const std::string& id) {
  const std::lock_guard lock(uploads_mutex_);
  uploads_.erase(id);
}

Result<std::string> Registry::resolve(const std::string& region, const std::string& repository,
                                      std::string_view tag_or_digest) {
  Result<std::string> digest = catalog_.resolve({region, repository}, tag_or_digest);
  if (!digest && digest.error().code == "MANIFEST_UNKNOWN") {
    const bool by_digest = tag_or_digest.find(':') != std::string_view::npos;
    return make_error(
        "ImageNotFoundException",
        fmt::format("The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository "
                    "with name '{}' in the registry with id '{}'",
                    by_digest ? tag_or_digest : "null", by_digest ? "null" : tag_or_digest, repository,
                    config_.account_id));
  }
  return digest;
}

Result<std::string> Registry::start_upload(const RepositoryKey& key) {
  const std::string id = ids_.uuid();
  Result<std::shared_ptr<Upload>> upload = Upload::open(blobs_->upload_path(id));
  if (!upload) return upload.error();
  Result<void> started = catalog_.start_upload(key, id, now());
  if (!started && started.error().code == "TOOMANYREQUESTS") {
    if (Result<void> expired = expire_uploads(); !expired) return expired.error();
    started = catalog_.start_upload(key, id, now());
  }
  if (!started) {
    blobs_->remove_upload(id);
    return started.error();
  }
  const std::lock_guard lock(uploads_mutex_);
  uploads_.emplace(id, std::move(*upload));
  return id;
}

Result<std::shared_ptr<Upload>> Registry::upload(const RepositoryKey& key, const std::string& id) {
  // The catalog first: it knows which repository the upload belongs to, and an id it knows is no path.
  if (Result<void> found = catalog_.find_upload(key, id); !found) return found.error();
  const std::lock_guard lock(uploads_mutex_);
  std::shared_ptr<Upload>& upload = uploads_[id];
  if (!upload) {
    Result<std::shared_ptr<Upload>> opened = Upload::open(blobs_->upload_path(id));
    if (!opened) {
      uploads_.erase(id);
      return opened.error();
    }
    upload = std::move(*opened);
  }
  return upload;
}

Result<void> Registry::cancel_upload(const RepositoryKey& key, const std::string& id) {
  if (Result<void> found = catalog_.find_upload(key, id); !found) return found;
  if (Result<void> ended = catalog_.end_upload(id); !ended) return ended;
  forget_upload(id);
  blobs_->remove_upload(id);
  return ok();
}

Result<void> Registry::finish_upload(const RepositoryKey& key, const std::string& id, Upload& upload,
                                     std::string_view digest) {
  const Result<std::string> actual = upload.digest();
  if (!actual) return actual.error();
  if (*actual != digest) {
    if (Result<void> ended = catalog_.end_upload(id); !ended) return ended;
    forget_upload(id);
    blobs_->remove_upload(id);
    return make_error("DIGEST_INVALID",
                      fmt::format("the blob's digest is {}, but the request says {}; push it again", *actual, digest),
                      400);
  }
  {
    const std::shared_lock gate(publish_gate_);
    if (Result<void> moved = blobs_->publish(upload.path(), digest); !moved) return moved;
    if (Result<void> linked = catalog_.link_blob(key, digest, upload.offset(), id, now()); !linked) return linked;
  }
  forget_upload(id);
  return ok();
}

Result<void> Registry::put_blob(const RepositoryKey& key, http::BodyReader& body, std::string_view digest) {
  const std::string id = ids_.uuid();
  Result<std::shared_ptr<Upload>> upload = Upload::open(blobs_->upload_path(id));
  if (!upload) return upload.error();
  const std::lock_guard lock((*upload)->mutex());
  Result<void> done = (*upload)->append(body);
  if (done) done = finish_upload(key, id, **upload, digest);
  if (!done) blobs_->remove_upload(id);
  return done;
}

Result<void> Registry::delete_repository(const RepositoryKey& key, bool force) {
  const Result<std::vector<std::string>> upload_ids = catalog_.delete_repository(key, force);
  if (!upload_ids) return upload_ids.error();
  for (const std::string& id : *upload_ids) {
    forget_upload(id);
    blobs_->remove_upload(id);
  }
  // The repository is gone whatever becomes of its files: what fails here is collected later.
  if (Result<void> removed = remove_unlinked_blobs(); !removed) {
    log::warn("registry", "blobs of deleted repository {} stay until the next collection: {}", key.name,
              removed.error().message);
  }
  return ok();
}

Result<void> Registry::remove_unlinked_blobs() {
  const std::unique_lock gate(publish_gate_);
  const Result<std::vector<std::string>> digests = catalog_.remove_unlinked_blobs();
  if (!digests) return digests.error();
  for (const std::string& digest : *digests) blobs_->remove(digest);
  return ok();
}

Result<std::size_t> Registry::expire_images(const RepositoryKey& key) {
  const Result<StoredLifecyclePolicy> policy = catalog_.lifecycle_policy(key);
  if (!policy && policy.error().code == "LifecyclePolicyNotFoundException") return std::size_t{0};
  if (!policy) return policy.error();
  const Result<std::vector<LifecycleRule>> rules = parse_lifecycle_policy(policy->text);
  if (!rules) return rules.error();
  std::vector<Image> images;
  while (true) {
    const std::string after = images.empty() ? "" : images.back().digest;
    const Result<std::vector<Image>> page = catalog_.images(key, TagStatus::any, after, images_per_read);
    if (!page) return page.error();
    images.insert(images.end(), page->begin(), page->end());
    if (page->size() < static_cast<std::size_t>(images_per_read)) break;
  }
  const Result<std::size_t> removed = remove_images(key, expired_images(*rules, std::move(images), now()));
  if (!removed) return removed.error();
  if (*removed > 0) {
    log::info("registry", "{} images of repository {} went by its lifecycle policy", *removed, key.name);
  }
  if (Result<void> noted = catalog_.set_lifecycle_evaluated(key, now()); !noted) return noted.error();
  return removed;
}

// Again as long as something goes: an image can go when the index that refers to it has gone.
Result<std::size_t> Registry::remove_images(const RepositoryKey& key, std::vector<Image> images) {
  const std::size_t wanted = images.size();
  for (std::size_t before = wanted + 1; images.size() < before;) {
    before = images.size();
    std::vector<Image> left;
    for (std::size_t from = 0; from < before; from += images_per_commit) {
      const auto first = images.begin() + static_cast<std::ptrdiff_t>(from);
      const auto last = images.begin() + static_cast<std::ptrdiff_t>(std::min(before, from + images_per_commit));
      const Result<std::vector<Image>> kept = catalog_.expire_images(key, std::vector<Image>(first, last));
      if (!kept) return kept.error();
      left.insert(left.end(), kept->begin(), kept->end());
    }
    images = std::move(left);
  }
  return wanted - images.size();
}

Result<void> Registry::expire_all_images() {
  const Result<std::vector<RepositoryKey>> keys = catalog_.repositories_with_lifecycle_policy();
  if (!keys) return keys.error();
  for (const RepositoryKey& key : *keys) {
    // One repository's trouble, such as being deleted meanwhile, is no other's.
    if (const Result<std::size_t> expired = expire_images(key); !expired) {
      log::warn("registry", "the lifecycle policy of repository {} could not be applied: {}", key.name,
                expired.error().message);
    }
  }
  return ok();
}

Result<void> Registry::collect_garbage(Duration min_age) {
  const Time before = now() - min_age;
  if (Result<void> expired = expire_all_images(); !expired) return expired;
  if (Result<void> expired = expire_uploads(); !expired) return expired;
  if (Result<void> unlinked = catalog_.unlink_unreferenced_blobs(before); !unlinked) return unlinked;
  if (Result<void> removed = remove_unlinked_blobs(); !removed) return removed;
  // Files without a row: a crash fell between moving a blob into place and committing it, or between the two halves of
  // a removal.
  for (const std::string& digest : blobs_->blobs_older_than(before)) {
    const std::unique_lock gate(publish_gate_);
    const Result<bool> known = catalog_.knows_blob(digest);
    if (!known) return known.error();
    if (!*known) blobs_->remove(digest);
  }
  return ok();
}

}  // namespace kaapi::registry
