#pragma once
// Where the containers of tasks with a role get its credentials and reach this platform: a second listener at the one
// address that AWS's SDKs accept, while tasks with a role run here. Wires ecs (who the tasks are), identity (what their
// credentials are) and the container engine (which address belongs to whom).

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "containers/engine.h"
#include "daemon/machine.h"
#include "ecs/edges.h"
#include "ecs/task_role.h"
#include "http/server.h"
#include "identity/sts/task_credentials.h"
#include "store/database.h"

namespace kaapi::daemon {

struct TaskCredentialsConfig {
  std::string instance;    // of the data directory: labels our containers
  std::string account_id;  // for the ARNs of tasks
  std::string address = std::string(ecs::credentials_address);
  std::uint16_t port = 80;
  std::size_t max_body_bytes = 0;  // of requests that go to the front door
  // Which interfaces of the machine have an address.
  std::function<std::vector<std::string>(const std::string& address)> interfaces = interfaces_with;
};

// Thread-safe. `engine` and `credentials` must outlive it, and so must what `front_door` stands on.
class TaskCredentialsDoor final : public ecs::TaskRoles {
 public:
  TaskCredentialsDoor(containers::Engine& engine, identity::TaskCredentials& credentials, http::Handler front_door,
                      TaskCredentialsConfig config);
  ~TaskCredentialsDoor() override;  // stops

  // After a start of the platform: goes on for the tasks of before, and revokes what belongs to tasks that have ended.
  // Whoever cannot listen is told of in the log, and it is tried again with the next task. Error: a database.
  Result<void> resume(store::Database& control);
  // No more requests; those in progress may end for so long.
  void stop(std::chrono::milliseconds grace);

  // ecs::TaskRoles. Errors of admit(): `AccessDenied` in ECS's words when the role cannot be assumed;
  // `ResourceInitializationError` when the address cannot be had.
  Result<void> admit(const ecs::Task& task) override;
  void release(const std::string& task_id) override;

  // One request to that address. GET /v2/credentials/ID is answered to the task's own containers only; everything else
  // goes to the front door.
  http::Response answer(const http::Request& request);
  std::uint16_t port() const;  // 0: nobody listens

 private:
  struct Known {
    identity::TaskRole role;
    ecs::NetworkMode network_mode;
    std::string credentials_id;
  };

  void remember(const ecs::Task& task);
  std::optional<Known> find(const std::string& credentials_id) const;
  bool belongs(const Known& task, const std::string& source);
  http::Response credentials_for(const std::string& credentials_id, const std::string& source);
  Result<void> one_interface() const;
  Result<void> open_door(bool make_network);

  containers::Engine& engine_;
  identity::TaskCredentials& credentials_;
  const http::Handler front_door_;
  const TaskCredentialsConfig config_;

  mutable std::mutex mutex_;
  std::map<std::string, Known> tasks_;  // by credentials id
  mutable std::mutex door_mutex_;       // one tries to listen at a time
  std::unique_ptr<http::Server> server_;
  bool stopped_ = false;
};

}  // namespace kaapi::daemon
