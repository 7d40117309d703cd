#include "actions/protocol/actor.h"

#include <fmt/format.h>

#include <cstdint>

#include "base/text.h"

namespace kaapi::actions {

std::string actor_name(std::string_view principal_arn) {
  constexpr std::string_view session = ":assumed-role/";
  if (const std::size_t at = principal_arn.find(session); at != std::string_view::npos) {
    return std::string(principal_arn.substr(at + session.size()));
  }
  std::string name(principal_arn.substr(principal_arn.find_last_of(":/") + 1));
  const bool account = principal_arn.ends_with(":root");
  return name == "root" && !account ? "user/root" : name;
}

std::string principal_of(std::string_view arn) {
  const std::vector<std::string> parts = split(arn, ':');
  if (parts.size() != 6) return std::string(arn);
  const std::vector<std::string> names = split(parts[5], '/');
  if (names.size() < 2) return std::string(arn);
  const auto of = [&](std::string_view kind, const std::string& name) {
    return fmt::format("arn:{}:iam::{}:{}/{}", parts[1], parts[4], kind, name);
  };
  if (parts[2] == "sts" && names[0] == "assumed-role") return of("role", names[1]);
  if (parts[2] == "iam" && (names[0] == "role" || names[0] == "user")) return of(names[0], names.back());
  return std::string(arn);
}

std::string actor_id(std::string_view user_id, std::string_view principal_arn) {
  if (!user_id.empty()) return std::string(user_id.substr(0, user_id.find(':')));
  const std::string hash = sha256(principal_arn);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) number = number * 256 + static_cast<unsigned char>(hash[i]);
  return fmt::format("{}", number >> 1U);
}

}  // namespace kaapi::actions
