#include "identity/iam/model_json.h"

#include <fmt/format.h>

#include "aws/codec.h"
#include "aws/gen/iam.h"
#include "base/json.h"
#include "base/text.h"

namespace kaapi::identity {

// The visitors are those of the wire's codec, which finds these by their argument.
template <class T>
void read(aws::Reader& reader, const json::value& from, T& to);
template <class T>
void encode(JsonWriter& out, const T& from);

namespace {

constexpr aws::Rule plain{};
constexpr aws::Rule any{.item = &plain};  // nothing is checked of what we wrote ourselves

// Each structure lists its members once; writer and reader walk that list.

template <class V>
void members(V& v, Tag& x) {
  v("key", x.Key, any), v("value", x.Value, any);
}
template <class V>
void members(V& v, InlinePolicy& x) {
  v("name", x.name, any), v("document", x.policy.text, any);
}
template <class V>
void members_of_all(V& v, Entity& x) {
  v("name", x.name, any), v("path", x.path, any), v("id", x.id, any), v("arn", x.arn, any);
  v("created_at", x.created_at, any), v("attached", x.attached, any), v("inline_policies", x.inline_policies, any);
}
template <class V>
void members(V& v, User& x) {
  members_of_all(v, x);
  v("tags", x.tags, any), v("boundary", x.boundary, any), v("groups", x.groups, any);
  v("access_keys", x.access_keys, any);
}
template <class V>
void members(V& v, Group& x) {
  members_of_all(v, x);
}
template <class V>
void members(V& v, Role& x) {
  members_of_all(v, x);
  v("tags", x.tags, any), v("boundary", x.boundary, any), v("trust", x.trust.text, any);
  v("description", x.description, any), v("max_session_duration_s", x.max_session_duration_s, any);
  v("linked_service", x.linked_service, any);
}
template <class V>
void members(V& v, PolicyVersion& x) {
  v("number", x.number, any), v("document", x.policy.text, any), v("created_at", x.created_at, any);
}
template <class V>
void members(V& v, ManagedPolicy& x) {
  v("name", x.name, any), v("path", x.path, any), v("id", x.id, any), v("arn", x.arn, any);
  v("description", x.description, any), v("tags", x.tags, any), v("versions", x.versions, any);
  v("default_version", x.default_version, any), v("last_version", x.last_version, any);
  v("created_at", x.created_at, any), v("updated_at", x.updated_at, any);
}
template <class V>
void members(V& v, InstanceProfile& x) {
  v("name", x.name, any), v("path", x.path, any), v("id", x.id, any), v("arn", x.arn, any), v("tags", x.tags, any);
  v("role", x.role, any), v("created_at", x.created_at, any);
}
template <class V>
void members(V& v, OidcProvider& x) {
  v("arn", x.arn, any), v("url", x.url, any), v("client_ids", x.client_ids, any);
  v("thumbprints", x.thumbprints, any), v("tags", x.tags, any), v("created_at", x.created_at, any);
}

struct StoredKey {
  std::string id, sealed, user;
  bool active = true;
  Time created_at{};
};
template <class V>
void members(V& v, StoredKey& x) {
  v("id", x.id, any), v("sealed", x.sealed, any), v("user", x.user, any), v("active", x.active, any);
  v("created_at", x.created_at, any);
}

std::string place_of(const std::string& access_key_id) {
  return "access-key/" + access_key_id;
}

template <class T>
std::string written(const T& from) {
  std::string text;
  JsonWriter out(text);
  encode(out, from);
  return text;
}

Error damaged(std::string_view what, const Error& why) {
  return make_error(errc::damaged, fmt::format("{} cannot be read: {}", what, why.message), 500);
}

template <class T>
Result<void> parsed(std::string_view text, T& to) {
  const Result<json::value> tree = parse_json(text);
  if (!tree) return damaged("a stored identity", tree.error());
  aws::Reader reader(aws::Wire::json, aws::Strictness::stored);
  read(reader, *tree, to);
  if (const Result<void> done = reader.finish(aws::iam::info()); !done)
    return damaged("a stored identity", done.error());
  return ok();
}

Result<void> understand(PolicyText& policy, policy::Kind kind, std::string_view whose) {
  Result<std::shared_ptr<const policy::Document>> document = policy::parse(policy.text, kind);
  if (!document) return damaged(fmt::format("a policy of {}", whose), document.error());
  policy.document = std::move(*document);
  return ok();
}

Result<void> understand_inline(Entity& entity) {
  for (InlinePolicy& policy : entity.inline_policies) {
    if (const Result<void> done = understand(policy.policy, policy::Kind::identity, entity.arn); !done)
      return done.error();
  }
  return ok();
}

}  // namespace

template <class T>
void read(aws::Reader& reader, const json::value& from, T& to) {
  aws::Reader::Members visitor(reader, from);
  if (visitor) members(visitor, to);
}

template <class T>
void encode(JsonWriter& out, const T& from) {
  out.begin_object();
  aws::JsonFields visitor{out};
  members(visitor, const_cast<T&>(from));  // the writer only looks
  out.end_object();
}

std::string to_stored(const User& user, const store::Sealer&) {
  return written(user);
}
std::string to_stored(const Group& group, const store::Sealer&) {
  return written(group);
}
std::string to_stored(const Role& role, const store::Sealer&) {
  return written(role);
}
std::string to_stored(const ManagedPolicy& policy, const store::Sealer&) {
  return written(policy);
}
std::string to_stored(const InstanceProfile& profile, const store::Sealer&) {
  return written(profile);
}
std::string to_stored(const OidcProvider& provider, const store::Sealer&) {
  return written(provider);
}
std::string to_stored(const AccessKeyRecord& key, const store::Sealer& sealer) {
  return written(StoredKey{key.id, base64_encode(sealer.seal(key.secret, place_of(key.id))), key.user, key.active,
                           key.created_at});
}

Result<void> from_stored(std::string_view text, const store::Sealer&, User& user) {
  if (const Result<void> done = parsed(text, user); !done) return done.error();
  return understand_inline(user);
}
Result<void> from_stored(std::string_view text, const store::Sealer&, Group& group) {
  if (const Result<void> done = parsed(text, group); !done) return done.error();
  return understand_inline(group);
}
Result<void> from_stored(std::string_view text, const store::Sealer&, Role& role) {
  if (const Result<void> done = parsed(text, role); !done) return done.error();
  if (const Result<void> done = understand(role.trust, policy::Kind::trust, role.arn); !done) return done.error();
  return understand_inline(role);
}
Result<void> from_stored(std::string_view text, const store::Sealer&, ManagedPolicy& policy) {
  if (const Result<void> done = parsed(text, policy); !done) return done.error();
  for (PolicyVersion& version : policy.versions) {
    if (const Result<void> done = understand(version.policy, policy::Kind::identity, policy.arn); !done)
      return done.error();
  }
  if (policy.version(policy.default_version) != nullptr) return ok();
  return make_error(errc::damaged, fmt::format("{} has no version {}", policy.arn, version_id(policy.default_version)),
                    500);
}
Result<void> from_stored(std::string_view text, const store::Sealer&, InstanceProfile& profile) {
  return parsed(text, profile);
}
Result<void> from_stored(std::string_view text, const store::Sealer&, OidcProvider& provider) {
  return parsed(text, provider);
}
Result<void> from_stored(std::string_view text, const store::Sealer& sealer, AccessKeyRecord& key) {
  StoredKey stored;
  if (const Result<void> done = parsed(text, stored); !done) return done.error();
  Result<std::string> secret = sealer.unseal(base64_decode(stored.sealed).value_or(""), place_of(stored.id));
  if (!secret) return damaged("the secret of access key " + stored.id, secret.error());
  key = {stored.id, std::move(*secret), stored.user, stored.active, stored.created_at};
  return ok();
}

}  // namespace kaapi::identity
