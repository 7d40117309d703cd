#include "identity/iam/policy_view.h"

#include "aws/wire_time.h"

namespace kaapi::identity {
namespace {

// Visits every use: visit(arn, is_boundary).
template <class F>
void for_each_use(const IamState& state, F&& visit) {
  const auto attached = [&](const Entity& entity) {
    for (const std::string& arn : entity.attached) visit(arn, false);
  };
  for (const auto& [key, user] : state.users.all()) {
    attached(*user);
    if (!user->boundary.empty()) visit(user->boundary, true);
  }
  for (const auto& [key, group] : state.groups.all()) attached(*group);
  for (const auto& [key, role] : state.roles.all()) {
    attached(*role);
    if (!role->boundary.empty()) visit(role->boundary, true);
  }
}

void count(PolicyUse& use, bool boundary) {
  ++(boundary ? use.boundaries : use.attachments);
}

void show_use(wire::Policy& shown, const PolicyUse& use) {
  shown.AttachmentCount = use.attachments;
  shown.PermissionsBoundaryUsageCount = use.boundaries;
  shown.IsAttachable = true;
}

std::optional<Time> time_of(std::string_view text) {
  return aws::parse_wire_time(text);
}

}  // namespace

PolicyUses uses_of_all(const IamState& state) {
  PolicyUses uses;
  for_each_use(state, [&](const std::string& arn, bool boundary) { count(uses[arn], boundary); });
  return uses;
}

PolicyUse use_of(const IamState& state, std::string_view arn) {
  PolicyUse use;
  for_each_use(state, [&](const std::string& used, bool boundary) {
    if (used == arn) count(use, boundary);
  });
  return use;
}

wire::Policy describe(const ManagedPolicy& policy, const PolicyUse& use, bool full) {
  wire::Policy shown;
  shown.PolicyName = policy.name;
  shown.PolicyId = policy.id;
  shown.Arn = policy.arn;
  shown.Path = policy.path;
  shown.DefaultVersionId = version_id(policy.default_version);
  shown.CreateDate = policy.created_at;
  shown.UpdateDate = policy.updated_at;
  show_use(shown, use);
  if (full) {
    if (!policy.description.empty()) shown.Description = policy.description;
    shown.Tags = wire_tags(policy.tags);
  }
  return shown;
}

wire::Policy describe(const policy::AwsManagedPolicy& policy, const PolicyUse& use, bool full) {
  wire::Policy shown;
  shown.PolicyName = policy.name;
  shown.PolicyId = policy.id;
  shown.Arn = policy.arn;
  shown.Path = policy.path;
  shown.DefaultVersionId = policy.version_id;
  shown.CreateDate = time_of(policy.created);
  shown.UpdateDate = time_of(policy.updated);
  show_use(shown, use);
  if (full) shown.Description = policy.description;
  return shown;
}

wire::PolicyVersion describe_version(const ManagedPolicy& policy, const PolicyVersion& version, bool with_document) {
  wire::PolicyVersion shown;
  if (with_document) shown.Document = encoded(version.policy);
  shown.VersionId = version_id(version.number);
  shown.IsDefaultVersion = version.number == policy.default_version;
  shown.CreateDate = version.created_at;
  return shown;
}

wire::PolicyVersion describe_version(const policy::AwsManagedPolicy& policy, bool with_document) {
  wire::PolicyVersion shown;
  if (with_document) shown.Document = percent_encode(policy.document);
  shown.VersionId = policy.version_id;
  shown.IsDefaultVersion = true;
  shown.CreateDate = time_of(policy.updated);
  return shown;
}

}  // namespace kaapi::identity
