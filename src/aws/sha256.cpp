#include "aws/sha256.h"

#include <openssl/evp.h>

#include <new>

namespace kaapi::aws {
namespace {

constexpr std::size_t block_bytes = 64;

// Fetched once: looking an algorithm up costs more than hashing a short text (EVP_MD_fetch(3)).
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = [] {
    EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    if (found == nullptr) throw std::bad_alloc();
    return found;
  }();
  return fetched;
}

// One per thread, reused for every hash.
EVP_MD_CTX* scratch() {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  return context.get();
}

void check(int success) {
  if (success != 1) throw std::bad_alloc();  // the only way that these calls fail
}

Digest finish(EVP_MD_CTX* context) {
  Digest digest{};
  check(EVP_DigestFinal_ex(context, digest.data(), nullptr));
  return digest;
}

std::string padded(std::string_view key, unsigned char pad) {
  std::string block(block_bytes, static_cast<char>(pad));
  for (std::size_t i = 0; i < key.size(); ++i) block[i] = static_cast<char>(block[i] ^ key[i]);
  return block;
}

}  // namespace

Digest sha256_digest(std::string_view bytes) {
  EVP_MD_CTX* const context = scratch();
  check(EVP_DigestInit_ex2(context, algorithm(), nullptr));
  check(EVP_DigestUpdate(context, bytes.data(), bytes.size()));
  return finish(context);
}

std::string hex(const Digest& digest) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out(digest.size() * 2, '\0');
  for (std::size_t i = 0; i < digest.size(); ++i) {
    out[2 * i] = digits[digest[i] >> 4U];
    out[2 * i + 1] = digits[digest[i] & 15U];
  }
  return out;
}

std::string_view view(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void HmacKey::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

HmacKey::Context HmacKey::started_with(std::string_view pad) {
  Context context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  check(EVP_DigestInit_ex2(context.get(), algorithm(), nullptr));
  check(EVP_DigestUpdate(context.get(), pad.data(), pad.size()));
  return context;
}

HmacKey::HmacKey(std::string_view key) {
  // RFC 2104: a key longer than a block is hashed first.
  const Digest hashed = key.size() > block_bytes ? sha256_digest(key) : Digest{};
  if (key.size() > block_bytes) key = view(hashed);
  inner_ = started_with(padded(key, 0x36));
  outer_ = started_with(padded(key, 0x5c));
}

Digest HmacKey::sign(std::string_view bytes) const {
  EVP_MD_CTX* const context = scratch();
  check(EVP_MD_CTX_copy_ex(context, inner_.get()));
  check(EVP_DigestUpdate(context, bytes.data(), bytes.size()));
  const Digest inside = finish(context);
  check(EVP_MD_CTX_copy_ex(context, outer_.get()));
  check(EVP_DigestUpdate(context, inside.data(), inside.size()));
  return finish(context);
}

}  // namespace kaapi::aws
