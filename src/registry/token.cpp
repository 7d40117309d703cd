#include "registry/token.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::registry {
namespace {

constexpr std::size_t secret_hex_digits = 64;
constexpr std::size_t max_password_bytes = 4096;
constexpr std::string_view format_version = "kaapi1";

Error not_ours() {
  return make_error(errc::invalid, "the password is no authorization token of this registry", 401);
}

}  // namespace

Result<TokenIssuer> TokenIssuer::open(const std::string& path, IdSource& ids) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    Result<std::string> content = read_file(path, max_password_bytes);
    if (!content) return content.error();
    const std::string_view secret = trim(*content);
    if (secret.size() != secret_hex_digits) {
      return make_error(errc::damaged,
                        fmt::format("{} holds no token secret; remove it to make a new one (everyone then "
                                    "has to log in to the registry again)",
                                    path));
    }
    return TokenIssuer(std::string(secret));
  }
  std::string secret = ids.hex(secret_hex_digits);
  if (Result<void> written = write_file_atomically(path, secret + "\n", 0600); !written) return written.error();
  return TokenIssuer(std::move(secret));
}

std::string TokenIssuer::issue(const Token& token) const {
  std::string payload;
  JsonWriter writer(payload);
  writer.begin_object();
  writer.key("account");
  writer.value(token.account_id);
  writer.key("region");
  writer.value(token.region);
  writer.key("principal");
  writer.value(token.principal);
  writer.key("access_key");
  writer.value(token.access_key_id);
  writer.key("pull_only");
  writer.value(token.pull_only);
  writer.key("expires_ms");
  writer.value(to_millis(token.expires_at));
  writer.end_object();
  const std::string encoded = base64_encode(payload);
  return fmt::format("{}.{}.{}", format_version, encoded, to_hex(hmac_sha256(secret_, encoded)));
}

Result<Token> TokenIssuer::verify(std::string_view password, Time now) const {
  if (password.size() > max_password_bytes) return not_ours();
  const std::vector<std::string> parts = split(password, '.');
  if (parts.size() != 3 || parts[0] != format_version) return not_ours();
  // The signature first: nothing of an unsigned payload is looked at.
  if (!equal_constant_time(parts[2], to_hex(hmac_sha256(secret_, parts[1])))) return not_ours();
  const std::optional<std::string> payload = base64_decode(parts[1]);
  if (!payload) return not_ours();
  const Result<json::value> value = parse_json(*payload);
  if (!value) return not_ours();
  Token token;
  token.account_id = string_member(*value, "account");
  token.region = string_member(*value, "region");
  token.principal = string_member(*value, "principal");
  token.access_key_id = string_member(*value, "access_key");
  token.pull_only = bool_member(*value, "pull_only");
  token.expires_at = from_millis(int_member(*value, "expires_ms"));
  if (now >= token.expires_at) {
    return make_error(errc::timed_out,
                      fmt::format("the authorization token expired at {}", format_time(token.expires_at)), 401);
  }
  return token;
}

}  // namespace kaapi::registry
