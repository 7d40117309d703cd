#include "identity/iam/iam_facts.h"

#include "identity/iam/names.h"

namespace kaapi::identity {
namespace {

const Tags* find_tags(const IamState& state, std::string_view arn) {
  if (const User* user = state.user_by_arn(arn)) return &user->tags;
  if (const Role* role = state.role_by_arn(arn)) return &role->tags;
  if (const ManagedPolicy* policy = state.policy(arn)) return &policy->tags;
  if (const OidcProvider* provider = state.oidc_provider(arn)) return &provider->tags;
  const InstanceProfile* profile = state.instance_profile(name_in_arn(arn));
  return profile != nullptr && profile->arn == arn ? &profile->tags : nullptr;
}

}  // namespace

std::map<std::string, std::string> IamFacts::tags_of(std::string_view arn) const {
  const auto state = directory_.state();
  std::map<std::string, std::string> all;
  if (const Tags* tags = find_tags(*state, arn)) {
    for (const Tag& tag : *tags) all.emplace(tag.Key, tag.Value);
  }
  return all;
}

std::string IamFacts::policy_of(std::string_view) const {
  return {};
}

}  // namespace kaapi::identity
