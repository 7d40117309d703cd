#pragma once
// The condition keys of one request, each looked up when a policy asks for it.
// Source: "AWS global condition context keys" in the IAM user guide.

#include <string_view>

#include "aws/authorization.h"
#include "aws/dispatch.h"
#include "identity/iam/model.h"
#include "identity/policy/context.h"
#include "identity/policy/evaluate.h"
#include "identity/sts/sessions.h"

namespace kaapi::identity {

// Views: everything handed in must outlive it. `session` and `facts` may be null.
class RequestContext final : public policy::Context {
 public:
  RequestContext(const aws::CallContext& call, const aws::Access& access, const policy::Principal& principal,
                 const Tags& principal_tags, const Session* session, const aws::ResourceFacts* facts)
      : call_(call), access_(access), principal_(principal), tags_(principal_tags), session_(session), facts_(facts) {}

  std::optional<std::vector<std::string>> find(std::string_view lower_case_key) const override;

 private:
  using Values = std::optional<std::vector<std::string>>;
  Values principal_key(std::string_view key) const;
  Values request_key(std::string_view key) const;
  Values session_key(std::string_view key) const;
  Values principal_tag(std::string_view lower_tag) const;
  Values resource_tag(std::string_view lower_tag) const;

  const aws::CallContext& call_;
  const aws::Access& access_;
  const policy::Principal& principal_;
  const Tags& tags_;
  const Session* session_;
  const aws::ResourceFacts* facts_;
};

}  // namespace kaapi::identity
