#include "actions/docker/owned.h"

#include <fmt/format.h>

namespace kaapi::actions::docker {
namespace {

Error missing_error(std::string_view kind, std::string_view reference) {
  return make_error(errc::not_found, fmt::format("No such {}: {} of this job", kind, reference), 404);
}

}  // namespace

// What carries a task's label too is the task's: its image may have brought the job's along.
bool Owned::is_own(const json::value* labels) const {
  return labels != nullptr && string_member(*labels, owner_.label) == owner_.value &&
         string_member(*labels, "kaapi.instance").empty();
}

Result<json::value> Owned::look(std::string_view kind, std::string_view reference) {
  if (!is_reference(reference)) return make_error(errc::invalid, fmt::format("{} names no {}", reference, kind));
  const bool whole = kind == "container" || kind == "exec";
  const std::string path = kind == "exec" ? "/exec" : fmt::format("/{}s", kind);
  Result<json::value> found = engine_.ask("GET", fmt::format("{}/{}{}", path, reference, whole ? "/json" : ""));
  if (!found && found.error().code == errc::not_found) return missing_error(kind, reference);
  return found;
}

Result<std::string> Owned::container(std::string_view reference) {
  const Result<json::value> found = look("container", reference);
  if (!found) return found.error();
  const json::value* config = find_member(*found, "Config");
  if (config == nullptr || !is_own(find_member(*config, "Labels"))) return missing_error("container", reference);
  return string_member(*found, "Id");
}

Result<std::string> Owned::network(std::string_view reference) {
  const Result<json::value> found = look("network", reference);
  if (!found) return found.error();
  if (!is_own(find_member(*found, "Labels"))) return missing_error("network", reference);
  return string_member(*found, "Id");
}

Result<std::string> Owned::exec(std::string_view id) {
  const Result<json::value> found = look("exec", id);
  if (!found) return found.error();
  return container(string_member(*found, "ContainerID"));
}

Result<std::string> Owned::volume(std::string_view name) {
  const Result<json::value> found = look("volume", name);
  if (!found) return found.error();
  if (!is_own(find_member(*found, "Labels"))) return missing_error("volume", name);
  return std::string(name);
}

Result<void> Owned::ensure_volume(std::string_view name) {
  if (!is_reference(name)) return make_error(errc::invalid, fmt::format("{} names no volume", name));
  const Result<std::string> body =
      check_volume(json::serialize(json::object{{"Name", name}, {"Driver", "local"}}), owner_);
  if (!body) return body.error();
  // The engine answers with the one that is there, whoever has made it.
  const Result<json::value> made = engine_.ask("POST", "/volumes/create", *body);
  if (!made) return made.error();
  if (!is_own(find_member(*made, "Labels"))) return missing_error("volume", name);
  return ok();
}

Result<void> Owned::room_for_network() {
  const Result<json::value> found = engine_.ask("GET", "/networks?" + label_filter(owner_.label, owner_.value));
  if (!found) return found.error();
  if (!found->is_array() || found->get_array().size() < max_networks) return ok();
  return make_error(errc::too_large, fmt::format("a job may have {} networks at once, not more", max_networks), 403);
}

}  // namespace kaapi::actions::docker
