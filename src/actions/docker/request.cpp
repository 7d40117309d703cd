#include "actions/docker/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

struct Traits {
  bool takes_body = false;
  bool upgrades = false;
  bool needs_buildx = false;
};
constexpr Traits body{true, false, false};
constexpr Traits stream{false, true, false};

struct Call {
  std::string_view method;
  // A segment "*" is a reference; "**" is an image's name, which has slashes.
  std::string_view path;
  Rule rule;
  std::string_view query = {};  // see Ruling
  Traits traits = {};
};

// Every call that jobs have. Whatever is not here is refused: swarm, plugins, nodes, secrets, checkpoints, ...
// Every call that jobs have. Whatever is not here is refused: swarm, plugins, nodes, secrets, checkpoints, ...
constexpr std::array calls = {
    Call{"GET", "/_ping", Rule::pass},
    Call{"HEAD", "/_ping", Rule::pass},
    Call{"GET", "/version", Rule::pass},
    Call{"GET", "/info", Rule::pass},
    Call{"POST", "/auth", Rule::pass, "", body},
    Call{"GET", "/events", Rule::list, "since until filters"},

    Call{"GET", "/containers/json", Rule::list, "all limit size filters"},
    Call{"POST", "/containers/create", Rule::make_container, "name platform", body},
    Call{"POST", "/containers/prune", Rule::list, "filters"},
    Call{"GET", "/containers/*/json", Rule::container, "size"},
    Call{"GET", "/containers/*/top", Rule::container, "ps_args"},
    Call{"GET", "/containers/*/logs", Rule::container, "follow stdout stderr since until timestamps tail details"},
    Call{"GET", "/containers/*/changes", Rule::container},
    Call{"GET", "/containers/*/export", Rule::container},
    Call{"GET", "/containers/*/stats", Rule::container, "stream one-shot"},
    Call{"GET", "/containers/*/archive", Rule::container, "path"},
    Call{"HEAD", "/containers/*/archive", Rule::container, "path"},
    Call{"PUT", "/containers/*/archive", Rule::container, "path noOverwriteDirNonDir copyUIDGID", body},
    Call{"POST", "/containers/*/start", Rule::container, "detachKeys"},
    Call{"POST", "/containers/*/stop", Rule::container, "t signal"},
    Call{"POST", "/containers/*/restart", Rule::container, "t signal"},
    Call{"POST", "/containers/*/kill", Rule::container, "signal"},
    Call{"POST", "/containers/*/pause", Rule::container},
    Call{"POST", "/containers/*/unpause", Rule::container},
    Call{"POST", "/containers/*/wait", Rule::container, "condition"},
    Call{"POST", "/containers/*/rename", Rule::container, "name"},
    Call{"POST", "/containers/*/resize", Rule::container, "h w"},
    Call{"POST", "/containers/*/attach", Rule::container, "detachKeys logs stream stdin stdout stderr", stream},
    Call{"DELETE", "/containers/*", Rule::remove_container, "v force"},
    Call{"POST", "/containers/*/exec", Rule::make_exec, "", body},
    Call{"GET", "/exec/*/json", Rule::exec},
    Call{"POST", "/exec/*/start", Rule::exec, "", {true, true, false}},
    Call{"POST", "/exec/*/resize", Rule::exec, "h w"},
    Call{"POST", "/commit", Rule::commit, "container repo tag comment author pause changes", body},

    Call{"GET", "/images/json", Rule::pass, "all filters filter shared-size digests manifests"},
    Call{"GET", "/images/search", Rule::pass, "term limit filters"},
    Call{"GET", "/images/get", Rule::pass, "names platform"},
    Call{"GET", "/images/**/get", Rule::pass, "platform"},
    Call{"GET", "/images/**/json", Rule::pass, "manifests platform"},
    Call{"GET", "/images/**/history", Rule::pass, "platform"},
    Call{"POST", "/images/create", Rule::name_image, "fromImage fromSrc repo tag message changes platform", body},
    Call{"POST", "/images/load", Rule::pass, "quiet platform", body},
    Call{"POST", "/images/prune", Rule::prune_images, "filters"},
    Call{"POST", "/images/**/push", Rule::pass, "tag platform", body},
    Call{"POST", "/images/**/tag", Rule::name_image, "repo tag"},
    Call{"DELETE", "/images/**", Rule::remove_image, "force noprune platforms"},
    Call{"GET", "/distribution/**/json", Rule::pass},

    Call{"POST", "/build", Rule::build,
         "dockerfile t extrahosts remote q nocache cachefrom pull rm forcerm memory memswap cpushares cpusetcpus "
         "cpusetmems cpuperiod cpuquota buildargs shmsize squash labels networkmode platform target outputs version "
         "session buildid ulimits cgroupparent securityopt",
         body},
    Call{"POST", "/build/prune", Rule::prune_builds,
         "filters all keep-storage reserved-space max-used-space "
         "min-free-space"},
    Call{"POST", "/build/cancel", Rule::pass, "id"},
    Call{"POST", "/session", Rule::pass, "", stream},
    // BuildKit's own protocol, which nobody looks into: only where the docker client cannot build without it.
    Call{"POST", "/grpc", Rule::pass, "", {false, true, true}},

    Call{"GET", "/networks", Rule::list, "filters"},
    Call{"POST", "/networks/create", Rule::make_network, "", body},
    Call{"POST", "/networks/prune", Rule::list, "filters"},
    Call{"GET", "/networks/*", Rule::network, "verbose scope"},
    Call{"DELETE", "/networks/*", Rule::network},
    Call{"POST", "/networks/*/connect", Rule::network_members, "", body},
    Call{"POST", "/networks/*/disconnect", Rule::network_members, "", body},

    Call{"GET", "/volumes", Rule::list, "filters"},
    Call{"POST", "/volumes/create", Rule::make_volume, "", body},
    Call{"POST", "/volumes/prune", Rule::list, "filters"},
    Call{"GET", "/volumes/*", Rule::volume},
    Call{"DELETE", "/volumes/*", Rule::volume, "force"},
};

