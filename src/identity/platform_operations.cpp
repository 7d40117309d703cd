#include "identity/platform_operations.h"

#include <mutex>

#include "aws/gen/platform.h"
#include "base/log.h"
#include "base/text.h"
#include "identity/account.h"

namespace kaapi::identity {
namespace {

namespace wire = aws::platform;

std::string_view name_of(policy::Effect effect) {
  switch (effect) {
    case policy::Effect::allowed:
      return "allowed";
    case policy::Effect::explicit_deny:
      return "explicitDeny";
    case policy::Effect::implicit_deny:
      return "implicitDeny";
  }
  return "implicitDeny";
}

Result<wire::ExplainDecisionResponse> explain_decision(const AccessControl& access, const aws::CallContext& context,
                                                       const wire::ExplainDecisionRequest& request) {
  aws::Access asked{request.action, request.resource, {}};
  for (const wire::ContextEntry& entry : request.context.value_or(std::vector<wire::ContextEntry>())) {
    asked.conditions[lower(entry.key)] = entry.values;
  }
  // Where the call would come from and what would send it is not known, so those keys are missing unless they are
  // given.
  aws::CallContext imagined;
  imagined.account_id = context.account_id;
  imagined.region = context.region;
  imagined.now = context.now;
  const Result<Explanation> explained = access.explain(imagined, request.principalArn, asked);
  if (!explained) {
    const bool unknown = explained.error().code == "NoSuchEntity";
    return make_error(unknown ? wire::error::ResourceNotFoundException : wire::error::ValidationException,
                      explained.error().message);
  }
  wire::ExplainDecisionResponse response;
  response.decision = name_of(explained->decision.effect);
  response.reason = explained->reason;
  if (!explained->decision.policy.empty()) response.policy = explained->decision.policy;
  if (!explained->decision.statement.empty()) response.statement = explained->decision.statement;
  response.steps = explained->steps;
  response.missingContextKeys = explained->decision.missing_context_keys;
  return response;
}

}  // namespace

void add_platform_operations(aws::Dispatcher& dispatcher, const AccessControl& access, Keys& keys,
                             std::string data_directory, IdSource& ids) {
  dispatcher.handle<wire::ExplainDecision>(
      [&access](const aws::CallContext& context, const wire::ExplainDecisionRequest& request) {
        return explain_decision(access, context, request);
      });
  // Two rotations at once would leave the file with one key and the memory with the other.
  const auto rotating = std::make_shared<std::mutex>();
  dispatcher.handle<wire::RotateRootKey>(
      [&keys, &ids, rotating, directory = std::move(data_directory)](
          const aws::CallContext& context, const wire::RotateRootKeyRequest&) -> Result<wire::RotateRootKeyResponse> {
        const std::lock_guard lock(*rotating);
        const Result<Account> rotated = rotate_root_key(directory, ids);
        if (!rotated) return rotated.error();
        keys.replace_root(*rotated);
        log::info("identity", "{} replaced the root key; it is {} now", context.principal_arn, rotated->access_key_id);
        wire::RotateRootKeyResponse response;
        response.accessKeyId = rotated->access_key_id;
        return response;
      });
}

}  // namespace kaapi::identity
