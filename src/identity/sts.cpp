#include "identity/sts.h"

#include "aws/gen/sts.h"

namespace kaapi::identity {
namespace {

Result<aws::sts::GetCallerIdentityResponse> get_caller_identity(const aws::CallContext& context,
                                                                const aws::sts::GetCallerIdentityRequest&) {
  aws::sts::GetCallerIdentityResponse response;
  response.UserId = context.user_id;
  response.Account = context.account_id;
  response.Arn = context.principal_arn;
  return response;
}

}  // namespace

void add_sts_operations(aws::Dispatcher& dispatcher) {
  dispatcher.handle<aws::sts::GetCallerIdentity>(get_caller_identity);
}

}  // namespace kaapi::identity
