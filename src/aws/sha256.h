#pragma once
// SHA-256 and HMAC-SHA-256 for the signature path: no allocation, no algorithm look-up per call.

#include <array>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace kaapi::aws {

using Digest = std::array<unsigned char, 32>;

Digest sha256_digest(std::string_view bytes);
// Lower case, 64 digits.
std::string hex(const Digest& digest);
std::string_view view(const Digest& digest);

// A key whose padding is hashed once. Immutable, so many threads may sign with one.
class HmacKey {
 public:
  explicit HmacKey(std::string_view key);
  Digest sign(std::string_view bytes) const;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_md_ctx_st, Free>;
  static Context started_with(std::string_view pad);

  Context inner_;
  Context outer_;
};

}  // namespace kaapi::aws
