#include "actions/builtin/aws_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "actions/builtin/inputs.h"

namespace kaapi::actions {
namespace {

std::string first_set(const ActionHost& host, std::initializer_list<std::string> names) {
  for (const std::string& name : names) {
    if (std::optional<std::string> value = host.env(name); value && !value->empty()) return *value;
  }
  return {};
}

}  // namespace

aws::ClientConfig endpoint_config(const ActionHost& host, std::string_view service, std::string_view region) {
  std::string of_service = fmt::format("AWS_ENDPOINT_URL_{}", service);
  std::transform(of_service.begin(), of_service.end(), of_service.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  aws::ClientConfig config;
  config.endpoint_url = first_set(host, {of_service, "AWS_ENDPOINT_URL"});
  const std::string of_job = first_set(host, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (!region.empty()) {
    config.region = std::string(region);
  } else if (!of_job.empty()) {
    config.region = of_job;
  }
  return config;
}

Result<aws::ClientConfig> session_config(const ActionHost& host, std::string_view service, std::string_view region) {
  aws::ClientConfig config = endpoint_config(host, service, region);
  config.credentials.access_key_id = host.env("AWS_ACCESS_KEY_ID").value_or("");
  config.credentials.secret_access_key = host.env("AWS_SECRET_ACCESS_KEY").value_or("");
  config.credentials.session_token = host.env("AWS_SESSION_TOKEN").value_or("");
  if (config.credentials.access_key_id.empty() || config.credentials.secret_access_key.empty()) {
    return make_error(errc::invalid,
                      "the job has no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set. Use "
                      "aws-actions/configure-aws-credentials in a step before this one");
  }
  return config;
}

bool is_worth_retrying(const Error& error) {
  constexpr std::array<std::string_view, 6> codes = {errc::unavailable,     errc::timed_out,         "Throttling",
                                                     "ThrottlingException", "IDPCommunicationError", "ServerException"};
  return error.status >= 500 || std::find(codes.begin(), codes.end(), error.code) != codes.end();
}

Result<json::value> call_with_retries(const ActionHost& host, const RetryRule& rule,
                                      const std::function<Result<json::value>()>& call) {
  std::chrono::milliseconds wait = rule.first_pause;
  for (int attempt = 1;; ++attempt) {
    Result<json::value> answer = call();
    if (answer || attempt >= rule.attempts || !is_worth_retrying(answer.error())) return answer;
    if (const Result<void> waited = pause(host, wait); !waited) return waited.error();
    wait = std::min(wait * 2, rule.longest_pause);
  }
}

std::string described(const Error& error) {
  return fmt::format("{}: {}", error.code, error.message);
}

}  // namespace kaapi::actions
