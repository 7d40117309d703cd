#pragma once
// identity.db: everything of this folder that outlives the process, as JSON documents by kind and key. Free functions
// over a store::Session, so that a caller composes them in one transaction.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/database.h"
#include "store/sealer.h"

namespace kaapi::identity {

inline constexpr std::string_view database_file_name = "identity.db";
inline constexpr std::string_view key_file_name = "identity.key";

// Of identity.db.
store::Migrations migrations();

// `kind` is of our own making ("user", "session"); a row of the same kind and key is replaced.
void save_row(store::Session& session, std::string_view kind, std::string_view key, std::string_view document);
void erase_row(store::Session& session, std::string_view kind, std::string_view key);
// In the order of keys; stops at the first error.
Result<void> for_each_row(store::Session& session, std::string_view kind,
                          const std::function<Result<void>(std::string_view key, std::string_view document)>& visit);

// The sealer for the secrets in `database`. The first time it makes the key file and notes a check value; from then on
// the file must be there and be the same. Errors as Sealer::open().
Result<store::Sealer> open_sealer(store::Database& database, const std::string& key_path);

}  // namespace kaapi::identity