constexpr std::size_t max_reference_bytes = 512;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// "/v1.41" at the beginning of a path.
std::string_view version_in(std::string_view path) {
  if (!path.starts_with("/v")) return {};
  std::size_t at = 2;
  while (at < path.size() && ((path[at] >= '0' && path[at] <= '9') || path[at] == '.')) ++at;
  return at > 2 && at < path.size() && path[at] == '/' ? path.substr(0, at) : std::string_view();
}

// In older ones the same calls mean more: a start may say what the container is.
bool is_spoken(std::string_view version) {
  if (version.empty()) return true;
  const std::size_t dot = version.find('.');
  const auto major = parse_number(version.substr(2, dot == std::string_view::npos ? dot : dot - 2));
  const auto minor = parse_number(dot == std::string_view::npos ? "" : version.substr(dot + 1));
  return major && minor && (*major > 1 || (*major == 1 && *minor >= 24));
}

// No empty segments, none that means another folder, and nothing but what names of Docker are made of.
bool is_plain(std::string_view path) {
  if (!path.starts_with('/') || path.ends_with('/') || path.size() > max_reference_bytes) return false;
  for (const std::string& segment : split(path.substr(1), '/')) {
    if (segment.empty() || segment == "." || segment == "..") return false;
  }
  return std::all_of(path.begin(), path.end(), [](char c) {
    return is_alnum(c) || std::string_view("/_.:@-").find(c) != std::string_view::npos;
  });
}

// `docker inspect team/app:1` asks for a container first, and goes on to images when there is none.
bool is_inspection(std::string_view path) {
  return (path.starts_with("/containers/") && path.ends_with("/json")) || path.starts_with("/networks/") ||
         path.starts_with("/volumes/");
}

bool fits(const Call& call, std::string_view path, Ruling& ruling) {
  const std::size_t star = call.path.find('*');
  if (star == std::string_view::npos) return call.path == path;
  const std::string_view before = call.path.substr(0, star);
  std::string_view after = call.path.substr(star);
  const bool image = after.starts_with("**");
  after.remove_prefix(image ? 2 : 1);
  if (!path.starts_with(before) || !path.ends_with(after) || path.size() <= before.size() + after.size()) return false;
  const std::string_view reference = path.substr(before.size(), path.size() - before.size() - after.size());
  if (!image && reference.find_first_of("/:@") != std::string_view::npos) return false;
  ruling.before = before;
  ruling.reference = reference;
  ruling.after = after;
  return true;
}

}  // namespace

Result<Ruling> rule_of(std::string_view method, std::string_view sent) {
  const std::optional<std::string> path = percent_decode(sent);
  const std::string_view version = path ? version_in(*path) : std::string_view();
  if (!path || !is_plain(std::string_view(*path).substr(version.size()))) {
    return make_error(errc::invalid, fmt::format("the path {} is none of Docker's", percent_encode(sent, true)));
  }
  const std::string_view rest = std::string_view(*path).substr(version.size());
  if (!is_spoken(version)) {
    return make_error(errc::invalid, fmt::format("the version {} of Docker's API is too old: 1.24 and newer", version));
  }
  Ruling ruling;
  for (const Call& call : calls) {
    if (call.method != method || !fits(call, rest, ruling)) continue;
    ruling.rule = call.rule;
    ruling.version = version;
    if (ruling.reference.empty()) ruling.before = rest;
    ruling.query = call.query;
    ruling.takes_body = call.traits.takes_body;
    ruling.upgrades = call.traits.upgrades;
    ruling.needs_buildx = call.traits.needs_buildx;
    return ruling;
  }
  if (method == "GET" && is_inspection(rest)) {
    return make_error(errc::not_found, fmt::format("No such object of this job: {}", rest), 404);
  }
  return refused(fmt::format("jobs may not ask Docker for {} {}", method, rest));
}

std::string target_of(const Ruling& ruling, const Query& query) {
  const std::string text = to_text(query);
  return fmt::format("{}{}{}{}{}{}", ruling.version, ruling.before, ruling.reference, ruling.after,
                     text.empty() ? "" : "?", text);
}

bool is_image_reference(std::string_view name) {
  return is_plain(fmt::format("/{}", name));
}

}  // namespace kaapi::actions::docker
