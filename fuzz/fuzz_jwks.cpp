// Key sets of issuers. Properties: no crash; whatever is refused has the right code; what is accepted is bounded, every
// key in it is usable and named, and none verifies a token that it did not sign.

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "identity/oidc/jwks.h"

namespace {

using namespace kaapi;
using namespace kaapi::identity;

void check_key(const oidc::KeySet& keys, const oidc::PublicKey& key) {
  const int bits = EVP_PKEY_get_bits(key.key.get());
  if (key.algorithm == oidc::Algorithm::es256 && bits != 256) std::abort();
  if (key.algorithm == oidc::Algorithm::rs256 &&
      (bits < static_cast<int>(oidc::min_rsa_bits) || bits > static_cast<int>(oidc::max_rsa_bits))) {
    std::abort();
  }
  if (!keys.contains(key.kid, key.algorithm)) std::abort();
  oidc::Jwt token;
  token.algorithm = key.algorithm;
  token.kid = key.kid;
  token.signed_text = "nobody has signed this";
  token.signature.assign(key.algorithm == oidc::Algorithm::es256 ? 64 : static_cast<std::size_t>(bits) / 8, '\1');
  if (keys.verifies(token)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<oidc::KeySet> keys = oidc::KeySet::parse({reinterpret_cast<const char*>(data), size});
  if (!keys) {
    if (keys.error().code != errc::invalid && keys.error().code != errc::too_large) std::abort();
    return 0;
  }
  if (keys->keys().size() > oidc::max_jwks_keys) std::abort();
  for (const oidc::PublicKey& key : keys->keys()) check_key(*keys, key);
  return 0;
}
