#pragma once
// What the registry knows, in SQLite: repositories, manifests, tags, which repository may read which blob, uploads in
// progress. Blob bytes are not here (blob_store.h); manifests are, so that a manifest and its tag change in one
// transaction.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "registry/manifest.h"
#include "store/database.h"

namespace kaapi::registry {

// The schema of registry.db.
store::Migrations migrations();

// Uploads in progress, over all repositories. One more is answered 429.
inline constexpr std::int64_t max_open_uploads = 1024;
// AWS's limit (ECR API reference, TagResource).
inline constexpr std::size_t max_resource_tags = 50;

// Names one repository: names are unique in a region.
struct RepositoryKey {
  std::string region;
  std::string name;
};

struct Repository {
  std::int64_t id = 0;
  std::string region;
  std::string name;
  Time created_at{};
  std::string tag_mutability = "MUTABLE";  // or IMMUTABLE
  bool scan_on_push = false;
  std::string encryption_type = "AES256";
  std::optional<std::string> kms_key;
};

// The text as it was put, and when the images were last held against it.
struct StoredLifecyclePolicy {
  std::string text;
  Time evaluated_at{};
};

using ResourceTags = std::map<std::string, std::string>;

// One manifest as ECR describes it.
struct Image {
  std::string digest;
  std::string media_type;
  std::string artifact_media_type;
  std::int64_t size_bytes = 0;  // config and layers as pushed; of an index, its largest image
  Time pushed_at{};
  std::vector<std::string> tags;  // sorted
};

struct StoredManifest {
  std::string digest;
  std::string media_type;
  std::string content;
};

// One row of ListImages: an image under one of its tags, or untagged (empty tag).
struct ImageName {
  std::string digest;
  std::string tag;
};

enum class TagStatus { any, tagged, untagged };

// Thread-safe. Every change is on disk when its function returns. Beside the errors named, all answer the database's
// own. Every function that takes a RepositoryKey answers RepositoryNotFoundException, in ECR's words, when there is
// none.
class Catalog {
 public:
  // `database` must be open with migrations() and outlive the catalog. One account owns everything here.
  Catalog(store::Database& database, std::string account_id)
      : database_(database), account_id_(std::move(account_id)) {}

  // Repositories. Errors: RepositoryAlreadyExistsException, RepositoryNotEmptyException (unless `force`),
  // TooManyTagsException.
  Result<Repository> create_repository(const Repository& wanted, const ResourceTags& tags);
  Result<Repository> repository(const RepositoryKey& key);
  Result<std::vector<Repository>> repositories(std::string_view region, std::string_view after, std::int64_t limit);
  // Answers the ids of its uploads, whose files the caller removes. Blobs are left to remove_unlinked_blobs().
  Result<std::vector<std::string>> delete_repository(const RepositoryKey& key, bool force);

  // What is set on a repository (catalog_settings.cpp). Errors: TooManyTagsException,
  // RepositoryPolicyNotFoundException, LifecyclePolicyNotFoundException.
  Result<ResourceTags> resource_tags(const RepositoryKey& key);
  Result<void> add_resource_tags(const RepositoryKey& key, const ResourceTags& tags);
  Result<void> remove_resource_tags(const RepositoryKey& key, const std::vector<std::string>& keys);
  Result<void> set_scan_on_push(const RepositoryKey& key, bool scan_on_push);
  Result<void> set_tag_mutability(const RepositoryKey& key, std::string_view mutability);
  Result<std::string> policy(const RepositoryKey& key);
  Result<void> set_policy(const RepositoryKey& key, std::string_view text);
  Result<std::string> remove_policy(const RepositoryKey& key);  // answers what it was
  Result<StoredLifecyclePolicy> lifecycle_policy(const RepositoryKey& key);
  Result<void> set_lifecycle_policy(const RepositoryKey& key, std::string_view text);
  Result<StoredLifecyclePolicy> remove_lifecycle_policy(const RepositoryKey& key);
  Result<void> set_lifecycle_evaluated(const RepositoryKey& key, Time now);
  Result<std::vector<RepositoryKey>> repositories_with_lifecycle_policy();

