#pragma once
// Ids, ARNs and limits of IAM. Source of the limits: IAM user guide, "IAM and AWS STS quotas".

#include <cstddef>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace kaapi::identity {

// Entities per account: the defaults, but for roles and groups, whose number is the highest that AWS grants.
inline constexpr std::size_t max_users = 5'000;
inline constexpr std::size_t max_groups = 500;
inline constexpr std::size_t max_roles = 10'000;
inline constexpr std::size_t max_managed_policies = 1'500;
inline constexpr std::size_t max_instance_profiles = 1'000;
inline constexpr std::size_t max_oidc_providers = 100;

inline constexpr std::size_t max_access_keys_per_user = 2;
inline constexpr std::size_t max_groups_per_user = 10;
inline constexpr std::size_t max_attached_policies = 10;  // of a user, a group or a role
inline constexpr std::size_t max_policy_versions = 5;
inline constexpr std::size_t max_tags = 50;  // of one entity
inline constexpr std::size_t max_client_ids = 100;
inline constexpr std::size_t max_thumbprints = 5;

// What ids of each kind start with ("IAM identifiers", unique ids); 17 characters follow.
namespace id_prefix {
inline constexpr std::string_view user = "AIDA";
inline constexpr std::string_view role = "AROA";
inline constexpr std::string_view group = "AGPA";
inline constexpr std::string_view managed_policy = "ANPA";
inline constexpr std::string_view instance_profile = "AIPA";
}  // namespace id_prefix

std::string new_unique_id(std::string_view prefix, IdSource& ids);
// 40 characters that nobody can guess when `ids` cannot be guessed.
std::string new_secret(IdSource& ids);

// "arn:aws:iam::123456789012:role/team/name"; `path` starts and ends with a slash.
std::string entity_arn(std::string_view account_id, std::string_view type, std::string_view path,
                       std::string_view name);

// True for "arn:aws:iam::aws:policy/…".
bool is_aws_managed(std::string_view policy_arn);
// What follows the last slash: the name in an ARN.
std::string_view name_in_arn(std::string_view arn);

}  // namespace kaapi::identity
