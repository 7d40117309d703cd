#pragma once
// Inside this folder: who asks at /v2/, and whether they may. The password leads to the access key that asked for it;
// what that key may do is for the policies to say, as for every other call.

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "aws/dispatch.h"
#include "aws/sigv4.h"
#include "http/message.h"
#include "registry/registry.h"
#include "registry/token.h"

namespace kaapi::registry {

struct Caller {
  aws::CallContext context;
  bool pull_only = false;  // the platform itself
  bool asked = true;       // false: the policies are not asked, because it is the root or the platform, or auth is off
};

// Thread-safe. Everything must outlive it. Without `keys` the key behind a token is not looked at, without `authorizer`
// nobody is asked, without `audit` nobody is told.
class Gate {
 public:
  Gate(Registry& registry, const TokenIssuer& tokens, const aws::KeyStore* keys, const aws::Authorizer* authorizer,
       aws::AuditSink* audit)
      : registry_(registry), tokens_(tokens), keys_(keys), authorizer_(authorizer), audit_(audit) {}

  // Error: UNAUTHORIZED (401), saying how to log in. Credentials that were refused are recorded.
  Result<Caller> authenticate(const http::RequestHead& head) const;

  // One question for each action, all (or with `any_of` one) of which must be allowed; answered with the reason.
  // Error: DENIED (403), in the words of the policies.
  Result<std::string> authorize(const Caller& caller, std::span<const std::string_view> actions,
                                std::string_view repository, bool any_of = false) const;

  bool records() const { return audit_ != nullptr; }
  void record(const aws::CallRecord& record) const {
    if (audit_ != nullptr) audit_->record(record);
  }
  // "arn:aws:ecr:…:repository/NAME" in the caller's region.
  std::string arn_of(const Caller& caller, std::string_view repository) const;

 private:
  Result<Token> token_of(const http::RequestHead& head) const;
  // Fills in who it is now, or says why the token is worth nothing any more.
  Result<void> identify(const Token& token, Caller& caller) const;
  Caller anonymous(const http::RequestHead& head) const;

  Registry& registry_;
  const TokenIssuer& tokens_;
  const aws::KeyStore* keys_;
  const aws::Authorizer* authorizer_;
  aws::AuditSink* audit_;
};

}  // namespace kaapi::registry
