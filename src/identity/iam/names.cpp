#include "identity/iam/names.h"

#include <fmt/format.h>

#include "base/text.h"

namespace kaapi::identity {

std::string new_unique_id(std::string_view prefix, IdSource& ids) {
  constexpr std::size_t tail = 17;
  return fmt::format("{}{}", prefix, ids.letters(tail));
}

std::string new_secret(IdSource& ids) {
  constexpr std::size_t secret_bytes = 30;  // 40 characters of base64
  std::string bytes;
  while (bytes.size() < secret_bytes) {
    const std::uint64_t bits = ids.next();
    bytes.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  }
  return base64_encode(std::string_view(bytes).substr(0, secret_bytes));
}

std::string entity_arn(std::string_view account_id, std::string_view type, std::string_view path,
                       std::string_view name) {
  return fmt::format("arn:aws:iam::{}:{}{}{}", account_id, type, path, name);
}

bool is_aws_managed(std::string_view policy_arn) {
  return policy_arn.starts_with("arn:aws:iam::aws:policy/");
}

std::string_view name_in_arn(std::string_view arn) {
  return arn.substr(arn.rfind('/') + 1);
}

}  // namespace kaapi::identity
