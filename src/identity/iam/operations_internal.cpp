#include "identity/iam/operations_internal.h"

#include <iterator>

#include "base/json.h"
#include "base/log.h"
#include "identity/iam/trust.h"
#include "identity/policy/managed.h"

namespace kaapi::identity {
namespace {

Error wire_error(std::string_view code, std::string message) {
  return make_error(code, std::move(message), aws::error_status(wire::info(), code));
}

// Every text `from` below a Principal or NotPrincipal becomes `to`.
void replace_principal(json::value& value, std::string_view from, std::string_view to, bool in_principal) {
  if (json::string* text = value.if_string()) {
    if (in_principal && std::string_view(text->data(), text->size()) == from) text->assign(to.data(), to.size());
  } else if (json::array* items = value.if_array()) {
    for (json::value& item : *items) replace_principal(item, from, to, in_principal);
  } else if (json::object* object = value.if_object()) {
    for (auto& [key, member] : *object) {
      replace_principal(member, from, to, in_principal || key == "Principal" || key == "NotPrincipal");
    }
  }
}

bool names_principal(const policy::Document& trust, std::string_view arn) {
  for (const policy::Statement& statement : trust.statements) {
    for (const policy::PrincipalPattern& principal : statement.principals) {
      if (principal.kind == policy::PrincipalPattern::Kind::arn && principal.value == arn) return true;
    }
  }
  return false;
}

// IAM refuses a trust policy that names a user or role which is not there.
Result<void> check_principals(const IamState& state, const policy::Document& trust) {
  const std::string users = entity_arn(state.account_id, "user", "/", "");
  const std::string roles = entity_arn(state.account_id, "role", "/", "");
  for (const policy::Statement& statement : trust.statements) {
    for (const policy::PrincipalPattern& principal : statement.principals) {
      const std::string& arn = principal.value;
      if (principal.kind != policy::PrincipalPattern::Kind::arn) continue;
      const bool missing = (arn.starts_with(users) && state.user_by_arn(arn) == nullptr) ||
                           (arn.starts_with(roles) && state.role_by_arn(arn) == nullptr);
      if (missing) {
        return wire_error(wire::error::MalformedPolicyDocumentException,
                          fmt::format("Invalid principal in policy: \"AWS\":\"{}\"", arn));
      }
    }
  }
  return ok();
}

template <class T>
Result<const T*> found_or(const T* found, std::string message) {
  if (found == nullptr) return no_such_entity(std::move(message));
  return found;
}

}  // namespace

Error no_such_entity(std::string message) {
  return wire_error(wire::error::NoSuchEntityException, std::move(message));
}
Error already_exists(std::string message) {
  return wire_error(wire::error::EntityAlreadyExistsException, std::move(message));
}
Error delete_conflict(std::string message) {
  return wire_error(wire::error::DeleteConflictException, std::move(message));
}
Error limit_exceeded(std::string message) {
  return wire_error(wire::error::LimitExceededException, std::move(message));
}
Error quota_exceeded(std::string_view quota, std::size_t limit) {
  return limit_exceeded(fmt::format("Cannot exceed quota for {}: {}", quota, limit));
}
Error invalid_input(std::string message) {
  return wire_error(wire::error::InvalidInputException, std::move(message));
}
Error validation_error(std::string message) {
  return make_error("ValidationError", std::move(message), 400);
}
Error unmodifiable(std::string message) {
  return wire_error(wire::error::UnmodifiableEntityException, std::move(message));
}

template <>
Result<const User*> require<User>(const IamState& state, std::string_view name) {
  return found_or(state.user(name), fmt::format("The user with name {} cannot be found.", name));
}
template <>
Result<const Group*> require<Group>(const IamState& state, std::string_view name) {
  return found_or(state.group(name), fmt::format("The group with name {} cannot be found.", name));
}
template <>
Result<const Role*> require<Role>(const IamState& state, std::string_view name) {
  return found_or(state.role(name), fmt::format("The role with name {} cannot be found.", name));
}
template <>
Result<const ManagedPolicy*> require<ManagedPolicy>(const IamState& state, std::string_view arn) {
  if (policy::find_aws_managed_policy(arn) != nullptr) {
    return invalid_input(fmt::format("Policy {} is managed by AWS: it can be attached, but not changed.", arn));
  }
  return found_or(state.policy(arn), fmt::format("Policy {} was not found.", arn));
}
template <>
Result<const InstanceProfile*> require<InstanceProfile>(const IamState& state, std::string_view name) {
  return found_or(state.instance_profile(name), fmt::format("Instance Profile {} cannot be found.", name));
}
template <>
Result<const OidcProvider*> require<OidcProvider>(const IamState& state, std::string_view arn) {
  return found_or(state.oidc_provider(arn), fmt::format("OpenIDConnect Provider not found for arn {}", arn));
}

Result<void> check_modifiable(const Role& role) {
  if (role.linked_service.empty()) return ok();
  return unmodifiable(fmt::format(
      "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS", role.name));
}

Result<const User*> user_or_caller(const IamState& state, const CallContext& context,
                                   const std::optional<std::string>& name) {
  if (name) return require<User>(state, *name);
  if (const User* caller = state.user_by_arn(context.principal_arn)) return caller;
  return validation_error("Must specify userName when calling with non-User credentials");
}

Result<PolicyText> document_of(const std::string& text, policy::Kind kind, std::string_view quota,
                               std::size_t max_size) {
  Result<std::shared_ptr<const policy::Document>> document = policy::parse(text, kind);
  if (!document) return document.error();
  if (policy::counted_size(text) > max_size) return quota_exceeded(quota, max_size);
  return PolicyText{text, std::move(*document)};
}

Result<PolicyText> trust_of(const IamState& state, const std::string& text, std::string_view role_name) {
  Result<PolicyText> trust = document_of(text, policy::Kind::trust, "ACLSizePerRole", policy::max_trust_policy_size);
  if (!trust) return trust;
  if (const Result<void> checked = check_principals(state, *trust->document); !checked) return checked.error();
  for (const std::string& warning : trust_warnings(*trust->document)) {
    log::warn("identity", "the trust policy of role {}: {}", role_name, warning);
  }
  return trust;
}

void rename_in_trust(Edit& edit, const std::string& arn, const std::string& replacement) {
  std::vector<Role> changed;
  for (const auto& [key, role] : edit.state().roles.all()) {
    if (!names_principal(*role->trust.document, arn)) continue;
    json::value tree = parse_json(role->trust.text).value();
    replace_principal(tree, arn, replacement, false);
    const std::string text = json::serialize(tree);
    Role copy = *role;
    copy.trust = {text, policy::parse(text, policy::Kind::trust).value()};
    changed.push_back(std::move(copy));
  }
  for (Role& role : changed) edit.put(std::move(role));
}

Result<void> check_attachable(const IamState& state, std::string_view arn) {
  if (managed_document(state, arn) != nullptr) return ok();
  return no_such_entity(fmt::format("Policy {} does not exist or is not attachable.", arn));
}

Result<void> add_tags(Tags& tags, const std::vector<wire::Tag>& wanted) {
  for (auto tag = wanted.begin(); tag != wanted.end(); ++tag) {
    const std::string key = lower(tag->Key);
    if (key.starts_with("aws:")) {
      return invalid_input(fmt::format("The tag key '{}' starts with 'aws:', which is reserved", tag->Key));
    }
    if (std::any_of(wanted.begin(), tag, [&](const wire::Tag& other) { return lower(other.Key) == key; })) {
      return invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
    }
    const auto known =
        std::find_if(tags.begin(), tags.end(), [&](const Tag& other) { return lower(other.Key) == key; });
    if (known != tags.end()) {
      *known = {tag->Key, tag->Value};
    } else {
      tags.push_back({tag->Key, tag->Value});
    }
  }
  if (tags.size() > max_tags)
    return limit_exceeded(fmt::format("The number of tags has reached the maximum limit of {}.", max_tags));
  return ok();
}

Result<Tags> tags_of(const std::optional<std::vector<wire::Tag>>& wanted) {
  Tags tags;
  if (!wanted) return tags;
  if (const Result<void> added = add_tags(tags, *wanted); !added) return added.error();
  return tags;
}

void remove_tags(Tags& tags, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    std::erase_if(tags, [wanted = lower(key)](const Tag& tag) { return lower(tag.Key) == wanted; });
  }
}

