#include "actions/docker/owned.h"

#include <fmt/format.h>

namespace kaapi::actions::docker {
namespace {

constexpr std::chrono::seconds answer_limit{30};

http::Endpoint endpoint_of(std::string socket) {
  http::Endpoint endpoint;
  endpoint.unix_path = std::move(socket);
  endpoint.host = "docker";
  return endpoint;
}

Error missing_error(std::string_view what) {
  return make_error(errc::not_found, fmt::format("No such {} of this job", what), 404);
}

}  // namespace

Owned::Owned(std::string engine_socket, Owner owner)
    : owner_(std::move(owner)), client_(endpoint_of(std::move(engine_socket))) {}

bool Owned::is_own(const json::value* labels) const {
  return labels != nullptr && string_member(*labels, owner_.label) == owner_.value;
}

Result<json::value> Owned::ask(const std::string& method, const std::string& path, std::string body,
                               std::string_view missing) {
  http::ClientRequest request;
  request.method = method;
  request.target = path;
  request.body = std::move(body);
  if (!request.body.empty()) request.headers.add("content-type", "application/json");
  const Result<http::ClientResponse> answer = client_.send(request, answer_limit);
  if (!answer) return make_error(answer.error().code, "Docker: " + answer.error().message, 502);
  if (answer->status == 404) return missing_error(missing);
  Result<json::value> value = parse_json(answer->body);
  if (!value) return make_error(errc::unavailable, "Docker's answer is no JSON", 502);
  if (answer->status >= 300) {
    return make_error(errc::unavailable, string_member(*value, "message", "Docker refuses"), answer->status);
  }
  return value;
}

Result<std::string> Owned::container(std::string_view reference) {
  const std::string missing = fmt::format("container: {}", reference);
  if (!is_reference(reference)) return make_error(errc::invalid, fmt::format("{} names no container", reference));
  const Result<json::value> found = ask("GET", fmt::format("/containers/{}/json", reference), {}, missing);
  if (!found) return found.error();
  const json::value* config = find_member(*found, "Config");
  if (config == nullptr || !is_own(find_member(*config, "Labels"))) return missing_error(missing);
  return string_member(*found, "Id");
}

Result<std::string> Owned::network(std::string_view reference) {
  const std::string missing = fmt::format("network: {}", reference);
  if (!is_reference(reference)) return make_error(errc::invalid, fmt::format("{} names no network", reference));
  const Result<json::value> found = ask("GET", fmt::format("/networks/{}", reference), {}, missing);
  if (!found) return found.error();
  if (!is_own(find_member(*found, "Labels"))) return missing_error(missing);
  return string_member(*found, "Id");
}

Result<std::string> Owned::exec(std::string_view id) {
  if (!is_reference(id)) return make_error(errc::invalid, fmt::format("{} names no exec", id));
  const Result<json::value> found = ask("GET", fmt::format("/exec/{}/json", id), {}, fmt::format("exec: {}", id));
  if (!found) return found.error();
  return container(string_member(*found, "ContainerID"));
}

Result<std::string> Owned::volume(std::string_view name) {
  const std::string missing = fmt::format("volume: {}", name);
  if (!is_reference(name)) return make_error(errc::invalid, fmt::format("{} names no volume", name));
  const Result<json::value> found = ask("GET", fmt::format("/volumes/{}", name), {}, missing);
  if (!found) return found.error();
  if (!is_own(find_member(*found, "Labels"))) return missing_error(missing);
  return std::string(name);
}

Result<void> Owned::ensure_volume(std::string_view name) {
  const std::string missing = fmt::format("volume: {}", name);
  if (!is_reference(name)) return make_error(errc::invalid, fmt::format("{} names no volume", name));
  const Result<std::string> body =
      check_volume(json::serialize(json::object{{"Name", name}, {"Driver", "local"}}), owner_);
  if (!body) return body.error();
  // The engine answers with the one that is there, whoever has made it.
  const Result<json::value> made = ask("POST", "/volumes/create", *body, missing);
  if (!made) return made.error();
  if (!is_own(find_member(*made, "Labels"))) return missing_error(missing);
  return ok();
}

}  // namespace kaapi::actions::docker
