#pragma once
// One Docker Engine: its address, the API version agreed with it, and calls whose failures are our errors. Private to
// DockerEngine.

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "containers/docker_engine.h"
#include "http/client.h"

namespace kaapi::containers {

// Thread-safe.
class DockerApi {
 public:
  explicit DockerApi(DockerConfig config);

  const DockerConfig& config() const { return config_; }
  http::Client& client() { return client_; }

  struct Version {
    std::string engine;  // "20.10.24"
    std::string api;     // "1.41", as agreed
  };
  // Asks the engine on the first call, and again after it was lost.
  Result<Version> version();
  void forget_version();
  // On a connection of its own, see Engine::ping().
  Result<void> ping();
  // "/v1.41" + path. Falls back to the oldest version we speak when the engine does not answer: the call that follows
  // reports that.
  std::string versioned(std::string_view path);

  // One call. `what` says it in words ("start container web-1") for `TimedOut`. A status of 400 or more becomes the
  // error.
  Result<http::ClientResponse> call(std::string_view method, std::string_view path, std::string body,
                                    std::chrono::milliseconds timeout, std::string_view what);
  Result<json::value> call_json(std::string_view method, std::string_view path, std::string body,
                                std::chrono::milliseconds timeout, std::string_view what);
  // The answer as it is, whatever its status; only failures to talk become errors.
  Result<http::ClientResponse> send(const http::ClientRequest& request, std::chrono::milliseconds timeout,
                                    std::string_view what, const http::Client::BodySink& sink = {});
  // A failure to talk, with what to do about it.
  Error explain(const Error& error, std::string_view what, std::chrono::milliseconds timeout) const;

 private:
  Result<Version> negotiate();

  const DockerConfig config_;
  http::Client client_;
  std::mutex mutex_;
  std::optional<Version> version_;
};

std::unique_ptr<Subscription> watch_docker(std::shared_ptr<DockerApi> api,
                                           const std::map<std::string, std::string>& labels,
                                           std::function<void(const Event&)> on_event);
std::unique_ptr<Subscription> follow_docker(std::shared_ptr<DockerApi> api, const std::string& container,
                                            std::int64_t since_nanos, std::function<void(OutputLine)> on_line,
                                            std::function<void(Result<void>)> on_end);

}  // namespace kaapi::containers
