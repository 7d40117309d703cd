#include "ecs/task_role.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace kaapi::ecs {
namespace {

constexpr std::size_t max_role_arn_chars = 2048;
constexpr std::size_t max_role_name_chars = 64;
constexpr std::size_t max_shown_chars = 200;
constexpr std::size_t account_id_digits = 12;

bool digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_role_name(std::string_view text) {
  return !text.empty() && text.size() <= max_role_name_chars && std::all_of(text.begin(), text.end(), [](char c) {
    return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("+=,.@-_").find(c) != std::string_view::npos;
  });
}

}  // namespace

containers::NetworkSpec credentials_network_spec() {
  containers::NetworkSpec spec;
  spec.name = credentials_network;
  spec.labels["kaapi.network"] = "credentials";
  spec.subnet = "169.254.170.0/23";  // no larger: 169.254.169.254 belongs to the machine's own cloud
  spec.gateway = credentials_address;
  spec.internal = true;
  spec.isolated = true;
  return spec;
}

bool on_credentials_network(std::string_view address) {
  return address.starts_with("169.254.170.") || address.starts_with("169.254.171.");
}

bool joins_credentials_network(const Task& task) {
  return !task.role.empty() && (task.network_mode == NetworkMode::awsvpc || task.network_mode == NetworkMode::bridge);
}

bool is_role(std::string_view text) {
  if (text.empty()) return true;
  if (!text.starts_with("arn:")) return is_role_name(text);
  const std::vector<std::string> parts = split(text, ':');
  if (text.size() > max_role_arn_chars || parts.size() != 6) return false;
  const std::string& account = parts[4];
  const std::string& resource = parts[5];
  const bool printable = std::all_of(resource.begin(), resource.end(), [](char c) { return c > ' ' && c <= '~'; });
  return parts[1].starts_with("aws") && parts[2] == "iam" && parts[3].empty() && account.size() == account_id_digits &&
         std::all_of(account.begin(), account.end(), digit) && resource.starts_with("role/") && printable &&
         is_role_name(std::string_view(resource).substr(resource.rfind('/') + 1));
}

std::string role_error(std::string_view text) {
  return fmt::format(
      "Role is not valid: '{}' is neither the name of a role nor its ARN, arn:aws:iam::ACCOUNT:role/NAME.",
      text.substr(0, max_shown_chars));
}

}  // namespace kaapi::ecs
