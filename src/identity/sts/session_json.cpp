#include "identity/sts/session_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::identity {
namespace {

constexpr std::array<std::string_view, 4> kind_names = {"assumed-role", "web-identity", "session-token", "task-role"};

std::string place(std::string_view access_key_id, std::string_view what) {
  return fmt::format("session/{}/{}", access_key_id, what);
}

template <class List>
void write_list(JsonWriter& out, std::string_view name, const List& list) {
  if (list.empty()) return;
  out.key(name);
  out.begin_array();
  for (const std::string& text : list) out.value(text);
  out.end_array();
}

void write_text(JsonWriter& out, std::string_view name, const std::string& text) {
  if (text.empty()) return;
  out.key(name);
  out.value(text);
}

std::vector<std::string> read_list(const json::value* from) {
  std::vector<std::string> list;
  const json::array* items = from == nullptr ? nullptr : from->if_array();
  if (items == nullptr) return list;
  for (const json::value& item : *items) {
    if (const json::string* text = item.if_string()) list.emplace_back(text->data(), text->size());
  }
  return list;
}

Error damaged(std::string_view access_key_id, std::string_view why) {
  return make_error(errc::damaged, fmt::format("the stored session {} cannot be read: {}", access_key_id, why), 500);
}

Result<std::string> unseal(const json::value& from, std::string_view access_key_id, std::string_view what,
                           const store::Sealer& sealer) {
  const std::optional<std::string> sealed = base64_decode(string_member(from, what));
  if (!sealed) return damaged(access_key_id, fmt::format("its {} is no base64", what));
  Result<std::string> plain = sealer.unseal(*sealed, place(access_key_id, what));
  if (!plain) return damaged(access_key_id, plain.error().message);
  return plain;
}

void write_maps(JsonWriter& out, const Session& session) {
  out.key("policies");
  out.begin_array();
  for (const SessionPolicy& policy : session.policies) {
    out.begin_object();
    write_text(out, "arn", policy.arn);
    write_text(out, "text", policy.text);
    out.end_object();
  }
  out.end_array();
  out.key("tags");
  out.begin_object();
  for (const auto& [key, value] : session.tags) {
    out.key(key);
    out.value(value);
  }
  out.end_object();
  out.key("claims");
  out.begin_object();
  for (const auto& [key, values] : session.claims) write_list(out, key, values);
  out.end_object();
}

Result<void> read_maps(std::string_view access_key_id, const json::value& from, Session& session) {
  if (const json::value* policies = find_member(from, "policies"); policies != nullptr && policies->is_array()) {
    for (const json::value& stored : policies->get_array()) {
      SessionPolicy policy{string_member(stored, "arn"), string_member(stored, "text"), nullptr};
      if (policy.arn.empty()) {
        auto document = policy::parse(policy.text, policy::Kind::identity);
        if (!document) return damaged(access_key_id, document.error().message);
        policy.document = std::move(*document);
      }
      session.policies.push_back(std::move(policy));
    }
  }
  if (const json::value* tags = find_member(from, "tags"); tags != nullptr && tags->is_object()) {
    for (const auto& [key, value] : tags->get_object()) {
      if (const json::string* text = value.if_string()) session.tags.emplace(std::string(key), std::string(*text));
    }
  }
  if (const json::value* claims = find_member(from, "claims"); claims != nullptr && claims->is_object()) {
    for (const auto& [key, values] : claims->get_object()) session.claims[std::string(key)] = read_list(&values);
  }
  return ok();
}

}  // namespace

std::string stored_session(const Session& session, const store::Sealer& sealer) {
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  const auto write_sealed = [&](std::string_view what, const std::string& plain) {
    write_text(out, what, base64_encode(sealer.seal(plain, place(session.access_key_id, what))));
  };
  write_sealed("secret", session.secret_access_key);
  write_sealed("token", session.token);
  out.key("kind");
  out.value(kind_names[static_cast<std::size_t>(session.kind)]);
  out.key("issued_at");
  out.value(to_millis(session.issued_at));
  out.key("expires_at");
  out.value(to_millis(session.expires_at));
  write_text(out, "role_name", session.role_name);
  write_text(out, "role_id", session.role_id);
  write_text(out, "session_name", session.session_name);
  write_text(out, "user_name", session.user_name);
  write_text(out, "user_id", session.user_id);
  write_text(out, "source_identity", session.source_identity);
  write_text(out, "federated_provider", session.federated_provider);
  write_text(out, "owner", session.owner);
  write_list(out, "transitive_tag_keys", session.transitive_tag_keys);
  write_maps(out, session);
  out.end_object();
  return text;
}

Result<Session> read_stored_session(std::string_view access_key_id, std::string_view document,
                                    const store::Sealer& sealer) {
  const Result<json::value> parsed = parse_json(document);
  if (!parsed) return damaged(access_key_id, parsed.error().message);
  const json::value& from = *parsed;
  Session session;
  session.access_key_id = access_key_id;
  Result<std::string> secret = unseal(from, access_key_id, "secret", sealer);
  if (!secret) return secret.error();
  session.secret_access_key = std::move(*secret);
  Result<std::string> token = unseal(from, access_key_id, "token", sealer);
  if (!token) return token.error();
  session.token = std::move(*token);

  const std::string kind = string_member(from, "kind");
  const auto* const found = std::find(kind_names.begin(), kind_names.end(), kind);
  if (found == kind_names.end()) return damaged(access_key_id, fmt::format("there is no kind '{}'", kind));
  session.kind = static_cast<SessionKind>(found - kind_names.begin());
  session.issued_at = from_millis(int_member(from, "issued_at"));
  session.expires_at = from_millis(int_member(from, "expires_at"));
  session.role_name = string_member(from, "role_name");
  session.role_id = string_member(from, "role_id");
  session.session_name = string_member(from, "session_name");
  session.user_name = string_member(from, "user_name");
  session.user_id = string_member(from, "user_id");
  session.source_identity = string_member(from, "source_identity");
  session.federated_provider = string_member(from, "federated_provider");
  session.owner = string_member(from, "owner");
  session.transitive_tag_keys = read_list(find_member(from, "transitive_tag_keys"));
  if (const Result<void> read = read_maps(access_key_id, from, session); !read) return read.error();
  return session;
}

}  // namespace kaapi::identity
