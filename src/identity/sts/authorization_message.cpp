#include "identity/sts/authorization_message.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::identity {
namespace {

constexpr std::string_view place = "authorization-message";
constexpr std::size_t max_name_bytes = 512;  // of each ARN, action and policy that is told

void write(JsonWriter& out, std::string_view name, std::string_view text) {
  // Whole UTF-8 characters only.
  std::size_t size = std::min(text.size(), max_name_bytes);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
  out.key(name);
  out.value(text.substr(0, size));
}

void write_statements(JsonWriter& out, const policy::Decision& decision, std::size_t count) {
  out.key("matchedStatements");
  out.begin_object();
  out.key("items");
  out.begin_array();
  for (std::size_t i = 0; i < count; ++i) {
    const policy::Matched& matched = decision.matched[i];
    out.begin_object();
    write(out, "statementId", matched.statement);
    write(out, "effect", matched.allow ? "ALLOW" : "DENY");
    write(out, "sourcePolicyId", matched.policy);
    write(out, "sourcePolicyType", matched.layer);
    out.end_object();
  }
  out.end_array();
  out.end_object();
}

std::string message_of(const policy::Principal& who, const policy::Request& request, const policy::Decision& decision,
                       std::size_t statements) {
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  out.key("allowed");
  out.value(decision.effect == policy::Effect::allowed);
  out.key("explicitDeny");
  out.value(decision.effect == policy::Effect::explicit_deny);
  write_statements(out, decision, statements);
  out.key("context");
  out.begin_object();
  out.key("principal");
  out.begin_object();
  write(out, "id", who.user_id);
  write(out, "arn", who.arn.empty() ? who.federated : who.arn);
  out.end_object();
  write(out, "action", request.action);
  write(out, "resource", request.resource);
  out.end_object();
  write(out, "reason", policy::refusal(who, request, decision).substr(0, 2 * max_name_bytes));
  out.end_object();
  return text;
}

}  // namespace

std::string encode_authorization_message(const store::Sealer& sealer, const policy::Principal& who,
                                         const policy::Request& request, const policy::Decision& decision) {
  std::size_t statements = std::min(decision.matched.size(), max_message_statements);
  while (true) {
    std::string encoded = base64_encode(sealer.seal(message_of(who, request, decision, statements), place));
    if (encoded.size() <= max_encoded_message_bytes || statements == 0) return encoded;
    statements /= 2;
  }
}

Result<std::string> decode_authorization_message(const store::Sealer& sealer, std::string_view encoded) {
  const std::optional<std::string> sealed =
      encoded.size() <= max_encoded_message_bytes ? base64_decode(encoded) : std::nullopt;
  Result<std::string> message = make_error(errc::invalid, "");
  if (sealed) message = sealer.unseal(*sealed, place);
  if (message) return message;
  return make_error("InvalidAuthorizationMessageException",
                    "The message is not one that this platform encoded; pass the whole text that follows \"Encoded "
                    "authorization failure message:\"");
}

}  // namespace kaapi::identity
