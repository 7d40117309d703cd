#pragma once
// Platform access tokens: passwords for git that a person makes and takes back. A token is worth what the access key is
// worth that made it: when the key goes or is replaced, or its session ends, so does the token.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "store/database.h"

namespace kaapi::actions::git {

inline constexpr std::size_t max_access_tokens = 100;  // of one principal
inline constexpr std::chrono::seconds default_token_lifetime{30 * 24 * 3600};
inline constexpr std::chrono::seconds max_token_lifetime{366 * 24 * 3600};
// A use is noted at most so often.
inline constexpr std::chrono::seconds last_used_precision{60};

struct AccessToken {
  std::string id;  // 16 letters and digits; tells nothing of the token
  std::string name;
  std::string access_key_id;  // that made it
  std::string principal_arn;  // whose it is
  Time created_at{}, expires_at{};
  std::optional<Time> last_used_at;
};

// Thread-safe. Only the SHA-256 of a token is kept. `database` (git.db), `clock` and `ids` must outlive it.
class AccessTokens {
 public:
  AccessTokens(store::Database& database, const Clock& clock, IdSource& ids)
      : database_(database), clock_(clock), ids_(ids) {}

  struct Created {
    AccessToken token;
    std::string secret;  // "kaapi_" and 64 hexadecimal digits; shown once
  };
  // Fills in what `token` does not say (id, created_at). Error: `TooLarge` (max_access_tokens).
  Result<Created> create(AccessToken token);
  // Of one principal; empty: of all. Newest first.
  Result<std::vector<AccessToken>> list(std::string_view principal_arn) const;
  // Empty `principal_arn`: anybody's. Error: `NotFound`.
  Result<void> remove(std::string_view id, std::string_view principal_arn);
  // The token of that secret, unless it has expired; its use is noted.
  std::optional<AccessToken> find(std::string_view secret);

 private:
  store::Database& database_;
  const Clock& clock_;
  IdSource& ids_;
};

}  // namespace kaapi::actions::git
