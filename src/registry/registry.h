#pragma once
// The registry: catalog, blob files and uploads behind one door. The wire sits on top: http_api.h (docker) and
// operations.h (ECR).

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "registry/blob_store.h"
#include "registry/catalog.h"

namespace kaapi::registry {

// An upload that nobody touched for this long is forgotten.
inline constexpr Duration upload_lifetime = std::chrono::hours(24);
// A blob that no manifest refers to is kept this long after it was pushed: its manifest may be on its way.
inline constexpr Duration unreferenced_blob_lifetime = std::chrono::hours(24);

struct Config {
  std::string data_dir;        // everything is below it; made when missing
  std::string account_id;      // 12 digits
  std::string default_region;  // where requests without a token work, when auth is off
  std::string host;            // of repository URIs and the proxy endpoint: "localhost:4566"
  bool auth = true;
};

// Thread-safe. `database` (opened with migrations()), `clock` and `ids` must outlive it.
class Registry {
 public:
  // Errors: InternalError or `Unavailable` (500) when the folders cannot be made, or what the database answers.
  static Result<std::unique_ptr<Registry>> open(Config config, store::Database& database, const Clock& clock,
                                                IdSource& ids);

  const Config& config() const { return config_; }
  Catalog& catalog() { return catalog_; }
  BlobStore& blobs() { return *blobs_; }
  Time now() const { return clock_.now(); }
  std::string new_id() { return ids_.uuid(); }  // of a request

  // The digest that a tag names now, or the digest itself when the repository has that image.
  // Errors: RepositoryNotFoundException, ImageNotFoundException.
  Result<std::string> resolve(const std::string& region, const std::string& repository, std::string_view tag_or_digest);

  // Uploads. The answered id is what upload() takes. Errors: as Catalog.
  Result<std::string> start_upload(const RepositoryKey& key);
  Result<std::shared_ptr<Upload>> upload(const RepositoryKey& key, const std::string& id);
  Result<void> cancel_upload(const RepositoryKey& key, const std::string& id);
  // Checks the digest and makes the upload a blob of the repository; it is over in any case but a failing disk. The
  // caller holds the upload's mutex. Error: DIGEST_INVALID.
  Result<void> finish_upload(const RepositoryKey& key, const std::string& id, Upload& upload, std::string_view digest);
  // A whole blob in one request, without an upload anybody could resume.
  Result<void> put_blob(const RepositoryKey& key, http::BodyReader& body, std::string_view digest);

  // Removes the repository and the blobs that only it had. Errors: as Catalog.
  Result<void> delete_repository(const RepositoryKey& key, bool force);

  // Removes the images that the repository's lifecycle policy says need not be kept, and answers how many; none without
  // a policy.
  Result<std::size_t> expire_images(const RepositoryKey& key);

  // Removes images that lifecycle policies have expired, expired uploads, and blobs that no manifest refers to and that
  // were pushed or claimed before now - min_age. Safe while pushes are in progress. Reads the whole blob folder: call
  // it seldom.
  Result<void> collect_garbage(Duration min_age = unreferenced_blob_lifetime);

 private:
  Registry(Config config, store::Database& database, const Clock& clock, IdSource& ids);
  Result<void> recover_uploads();
  Result<void> expire_uploads();
  Result<void> expire_all_images();
  Result<std::size_t> remove_images(const RepositoryKey& key, std::vector<Image> images);
  Result<void> remove_unlinked_blobs();
  void forget_upload(const std::string& id);

  Config config_;
  Catalog catalog_;
  const Clock& clock_;
  IdSource& ids_;
  std::unique_ptr<BlobStore> blobs_;

  std::mutex uploads_mutex_;
  std::map<std::string, std::shared_ptr<Upload>>
      uploads_;  // those used since the start; the others are opened on demand

  // Held shared from moving a blob's file into place until its row is committed, alone while rows and files are
  // removed: otherwise a blob pushed again at the wrong moment would lose its file.
  std::shared_mutex publish_gate_;
};

}  // namespace kaapi::registry
