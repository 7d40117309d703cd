#pragma once
// The Docker socket of one job. Whoever may use the engine's own socket is root on the machine; behind this one a job
// builds, pushes and pulls images, and has containers, networks and volumes that are its own and reach no further than
// itself. What a call may be is in request.h, query.h, body_rules.h and container_rules.h.

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actions/docker/body_rules.h"
#include "base/error.h"

namespace kaapi::actions::docker {

// Of one job at a time; the next ones wait in the socket's line.
inline constexpr std::size_t max_connections = 64;
inline constexpr std::size_t max_head_bytes = 64UL * 1024;
// Bodies that are looked into, and that which begins a stream.
inline constexpr std::size_t max_checked_body_bytes = 512UL * 1024;
inline constexpr std::size_t max_start_body_bytes = 64UL * 1024;
// From the connection to the last byte of what is looked into, and of the engine's answer to an upgrade; and for each
// answer of our own.
inline constexpr std::chrono::seconds head_limit{60};
// The jobs' sockets: a folder for each job.
inline constexpr std::string_view socket_folder = "/run/kaapi-job-docker";

struct GateConfig {
  std::string engine_socket = "/var/run/docker.sock";
  std::string sockets = std::string(socket_folder);  // see SocketFolder
  uid_t uid = 0;                                     // the job's: nobody else may connect
  gid_t gid = 0;
  Owner owner;
  std::string own_names;      // how the names of networks begin that the runner itself makes for the job
  std::string job_folder;     // containers may see what is in it
  std::string shared_folder;  // and this, without writing; empty: none
  // Folders that the job sees elsewhere than they are: {"/tmp", JOB_FOLDER/tmp}.
  std::vector<std::pair<std::string, std::string>> moved;
  bool buildx = false;  // the machine's docker client builds by BuildKit's own protocol
};

// Serves from open() until stop(), on threads of its own: one that accepts, one for each connection.
class Gate {
 public:
  // Errors: the socket's and the folder's.
  static Result<std::unique_ptr<Gate>> open(GateConfig config);
  // Stops, and takes the folders from the containers: they should be gone by then.
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Where the job finds it.
  std::string socket() const;
  // Ends every connection, and waits until the calls of each have been answered by the engine or have run out of time
  // (engine_answer_limit).
  void stop();
  // Whether there may be containers, networks, volumes or images with the job's label.
  bool made_any() const;

 private:
  struct State;
  explicit Gate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kaapi::actions::docker
