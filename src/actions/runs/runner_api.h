#pragma once
// The platform's side of protocol/runner_api.h: HTTP in, the conductor's calls out.

#include <atomic>
#include <chrono>
#include <string>

#include "actions/protocol/deployments.h"
#include "actions/protocol/job_facts.h"
#include "actions/protocol/storage.h"
#include "actions/runs/conductor.h"
#include "http/server.h"

namespace kaapi::actions::runs {

// Each held request (acquire, commands, follow) has a thread of the server's stream threads; uploads need some, too.
inline constexpr int max_held_requests = 44;
inline constexpr std::size_t max_runner_body_bytes = 4 * 1024 * 1024;  // of JSON

// Thread-safe. Register with `server.route_stream("/runner/v1/", std::ref(api), true)`. Everything handed in must
// outlive it, and the conductor must be stopped before the server, so that what is held ends.
class RunnerApi {
 public:
  // `deployments` may be null: then no job has any.
  RunnerApi(Conductor& conductor, JobStorage& storage, TokenIssuer& issuer, DeploymentWatch* deployments = nullptr,
            std::chrono::milliseconds held = acquire_wait)
      : conductor_(conductor), storage_(storage), issuer_(issuer), deployments_(deployments), held_for_(held) {}

  http::Response operator()(const http::RequestHead& head, http::BodyReader& body);

 private:
  struct Call;
  http::Response route(Call& call);
  http::Response acquire(Call& call);
  http::Response follow(Call& call);
  http::Response job(Call& call);
  http::Response job_call(Call& call, const JobAccess& access);
  http::Response steps(Call& call, const JobAccess& access);
  http::Response log(Call& call, const JobAccess& access);
  http::Response commands(const JobAccess& access);
  http::Response deployments(Call& call, const JobAccess& access);
  http::Response complete(Call& call, const JobAccess& access);
  http::Response complete_again(Call& call, std::int64_t job_id);
  http::Response id_token(Call& call, const JobAccess& access);
  http::Response artifacts(Call& call, const JobAccess& access);
  http::Response caches(Call& call, const JobAccess& access);

  Conductor& conductor_;
  JobStorage& storage_;
  TokenIssuer& issuer_;
  DeploymentWatch* deployments_;
  std::chrono::milliseconds held_for_;
  std::atomic<int> held_{0};
};

}  // namespace kaapi::actions::runs
