#pragma once
// Inside this folder: what both halves of the catalog share.

#include "registry/catalog.h"

namespace kaapi::registry {

// The repository of that key, or RepositoryNotFoundException.
Result<Repository> find_repository(store::Session& session, const RepositoryKey& key, std::string_view account_id);

// The number in the first column of the only row; 0 without a row.
std::int64_t count_of(store::Statement rows);

// Within a transaction. Error: TooManyTagsException.
Result<void> put_resource_tags(store::Session& session, const Repository& repository, const ResourceTags& tags);

Error manifest_unknown(std::string_view repository, std::string_view reference);

// The catalog's transactions start with the repository they are about.
template <class F>
auto Catalog::write(const RepositoryKey& key, F&& f) {
  using R = std::invoke_result_t<F, store::Session&, const Repository&>;
  return database_.write([&](store::Session& session) -> R {
    const Result<Repository> found = find_repository(session, key, account_id_);
    if (!found) return found.error();
    return f(session, *found);
  });
}

template <class F>
auto Catalog::read(const RepositoryKey& key, F&& f) {
  using R = std::invoke_result_t<F, store::Session&, const Repository&>;
  return database_.read([&](store::Session& session) -> R {
    const Result<Repository> found = find_repository(session, key, account_id_);
    if (!found) return found.error();
    return f(session, *found);
  });
}

}  // namespace kaapi::registry
