#include "base/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

#include "base/text.h"

namespace kaapi {
namespace {

// Fails only when OpenSSL is built without SHA-256 or memory is out: nothing a caller could handle.
void require(int outcome) {
  if (outcome != 1) throw std::runtime_error("OpenSSL refused to compute SHA-256");
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  reset();
}

Sha256::~Sha256() = default;

void Sha256::reset() {
  require(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void Sha256::update(std::span<const char> bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::string Sha256::digest() const {
  const std::unique_ptr<evp_md_ctx_st, Free> copy(EVP_MD_CTX_new());
  require(EVP_MD_CTX_copy_ex(copy.get(), context_.get()));
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  require(EVP_DigestFinal_ex(copy.get(), bytes.data(), &length));
  return "sha256:" + to_hex(std::string_view(reinterpret_cast<const char*>(bytes.data()), length));
}

}  // namespace kaapi
