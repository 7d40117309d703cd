#pragma once
// What the IAM operations share: look-ups with AWS's errors, pages, tags, documents. Not for other folders.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/dispatch.h"
#include "aws/gen/iam.h"
#include "base/text.h"
#include "identity/iam/directory.h"
#include "identity/iam/names.h"

namespace kaapi::identity {

namespace wire = aws::iam;
using aws::CallContext;

// One function for each file of operations.
void add_user_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_access_key_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_group_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_role_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_service_linked_role_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_policy_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_policy_version_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_attached_policy_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_inline_policy_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_tag_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_instance_profile_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_oidc_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_account_operations(aws::Dispatcher& dispatcher, Directory& directory);
void add_authorization_details(aws::Dispatcher& dispatcher, Directory& directory);
void add_simulation(aws::Dispatcher& dispatcher, Directory& directory);

template <class Op>
using Operation = Result<typename Op::Response> (*)(Directory&, const CallContext&, const typename Op::Request&);

template <class Op>
void serve(aws::Dispatcher& dispatcher, Directory& directory, Operation<Op> operation) {
  dispatcher.handle<Op>([&directory, operation](const CallContext& context, const typename Op::Request& request) {
    return operation(directory, context, request);
  });
}

// ---- Errors, with their codes on the wire.

Error no_such_entity(std::string message);
Error already_exists(std::string message);
Error delete_conflict(std::string message);
Error limit_exceeded(std::string message);
// "Cannot exceed quota for RolesPerAccount: 10000".
Error quota_exceeded(std::string_view quota, std::size_t limit);
Error invalid_input(std::string message);
Error validation_error(std::string message);
Error unmodifiable(std::string message);

// ---- Look-ups. `key` is a name, or the ARN of a policy or provider. Error: NoSuchEntity, in AWS's words. What they
// answer is valid as long as the state is not changed: copy before put().

template <class T>
Result<const T*> require(const IamState& state, std::string_view key);
template <>
Result<const User*> require<User>(const IamState& state, std::string_view name);
template <>
Result<const Group*> require<Group>(const IamState& state, std::string_view name);
template <>
Result<const Role*> require<Role>(const IamState& state, std::string_view name);
template <>
Result<const ManagedPolicy*> require<ManagedPolicy>(const IamState& state, std::string_view arn);  // not AWS's own
template <>
Result<const InstanceProfile*> require<InstanceProfile>(const IamState& state, std::string_view name);
template <>
Result<const OidcProvider*> require<OidcProvider>(const IamState& state, std::string_view arn);

// The role must not be a service-linked one: UnmodifiableEntity.
Result<void> check_modifiable(const Role& role);
inline Result<void> check_modifiable(const User&) {
  return ok();
}
inline Result<void> check_modifiable(const Group&) {
  return ok();
}
// The user that a request names, or else the one who calls. Errors: NoSuchEntity, ValidationError (a caller who is no
// user).
Result<const User*> user_or_caller(const IamState& state, const CallContext& context,
                                   const std::optional<std::string>& name);

// The entity that a request means.
template <class R>
const std::string& key_of(const R& request) {
  if constexpr (requires { request.RoleName; }) {
    return request.RoleName;
  } else if constexpr (requires { request.GroupName; }) {
    return request.GroupName;
  } else if constexpr (requires { request.InstanceProfileName; }) {
    return request.InstanceProfileName;
  } else if constexpr (requires { request.OpenIDConnectProviderArn; }) {
    return request.OpenIDConnectProviderArn;
  } else if constexpr (requires { request.UserName; }) {
    return request.UserName;
  } else {
    return request.PolicyArn;
  }
}

// Changes one entity: `change` gets a copy and says whether it shall be kept.
template <class T, class F>
Result<void> edit_one(Directory& directory, std::string_view key, F&& change) {
  return directory.write([&](Edit& edit) -> Result<void> {
    const Result<const T*> found = require<T>(edit.state(), key);
    if (!found) return found.error();
    T copy = **found;
    if (const Result<void> changed = change(edit.state(), copy); !changed) return changed.error();
    edit.put(std::move(copy));
    return ok();
  });
}

// ---- Documents.

// Parsed, and within `max_size` as IAM counts it. Errors: MalformedPolicyDocument, LimitExceeded (`quota`).
Result<PolicyText> document_of(const std::string& text, policy::Kind kind, std::string_view quota,
                               std::size_t max_size);
// A trust policy whose users and roles of this account exist; warns in the log about what is unwise.
// Errors: MalformedPolicyDocument, LimitExceeded.
Result<PolicyText> trust_of(const IamState& state, const std::string& text, std::string_view role_name);
// Trust policies that name `arn` name `replacement` from now on: IAM keeps who was meant, not what it was called.
void rename_in_trust(Edit& edit, const std::string& arn, const std::string& replacement);
// As every answer shows it (RFC 3986).
inline std::string encoded(const PolicyText& policy) {
  return percent_encode(policy.text);
}
// A policy that may be attached or be a boundary: the customer's or AWS's. Error: NoSuchEntity.
Result<void> check_attachable(const IamState& state, std::string_view arn);

// ---- Tags.

// Errors: InvalidInput (a key twice, a reserved key), LimitExceeded.
Result<Tags> tags_of(const std::optional<std::vector<wire::Tag>>& wanted);
// Adds to `tags`, replacing those of the same keys.
Result<void> add_tags(Tags& tags, const std::vector<wire::Tag>& wanted);
void remove_tags(Tags& tags, const std::vector<std::string>& keys);
std::optional<std::vector<wire::Tag>> wire_tags(const Tags& tags);  // nullopt when there are none

// ---- Pages: items by key, in its order.

inline constexpr std::size_t default_page_items = 100;

template <class Item>
using Rows = std::vector<std::pair<std::string, Item>>;

struct Page {
  std::string scope;  // names the listing with its filters
  std::string after;  // the last key of the page before; empty: from the start
  std::size_t items = default_page_items;
};
// Error: ValidationError for a marker of another listing.
Result<Page> page_of(std::string scope, const std::optional<std::string>& marker,
                     std::optional<std::int32_t> max_items);
std::string marker_of(const Page& page, const std::string& last);

// The rows of the page; tells the answer whether there are more. `rows` in the order of keys, which differ.
template <class Item, class Request, class Response>
Result<Rows<Item>> cut(Rows<Item> rows, std::string scope, const Request& request, Response& response) {
  const Result<Page> page = page_of(std::move(scope), request.Marker, request.MaxItems);
  if (!page) return page.error();
  const auto begin = std::upper_bound(rows.begin(), rows.end(), page->after,
                                      [](const std::string& key, const auto& row) { return key < row.first; });
  const auto left = static_cast<std::size_t>(rows.end() - begin);
  const auto end = begin + static_cast<std::ptrdiff_t>(std::min(left, page->items));
  response.IsTruncated = end != rows.end();
  if (end != rows.end()) response.Marker = marker_of(*page, std::prev(end)->first);
  return Rows<Item>(begin, end);
}

// The entities of a table below a path.
template <class T>
Rows<const T*> rows_of(const Table<T>& table, const std::optional<std::string>& path_prefix) {
  Rows<const T*> rows;
  for (const auto& [key, entity] : table.all()) {
    if (!path_prefix || entity->path.starts_with(*path_prefix)) rows.emplace_back(key, entity.get());
  }
  return rows;
}

// ---- Answers. `full`: as Get shows it; lists leave out tags and boundary.

wire::User describe(const User& user, bool full);
wire::Group describe(const Group& group);
// Without its last use, which Get adds.
wire::Role describe(const Role& role, bool full);
wire::RoleLastUsed describe_last_use(const Directory& directory, const Role& role);
wire::InstanceProfile describe(const IamState& state, const InstanceProfile& profile, bool full);
std::optional<wire::AttachedPermissionsBoundary> describe_boundary(const std::string& arn);

// IAM's times have no fractions.
inline Time whole_seconds(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

}  // namespace kaapi::identity
