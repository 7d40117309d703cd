#pragma once
// The keys of issuers: fetched from where an issuer publishes them (OpenID Connect Discovery 1.0), kept for a while,
// and fetched again when a token names an unknown one, but not as often as somebody sends such tokens.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "identity/oidc/jwks.h"
#include "identity/oidc/jwt.h"

namespace kaapi::identity::oidc {

// A key is honoured so long after it was last seen published.
inline constexpr Duration max_keys_age{600'000};
// An issuer is asked again because of an unknown key at most this often.
inline constexpr Duration unknown_key_interval{60'000};
// After a failure nobody asks again for so long.
inline constexpr Duration failure_kept{10'000};
// Issuers whose keys are kept; more than there can be OIDC providers in an account.
inline constexpr std::size_t max_issuers = 128;
// Requests that wait for issuers at the same time. Tokens come from anybody, and must not hold every thread.
inline constexpr std::size_t max_waiting_for_issuers = 4;

// Gets a document over HTTPS. Thread-safe; blocks for a few seconds at most and answers a bounded text. Implemented by
// https_fetcher.h.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  // Error: `Unavailable`, one sentence for a person.
  virtual Result<std::string> get(const std::string& url) = 0;
};

// Thread-safe. `fetcher` and `clock` must outlive it.
class IssuerKeys {
 public:
  IssuerKeys(Fetcher& fetcher, const Clock& clock) : fetcher_(fetcher), clock_(clock) {}

  // An issuer in this process: `jwks` answers its key set and is asked for every token. No network, whatever the URL.
  // Before the first verify(), or at any time.
  void add_local(std::string issuer_url, std::function<std::string()> jwks);

  // Success when a key that the token's issuer publishes now has signed it. Errors: IDPCommunicationError (its keys
  // cannot be had), InvalidIdentityToken.
  Result<void> verify(const Jwt& token);

 private:
  struct Entry {
    std::shared_ptr<const KeySet> keys;  // nullptr: none that may still be honoured
    Time seen_at{};                      // when `keys` were seen published
    std::string failure;                 // of the last attempt; empty: it succeeded, or there was none
    Time asked_at{};                     // the last attempt's end
    bool fetching = false;
  };
  using Keys = Result<std::shared_ptr<const KeySet>>;

  std::optional<Keys> local_keys(const std::string& issuer) const;
  Keys remote_keys(const Jwt& token);
  Keys fetch_shared(const std::string& issuer);
  Result<KeySet> fetch(const std::string& issuer);
  // With the lock held.
  Entry& entry(const std::string& issuer);
  std::optional<Keys> known(const Jwt& token) const;

  Fetcher& fetcher_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable fetched_;
  std::map<std::string, std::function<std::string()>, std::less<>> local_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::size_t waiting_ = 0;
};

}  // namespace kaapi::identity::oidc
