#include "actions/builtin/credentials_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace kaapi::actions {
namespace {

constexpr std::size_t max_tag_value_bytes = 256;

json::array tags(const std::map<std::string, std::string>& github) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> names = {{{"Repository", "GITHUB_REPOSITORY"},
                                                                                   {"Workflow", "GITHUB_WORKFLOW"},
                                                                                   {"Action", "GITHUB_ACTION"},
                                                                                   {"Actor", "GITHUB_ACTOR"},
                                                                                   {"Commit", "GITHUB_SHA"},
                                                                                   {"Branch", "GITHUB_REF"}}};
  json::array list = {json::object{{"Key", "GitHub"}, {"Value", "Actions"}}};
  for (const auto& [key, variable] : names) {
    const auto found = github.find(std::string(variable));
    if (found == github.end() || found->second.empty()) continue;
    list.push_back(json::object{{"Key", key}, {"Value", tag_value(found->second)}});
  }
  return list;
}

Error missing_permission(std::string_view role) {
  return make_error(errc::invalid,
                    fmt::format("the job may not ask for a token, so it cannot assume the role {} with OIDC: add\n"
                                "  permissions:\n    id-token: write\n    contents: read\n"
                                "to the job or the workflow, or give aws-access-key-id and aws-secret-access-key",
                                role));
}

}  // namespace

Result<void> check_region(std::string_view region) {
  if (region.empty()) {
    return make_error(errc::invalid, "the input 'aws-region' is required, or the variable AWS_REGION");
  }
  constexpr std::string_view region_characters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (region.find_first_not_of(region_characters) == std::string_view::npos) return ok();
  return make_error(errc::invalid,
                    fmt::format("the input 'aws-region' is a region's name like us-east-1, not '{}'", region));
}

Result<Means> choose_means(const CredentialInputs& inputs) {
  const bool has_keys = !inputs.access_key_id.empty();
  if (has_keys != !inputs.secret_access_key.empty()) {
    return make_error(errc::invalid,
                      "the inputs 'aws-access-key-id' and 'aws-secret-access-key' go together: one of them is empty");
  }
  if (inputs.role.empty()) return has_keys ? Means::own_keys : Means::with_existing;
  if (has_keys) return Means::with_keys;
  if (!inputs.token_file.empty()) return Means::with_file;
  if (inputs.role_chaining) return Means::with_job;
  if (inputs.force_skip_oidc) {
    return make_error(errc::invalid,
                      "'force-skip-oidc' with 'role-to-assume' needs 'aws-access-key-id', 'web-identity-token-file' "
                      "or 'role-chaining'");
  }
  if (!inputs.may_ask_token) return missing_permission(inputs.role);
  return Means::with_token;
}

Result<std::string> role_arn(std::string_view role, std::string_view account_id) {
  if (role.starts_with("arn:aws")) return std::string(role);
  if (account_id.empty()) {
    return make_error(errc::invalid,
                      fmt::format("the input 'role-to-assume' is a role's ARN when the job has no credentials yet "
                                  "(arn:aws:iam::ACCOUNT:role/{}), not a name alone",
                                  role));
  }
  return fmt::format("arn:aws:iam::{}:role/{}", account_id, role);
}

std::string tag_value(std::string_view text) {
  constexpr std::string_view allowed = " _:/=+.-@";
  std::string value;
  for (const char c : text.substr(0, max_tag_value_bytes)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      allowed.find(c) != std::string_view::npos;
    value += fits ? c : '_';
  }
  return value;
}

json::object assume_request(const CredentialInputs& inputs, Means means, std::string_view arn,
                            const std::map<std::string, std::string>& github) {
  json::object request = {
      {"RoleArn", arn}, {"RoleSessionName", inputs.session_name}, {"DurationSeconds", inputs.duration_s}};
  if (!inputs.session_policy.empty()) request["Policy"] = inputs.session_policy;
  if (!inputs.session_policy_arns.empty()) {
    json::array& arns = request["PolicyArns"].emplace_array();
    for (const std::string& policy : inputs.session_policy_arns) arns.push_back(json::object{{"arn", policy}});
  }
  if (means == Means::with_token || means == Means::with_file) return request;
  if (!inputs.external_id.empty()) request["ExternalId"] = inputs.external_id;
  if (inputs.skip_session_tagging) return request;
  request["Tags"] = tags(github);
  if (!inputs.transitive_tag_keys.empty()) {
    json::array& keys = request["TransitiveTagKeys"].emplace_array();
    for (const std::string& key : inputs.transitive_tag_keys) keys.emplace_back(key);
  }
  return request;
}

}  // namespace kaapi::actions