std::optional<std::vector<wire::Tag>> wire_tags(const Tags& tags) {
  if (tags.empty()) return std::nullopt;
  std::vector<wire::Tag> shown;
  for (const Tag& tag : tags) shown.push_back({tag.Key, tag.Value});
  return shown;
}

Result<Page> page_of(std::string scope, const std::optional<std::string>& marker,
                     std::optional<std::int32_t> max_items) {
  Page page;
  page.scope = std::move(scope);
  if (max_items) page.items = static_cast<std::size_t>(*max_items);
  if (!marker) return page;
  std::optional<std::string> after = decode_page_token(page.scope, *marker);
  if (!after) return validation_error("Invalid Marker: it must be the Marker of the previous page of the same listing");
  page.after = std::move(*after);
  return page;
}

std::string marker_of(const Page& page, const std::string& last) {
  return encode_page_token(page.scope, last);
}

std::optional<wire::AttachedPermissionsBoundary> describe_boundary(const std::string& arn) {
  if (arn.empty()) return std::nullopt;
  wire::AttachedPermissionsBoundary boundary;
  boundary.PermissionsBoundaryType = "Policy";  // what IAM answers, though its model says PermissionsBoundaryPolicy
  boundary.PermissionsBoundaryArn = arn;
  return boundary;
}