  // Blobs of a repository. Error: BLOB_UNKNOWN.
  Result<std::uint64_t> blob_size(const RepositoryKey& key, std::string_view digest);
  // Like blob_size(), and keeps an unreferenced blob from collection for another `refresh_after` at least: whoever asks
  // is about to push a manifest that names it.
  Result<std::uint64_t> claim_blob(const RepositoryKey& key, std::string_view digest, Time now, Duration refresh_after);
  // False when `from` is no repository or does not have the blob.
  Result<bool> mount_blob(const RepositoryKey& key, std::string_view digest, std::string_view from, Time now);
  // The blob's file must be in place. Ends the upload of that id, if there is one.
  Result<void> link_blob(const RepositoryKey& key, std::string_view digest, std::uint64_t size,
                         std::string_view upload_id, Time now);
  // Error: UNSUPPORTED when a manifest of the repository refers to it.
  Result<void> unlink_blob(const RepositoryKey& key, std::string_view digest);

  // Uploads. Errors: TOOMANYREQUESTS, BLOB_UPLOAD_UNKNOWN.
  Result<void> start_upload(const RepositoryKey& key, std::string_view id, Time now);
  Result<void> find_upload(const RepositoryKey& key, std::string_view id);
  Result<void> end_upload(std::string_view id);
  Result<std::vector<std::string>> uploads();

  // Manifests. `tag` may be empty. Errors: MANIFEST_BLOB_UNKNOWN when something referenced is missing,
  // ImageTagAlreadyExistsException when tags are immutable and this one names another image.
  Result<void> put_manifest(const RepositoryKey& key, const Manifest& manifest, std::string_view content,
                            std::string_view digest, std::string_view tag, Time now);
  // By tag or digest. Error: MANIFEST_UNKNOWN.
  Result<StoredManifest> manifest(const RepositoryKey& key, std::string_view reference);
  Result<std::string> resolve(const RepositoryKey& key, std::string_view reference);
  // Removes the image with its tags. Errors: MANIFEST_UNKNOWN, ImageReferencedByManifestList.
  Result<void> delete_manifest(const RepositoryKey& key, std::string_view digest);
  // Removes those images that are as they were seen and that no index refers to; answers the others.
  Result<std::vector<Image>> expire_images(const RepositoryKey& key, const std::vector<Image>& seen);
  // Removes the tag; the image stays. Error: MANIFEST_UNKNOWN.
  Result<void> delete_tag(const RepositoryKey& key, std::string_view tag);
  Result<std::vector<std::string>> tags(const RepositoryKey& key, std::string_view after, std::int64_t limit);

  // What BatchDeleteImage does with a tag: removes it, and with its last tag the image, unless an index refers to that.
  // Answers the image's digest. Errors: MANIFEST_UNKNOWN, ImageTagDoesNotMatchDigest when `expected` is not empty and
  // not that digest.
  Result<std::string> delete_tagged_image(const RepositoryKey& key, std::string_view tag, std::string_view expected);

  // Images as ECR lists them, ordered by digest (and tag), after the given position.
  Result<Image> image(const RepositoryKey& key, std::string_view digest);  // error: MANIFEST_UNKNOWN
  Result<std::vector<Image>> images(const RepositoryKey& key, TagStatus status, std::string_view after,
                                    std::int64_t limit);
  Result<std::vector<ImageName>> image_names(const RepositoryKey& key, TagStatus status, const ImageName& after,
                                             std::int64_t limit);

  // Garbage. Unlinks blobs that no manifest of their repository refers to and that were pushed or claimed before
  // `before`.
  Result<void> unlink_unreferenced_blobs(Time before);
  // Forgets blobs without links and answers their digests.
  Result<std::vector<std::string>> remove_unlinked_blobs();
  Result<bool> knows_blob(std::string_view digest);

 private:
  // One transaction each, on the repository found in it (catalog_rows.h).
  template <class F>
  auto write(const RepositoryKey& key, F&& f);
  template <class F>
  auto read(const RepositoryKey& key, F&& f);

  store::Database& database_;
  std::string account_id_;
};

// The repository that an ARN names; nullopt for any other ARN, and for one of another account.
std::optional<RepositoryKey> repository_of_arn(std::string_view arn, std::string_view account_id);

// ECR's words, for every place that says so.
Error repository_not_found(std::string_view name, std::string_view account_id);

}  // namespace kaapi::registry
