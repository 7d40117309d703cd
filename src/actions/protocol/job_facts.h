#pragma once
// Who a job is: what its OIDC token says of it. Names are those of GitHub's claims.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::actions {

// Where a job runs, in GitHub's words: on the runner that the issuer's own platform brings along, or on one that
// somebody has given a token. Trust policies and workflows ask for them, so the words stay GitHub's.
inline constexpr std::string_view platform_hosted = "github-hosted", self_hosted = "self-hosted";

struct JobFacts {
  std::string repository;  // "OWNER/NAME"
  std::string repository_id;
  std::string repository_owner_id;
  std::string ref;  // "refs/heads/main"
  bool ref_protected = false;
  std::string sha;
  std::string event_name;         // "push"
  std::string workflow;           // its name
  std::string workflow_path;      // ".github/workflows/cd.yml"
  std::string job_workflow_path;  // of a called workflow; otherwise the same
  std::string environment;        // empty: none
  std::string actor;
  std::string actor_id;
  std::int64_t run_id = 0;
  std::int64_t run_number = 0;
  std::int64_t run_attempt = 1;
  std::int64_t job_id = 0;  // "check_run_id"
  std::string runner_environment = std::string(self_hosted);
};

struct IssuedToken {
  std::string text;               // a secret
  std::string subject, audience;  // of its claims, for the record of its making
};

// Signs tokens for jobs. Implemented by issuer/. Thread-safe.
class TokenIssuer {
 public:
  virtual ~TokenIssuer() = default;
  // `audience` empty: the issuer's default (the repository's owner URL, as GitHub's).
  virtual Result<IssuedToken> issue(const JobFacts& job, const std::string& audience) = 0;
};

}  // namespace kaapi::actions
