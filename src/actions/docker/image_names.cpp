#include "actions/docker/image_names.h"

#include <fmt/format.h>

#include <chrono>

#include "actions/docker/request.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

constexpr std::chrono::seconds moment{2};

}  // namespace

std::optional<std::string> ImageNames::id_of(const std::string& name) {
  const Result<json::value> found = engine_.ask("GET", fmt::format("/images/{}/json", percent_encode(name, true)));
  if (found) return string_member(*found, "Id");
  return found.error().code == errc::not_found ? std::optional<std::string>("") : std::nullopt;
}

std::unique_ptr<ImageNames::Giving> ImageNames::begin(const std::vector<std::string>& names) {
  std::vector<std::string> own;
  for (const std::string& given : names) {
    const std::string name = whole_image_name(given);
    if (!is_image_reference(name)) continue;
    const std::optional<std::string> id = id_of(name);
    // One that does not answer is not asked for each of them.
    if (!id) break;
    if (id->empty() || is_own(name)) own.push_back(name);
  }
  const std::lock_guard lock(mutex_);
  giving_.insert(own.begin(), own.end());
  return std::make_unique<Giving>(*this, std::move(own));
}

void ImageNames::end(const std::vector<std::string>& names, bool done) {
  if (done) note(names);
  const std::lock_guard lock(mutex_);
  for (const std::string& name : names) giving_.erase(giving_.find(name));
  changed_.notify_all();
}

void ImageNames::note(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::optional<std::string> id = id_of(name);
    if (!id) break;
    const std::lock_guard lock(mutex_);
    if (!id->empty() && (ids_.size() < max_named_images || ids_.contains(name))) ids_[name] = *id;
  }
}

bool ImageNames::is_own(std::string_view given) {
  const std::string name = whole_image_name(given);
  std::string noted;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, moment, [&] { return !giving_.contains(name); });
    const auto found = ids_.find(name);
    if (found == ids_.end()) return false;
    noted = found->second;
  }
  return id_of(name) == noted;
}

std::vector<std::string> ImageNames::exposed_ports(std::string_view given) {
  std::vector<std::string> ports;
  const std::string name(given);
  if (!is_image_reference(name)) return ports;
  const Result<json::value> found = engine_.ask("GET", fmt::format("/images/{}/json", percent_encode(name, true)));
  const json::value* config = found ? find_member(*found, "Config") : nullptr;
  const json::value* exposed = config == nullptr ? nullptr : find_member(*config, "ExposedPorts");
  if (exposed == nullptr || !exposed->is_object()) return ports;
  for (const auto& [port, nothing] : exposed->get_object()) ports.emplace_back(std::string_view(port));
  return ports;
}

}  // namespace kaapi::actions::docker
