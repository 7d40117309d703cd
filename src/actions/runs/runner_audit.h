#pragma once
// What the audit log is told of what runners and jobs get by their tokens: a job with its secrets, and an OIDC token.
// What they report (log, steps, artifacts, the end) is kept with the run.

#include <string>
#include <string_view>

#include "actions/protocol/job_facts.h"
#include "actions/protocol/job_message.h"
#include "actions/runs/conductor.h"
#include "aws/dispatch.h"
#include "base/clock.h"
#include "base/ids.h"
#include "http/message.h"

namespace kaapi::actions::runs {

inline constexpr std::string_view acquire_operation = "AcquireJob", id_token_operation = "GetIdToken";

// Thread-safe. What the references name must outlive it.
class RunnerAudit {
 public:
  RunnerAudit(std::string account_id, std::string region, aws::AuditSink& sink, const Clock& clock, IdSource& ids)
      : account_id_(std::move(account_id)), region_(std::move(region)), sink_(sink), clock_(clock), ids_(ids) {}

  // The job went to who has that token and calls itself `runner`. Names of secrets are recorded, values are not.
  void acquired(const http::RequestHead& head, const RunnerToken& token, std::string_view runner,
                const JobMessage& job) const;
  // The job's id token was signed; otherwise why not.
  void issued(const http::RequestHead& head, const JobAccess& job, const Result<IssuedToken>& token) const;
  // By a token that is nobody's.
  void refused(const http::RequestHead& head, std::string_view operation, std::string_view why) const;

 private:
  aws::CallContext somebody(const http::RequestHead& head) const;
  std::string arn(std::string_view resource) const;  // "runner-token/build"
  std::string run_arn(std::string_view repository, std::int64_t run_id) const;
  aws::Access access(std::string_view operation, std::string resource) const;

  const std::string account_id_, region_;
  aws::AuditSink& sink_;
  const Clock& clock_;
  IdSource& ids_;
};

}  // namespace kaapi::actions::runs
