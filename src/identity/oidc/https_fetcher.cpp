#include "identity/oidc/https_fetcher.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>

namespace kaapi::identity::oidc {
namespace {

struct Body {
  std::string text;
  bool too_large = false;
};

std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* user) {
  auto& body = *static_cast<Body*>(user);
  if (body.text.size() + size > max_fetched_bytes) {
    body.too_large = true;
    return 0;
  }
  body.text.append(bytes, size);
  return size;
}

struct Cleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

Error unavailable(const std::string& url, std::string_view why) {
  return make_error(errc::unavailable, fmt::format("{} gives no answer that can be used ({})", url, why), 503);
}

}  // namespace

HttpsFetcher::HttpsFetcher(HttpsFetcherOptions options) : options_(std::move(options)) {
  if (!options_.ca_file.empty()) return;
  // libcurl itself does not look at it, only the curl command does.
  const char* file = std::getenv("SSL_CERT_FILE");
  if (file != nullptr) options_.ca_file = file;
}

Result<std::string> HttpsFetcher::get(const std::string& url) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) return unavailable(url, curl_easy_strerror(started));
  const std::unique_ptr<CURL, Cleanup> handle(curl_easy_init());
  if (!handle) return unavailable(url, "libcurl gives no handle");
  Body body;
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options_.ca_file.c_str());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(fetch_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(fetch_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "kaapi");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl);
  if (body.too_large) return unavailable(url, fmt::format("it is larger than {} bytes", max_fetched_bytes));
  if (code != CURLE_OK) return unavailable(url, curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return unavailable(url, fmt::format("HTTP status {}", status));
  return std::move(body.text);
}

}  // namespace kaapi::identity::oidc
