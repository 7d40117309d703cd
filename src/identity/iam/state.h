#pragma once
// A snapshot of everything in IAM. Immutable once published: readers hold on to it without a lock.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "identity/iam/model.h"
#include "identity/policy/evaluate.h"

namespace kaapi::identity {

// Entities of one kind by key, in its order. A copy shares everything with its original until it is changed; a change
// copies the map of pointers, not the entities.
template <class T>
class Table {
 public:
  using Map = std::map<std::string, std::shared_ptr<const T>, std::less<>>;

  // nullptr when there is none. Valid as long as the snapshot.
  const T* find(std::string_view key) const {
    const auto found = map_->find(key);
    return found == map_->end() ? nullptr : found->second.get();
  }
  const Map& all() const { return *map_; }
  std::size_t size() const { return map_->size(); }

  void put(const std::string& key, T value) { own()[key] = std::make_shared<const T>(std::move(value)); }
  void erase(std::string_view key) {
    Map& map = own();
    if (const auto found = map.find(key); found != map.end()) map.erase(found);
  }

 private:
  // Only one who edits has the map to himself.
  Map& own() {
    if (map_.use_count() != 1) map_ = std::make_shared<Map>(*map_);
    return *map_;
  }

  std::shared_ptr<Map> map_ = std::make_shared<Map>();
};

// Keys are names in lower case (IAM does not tell names apart by case, but answers to the exact one only), the ARN of
// OIDC providers, and the id of access keys.
struct IamState {
  std::string account_id;
  std::string alias;  // of the account; empty: none
  Table<User> users;
  Table<Group> groups;
  Table<Role> roles;
  Table<ManagedPolicy> policies;  // the customer's own; AWS's are in policy/managed.h
  Table<InstanceProfile> instance_profiles;
  Table<OidcProvider> oidc_providers;
  Table<AccessKeyRecord> access_keys;

  // By exact name or ARN; nullptr when there is none.
  const User* user(std::string_view name) const;
  const Group* group(std::string_view name) const;
  const Role* role(std::string_view name) const;
  const Role* role_by_arn(std::string_view arn) const;
  const User* user_by_arn(std::string_view arn) const;
  const Group* group_by_arn(std::string_view arn) const;
  const ManagedPolicy* policy(std::string_view arn) const;
  const InstanceProfile* instance_profile(std::string_view name) const;
  const OidcProvider* oidc_provider(std::string_view arn) const;
};

// The document of a managed policy, the customer's or AWS's, in its default version; nullptr when there is none.
std::shared_ptr<const policy::Document> managed_document(const IamState& state, std::string_view arn);

// Everything that is attached to a user (also through groups) or a role: what policy::evaluate() asks for. The
// principal is filled in as for a call with the user's own key, or of a session of the role without a session name: the
// caller completes it. Error: NoSuchEntity (404).
Result<policy::Subject> subject_of_user(const IamState& state, std::string_view user_name);
Result<policy::Subject> subject_of_role(const IamState& state, std::string_view role_name);
// The policies of a group alone, for simulation: no principal.
Result<policy::Subject> subject_of_group(const IamState& state, std::string_view group_name);

}  // namespace kaapi::identity
