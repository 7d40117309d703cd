#include "daemon/images.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace kaapi::daemon {
namespace {

// Long enough for the largest layer; the pull is over or started again by then.
constexpr Duration pull_token_lifetime = std::chrono::hours(2);

bool nobody_answered(const Error& error) {
  return error.code == errc::unavailable || error.code == errc::timed_out;
}

// The digest under which a registry knows the image by this name; empty for one that came from no registry.
std::string registry_digest(const containers::Image& image, const ImageName& name) {
  const std::string prefix = name.repository() + "@";
  for (const std::string& digest : image.repo_digests) {
    if (digest.starts_with(prefix)) return digest.substr(prefix.size());
  }
  return {};
}

ecs::PinnedImage pinned(const containers::Image& image, const ImageName& name) {
  const std::string digest = registry_digest(image, name);
  if (digest.empty()) return {image.id, image.id};
  return {fmt::format("{}@{}", name.repository(), digest), digest};
}

}  // namespace

RegistryImages::RegistryImages(registry::Registry& registry, const registry::TokenIssuer& tokens,
                               containers::Engine& engine, const Clock& clock, ImagesConfig config)
    : registry_(registry), tokens_(tokens), engine_(engine), clock_(clock), config_(std::move(config)) {}

std::optional<std::string> RegistryImages::own_region(const std::string& host, const std::string& task_region) const {
  const std::vector<std::string>& own = config_.own_hosts;
  if (std::find(own.begin(), own.end(), host) != own.end()) return task_region;
  return ecr_region(host, config_.account_id);
}

Result<ecs::PinnedImage> RegistryImages::pin(const std::string& region, const std::string& image) {
  const ImageName name = parse_image_name(image);
  if (const auto own = own_region(name.host, region)) return pin_own(region, *own, image, name);
  return pin_foreign(image, name);
}

Result<ecs::PinnedImage> RegistryImages::pin_own(const std::string& task_region, const std::string& region,
                                                 const std::string& image, const ImageName& name) {
  const Result<std::string> digest = registry_.resolve(region, name.path, name.reference);
  if (!digest && digest.error().status >= 500) return digest.error();
  if (!digest) {
    return make_error(errc::not_found,
                      fmt::format("image {} not found: {} (region {})", image, digest.error().message, region));
  }
  ecs::PinnedImage found{fmt::format("{}/{}@{}", config_.pull_host, name.path, *digest), *digest};
  if (region != task_region) {
    // The reference does not say of which region it is, so a later pull would look in the task's own.
    const Result<containers::Image> pulled = engine_.pull(found.reference, own_login(region));
    if (!pulled) return pulled.error();
  }
  return found;
}

Result<ecs::PinnedImage> RegistryImages::pin_foreign(const std::string& image, const ImageName& name) {
  const Result<containers::Image> local = engine_.inspect_image(image);
  if (!local && nobody_answered(local.error())) return local.error();
  const bool settled = local && (name.by_digest() || registry_digest(*local, name).empty());
  if (settled) return pinned(*local, name);
  const Result<containers::Image> pulled = engine_.pull(image, std::nullopt);
  if (pulled) return pinned(*pulled, name);
  if (local) {
    log::info("daemon", "image {} could not be pulled, the local one serves: {}", image, pulled.error().message);
    return pinned(*local, name);
  }
  // The engine answered; that a registry did not is an end of this start, not a reason to try for ever.
  return make_error(errc::not_found, fmt::format("image {}: {}", image, pulled.error().message));
}

std::optional<containers::RegistryLogin> RegistryImages::login(const std::string& region,
                                                               const std::string& reference) {
  const auto own = own_region(parse_image_name(reference).host, region);
  if (!own) return std::nullopt;
  return own_login(*own);
}

containers::RegistryLogin RegistryImages::own_login(const std::string& region) const {
  const registry::Token token{config_.account_id, region, config_.principal_arn, true,
                              clock_.now() + pull_token_lifetime};
  return {"AWS", tokens_.issue(token)};
}

}  // namespace kaapi::daemon
