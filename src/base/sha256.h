#pragma once
// A running SHA-256 over OpenSSL's EVP, which uses the processor's own instructions.

#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace kaapi {

// Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void reset();
  void update(std::span<const char> bytes);
  // "sha256:..." of everything so far; more may follow.
  std::string digest() const;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace kaapi
