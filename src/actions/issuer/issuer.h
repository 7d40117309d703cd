#pragma once
// The OIDC issuer of jobs: signs their tokens with RS256 in GitHub's name and publishes its keys.

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "actions/issuer/signing_key.h"
#include "actions/protocol/job_facts.h"
#include "base/clock.h"
#include "base/ids.h"
#include "http/message.h"
#include "store/sealer.h"

namespace kaapi::actions {

inline constexpr std::size_t max_audience_bytes = 255;
// A replaced key is published for so long after the last token that it signed has expired: verifiers allow for clocks
// that are off.
inline constexpr std::chrono::seconds verifier_leeway{60};

struct IssuerConfig {
  // In the data directory. Holds the keys, sealed; made with the first token.
  std::string key_file;
  // Where the platform answers, for the discovery document: "http://127.0.0.1:4566", no final slash.
  std::string published_url;
  bool issues = true;  // false: the platform trusts GitHub itself under that name, and jobs here get no tokens
  // A key signs for so long: 1 hour to a year.
  std::chrono::hours rotate_after{30 * 24};
};

// Thread-safe. Construction does nothing but remember: the first token makes or reads the keys. What the references
// name must outlive it.
class Issuer final : public TokenIssuer {
 public:
  Issuer(IssuerConfig config, const store::Sealer& sealer, const Clock& clock, IdSource& ids)
      : config_(std::move(config)), sealer_(sealer), clock_(clock), ids_(ids) {}

  // Errors: `Invalid` (an audience too long), `Damaged` (the key file; says what to do), `Unavailable` (it cannot be
  // read or written). A new key is on disk before it signs.
  Result<IssuedToken> issue(const JobFacts& job, const std::string& audience) override;

  // The JSON Web Key Set (RFC 7517) of all keys that may have signed a token that still holds. No key before the first
  // token. For identity::oidc::IssuerKeys::add_local(github_issuer, …).
  std::string jwks();

  // GET /.well-known/openid-configuration and GET /.well-known/jwks; 404 where no tokens are issued, because then
  // nothing here may speak in GitHub's name.
  http::Response serve_discovery(const http::Request& request) const;
  http::Response serve_jwks(const http::Request& request);

 private:
  struct Kept {
    SigningKey key;
    Time made_at;
    Time replaced_at{};  // epoch: it signs now
  };

  // With the lock held.
  Result<void> load();
  Result<void> save() const;
  Result<void> rotate();
  bool is_published(const Kept& kept) const;

  const IssuerConfig config_;
  const store::Sealer& sealer_;
  const Clock& clock_;
  IdSource& ids_;

  std::mutex mutex_;
  bool loaded_ = false;
  std::vector<Kept> keys_;  // the last one signs
};

}  // namespace kaapi::actions
