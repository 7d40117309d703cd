#pragma once
// Calls of Amazon ECS and waits for what they start, as amazon-ecs-deploy-task-definition makes them.

#include <chrono>
#include <string>
#include <string_view>

#include "actions/builtin/action_host.h"
#include "aws/client.h"
#include "base/json.h"

namespace kaapi::actions {

// The platform is asked for progress so often; AWS less, which throttles.
inline constexpr std::chrono::milliseconds platform_poll_interval{500};
inline constexpr std::chrono::milliseconds aws_poll_interval{5'000};

// Used on the step's thread only. `host` must outlive it.
class EcsCalls {
 public:
  // Error: `Invalid` (no credentials).
  static Result<EcsCalls> open(ActionHost& host);

  // Errors: of the service, as "could not DO: Code: message"; `doing` is "update the service api".
  Result<json::value> call(std::string_view operation, const json::object& request, std::string_view doing);

  // The service as it is now. Error: `Invalid` (there is none; it is not ACTIVE).
  Result<json::value> service(const std::string& cluster, const std::string& name);
  // Until this deployment is complete. Errors: `Invalid` with the reason and the newest events (it failed, was rolled
  // back or replaced), `TimedOut`, `Cancelled`. Progress goes to the log.
  Result<void> wait_for_deployment(const std::string& cluster, const std::string& service,
                                   const std::string& deployment_id, std::chrono::minutes at_most);
  // Until these tasks have stopped; the answers of the last DescribeTasks. Errors: `TimedOut`, `Cancelled`.
  Result<json::value> wait_for_tasks(const std::string& cluster, const json::array& tasks,
                                     std::chrono::minutes at_most);

 private:
  EcsCalls(ActionHost& host, const aws::ClientConfig& config);

  ActionHost& host_;
  std::unique_ptr<aws::Client> client_;
  std::chrono::milliseconds poll_interval_;
};

}  // namespace kaapi::actions
