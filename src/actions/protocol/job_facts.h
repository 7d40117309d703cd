#pragma once
// Who a job is: what its OIDC token says of it. Names are those of GitHub's claims.

#include <cstdint>
#include <string>

#include "base/error.h"

namespace kaapi::actions {

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
};

// Signs tokens for jobs. Implemented by issuer/. Thread-safe.
class TokenIssuer {
 public:
  virtual ~TokenIssuer() = default;
  // `audience` empty: the issuer's default (the repository's owner URL, as GitHub's).
  virtual Result<std::string> issue(const JobFacts& job, const std::string& audience) = 0;
};

}  // namespace kaapi::actions
