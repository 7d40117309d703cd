#pragma once
// Who asks at /git/, and whether they may. Passwords lead to access keys or to jobs; what a key may do is for the
// policies to say, as for every other call.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "actions/git/access_tokens.h"
#include "aws/authorization.h"
#include "aws/dispatch.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/ids.h"
#include "http/message.h"

namespace kaapi::actions::git {

// Somebody whom the policies do not know: a job of the pipeline, with a token of its own.
struct GitCaller {
  std::string actor;                         // for people: "build of kaapi/shop"
  std::string arn;                           // what protection rules look at
  std::string repository;                    // "OWNER/NAME": the only one it may see
  bool may_read = false, may_write = false;  // permissions: contents
};
// The job of a user name ("x-access-token") and password; nullopt when it is none. Thread-safe.
using JobCheck = std::function<std::optional<GitCaller>(std::string_view user, std::string_view password)>;

struct Caller {
  std::string actor;  // "ann", "deploy/session", "root"
  aws::CallContext context;
  std::optional<GitCaller> job;
  bool asked = true;  // false: the root, or auth is off
};

struct GateConfig {
  std::string account_id;
  std::string region;  // of the repositories' ARNs
  bool auth = true;    // off: everybody is the account's root
};

inline constexpr std::string_view pull_action = "kaapi:GitPull";
inline constexpr std::string_view push_action = "kaapi:GitPush";
inline constexpr std::string_view create_action = "kaapi:CreateRepository";

// "arn:aws:kaapi:REGION:ACCOUNT:repository/OWNER/NAME"
std::string repository_arn(const GateConfig& config, std::string_view repository);

// Thread-safe. Everything must outlive it; `keys` and `authorizer` are looked at with auth on only, `audit` may be
// null.
class Gate {
 public:
  Gate(GateConfig config, AccessTokens& tokens, const aws::KeyStore* keys, const aws::Authorizer* authorizer,
       const Clock& clock, IdSource& ids, JobCheck jobs = {}, aws::AuditSink* audit = nullptr)
      : config_(std::move(config)),
        tokens_(tokens),
        keys_(keys),
        authorizer_(authorizer),
        clock_(clock),
        ids_(ids),
        jobs_(std::move(jobs)),
        audit_(audit) {}

  // Basic: an access key's id and secret (of a session: secret, '/', session token), any user name with a platform
  // access token, or "x-access-token" with a job's. Error (401): why not, and what is expected.
  Result<Caller> authenticate(const http::RequestHead& head) const;

  // The reason why it is allowed. `ref`: condition key kaapi:Ref; empty: not known yet. Error: aws::access_denied, in
  // the policies' words.
  Result<std::string> authorize(const Caller& caller, std::string_view action, std::string_view repository,
                                std::string_view ref = {}) const;

  // The same for an operation's caller.
  Result<std::string> authorize(const aws::CallContext& context, std::string_view action,
                                std::string_view repository) const;

  void record(const Caller& caller, std::string_view action, std::string_view repository,
              const Result<std::string>& decided) const;
  const GateConfig& config() const { return config_; }

 private:
  Caller somebody(const http::RequestHead& head) const;
  Result<void> identify(std::string_view user, std::string_view password, Caller& caller) const;
  Result<void> identify_key(std::string_view access_key_id, Caller& caller, std::string_view password) const;
  Result<void> identify_token(const AccessToken& token, Caller& caller) const;
  void take(const aws::AccessKey& key, std::string_view access_key_id, Caller& caller) const;

  GateConfig config_;
  AccessTokens& tokens_;
  const aws::KeyStore* keys_;
  const aws::Authorizer* authorizer_;
  const Clock& clock_;
  IdSource& ids_;
  JobCheck jobs_;
  aws::AuditSink* audit_;
};

}  // namespace kaapi::actions::git
