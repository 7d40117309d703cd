#include "identity/oidc/jwks.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "identity/oidc/strict_json.h"

namespace kaapi::identity::oidc {
namespace {

constexpr std::size_t p256_bytes = 32;

template <auto release>
struct Release {
  template <class T>
  void operator()(T* handle) const {
    release(handle);
  }
};
using Number = std::unique_ptr<BIGNUM, Release<BN_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG_free>>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::optional<std::string> binary_member(const json::object& from, std::string_view name) {
  const json::value* value = from.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  if (text == nullptr) return std::nullopt;
  std::optional<std::string> bytes = base64url_decode({text->data(), text->size()});
  return bytes && !bytes->empty() ? bytes : std::nullopt;
}

bool text_is(const json::object& from, std::string_view name, std::string_view wanted) {
  const json::value* value = from.if_contains(name);
  return value != nullptr && value->is_string() && value->get_string() == wanted;
}

std::shared_ptr<EVP_PKEY> make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  std::shared_ptr<EVP_PKEY> key(made, EVP_PKEY_free);
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, made, nullptr));
  // A point that is not on the curve, a modulus that is even: keys that only an attack has.
  if (!check || EVP_PKEY_public_check(check.get()) != 1) return nullptr;
  return key;
}

std::shared_ptr<EVP_PKEY> rsa_key(const json::object& from) {
  const std::optional<std::string> modulus = binary_member(from, "n");
  const std::optional<std::string> exponent = binary_member(from, "e");
  // An exponent of more than 8 bytes costs the verifier time and gives nobody anything.
  if (!modulus || !exponent || modulus->size() > max_rsa_bits / 8 + 1 || exponent->size() > 8) return nullptr;
  const Number n = number_of(*modulus);
  const Number e = number_of(*exponent);
  if (!n || !e) return nullptr;
  const auto bits = static_cast<std::size_t>(BN_num_bits(n.get()));
  if (bits < min_rsa_bits || bits > max_rsa_bits || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) != 0) return nullptr;
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return make_key("RSA", builder.get());
}

std::shared_ptr<EVP_PKEY> ec_key(const json::object& from) {
  if (!text_is(from, "crv", "P-256")) return nullptr;
  const std::optional<std::string> x = binary_member(from, "x");
  const std::optional<std::string> y = binary_member(from, "y");
  if (!x || !y || x->size() != p256_bytes || y->size() != p256_bytes) return nullptr;
  constexpr char uncompressed = 4;
  const std::string point = uncompressed + *x + *y;
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return nullptr;
  }
  return make_key("EC", builder.get());
}

// What a key says that it is for must include checking signatures.
bool is_for_signatures(const json::object& from) {
  if (from.contains("use") && !text_is(from, "use", "sig")) return false;
  const json::value* operations = from.if_contains("key_ops");
  if (operations == nullptr) return true;
  const json::array* list = operations->if_array();
  return list != nullptr && std::any_of(list->begin(), list->end(), [](const json::value& item) {
           return item.is_string() && item.get_string() == "verify";
         });
}

std::optional<PublicKey> read_key(const json::object& from) {
  const json::value* kid = from.if_contains("kid");
  if (kid == nullptr || !kid->is_string() || kid->get_string().size() > max_kid_bytes) return std::nullopt;
  if (!is_for_signatures(from)) return std::nullopt;
  PublicKey key;
  key.kid.assign(kid->get_string().data(), kid->get_string().size());
  std::string_view algorithm;
  if (text_is(from, "kty", "RSA")) {
    key.algorithm = Algorithm::rs256;
    algorithm = "RS256";
  } else if (text_is(from, "kty", "EC")) {
    key.algorithm = Algorithm::es256;
    algorithm = "ES256";
  } else {
    return std::nullopt;
  }
  if (from.contains("alg") && !text_is(from, "alg", algorithm)) return std::nullopt;
  key.key = key.algorithm == Algorithm::rs256 ? rsa_key(from) : ec_key(from);
  if (!key.key) return std::nullopt;
  return key;
}

// JWS has r and s side by side (RFC 7518, section 3.4); OpenSSL takes them as DER.
std::optional<std::string> der_of(std::string_view raw) {
  if (raw.size() != 2 * p256_bytes) return std::nullopt;
  Number r = number_of(raw.substr(0, p256_bytes));
  Number s = number_of(raw.substr(p256_bytes));
  const EcdsaSignature signature(ECDSA_SIG_new());
  if (!r || !s || !signature || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return std::nullopt;
  // The signature owns them now.
  (void)r.release();
  (void)s.release();
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &bytes);
  if (size <= 0) return std::nullopt;
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

bool has_signed(const PublicKey& key, const Jwt& token) {
  std::string signature = token.signature;
  if (key.algorithm == Algorithm::es256) {
    std::optional<std::string> der = der_of(token.signature);
    if (!der) return false;
    signature = std::move(*der);
  }
  const DigestContext context(EVP_MD_CTX_new());
  return context &&
         EVP_DigestVerifyInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key.key.get(), nullptr) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(token.signed_text),
                          token.signed_text.size()) == 1;
}

}  // namespace

Result<KeySet> KeySet::parse(std::string_view text) {
  if (text.size() > max_jwks_bytes) {
    return make_error(errc::too_large, fmt::format("the key set is larger than {} bytes", max_jwks_bytes));
  }
  const Result<json::object> object = parse_strict_object(text);
  if (!object) return make_error(errc::invalid, fmt::format("the key set {}", object.error().message));
  const json::value* list = object->if_contains("keys");
  if (list == nullptr || !list->is_array()) {
    return make_error(errc::invalid, "the key set has no list of keys");
  }
  const json::array& items = list->get_array();
  if (items.size() > max_jwks_keys) {
    return make_error(errc::too_large, fmt::format("the key set has more than {} keys", max_jwks_keys));
  }
  KeySet set;
  for (const json::value& item : items) {
    const json::object* key = item.if_object();
    if (key == nullptr) return make_error(errc::invalid, "the key set holds what is no key");
    if (std::optional<PublicKey> read = read_key(*key)) set.keys_.push_back(std::move(*read));
  }
  // What OpenSSL said about the keys that were left out is nobody's business later on.
  ERR_clear_error();
  return set;
}

bool KeySet::contains(std::string_view kid, Algorithm algorithm) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [&](const PublicKey& key) { return key.kid == kid && key.algorithm == algorithm; });
}

bool KeySet::verifies(const Jwt& token) const {
  const bool verified = std::any_of(keys_.begin(), keys_.end(), [&](const PublicKey& key) {
    return key.kid == token.kid && key.algorithm == token.algorithm && has_signed(key, token);
  });
  if (!verified) ERR_clear_error();
  return verified;
}

}  // namespace kaapi::identity::oidc
