#include "actions/runs/runner_audit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace kaapi::actions::runs {
namespace {

constexpr std::size_t max_user_agent_bytes = 512;
constexpr std::string_view every_job_has = "GITHUB_TOKEN";

std::vector<std::string> secrets_in(const JobMessage& job) {
  std::vector<std::string> names;
  const json::value* secrets = job.contexts.if_contains("secrets");
  if (secrets == nullptr || !secrets->is_object()) return names;
  for (const auto& [name, value] : secrets->get_object()) {
    if (name != every_job_has) names.emplace_back(name);
  }
  return names;
}

std::string told(const RunnerToken& token, std::string_view runner, const JobMessage& job) {
  std::string text = token.own ? "the runner of the platform itself"
                               : fmt::format("the token {} of the runner {}", token.name, runner);
  text += fmt::format(": job {} ({})", job.job_id, job.name);
  if (!job.environment.empty()) text += fmt::format(" with the environment {}", job.environment);
  const std::vector<std::string> secrets = secrets_in(job);
  if (!secrets.empty()) text += fmt::format(", secrets {}", fmt::join(secrets, " "));
  return text;
}

}  // namespace

aws::CallContext RunnerAudit::somebody(const http::RequestHead& head) const {
  aws::CallContext context;
  context.account_id = account_id_;
  context.region = region_;
  context.now = clock_.now();
  context.source_ip = head.remote_address.substr(0, head.remote_address.rfind(':'));
  context.user_agent = head.headers.find("User-Agent").value_or("").substr(0, max_user_agent_bytes);
  context.request_id = ids_.uuid();
  return context;
}

std::string RunnerAudit::arn(std::string_view resource) const {
  return fmt::format("arn:aws:kaapi:{}:{}:{}", region_, account_id_, resource);
}

// As git's records and protection rules name a job.
std::string RunnerAudit::run_arn(std::string_view repository, std::int64_t run_id) const {
  return arn(fmt::format("repository/{}/run/{}", repository, run_id));
}

aws::Access RunnerAudit::access(std::string_view operation, std::string resource) const {
  return {fmt::format("kaapi:{}", operation), std::move(resource), {}};
}

void RunnerAudit::acquired(const http::RequestHead& head, const RunnerToken& token, std::string_view runner,
                           const JobMessage& job) const {
  aws::CallContext context = somebody(head);
  context.principal_arn = arn(token.own ? "own-runner" : fmt::format("runner-token/{}", token.name));
  aws::CallRecord record;
  record.service = "kaapi";
  record.operation = acquire_operation;
  record.context = &context;
  record.accesses.push_back(access(acquire_operation, run_arn(job.repository, job.run_id)));
  if (!job.environment.empty()) {
    const std::string environment = fmt::format("repository/{}/environment/{}", job.repository, job.environment);
    record.accesses.push_back(access(acquire_operation, arn(environment)));
  }
  record.reason = told(token, runner, job);
  sink_.record(record);
}

void RunnerAudit::issued(const http::RequestHead& head, const JobAccess& job, const Result<IssuedToken>& token) const {
  aws::CallContext context = somebody(head);
  context.principal_arn = run_arn(job.repository, job.run_id);
  aws::CallRecord record;
  record.service = "kaapi";
  record.operation = id_token_operation;
  record.context = &context;
  record.accesses.push_back(access(id_token_operation, context.principal_arn));
  if (token) {
    record.reason =
        fmt::format("job {} with id-token: write; audience {}, sub {}", job.job_id, token->audience, token->subject);
  } else {
    record.error = token.error();
  }
  sink_.record(record);
}

void RunnerAudit::refused(const http::RequestHead& head, std::string_view operation, std::string_view why) const {
  const aws::CallContext context = somebody(head);
  aws::CallRecord record;
  record.service = "kaapi";
  record.operation = operation;
  record.context = &context;
  record.error = make_error("UnrecognizedClientException", std::string(why), 401);
  sink_.record(record);
}

}  // namespace kaapi::actions::runs
