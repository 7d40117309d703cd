#pragma once
// For tests: an issuer with keys of its own that signs whatever it is told to, and a network where it publishes them.

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "identity/oidc/keys.h"

namespace kaapi::identity::oidc {

inline std::string base64url_encode(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

class TestKey {
 public:
  static TestKey rsa(unsigned bits = 2048) { return TestKey(EVP_RSA_gen(bits), true); }
  static TestKey ec(const char* curve = "P-256") { return TestKey(EVP_EC_gen(curve), false); }

  // A member of a key set; `more` stands in front of the other members: R"("use":"sig",)".
  std::string jwk(std::string_view kid, std::string_view more = "") const {
    if (is_rsa_) {
      return fmt::format(R"({{{}"kid":"{}","kty":"RSA","n":"{}","e":"{}"}})", more, kid,
                         base64url_encode(number(OSSL_PKEY_PARAM_RSA_N)),
                         base64url_encode(number(OSSL_PKEY_PARAM_RSA_E)));
    }
    return fmt::format(R"({{{}"kid":"{}","kty":"EC","crv":"P-256","x":"{}","y":"{}"}})", more, kid,
                       base64url_encode(number(OSSL_PKEY_PARAM_EC_PUB_X, 32)),
                       base64url_encode(number(OSSL_PKEY_PARAM_EC_PUB_Y, 32)));
  }

  // A token with this header and payload, whatever they say.
  std::string sign(std::string_view header, std::string_view payload) const {
    const std::string text = base64url_encode(header) + "." + base64url_encode(payload);
    return text + "." + base64url_encode(is_rsa_ ? signature(text) : raw(signature(text)));
  }
  std::string token(std::string_view kid, std::string_view payload) const {
    return sign(fmt::format(R"({{"typ":"JWT","alg":"{}","kid":"{}"}})", is_rsa_ ? "RS256" : "ES256", kid), payload);
  }

 private:
  TestKey(EVP_PKEY* key, bool is_rsa) : key_(key, EVP_PKEY_free), is_rsa_(is_rsa) {
    if (key == nullptr) throw std::runtime_error("OpenSSL makes no key");
  }

  std::string number(const char* name, int bytes = 0) const {
    BIGNUM* found = nullptr;
    if (EVP_PKEY_get_bn_param(key_.get(), name, &found) != 1) throw std::runtime_error("OpenSSL shows no key");
    std::string text(static_cast<std::size_t>(bytes == 0 ? BN_num_bytes(found) : bytes), '\0');
    BN_bn2binpad(found, reinterpret_cast<unsigned char*>(text.data()), static_cast<int>(text.size()));
    BN_free(found);
    return text;
  }

  std::string signature(std::string_view text) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::string bytes(1024, '\0');
    std::size_t size = bytes.size();
    if (EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key_.get(), nullptr) != 1 ||
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1) {
      throw std::runtime_error("OpenSSL does not sign");
    }
    bytes.resize(size);
    return bytes;
  }

  // DER as r and s side by side.
  static std::string raw(const std::string& der) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* parsed = d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size()));
    std::string text(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(text.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), out + 32, 32);
    ECDSA_SIG_free(parsed);
    return text;
  }

  std::shared_ptr<EVP_PKEY> key_;
  bool is_rsa_;
};

inline std::string key_set(const std::vector<std::string>& keys) {
  return fmt::format(R"({{"keys":[{}]}})", fmt::join(keys, ","));
}

// Answers from a map; counts. Documents change while nobody asks.
class FakeFetcher final : public Fetcher {
 public:
  Result<std::string> get(const std::string& url) override {
    const std::lock_guard lock(mutex_);
    ++asked_;
    const auto found = documents.find(url);
    if (found == documents.end()) return make_error(errc::unavailable, "nobody answers");
    return found->second;
  }
  int asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void publish(const std::string& issuer, const std::string& keys) {
    documents[issuer + "/.well-known/openid-configuration"] =
        fmt::format(R"({{"issuer":"{0}","jwks_uri":"{0}/keys"}})", issuer);
    documents[issuer + "/keys"] = keys;
  }

  std::map<std::string, std::string> documents;

 private:
  mutable std::mutex mutex_;
  int asked_ = 0;
};

}  // namespace kaapi::identity::oidc
