#include "daemon/image_name.h"

#include <fmt/format.h>

#include <utility>

#include "containers/docker_json.h"

namespace kaapi::daemon {
namespace {

bool is_host(std::string_view part) {
  return part == "localhost" || part.find_first_of(".:") != std::string_view::npos;
}

}  // namespace

std::string ImageName::repository() const {
  return host.empty() ? path : fmt::format("{}/{}", host, path);
}

ImageName parse_image_name(std::string_view text) {
  containers::PullTarget target = containers::split_reference(text);
  ImageName name{"", std::move(target.name), std::move(target.tag_or_digest)};
  const std::size_t slash = name.path.find('/');
  if (slash != std::string::npos && is_host(std::string_view(name.path).substr(0, slash))) {
    name.host = name.path.substr(0, slash);
    name.path.erase(0, slash + 1);
  }
  if (name.host == "docker.io" || name.host == "index.docker.io") name.host.clear();
  if (name.host.empty() && name.path.starts_with("library/")) name.path.erase(0, std::string_view("library/").size());
  return name;
}

std::optional<std::string> ecr_region(std::string_view host, std::string_view account_id) {
  const std::string prefix = fmt::format("{}.dkr.ecr.", account_id);
  constexpr std::string_view suffix = ".amazonaws.com";
  if (!host.starts_with(prefix) || !host.ends_with(suffix) || host.size() <= prefix.size() + suffix.size()) {
    return std::nullopt;
  }
  host.remove_prefix(prefix.size());
  host.remove_suffix(suffix.size());
  return std::string(host);
}

}  // namespace kaapi::daemon
