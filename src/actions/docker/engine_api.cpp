#include "actions/docker/engine_api.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"

namespace kaapi::actions::docker {

http::Endpoint engine_at_socket(std::string path) {
  http::Endpoint endpoint;
  endpoint.unix_path = std::move(path);
  endpoint.host = "docker";
  return endpoint;
}

std::optional<http::Endpoint> engine_at(std::string_view docker_host) {
  if (docker_host.empty()) return engine_at_socket("/var/run/docker.sock");
  if (docker_host.starts_with("unix://")) return engine_at_socket(std::string(docker_host.substr(7)));
  if (!docker_host.starts_with("tcp://")) return std::nullopt;
  docker_host.remove_prefix(6);
  const std::size_t colon = docker_host.rfind(':');
  const auto port = parse_number(colon == std::string_view::npos ? "2375" : docker_host.substr(colon + 1));
  // 2376 is Docker's port for TLS.
  if (!port || *port <= 0 || *port > 65'535 || *port == 2376) return std::nullopt;
  http::Endpoint endpoint;
  endpoint.host = docker_host.substr(0, colon);
  endpoint.port = static_cast<std::uint16_t>(*port);
  return endpoint;
}

Result<json::value> EngineApi::ask(std::string_view method, std::string target, std::string body) {
  http::ClientRequest request;
  request.method = method;
  request.target = std::move(target);
  request.body = std::move(body);
  if (!request.body.empty()) request.headers.add("content-type", "application/json");
  const Result<http::ClientResponse> answer = client_.send(request, engine_answer_limit);
  if (!answer) return make_error(answer.error().code, "Docker: " + answer.error().message, 502);
  Result<json::value> value = answer->body.empty() ? Result<json::value>(json::value()) : parse_json(answer->body);
  if (answer->status >= 300) {
    const std::string said = value ? string_member(*value, "message", "Docker refuses") : "Docker refuses";
    return make_error(answer->status == 404 ? errc::not_found : errc::unavailable, said, answer->status);
  }
  if (!value) return make_error(errc::unavailable, "Docker's answer is no JSON", 502);
  return value;
}

std::string label_filter(std::string_view label, std::string_view value) {
  const json::value filter = json::object{{"label", json::array{fmt::format("{}={}", label, value)}}};
  return "filters=" + percent_encode(json::serialize(filter));
}

std::string engine_warning(std::string_view version) {
  // "20.10.24+dfsg1"
  std::array<std::int64_t, 3> number{};
  const std::vector<std::string> parts = split(version.substr(0, version.find_first_not_of("0123456789.")), '.');
  for (std::size_t i = 0; i < number.size() && i < parts.size(); ++i) number.at(i) = parse_number(parts[i]).value_or(0);
  constexpr std::array<std::int64_t, 3> mended_24{24, 0, 9}, first_25{25, 0, 0}, mended_25{25, 0, 2};
  if (number[0] == 0 || number >= mended_25 || (number >= mended_24 && number < first_25)) return {};
  return fmt::format(
      "Docker Engine {} is older than the mending of CVE-2024-23653 (BuildKit, 24.0.9 and 25.0.2) and may come with a "
      "runc older than that of CVE-2024-21626 (1.1.12): with either a job's container or build gets out of it. Take a "
      "newer one, or make sure that your distribution has mended this one, as Debian does under the old number",
      version);
}

}  // namespace kaapi::actions::docker
