#pragma once
// The keys that an issuer publishes (JSON Web Key Set, RFC 7517), and checking a token's signature with them. Pure.

#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "identity/oidc/jwt.h"

namespace kaapi::identity::oidc {

inline constexpr std::size_t max_jwks_bytes = 64UL * 1024;
inline constexpr std::size_t max_jwks_keys = 100;
inline constexpr std::size_t min_rsa_bits = 2048;
inline constexpr std::size_t max_rsa_bits = 8192;

// A public key for one algorithm. Immutable; shared between threads.
struct PublicKey {
  std::string kid;
  Algorithm algorithm = Algorithm::rs256;
  std::shared_ptr<EVP_PKEY> key;
};

// Immutable.
class KeySet {
 public:
  // Keys of other kinds (kty, crv), for other uses (use, key_ops) or other algorithms (alg), without a kid, weak ones
  // and broken ones are left out: an issuer may publish them for others. Errors: `TooLarge`, `Invalid` (no key set).
  static Result<KeySet> parse(std::string_view text);

  bool contains(std::string_view kid, Algorithm algorithm) const;
  // True when a key of that name and algorithm has signed the token.
  bool verifies(const Jwt& token) const;
  const std::vector<PublicKey>& keys() const { return keys_; }

 private:
  std::vector<PublicKey> keys_;
};

}  // namespace kaapi::identity::oidc
