#pragma once
// How aws-actions/configure-aws-credentials gets its credentials, decided without touching anything. Rules: the
// action's README and index.ts, versions 1 to 5.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions {

struct CredentialInputs {
  std::string region;
  std::string role;  // ARN or name; empty: none
  std::string access_key_id, secret_access_key, session_token;
  std::string token_file;  // web-identity-token-file
  std::string audience = "sts.amazonaws.com";
  std::string external_id;
  std::string session_name = "GitHubActions";
  std::string session_policy;
  std::vector<std::string> session_policy_arns;
  std::vector<std::string> transitive_tag_keys;
  std::int64_t duration_s = 3600;
  bool role_chaining = false, skip_session_tagging = false, force_skip_oidc = false;
  bool may_ask_token = false;  // the job has permissions: id-token: write
};

enum class Means {
  own_keys,       // the keys of the inputs, as they are
  with_keys,      // AssumeRole, signed with the keys of the inputs
  with_job,       // AssumeRole, signed with what an earlier step configured
  with_token,     // AssumeRoleWithWebIdentity, a token of the job
  with_file,      // AssumeRoleWithWebIdentity, a token from a file
  with_existing,  // nothing is asked for: what an earlier step or the machine configured
};

// Error: `Invalid` (there is none; no region's name).
Result<void> check_region(std::string_view region);
// Errors: `Invalid`, naming the input or the permission that is missing.
Result<Means> choose_means(const CredentialInputs& inputs);

// A role's ARN, from its name in the account of the present credentials where it is one. Error: `Invalid`.
Result<std::string> role_arn(std::string_view role, std::string_view account_id);

// The request, without the token of AssumeRoleWithWebIdentity. Tags say which job it is, as the original's: only
// AssumeRole takes them. `github` holds the GITHUB_ variables of the job.
json::object assume_request(const CredentialInputs& inputs, Means means, std::string_view arn,
                            const std::map<std::string, std::string>& github);

// As a session tag may hold it: other characters become '_', at most 256 of them.
std::string tag_value(std::string_view text);

}  // namespace kaapi::actions
