#pragma once
// An RSA key that signs tokens: made, kept as text, shown as a JSON Web Key (RFC 7517).

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::actions {

inline constexpr unsigned signing_key_bits = 2048;

// Immutable; shared between threads.
class SigningKey {
 public:
  // Takes tens of milliseconds. Error: `InternalError` (OpenSSL refuses).
  static Result<SigningKey> make();
  // Of der(). Error: `Damaged`.
  static Result<SigningKey> from_der(std::string_view der);

  // PKCS #8, with the private half: a secret.
  std::string der() const;
  // RFC 7638's thumbprint, base64url.
  const std::string& kid() const { return kid_; }
  // {"kty":"RSA","alg":"RS256","use":"sig","kid":…,"n":…,"e":…}
  const std::string& jwk() const { return jwk_; }
  // A token (RFC 7515, compact form, RS256) with these claims. Error: `InternalError`.
  Result<std::string> sign(std::string_view claims) const;

 private:
  explicit SigningKey(std::shared_ptr<EVP_PKEY> key);

  std::shared_ptr<EVP_PKEY> key_;
  std::string kid_, jwk_;
};

}  // namespace kaapi::actions
