#pragma once
// The Engine on Docker: Engine API 1.41 (Docker 20.10) or newer over its Unix socket.

#include <memory>
#include <string>

#include "containers/engine.h"

namespace kaapi::containers {

struct DockerConfig {
  std::string socket_path = "/var/run/docker.sock";
  std::chrono::milliseconds call_timeout{30'000};        // inspect, list, signal, networks
  std::chrono::milliseconds slow_call_timeout{120'000};  // create, start, remove: they wait for disk and kernel
  std::chrono::milliseconds pull_timeout{3'600'000};
  std::chrono::milliseconds ping_timeout{1'000};
  std::chrono::milliseconds first_retry{50};  // of the event stream
  std::chrono::milliseconds longest_retry{2'000};

  // The socket that DOCKER_HOST names, or the default one. Error: `Invalid` when DOCKER_HOST is set and is no unix://
  // address.
  static Result<DockerConfig> from_environment();
};

// See Engine. Connects on the first call. Subscriptions must be destroyed before the engine. watch() costs one thread
// each, follow_output() none: all of them share one io thread, on which callbacks run.
class DockerEngine final : public Engine {
 public:
  explicit DockerEngine(DockerConfig config);
  ~DockerEngine() override;

  Result<EngineInfo> info() override;
  Result<void> ping() override;
  Result<Image> pull(const std::string& reference, const std::optional<RegistryLogin>& login) override;
  Result<Image> inspect_image(const std::string& reference) override;
  Result<Image> import_image(const std::string& reference, std::string archive,
                             const std::vector<std::string>& entry_point) override;
  Result<std::string> create(const ContainerSpec& spec) override;
  Result<void> start(const std::string& container) override;
  Result<void> signal(const std::string& container, std::string_view signal) override;
  Result<void> remove(const std::string& container) override;
  Result<Container> inspect(const std::string& container) override;
  Result<std::vector<Container>> list(const std::map<std::string, std::string>& labels) override;
  Result<ExecResult> exec(const std::string& container, const std::vector<std::string>& command,
                          std::chrono::milliseconds timeout) override;
  Result<void> ensure_network(const NetworkSpec& spec) override;
  Result<void> connect(const std::string& network, const std::string& container) override;
  Result<void> remove_network(const std::string& name) override;
  std::unique_ptr<Subscription> watch(const std::map<std::string, std::string>& labels,
                                      std::function<void(const Event&)> on_event) override;
  std::unique_ptr<Subscription> follow_output(const std::string& container, std::int64_t since_nanos,
                                              std::function<void(OutputLine)> on_line,
                                              std::function<void(Result<void>)> on_end) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kaapi::containers