wire::User describe(const User& user, bool full) {
  wire::User shown;
  shown.Path = user.path;
  shown.UserName = user.name;
  shown.UserId = user.id;
  shown.Arn = user.arn;
  shown.CreateDate = user.created_at;
  if (full) {
    shown.PermissionsBoundary = describe_boundary(user.boundary);
    shown.Tags = wire_tags(user.tags);
  }
  return shown;
}

wire::Group describe(const Group& group) {
  return {group.path, group.name, group.id, group.arn, group.created_at};
}

wire::Role describe(const Role& role, bool full) {
  wire::Role shown;
  shown.Path = role.path;
  shown.RoleName = role.name;
  shown.RoleId = role.id;
  shown.Arn = role.arn;
  shown.CreateDate = role.created_at;
  shown.AssumeRolePolicyDocument = encoded(role.trust);
  if (!role.description.empty()) shown.Description = role.description;
  shown.MaxSessionDuration = role.max_session_duration_s;
  if (full) {
    shown.PermissionsBoundary = describe_boundary(role.boundary);
    shown.Tags = wire_tags(role.tags);
    shown.RoleLastUsed.emplace();
  }
  return shown;
}

wire::RoleLastUsed describe_last_use(const Directory& directory, const Role& role) {
  wire::RoleLastUsed shown;
  if (const std::optional<LastUsed> last = directory.last_used(role.id)) {
    shown.LastUsedDate = whole_seconds(last->at);
    shown.Region = last->region;
  }
  return shown;
}

wire::InstanceProfile describe(const IamState& state, const InstanceProfile& profile, bool full) {
  wire::InstanceProfile shown;
  shown.Path = profile.path;
  shown.InstanceProfileName = profile.name;
  shown.InstanceProfileId = profile.id;
  shown.Arn = profile.arn;
  shown.CreateDate = profile.created_at;
  if (const Role* role = profile.role.empty() ? nullptr : state.role(profile.role)) {
    shown.Roles.push_back(describe(*role, false));
  }
  if (full) shown.Tags = wire_tags(profile.tags);
  return shown;
}

}  // namespace kaapi::identity
