#pragma once
// Decides whether a call may be made: puts what a request asks before the policies of who asks. The deciding itself is
// pure (policy/evaluate.h); here the caller, the condition keys and the resource's own policy are gathered for it.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aws/authorization.h"
#include "aws/dispatch.h"
#include "base/error.h"
#include "identity/iam/directory.h"
#include "identity/policy/evaluate.h"
#include "identity/policy/parsed_policies.h"
#include "identity/sts/sessions.h"
#include "identity/sts/subject.h"
#include "store/sealer.h"

namespace kaapi::identity {

// What became of one question, for people.
struct Explanation {
  policy::Decision decision;
  std::string reason;              // "the policy X allows it (statement 2)", or AWS's words of a refusal
  std::vector<std::string> steps;  // in order
};

// Thread-safe after the last facts_of(). `directory`, `sessions`, `subjects` and `sealer` must outlive it.
class AccessControl final : public aws::Authorizer {
 public:
  AccessControl(const Directory& directory, const Sessions& sessions, Subjects& subjects, const store::Sealer& sealer)
      : directory_(directory), sessions_(sessions), subjects_(subjects), sealer_(sealer) {}

  // Who knows the tags and policies of the resources of `service` ("ecr"). `facts` must outlive this.
  void facts_of(std::string_view service, const aws::ResourceFacts& facts) { facts_[std::string(service)] = &facts; }

  std::string arn_of(const aws::CallContext& context, std::string_view type, std::string_view name) const override;
  Result<std::string> authorize(const aws::CallContext& context,
                                const std::vector<aws::Access>& accesses) const override;
  Result<std::string> authorize_encoded(const aws::CallContext& context, const std::vector<aws::Access>& accesses,
                                        std::string& encoded) const override;

  // The same for a principal that is not calling: the ARN of a user, a role, a session of a role, or the root user.
  // Errors: NoSuchEntity, `Invalid` (no ARN of a principal).
  Result<Explanation> explain(const aws::CallContext& context, std::string_view principal_arn,
                              const aws::Access& access) const;

 private:
  const aws::ResourceFacts* facts(std::string_view arn) const;
  // `encoded` nullptr: nobody wants it.
  Result<std::string> judge(const aws::CallContext& context, const std::vector<aws::Access>& accesses,
                            std::string* encoded) const;
  // The resource's own policy; nullopt when it has none.
  std::optional<policy::NamedPolicy> resource_policy(std::string_view arn) const;

  const Directory& directory_;
  const Sessions& sessions_;
  Subjects& subjects_;
  const store::Sealer& sealer_;
  mutable policy::ParsedPolicies resource_policies_{policy::Kind::resource};
  std::map<std::string, const aws::ResourceFacts*, std::less<>> facts_;
};

}  // namespace kaapi::identity
