#include "actions/issuer/signing_key.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/text.h"

namespace kaapi::actions {
namespace {

constexpr std::size_t max_signature_bytes = 1024;

std::string base64url(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

// A number of the public half, as RFC 7518 writes it.
std::string number(const EVP_PKEY* key, const char* name) {
  BIGNUM* found = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &found) != 1) return {};
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> owned(found, BN_free);
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(found)), '\0');
  BN_bn2bin(found, reinterpret_cast<unsigned char*>(bytes.data()));
  return base64url(bytes);
}

}  // namespace

SigningKey::SigningKey(std::shared_ptr<EVP_PKEY> key) : key_(std::move(key)) {
  const std::string n = number(key_.get(), OSSL_PKEY_PARAM_RSA_N);
  const std::string e = number(key_.get(), OSSL_PKEY_PARAM_RSA_E);
  kid_ = base64url(sha256(fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})", e, n)));
  jwk_ = fmt::format(R"({{"kty":"RSA","alg":"RS256","use":"sig","kid":"{}","n":"{}","e":"{}"}})", kid_, n, e);
}

Result<SigningKey> SigningKey::make() {
  const std::shared_ptr<EVP_PKEY> key(EVP_RSA_gen(signing_key_bits), EVP_PKEY_free);
  if (!key) return internal_error("OpenSSL makes no RSA key for the tokens of jobs");
  return SigningKey(key);
}

Result<SigningKey> SigningKey::from_der(std::string_view der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const std::shared_ptr<EVP_PKEY> key(d2i_AutoPrivateKey(nullptr, &bytes, static_cast<long>(der.size())),
                                      EVP_PKEY_free);
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
    return make_error(errc::damaged, "a kept key for the tokens of jobs is no RSA key", 500);
  }
  return SigningKey(key);
}

std::string SigningKey::der() const {
  unsigned char* bytes = nullptr;
  const int size = i2d_PrivateKey(key_.get(), &bytes);
  if (size <= 0) return {};
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_clear_free(bytes, static_cast<std::size_t>(size));
  return text;
}

Result<std::string> SigningKey::sign(std::string_view claims) const {
  const std::string header = fmt::format(R"({{"typ":"JWT","alg":"RS256","kid":"{}"}})", kid_);
  const std::string text = fmt::format("{}.{}", base64url(header), base64url(claims));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string bytes(max_signature_bytes, '\0');
  std::size_t size = bytes.size();
  if (!context || EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key_.get(), nullptr) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1) {
    return internal_error("OpenSSL does not sign the token of a job");
  }
  return fmt::format("{}.{}", text, base64url(std::string_view(bytes).substr(0, size)));
}

}  // namespace kaapi::actions
