#pragma once
// The rows of storage.db: free functions over a store::Session, so that one transaction composes them. Those that erase
// return the files that are no longer named.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/storage.h"
#include "base/clock.h"
#include "store/database.h"

namespace kaapi::actions::storage {

std::vector<std::string> all_files(store::Session& session);
void forget_file(store::Session& session, std::string_view file);

struct ArtifactsThere {
  bool has_name = false;  // one that has not expired
  std::size_t of_run = 0;
  std::uint64_t other_bytes = 0;  // of the repository, without the one of that name
};
ArtifactsThere artifacts_there(store::Session& session, std::string_view repository, std::int64_t run_id,
                               std::string_view name, Time now);
Artifact insert_artifact(store::Session& session, std::string_view repository, Artifact artifact, std::string_view file,
                         Time expires);
std::string erase_artifact(store::Session& session, std::int64_t run_id, std::string_view name);  // empty: none
std::vector<Artifact> artifacts_of_run(store::Session& session, std::int64_t run_id, Time now);
std::optional<std::string> artifact_file(store::Session& session, std::int64_t run_id, std::string_view name, Time now);
std::vector<std::string> erase_run(store::Session& session, std::int64_t run_id);

// Which cache; `key` may be the beginning of one.
struct CacheName {
  std::string_view repository, ref, version, key;
};
struct FoundCache {
  std::int64_t id = 0;
  std::string key, file;
};
bool has_cache(store::Session& session, const CacheName& name);
// Those used after `unused_since` only.
std::optional<FoundCache> find_cache(store::Session& session, const CacheName& name, Time unused_since);
std::optional<FoundCache> newest_cache(store::Session& session, const CacheName& prefix, Time unused_since);
void insert_cache(store::Session& session, const CacheName& name, std::string_view file, std::uint64_t size, Time now);
void note_cache_use(store::Session& session, std::int64_t id, Time now);
std::vector<std::string> erase_cache_unused_since(store::Session& session, const CacheName& name, Time unused_since);
// The least recently used go until the rest fits; the newest stays.
std::vector<std::string> evict_caches(store::Session& session, std::string_view repository, std::uint64_t max_bytes,
                                      std::size_t max_count);

std::vector<std::string> erase_repository(store::Session& session, std::string_view repository);
std::vector<std::string> erase_expired(store::Session& session, Time now, Time caches_unused_since);

}  // namespace kaapi::actions::storage
