#include "actions/runner/job_docker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "actions/docker/cleanup.h"
#include "actions/docker/engine_api.h"
#include "actions/runner/containers.h"
#include "actions/runner/sandbox.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view owner_suffix = ".owner";
constexpr std::size_t max_owner_bytes = 256;

std::string docker_host() {
  const char* host = std::getenv("DOCKER_HOST");
  return host == nullptr ? std::string() : std::string(host);
}

// With a uid of its own that is part of it: two platforms on this machine may have jobs of the same number.
docker::Owner owner_of(std::string_view job_id, const std::optional<JobUser>& user) {
  const bool own = user && user->own;
  return {std::string(container_label), own ? fmt::format("{}.{}", job_id, user->uid) : std::string(job_id)};
}

std::string plain_path(const std::string& path) {
  return fs::absolute(path).lexically_normal().string();
}

Result<std::unique_ptr<docker::Gate>> gate_of(const JobChildConfig& config, const std::string& folder,
                                              std::string_view job_id, const docker::Owner& owner) {
  const std::optional<http::Endpoint> engine = docker::engine_at(docker_host());
  const bool here = engine && !engine->unix_path.empty();
  if (!here || !config.user || !config.user->own) return std::unique_ptr<docker::Gate>();
  docker::GateConfig gate;
  gate.engine_socket = engine->unix_path;
  gate.uid = config.user->uid;
  gate.gid = config.user->gid;
  gate.owner = owner;
  gate.own_names = fmt::format("kaapi-job-{}", job_id);
  gate.job_folder = plain_path(folder);
  if (!config.place.action_folder.empty()) gate.shared_folder = plain_path(config.place.action_folder);
  if (config.sandbox) gate.moved = Sandbox::moved(gate.job_folder);
  gate.buildx = config.buildx;
  return docker::Gate::open(std::move(gate));
}

// Whether nothing is left.
bool remove_all(const docker::Owner& owner) {
  const std::optional<http::Endpoint> engine = docker::engine_at(docker_host());
  if (!engine) {
    log::warn("runner", "DOCKER_HOST is {}: whatever has the label {}={} there must be removed by hand", docker_host(),
              owner.label, owner.value);
    return true;
  }
  const std::vector<std::string> left = docker::remove_owned(*engine, owner);
  for (const std::string& what : left) {
    log::warn("runner", "a job has left something in Docker that cannot be removed: {} (label {}={})", what,
              owner.label, owner.value);
  }
  return left.empty();
}

}  // namespace

JobDocker::JobDocker(std::string owner_file, docker::Owner owner, std::string mark, std::unique_ptr<docker::Gate> gate)
    : owner_file_(std::move(owner_file)), owner_(std::move(owner)), mark_(std::move(mark)), gate_(std::move(gate)) {}

Result<JobDocker> JobDocker::open(const JobChildConfig& config, const std::string& folder, std::string_view job_id) {
  docker::Owner owner = owner_of(job_id, config.user);
  const std::string file = fmt::format("{}{}", folder, owner_suffix);
  if (const Result<void> written = write_file_atomically(file, owner.value, 0600); !written) return written.error();
  Result<std::unique_ptr<docker::Gate>> gate = gate_of(config, folder, job_id, owner);
  if (!gate) {
    ::unlink(file.c_str());
    return make_error(gate.error().code, "no Docker socket for the job: " + gate.error().message);
  }
  return JobDocker(file, std::move(owner), folder + "/containers", std::move(*gate));
}

void JobDocker::close() {
  // Before its containers go, so that none of them makes another.
  if (gate_ != nullptr) gate_->stop();
  const bool any = gate_ != nullptr ? gate_->made_any() : ::access(mark_.c_str(), F_OK) == 0;
  if (!any || remove_all(owner_)) ::unlink(owner_file_.c_str());
  gate_.reset();
}

void warn_without_docker() {
  const std::optional<http::Endpoint> engine = docker::engine_at(docker_host());
  if (!engine || engine->unix_path.empty() || ::access(engine->unix_path.c_str(), R_OK | W_OK) == 0) return;
  log::warn("runner", "jobs have no Docker here, so none with containers runs: {}: {}", engine->unix_path,
            std::strerror(errno));
}

void clean_up_docker(const std::string& work_folder) {
  std::error_code failed;
  std::vector<std::string> files;
  for (auto at = fs::directory_iterator(work_folder, failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with("job-") && name.ends_with(owner_suffix)) files.push_back(at->path().string());
  }
  for (const std::string& file : files) {
    const Result<std::string> value = read_file(file, max_owner_bytes);
    if (!value || value->empty() || remove_all({std::string(container_label), *value})) ::unlink(file.c_str());
  }
}

}  // namespace kaapi::actions::runner
