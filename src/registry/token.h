#pragma once
// Authorization tokens: the password of `docker login`. Stateless, so a token outlives a restart of the program.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"

namespace kaapi::registry {

// What GetAuthorizationToken grants (12 hours: ECR API reference).
inline constexpr Duration token_lifetime = std::chrono::hours(12);

struct Token {
  std::string account_id;
  std::string region;      // its repositories are the ones the bearer reaches
  std::string principal;   // ARN of who asked for the token
  bool pull_only = false;  // the platform's own pulls
  Time expires_at{};
  // With which key: the token is worth no more than that. Empty only for the platform's own pulls.
  std::string access_key_id{};
};

// Makes and checks tokens with HMAC-SHA-256 under a secret of the server. Immutable, so thread-safe.
class TokenIssuer {
 public:
  // Reads the secret from `path`, or makes one there (mode 0600) on first use.
  // Errors: `Damaged` when the file holds no secret of ours, or what reading and writing files answers.
  static Result<TokenIssuer> open(const std::string& path, IdSource& ids);
  explicit TokenIssuer(std::string secret) : secret_(std::move(secret)) {}

  // The password, made of characters that need no quoting in a shell, without ':'.
  std::string issue(const Token& token) const;
  // Errors: `Invalid` for anything this server did not issue, `TimedOut` after expires_at.
  Result<Token> verify(std::string_view password, Time now) const;

 private:
  std::string secret_;
};

}  // namespace kaapi::registry
