#include "identity/policy/parse_principal.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace kaapi::identity::policy {
namespace {

using PrincipalKind = PrincipalPattern::Kind;

constexpr std::size_t account_id_digits = 12;

bool all_of(std::string_view text, bool (*test)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), test);
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_id_character(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z');
}
bool is_host_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
}
// Names and paths of IAM, and what issuers are made of.
bool is_name_character(char c) {
  return c > ' ' && c < '\x7f' && c != '*' && c != '?' && c != '"';
}

bool is_account_id(std::string_view text) {
  return text.size() == account_id_digits && all_of(text, is_digit);
}

bool is_partition(std::string_view text) {
  return text == "aws" || text == "aws-cn" || text == "aws-us-gov";
}

// The last part of "arn:PARTITION:SERVICE::ACCOUNT:..." when the ones before it are right.
std::optional<std::string_view> last_part(std::string_view arn, std::string_view service, std::string& account) {
  const std::vector<std::string> parts = split(arn.substr(0, arn.find('/')), ':');
  constexpr std::size_t arn_parts = 6;
  if (parts.size() != arn_parts || parts[0] != "arn" || !is_partition(parts[1]) || parts[2] != service ||
      !parts[3].empty() || !is_account_id(parts[4])) {
    return std::nullopt;
  }
  account = parts[4];
  std::size_t at = 0;
  for (std::size_t part = 0; part + 1 < arn_parts; ++part) at += parts[part].size() + 1;
  return arn.substr(at);
}

bool names(std::string_view part, std::string_view type) {
  return part.starts_with(type) && all_of(part.substr(type.size()), is_name_character) && !part.ends_with('/');
}

std::optional<PrincipalPattern> aws_principal(const std::string& value) {
  constexpr std::size_t min_id_size = 16;
  if (value == "*") return PrincipalPattern{PrincipalKind::anyone, value};
  if (is_account_id(value)) return PrincipalPattern{PrincipalKind::account, value};
  const bool id = value.starts_with("AIDA") || value.starts_with("AROA");
  if (id && value.size() >= min_id_size && all_of(value, is_id_character)) {
    return PrincipalPattern{PrincipalKind::unique_id, value};
  }
  std::string account;
  if (const auto part = last_part(value, "iam", account)) {
    if (*part == "root") return PrincipalPattern{PrincipalKind::account, account};
    if (names(*part, "user/") || names(*part, "role/")) return PrincipalPattern{PrincipalKind::arn, value};
  }
  if (const auto part = last_part(value, "sts", account)) {
    if (names(*part, "federated-user/")) return PrincipalPattern{PrincipalKind::arn, value};
    if (names(*part, "assumed-role/") && std::count(part->begin(), part->end(), '/') == 2) {
      return PrincipalPattern{PrincipalKind::arn, value};
    }
  }
  return std::nullopt;
}

std::optional<PrincipalPattern> service_principal(const std::string& value) {
  if (!all_of(value, is_host_character) || value.find('.') == std::string::npos) return std::nullopt;
  return PrincipalPattern{PrincipalKind::service, value};
}

std::optional<PrincipalPattern> federated_principal(const std::string& value) {
  std::string account;
  const auto part = last_part(value, "iam", account);
  const bool provider = part && (names(*part, "oidc-provider/") || names(*part, "saml-provider/"));
  const bool host = all_of(value, is_host_character) && value.find('.') != std::string::npos;
  if (!provider && !host) return std::nullopt;
  return PrincipalPattern{PrincipalKind::federated, value};
}

std::string_view expected_of(std::string_view type) {
  if (type == "AWS") {
    return "an account id, arn:aws:iam::ACCOUNT:root, the ARN of one user, role or role session, or \"*\" alone";
  }
  if (type == "Service") return "a service such as ecs-tasks.amazonaws.com";
  return "the ARN of an identity provider, arn:aws:iam::ACCOUNT:oidc-provider/HOST";
}

Error invalid_principal(std::string_view type, std::string_view value) {
  return make_error(errc::invalid, fmt::format("Invalid principal in policy: \"{}\":\"{}\": expected {}", type, value,
                                               expected_of(type)));
}

std::optional<PrincipalPattern> principal_of(std::string_view type, const std::string& value) {
  if (type == "AWS") return aws_principal(value);
  return type == "Service" ? service_principal(value) : federated_principal(value);
}

}  // namespace

Result<std::vector<std::string>> read_strings(const json::value& value) {
  std::vector<std::string> strings;
  if (value.is_string()) {
    strings.emplace_back(value.get_string());
    return strings;
  }
  if (!value.is_array()) return make_error(errc::invalid, "expected a string or a list of strings");
  for (const json::value& element : value.get_array()) {
    if (!element.is_string()) return make_error(errc::invalid, "expected a list that holds strings only");
    strings.emplace_back(element.get_string());
  }
  return strings;
}

Result<std::vector<PrincipalPattern>> parse_principals(const json::value& element) {
  std::vector<PrincipalPattern> principals;
  if (element.is_string()) {
    if (element.get_string() != "*") {
      return make_error(errc::invalid,
                        fmt::format("Invalid principal in policy: \"{}\": expected \"*\" or an object such as "
                                    "{{\"Service\": \"ecs-tasks.amazonaws.com\"}}",
                                    std::string_view(element.get_string())));
    }
    principals.push_back({PrincipalKind::anyone, "*"});
    return principals;
  }
  if (!element.is_object() || element.get_object().empty()) {
    return make_error(errc::invalid, "expected \"*\" or an object with AWS, Service or Federated");
  }
  for (const auto& member : element.get_object()) {
    const std::string_view type = member.key();
    if (type != "AWS" && type != "Service" && type != "Federated") {
      return make_error(errc::invalid, fmt::format("Unknown field {}: expected AWS, Service or Federated", type));
    }
    const Result<std::vector<std::string>> values = read_strings(member.value());
    if (!values) return make_error(errc::invalid, fmt::format("{}: {}", type, values.error().message));
    if (values->empty()) return make_error(errc::invalid, fmt::format("{}: expected at least one principal", type));
    for (const std::string& value : *values) {
      std::optional<PrincipalPattern> principal = principal_of(type, value);
      if (!principal) return invalid_principal(type, value);
      principals.push_back(std::move(*principal));
    }
  }
  return principals;
}

}  // namespace kaapi::identity::policy
