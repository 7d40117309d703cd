#pragma once
// Calling AWS's APIs as a step of the job would: endpoint, region and credentials come from its variables.

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "actions/builtin/action_host.h"
#include "aws/client.h"

namespace kaapi::actions {

// The endpoint of a service ("sts") by AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL; none: AWS itself. Region from
// `region`, else AWS_REGION or AWS_DEFAULT_REGION. No credentials yet.
aws::ClientConfig endpoint_config(const ActionHost& host, std::string_view service, std::string_view region = "");
// The same with the credentials of the job. Error: `Invalid`, which says how a job gets them.
Result<aws::ClientConfig> session_config(const ActionHost& host, std::string_view service,
                                         std::string_view region = "");

struct RetryRule {
  int attempts = 12;  // at least 1
  std::chrono::milliseconds first_pause{50}, longest_pause{5'000};
};
// True for what may be well again in a moment: not reached, timed out, throttled, 5xx.
bool is_worth_retrying(const Error& error);
// Calls again while it is. Pauses double. Errors: of `call`, `Cancelled`.
Result<json::value> call_with_retries(const ActionHost& host, const RetryRule& rule,
                                      const std::function<Result<json::value>()>& call);

// "AccessDenied: User … is not authorized …": code and message as AWS's own tools show them.
std::string described(const Error& error);

}  // namespace kaapi::actions
