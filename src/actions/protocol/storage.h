#pragma once
// What jobs keep: artifacts of runs, caches of repositories. Implemented by storage/, offered to runners by runs/.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "http/message.h"

namespace kaapi::actions {

struct Artifact {
  std::int64_t id = 0;
  std::int64_t run_id = 0;
  std::string name;
  std::uint64_t size = 0;   // bytes
  std::string digest;       // "sha256:..."
  std::int64_t job_id = 0;  // that stored it
};

struct CacheHit {
  std::string key;  // the whole key of what was found
  http::FileBody body;
};

// Thread-safe. Bodies are streamed to and from files. Errors of put: `Conflict` (exists), `TooLarge`, `Unavailable`
// (the disk; the peer went away), `Invalid` (a bad name).
class JobStorage {
 public:
  virtual ~JobStorage() = default;
  virtual Result<Artifact> put_artifact(std::string_view repository, std::int64_t run_id, std::int64_t job_id,
                                        std::string_view name, std::optional<int> retention_days, bool overwrite,
                                        http::BodyReader& body) = 0;
  virtual Result<std::vector<Artifact>> artifacts(std::int64_t run_id) const = 0;
  virtual Result<http::FileBody> artifact(std::int64_t run_id, std::string_view name) const = 0;  // `NotFound`
  virtual Result<void> remove_artifact(std::int64_t run_id, std::string_view name) = 0;           // `NotFound`
  // `ref`: who may see a cache: those of the same ref, and all those of the default branch (GitHub's rule).
  virtual Result<void> put_cache(std::string_view repository, std::string_view ref, std::string_view key,
                                 std::string_view version, http::BodyReader& body) = 0;
  // The key itself, then the newest that begins with one of `restore`, in their order.
  virtual Result<std::optional<CacheHit>> cache(std::string_view repository, std::string_view ref,
                                                std::string_view default_ref, std::string_view key,
                                                const std::vector<std::string>& restore, std::string_view version) = 0;
  // All of a run goes.
  virtual Result<void> forget_run(std::int64_t run_id) = 0;
};

}  // namespace kaapi::actions
