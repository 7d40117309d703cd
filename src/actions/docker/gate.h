#pragma once
// The Docker socket of one job. Whoever may use the engine's own socket is root on the machine; behind this one a job
// builds, pushes and pulls images, and has containers, networks and volumes that are its own and reach no further than
// itself. What a call may be is in request.h and container_rules.h.

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>

#include "actions/docker/container_rules.h"
#include "base/error.h"

namespace kaapi::actions::docker {

// Of one job at a time; one more is answered 503.
inline constexpr std::size_t max_connections = 64;
inline constexpr std::size_t max_head_bytes = 64UL * 1024;
// Bodies that are looked into.
inline constexpr std::size_t max_checked_body_bytes = 4UL * 1024 * 1024;
inline constexpr std::size_t max_named_images = 1'024;
// From the connection to the last byte of what is looked into, and of the engine's answer to an upgrade.
inline constexpr std::chrono::seconds head_limit{60};
// The job's sockets: a file for each user of jobs.
inline constexpr std::string_view socket_folder = "/run/kaapi-job-docker";

struct GateConfig {
  std::string engine_socket = "/var/run/docker.sock";
  std::string socket;  // where the job finds it; what an earlier job left there is replaced
  uid_t uid = 0;       // the job's: nobody else may connect
  gid_t gid = 0;
  Owner owner;
  std::string job_folder;     // containers may see what is in it
  std::string shared_folder;  // and this, without writing; empty: none
  std::string pins;           // see Folders
  bool buildx = false;        // the machine's docker client builds by BuildKit's own protocol
};

// Serves from open() until it is destroyed, on threads of its own: one that accepts, one for each connection.
class Gate {
 public:
  // Errors: the socket's and the folder's.
  static Result<std::unique_ptr<Gate>> open(GateConfig config);
  ~Gate();  // ends every connection
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Whether there may be containers, networks or volumes of the job.
  bool made_any() const;

 private:
  struct State;
  explicit Gate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kaapi::actions::docker
