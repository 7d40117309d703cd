#include "actions/issuer/claims.h"

#include <fmt/format.h>

namespace kaapi::actions {
namespace {

std::string_view owner_of(std::string_view repository) {
  return repository.substr(0, repository.find('/'));
}

std::string workflow_ref(const JobFacts& job, std::string_view path) {
  return fmt::format("{}/{}@{}", job.repository, path, job.ref);
}

// Without colons, which separate the parts of a subject.
std::string environment_part(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == ':') {
      text += "%3A";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::string subject_of(const JobFacts& job) {
  if (!job.environment.empty()) {
    return fmt::format("repo:{}:environment:{}", job.repository, environment_part(job.environment));
  }
  if (job.event_name == "pull_request") return fmt::format("repo:{}:pull_request", job.repository);
  return fmt::format("repo:{}:ref:{}", job.repository, job.ref);
}

json::object claims_of(const JobFacts& job, std::string_view audience, std::string_view token_id, Time now) {
  const std::int64_t now_s = to_millis(now) / 1000;
  const std::string_view owner = owner_of(job.repository);
  json::object claims = {
      {"jti", token_id},
      {"sub", subject_of(job)},
      {"aud", audience.empty() ? fmt::format("https://github.com/{}", owner) : std::string(audience)},
      {"ref", job.ref},
      {"sha", job.sha},
      {"repository", job.repository},
      {"repository_owner", owner},
      {"repository_owner_id", job.repository_owner_id},
      {"run_id", fmt::format("{}", job.run_id)},
      {"run_number", fmt::format("{}", job.run_number)},
      {"run_attempt", fmt::format("{}", job.run_attempt)},
      {"check_run_id", fmt::format("{}", job.job_id)},
      {"repository_visibility", "private"},
      {"repository_id", job.repository_id},
      {"actor_id", job.actor_id},
      {"actor", job.actor},
      {"workflow", job.workflow},
      {"head_ref", ""},
      {"base_ref", ""},
      {"event_name", job.event_name},
      {"ref_protected", job.ref_protected ? "true" : "false"},
      {"ref_type", job.ref.starts_with("refs/tags/") ? "tag" : "branch"},
      {"workflow_ref", workflow_ref(job, job.workflow_path)},
      {"workflow_sha", job.sha},
      {"job_workflow_ref",
       workflow_ref(job, job.job_workflow_path.empty() ? job.workflow_path : job.job_workflow_path)},
      {"job_workflow_sha", job.sha},
      {"runner_environment", job.runner_environment},
      {"iss", github_issuer},
      {"nbf", now_s - token_backdated.count()},
      {"exp", now_s + token_lifetime.count()},
      {"iat", now_s}};
  // Only there when the job has one: a policy may ask whether it is null.
  if (!job.environment.empty()) claims["environment"] = job.environment;
  return claims;
}

json::array claim_names() {
  JobFacts any;
  any.environment = "any";
  json::array names;
  const json::object claims = claims_of(any, "", "", Time{});
  for (const auto& [name, value] : claims) names.emplace_back(name);
  return names;
}

}  // namespace kaapi::actions
