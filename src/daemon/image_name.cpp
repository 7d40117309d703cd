#include "daemon/image_name.h"

#include <fmt/format.h>

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
  ImageName name;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos && is_host(text.substr(0, slash))) {
    name.host = text.substr(0, slash);
    text.remove_prefix(slash + 1);
  }
  if (name.host == "docker.io" || name.host == "index.docker.io") name.host.clear();
  if (name.host.empty() && text.starts_with("library/")) text.remove_prefix(std::string_view("library/").size());
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    name.reference = text.substr(at + 1);
    text = text.substr(0, at);
  }
  // A tag beside a digest says nothing that counts.
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    if (name.reference.empty()) name.reference = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  if (name.reference.empty()) name.reference = "latest";
  name.path = text;
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
