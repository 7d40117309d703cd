#pragma once
// Gets the documents of issuers over HTTPS with libcurl. Its own library (kaapi_https_fetcher): the server loads
// libcurl only when the first issuer is asked.

#include <chrono>
#include <cstddef>
#include <string>

#include "identity/oidc/keys.h"

namespace kaapi::identity::oidc {

inline constexpr std::chrono::milliseconds fetch_timeout{5'000};  // of one whole exchange
inline constexpr std::size_t max_fetched_bytes = 64UL * 1024;

struct HttpsFetcherOptions {
  // A file of certificates (PEM) that are trusted besides the system's. Empty: the one that SSL_CERT_FILE names, if
  // any.
  std::string ca_file;
};

// Thread-safe. HTTPS only; redirects are not followed; the certificate and the host's name are always checked.
class HttpsFetcher final : public Fetcher {
 public:
  explicit HttpsFetcher(HttpsFetcherOptions options = {});
  Result<std::string> get(const std::string& url) override;

 private:
  HttpsFetcherOptions options_;
};

}  // namespace kaapi::identity::oidc
