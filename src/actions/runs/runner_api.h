#pragma once
// The platform's side of protocol/runner_api.h: HTTP in, the conductor's calls out.

#include <atomic>
#include <chrono>
#include <string>

#include "actions/protocol/deployments.h"
#include "actions/protocol/job_facts.h"
#include "actions/protocol/storage.h"
#include "actions/runs/conductor.h"
#include "actions/runs/runner_audit.h"
#include "http/server.h"

namespace kaapi::actions::runs {

// Each held request has a thread of the server's stream threads; who waits idly leaves some for those that work. The
// polls of running jobs are as many as those jobs are and never refused: a runner that is not heard of loses its job.
inline constexpr int max_held_acquires = 32;
// People, and pushes that wait: each of those holds a thread of git's, too.
inline constexpr int max_followers = 24;
inline constexpr unsigned min_stream_threads = 256;  // of a server with runners: those, polls of 128 jobs, and the rest
inline constexpr std::size_t max_runner_body_bytes = 4UL * 1024 * 1024;  // of JSON
inline constexpr std::size_t max_step_name_bytes = 1'024;

// Thread-safe. Register with `server.route_stream("/runner/v1/", std::ref(api), true)`. Everything handed in must
// outlive it, and the conductor must be stopped before the server, so that what is held ends.
class RunnerApi {
 public:
  // `deployments` may be null: then no job has any; `audit` too: then nothing is recorded.
  RunnerApi(Conductor& conductor, JobStorage& storage, TokenIssuer& issuer, DeploymentWatch* deployments = nullptr,
            const RunnerAudit* audit = nullptr, std::chrono::milliseconds held = acquire_wait)
      : conductor_(conductor),
        storage_(storage),
        issuer_(issuer),
        deployments_(deployments),
        audit_(audit),
        held_for_(held) {}

  http::Response operator()(const http::RequestHead& head, http::BodyReader& body);

 private:
  struct Call;
  http::Response route(Call& call);
  http::Response acquire(Call& call);
  http::Response follow(Call& call);
  http::Response job(Call& call);
  http::Response unknown_job_token(const Call& call);
  http::Response wrong_token(const Call& call, const JobAccess* access, TokenKind shown);
  http::Response job_call(Call& call, const JobAccess& access);
  http::Response steps(Call& call, const JobAccess& access);
  http::Response log(Call& call, const JobAccess& access);
  http::Response commands(const JobAccess& access);
  http::Response deployments(Call& call, const JobAccess& access);
  http::Response complete(Call& call, const JobAccess& access);
  http::Response complete_again(Call& call, std::int64_t job_id);
  http::Response id_token(Call& call, const JobAccess& access);
  http::Response artifacts(Call& call, const JobAccess& access);
  Result<std::int64_t> run_of_artifacts(const Call& call, const JobAccess& access);
  http::Response artifact_list(std::int64_t run_id);
  http::Response artifact(std::int64_t run_id, std::string_view name);
  bool is_outdated(std::int64_t run_id, std::string_view name);
  http::Response put_artifact(Call& call, const JobAccess& access);
  http::Response caches(Call& call, const JobAccess& access);

  Conductor& conductor_;
  JobStorage& storage_;
  TokenIssuer& issuer_;
  DeploymentWatch* deployments_;
  const RunnerAudit* audit_;
  std::chrono::milliseconds held_for_;
  std::atomic<int> acquires_{0}, followers_{0};
};

}  // namespace kaapi::actions::runs
