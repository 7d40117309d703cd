#pragma once
// Artifacts of runs and caches of repositories: files below DATA/pipeline-storage/, with an index in storage.db.
// The index decides: a file that it does not name is a crash's left-over.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/storage.h"
#include "actions/storage/files.h"
#include "actions/storage/names.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "store/database.h"

namespace kaapi::actions::storage {

inline constexpr std::string_view database_file_name = "storage.db";
inline constexpr std::string_view folder_name = "pipeline-storage";

// Thread-safe. What returned is on disk. What has expired is not found, also before tidy() removed it.
class Storage final : public JobStorage {
 public:
  // Opens DIRECTORY/storage.db and the folder beside it, and removes what a crash left behind or what has expired.
  // `clock` and `ids` must outlive it. Errors: those of Database::open(), `Unavailable` (a folder), `Invalid` (limits).
  static Result<std::unique_ptr<Storage>> open(const std::string& directory, StorageLimits limits, const Clock& clock,
                                               IdSource& ids);

  Result<Artifact> put_artifact(std::string_view repository, std::int64_t run_id, std::int64_t job_id,
                                std::string_view name, std::optional<int> retention_days, bool overwrite,
                                http::BodyReader& body) override;
  Result<std::vector<Artifact>> artifacts(std::int64_t run_id) const override;
  Result<http::FileBody> artifact(std::int64_t run_id, std::string_view name) const override;
  Result<void> remove_artifact(std::int64_t run_id, std::string_view name) override;
  Result<void> put_cache(std::string_view repository, std::string_view ref, std::string_view key,
                         std::string_view version, http::BodyReader& body) override;
  // As GitHub searches: the ref, then the default one; in each the key itself, then the newest that begins with it,
  // then the newest that begins with a `restore`, in their order. A hit counts as use.
  Result<std::optional<CacheHit>> cache(std::string_view repository, std::string_view ref, std::string_view default_ref,
                                        std::string_view key, const std::vector<std::string>& restore,
                                        std::string_view version) override;
  Result<void> forget_run(std::int64_t run_id) override;

  // Everything of a repository that is deleted.
  Result<void> forget_repository(std::string_view repository);
  // Removes what has expired. To be called now and then, once a day is enough. Returns how many files went.
  Result<std::size_t> tidy();

 private:
  struct NewCache;
  Storage(std::unique_ptr<store::Database> database, Files files, StorageLimits limits, const Clock& clock)
      : database_(std::move(database)), files_(std::move(files)), limits_(limits), clock_(clock) {}
  Result<void> reconcile();
  Result<std::vector<std::string>> keep_cache(const NewCache& made);

  std::unique_ptr<store::Database> database_;
  Files files_;
  StorageLimits limits_;
  const Clock& clock_;
};

}  // namespace kaapi::actions::storage
