#pragma once
// JSON Web Tokens (RFC 7519) as AssumeRoleWithWebIdentity takes them: signed (RFC 7515, compact form) with RS256 or
// ES256. Pure. Everything about a token is unproven until verify_signature() of jwks.h said yes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

namespace kaapi::identity::oidc {

inline constexpr std::size_t max_jwt_bytes = 20'000;  // as the model of AssumeRoleWithWebIdentity says
inline constexpr std::size_t max_kid_bytes = 256;
inline constexpr std::size_t max_issuer_bytes = 255;
inline constexpr std::size_t max_subject_bytes = 255;
inline constexpr std::size_t max_audiences = 64;
// How far the clock of an issuer may be off.
inline constexpr Duration token_leeway{60'000};

// All others ("none", HS256, …) are no algorithms here: a token that names one is refused.
enum class Algorithm { rs256, es256 };

struct Jwt {
  Algorithm algorithm = Algorithm::rs256;
  std::string kid;
  std::string signed_text;  // header and payload as they came, with the dot between them
  std::string signature;    // bytes

  // Claims that every token has, and all of them.
  std::string issuer;                  // "https://token.actions.githubusercontent.com"
  std::string subject;                 // "repo:octo/app:ref:refs/heads/main"
  std::vector<std::string> audiences;  // at least one
  std::optional<std::string> authorized_party;
  std::int64_t expires_at_s = 0;  // seconds since the epoch
  std::optional<std::int64_t> not_before_s;
  std::optional<std::int64_t> issued_at_s;
  json::object claims;
};

// Reads a token strictly: three parts, unpadded base64url in its one spelling, no member twice at any level, a header
// that names a key but brings none (jwk, jku, x5u, x5c) and asks for no extension (crit). Error: `Invalid`, one
// sentence that says what is wrong and shows nothing of the token but names.
Result<Jwt> parse_jwt(std::string_view text);

// Whether a token is good at this time. Errors: ExpiredTokenException, InvalidIdentityToken (not yet).
Result<void> check_time(const Jwt& token, Time now);

// Unpadded base64url (RFC 4648, section 5) in its one spelling, or nullopt.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace kaapi::identity::oidc
