#pragma once
// What a job is to Docker: the label of what it makes, its socket, and the end of both.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "actions/docker/gate.h"
#include "actions/runner/job_child.h"

namespace kaapi::actions::runner {

// Of one job, from before its process starts until nothing of it is left in Docker. One thread.
class JobDocker {
 public:
  // Writes down, where the job cannot, by what its containers are known: WORK/job-ID.owner. Opens a socket of the job's
  // own where its user is its own and the engine is on this machine. Errors: the file system's, the socket's.
  static Result<JobDocker> open(const JobChildConfig& config, const std::string& folder, std::string_view job_id);

  // Where the job finds its socket; empty: it uses the engine's own, if its user may.
  std::string socket() const { return gate_ == nullptr ? std::string() : gate_->socket(); }

  // Takes no more calls, removes what the job has left, and gives its folders back. Blocks; what cannot be removed is
  // in the log, and is tried again when the next runner on this folder starts.
  void close();

 private:
  JobDocker(std::string owner_file, docker::Owner owner, std::string mark, std::unique_ptr<docker::Gate> gate);

  std::string owner_file_;
  docker::Owner owner_;
  std::string mark_;  // a file that jobs without a socket of their own make when they have containers
  std::unique_ptr<docker::Gate> gate_;
};

// Removes what jobs of an earlier runner on this folder have left in Docker.
void clean_up_docker(const std::string& work_folder);
// Says so in the runner's log where this process does not reach the Engine. Jobs that want it fail by themselves, and
// others do not need it.
void warn_without_docker();

}  // namespace kaapi::actions::runner
