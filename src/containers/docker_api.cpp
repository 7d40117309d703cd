#include "containers/docker_api.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "containers/docker_json.h"

namespace kaapi::containers {
namespace {

// We speak 1.41 to 1.43; an engine that no longer offers those gets its oldest, the calls we use have not changed
// since.
constexpr int api_major = 1;
constexpr int lowest_api_minor = 41;
constexpr int highest_api_minor = 43;
constexpr std::string_view lowest_prefix = "/v1.41";

// The minor version of "1.41", or nullopt.
std::optional<int> minor_version(const std::string& text) {
  const std::vector<std::string> parts = split(text, '.');
  if (parts.size() != 2 || parse_number(parts[0]) != api_major) {
    return std::nullopt;
  }
  const auto minor = parse_number(parts[1]);
  return minor && *minor < 10'000 ? std::optional(static_cast<int>(*minor)) : std::nullopt;
}

http::Endpoint endpoint_of(const DockerConfig& config) {
  http::Endpoint endpoint;
  endpoint.unix_path = config.socket_path;
  endpoint.host = "docker";
  return endpoint;
}

}  // namespace

Result<DockerConfig> DockerConfig::from_environment() {
  DockerConfig config;
  const char* host = std::getenv("DOCKER_HOST");
  if (host == nullptr || *host == '\0') {
    return config;
  }
  constexpr std::string_view scheme = "unix://";
  const std::string_view address(host);
  if (!address.starts_with(scheme) || address.size() == scheme.size()) {
    return make_error(errc::invalid, fmt::format("DOCKER_HOST is '{}', but only a Unix socket can be used: set it to "
                                                 "unix:///var/run/docker.sock or leave it unset",
                                                 address));
  }
  config.socket_path = address.substr(scheme.size());
  return config;
}

DockerApi::DockerApi(DockerConfig config) : config_(std::move(config)), client_(endpoint_of(config_)) {}

Error DockerApi::explain(const Error& error, std::string_view what, std::chrono::milliseconds timeout) const {
  if (error.code == errc::timed_out) {
    return make_error(errc::timed_out, fmt::format("the Docker Engine did not {} within {} ms", what, timeout.count()),
                      504);
  }
  if (error.code != errc::unavailable) {
    return error;
  }
  const bool forbidden = error.message.find("Permission denied") != std::string::npos;
  return make_error(errc::unavailable,
                    fmt::format("the Docker Engine does not answer ({}): {}", error.message,
                                forbidden ? "run as root or as a member of the group that owns the socket (docker)"
                                          : "start it (systemctl start docker), or name its socket in DOCKER_HOST"),
                    503);
}

Result<http::ClientResponse> DockerApi::send(const http::ClientRequest& request, std::chrono::milliseconds timeout,
                                             std::string_view what, const http::Client::BodySink& sink) {
  Result<http::ClientResponse> response = client_.send(request, timeout, sink);
  if (response) {
    return response;
  }
  if (response.error().code == errc::unavailable) {
    forget_version();
  }
  return explain(response.error(), what, timeout);
}

Result<DockerApi::Version> DockerApi::negotiate() {
  http::ClientRequest request;
  request.target = "/version";
  Result<http::ClientResponse> response = send(request, config_.call_timeout, "tell its version");
  if (!response) {
    return response.error();
  }
  if (response->status >= 400) {
    return engine_error(response->status, response->body);
  }
  const auto parsed = parse_json(response->body);
  const auto offered = parsed ? minor_version(string_member(*parsed, "ApiVersion")) : std::nullopt;
  if (!offered) {
    return make_error(
        errc::unavailable,
        fmt::format("what answers at {} is no Docker Engine: name its socket in DOCKER_HOST", config_.socket_path),
        503);
  }
  if (*offered < lowest_api_minor) {
    return make_error(
        errc::unavailable,
        fmt::format("the Docker Engine at {} speaks API 1.{}, but 1.{} is needed: install Docker 20.10 or newer",
                    config_.socket_path, *offered, lowest_api_minor),
        503);
  }
  const int oldest = minor_version(string_member(*parsed, "MinAPIVersion")).value_or(0);
  const int agreed = std::max(std::min(*offered, highest_api_minor), oldest);
  return Version{string_member(*parsed, "Version"), fmt::format("{}.{}", api_major, agreed)};
}

Result<DockerApi::Version> DockerApi::version() {
  {
    const std::lock_guard lock(mutex_);
    if (version_) {
      return *version_;
    }
  }
  Result<Version> negotiated = negotiate();
  if (negotiated) {
    const std::lock_guard lock(mutex_);
    version_ = *negotiated;
  }
  return negotiated;
}

void DockerApi::forget_version() {
  const std::lock_guard lock(mutex_);
  version_.reset();
}

Result<void> DockerApi::ping() {
  http::Client fresh(endpoint_of(config_));
  http::ClientRequest request;
  request.target = "/_ping";
  const Result<http::ClientResponse> answer = fresh.send(request, config_.ping_timeout);
  if (!answer) {
    return explain(answer.error(), "answer a ping", config_.ping_timeout);
  }
  return answer->status < 500 ? ok() : Result<void>(engine_error(answer->status, answer->body));
}

std::string DockerApi::versioned(std::string_view path) {
  const Result<Version> agreed = version();
  return (agreed ? "/v" + agreed->api : std::string(lowest_prefix)) + std::string(path);
}

Result<http::ClientResponse> DockerApi::call(std::string_view method, std::string_view path, std::string body,
                                             std::chrono::milliseconds timeout, std::string_view what) {
  const Result<Version> agreed = version();
  if (!agreed) {
    return agreed.error();
  }
  http::ClientRequest request;
  request.method = method;
  request.target = fmt::format("/v{}{}", agreed->api, path);
  if (!body.empty()) {
    request.headers.add("Content-Type", "application/json");
  }
  request.body = std::move(body);
  Result<http::ClientResponse> response = send(request, timeout, what);
  if (response && response->status >= 400) {
    return engine_error(response->status, response->body);
  }
  return response;
}

Result<json::value> DockerApi::call_json(std::string_view method, std::string_view path, std::string body,
                                         std::chrono::milliseconds timeout, std::string_view what) {
  const Result<http::ClientResponse> response = call(method, path, std::move(body), timeout, what);
  if (!response) {
    return response.error();
  }
  Result<json::value> parsed = parse_json(response->body);
  if (!parsed) {
    return internal_error(
        fmt::format("the Docker Engine's answer to '{}' is no JSON: {}", what, parsed.error().message));
  }
  return parsed;
}

}  // namespace kaapi::containers
