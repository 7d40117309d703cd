#include "identity/iam/directory.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "identity/iam/database.h"
#include "identity/iam/model_json.h"

namespace kaapi::identity {
namespace {

// Where the entities of each kind are kept, and under which key.
template <class T>
struct Kept;
template <>
struct Kept<User> {
  static constexpr std::string_view kind = "user";
  static Table<User>& table(IamState& state) { return state.users; }
  static std::string key(const User& user) { return lower(user.name); }
};
template <>
struct Kept<Group> {
  static constexpr std::string_view kind = "group";
  static Table<Group>& table(IamState& state) { return state.groups; }
  static std::string key(const Group& group) { return lower(group.name); }
};
template <>
struct Kept<Role> {
  static constexpr std::string_view kind = "role";
  static Table<Role>& table(IamState& state) { return state.roles; }
  static std::string key(const Role& role) { return lower(role.name); }
};
template <>
struct Kept<ManagedPolicy> {
  static constexpr std::string_view kind = "policy";
  static Table<ManagedPolicy>& table(IamState& state) { return state.policies; }
  static std::string key(const ManagedPolicy& policy) { return lower(policy.name); }
};
template <>
struct Kept<InstanceProfile> {
  static constexpr std::string_view kind = "instance-profile";
  static Table<InstanceProfile>& table(IamState& state) { return state.instance_profiles; }
  static std::string key(const InstanceProfile& profile) { return lower(profile.name); }
};
template <>
struct Kept<OidcProvider> {
  static constexpr std::string_view kind = "oidc-provider";
  static Table<OidcProvider>& table(IamState& state) { return state.oidc_providers; }
  static std::string key(const OidcProvider& provider) { return provider.arn; }
};
template <>
struct Kept<AccessKeyRecord> {
  static constexpr std::string_view kind = "access-key";
  static Table<AccessKeyRecord>& table(IamState& state) { return state.access_keys; }
  static std::string key(const AccessKeyRecord& record) { return record.id; }
};

constexpr std::string_view alias_kind = "account";
constexpr std::string_view alias_key = "alias";
constexpr std::string_view use_kind = "access-key-use";  // of access keys and, by their ids, of roles

std::string use_text(const LastUsed& use) {
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  out.key("at_ms");
  out.value(to_millis(use.at));
  out.key("region");
  out.value(use.region);
  out.key("service");
  out.value(use.service);
  out.end_object();
  return text;
}

template <class T>
Result<void> load_table(store::Session& session, const store::Sealer& sealer, IamState& state) {
  return for_each_row(session, Kept<T>::kind, [&](std::string_view key, std::string_view text) -> Result<void> {
    T value;
    if (const Result<void> read = from_stored(text, sealer, value); !read) return read.error();
    Kept<T>::table(state).put(std::string(key), std::move(value));
    return ok();
  });
}

}  // namespace

template <class T>
void Edit::put_as(T value) {
  std::string key = Kept<T>::key(value);
  changes_.push_back({std::string(Kept<T>::kind), key, to_stored(value, sealer_)});
  Kept<T>::table(state_).put(key, std::move(value));
}

template <class T>
void Edit::erase_as(const T& value) {
  std::string key = Kept<T>::key(value);  // first: `value` may be the one that goes
  Kept<T>::table(state_).erase(key);
  changes_.push_back({std::string(Kept<T>::kind), std::move(key), std::nullopt});
}

void Edit::put(User value) {
  put_as(std::move(value));
}
void Edit::put(Group value) {
  put_as(std::move(value));
}
void Edit::put(Role value) {
  put_as(std::move(value));
}
void Edit::put(ManagedPolicy value) {
  put_as(std::move(value));
}
void Edit::put(InstanceProfile value) {
  put_as(std::move(value));
}
void Edit::put(OidcProvider value) {
  put_as(std::move(value));
}
void Edit::put(AccessKeyRecord value) {
  put_as(std::move(value));
}
void Edit::erase(const User& value) {
  erase_as(value);
}
void Edit::erase(const Group& value) {
  erase_as(value);
}
void Edit::erase(const Role& value) {
  changes_.push_back({std::string(use_kind), value.id, std::nullopt});
  erase_as(value);
}
void Edit::erase(const ManagedPolicy& value) {
  erase_as(value);
}
void Edit::erase(const InstanceProfile& value) {
  erase_as(value);
}
void Edit::erase(const OidcProvider& value) {
  erase_as(value);
}
void Edit::erase(const AccessKeyRecord& value) {
  changes_.push_back({std::string(use_kind), value.id, std::nullopt});
  erase_as(value);
}

void Edit::set_alias(std::string alias) {
  changes_.push_back({std::string(alias_kind), std::string(alias_key), alias});
  state_.alias = std::move(alias);
}

std::optional<aws::AccessKey> find_user_key(const IamState& state, std::string_view access_key_id) {
  const AccessKeyRecord* record = state.access_keys.find(access_key_id);
  const User* user = record != nullptr && record->active ? state.user(record->user) : nullptr;
  if (user == nullptr) return std::nullopt;
  aws::AccessKey key;
  key.secret = record->secret;
  key.account_id = state.account_id;
  key.principal_arn = user->arn;
  key.user_id = user->id;
  return key;
}

Directory::Directory(store::Database& database, const store::Sealer& sealer, std::string account_id, const Clock& clock,
                     IdSource& ids)
    : database_(database), sealer_(sealer), account_id_(std::move(account_id)), clock_(clock), ids_(ids) {}

Result<std::unique_ptr<Directory>> Directory::open(store::Database& database, const store::Sealer& sealer,
                                                   const Account& account, const Clock& clock, IdSource& ids) {
  std::unique_ptr<Directory> directory(new Directory(database, sealer, account.account_id, clock, ids));
  const Result<void> loaded =
      database.read([&](store::Session& session) -> Result<void> { return directory->load(session); });
  if (!loaded) return loaded.error();
  return directory;
}

Result<void> Directory::load(store::Session& session) {
  auto state = std::make_shared<IamState>();
  state->account_id = account_id_;
  for (const auto load : {&load_table<User>, &load_table<Group>, &load_table<Role>, &load_table<ManagedPolicy>,
                          &load_table<InstanceProfile>, &load_table<OidcProvider>, &load_table<AccessKeyRecord>}) {
    if (const Result<void> loaded = load(session, sealer_, *state); !loaded) return loaded.error();
  }
  const Result<void> alias = for_each_row(session, alias_kind, [&](std::string_view, std::string_view text) {
    state->alias = text;
    return ok();
  });
  if (!alias) return alias.error();
  std::set<std::string_view> role_ids;
  for (const auto& [key, role] : state->roles.all()) role_ids.insert(role->id);
  const Result<void> uses =
      for_each_row(session, use_kind, [&](std::string_view key, std::string_view text) -> Result<void> {
        const Result<json::value> tree = parse_json(text);
        const bool exists = state->access_keys.find(key) != nullptr || role_ids.contains(key);
        if (!tree || !exists) return ok();  // only for show: not worth an error
        const LastUsed last{from_millis(int_member(*tree, "at_ms")), string_member(*tree, "region"),
                            string_member(*tree, "service")};
        uses_.emplace(key, Use{last, last.at});
        return ok();
      });
  if (!uses) return uses.error();
  state_ = std::move(state);
  return ok();
}

Directory::~Directory() {
  const Result<void> saved = database_.write([this](store::Session& session) -> Result<void> {
    for (const auto& [id, use] : uses_) {
      if (use.saved_at != use.last.at) save_row(session, use_kind, id, use_text(use.last));
    }
    return ok();
  });
  if (!saved) {
    log::warn("identity", "the last use of access keys and roles was not written down: {}", saved.error().message);
  }
}

std::shared_ptr<const IamState> Directory::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

Result<void> Directory::commit(Edit& edit) {
  if (edit.changes_.empty()) return ok();
  const Result<void> saved = database_.write([&](store::Session& session) -> Result<void> {
    for (const Edit::Change& change : edit.changes_) {
      if (change.document) {
        save_row(session, change.kind, change.key, *change.document);
      } else {
        erase_row(session, change.kind, change.key);
      }
    }
    return ok();
  });
  if (!saved) return saved.error();
  auto published = std::make_shared<const IamState>(std::move(edit.state_));
  {
    const std::lock_guard lock(mutex_);
    state_.swap(published);  // the old one goes when the lock is free
  }
  const std::lock_guard lock(uses_mutex_);
  for (const Edit::Change& change : edit.changes_) {
    if (change.kind == use_kind && !change.document) uses_.erase(change.key);
  }
  return ok();
}

void Directory::note_use(std::string_view access_key_id, std::string_view service, std::string_view region) {
  note(access_key_id, service, region, [&] { return state()->access_keys.find(access_key_id) != nullptr; });
}

void Directory::note_role_use(std::string_view role_name, std::string_view role_id, std::string_view service,
                              std::string_view region) {
  note(role_id, service, region, [&] {
    const std::shared_ptr<const IamState> now = state();
    const Role* role = now->role(role_name);
    return role != nullptr && role->id == role_id;
  });
}

void Directory::note(std::string_view id, std::string_view service, std::string_view region,
                     const std::function<bool()>& exists) {
  const Time now = clock_.now();
  std::string text;
  {
    const std::lock_guard lock(uses_mutex_);
    auto found = uses_.find(std::string(id));
    if (found == uses_.end()) {
      if (!exists()) return;
      found = uses_.emplace(id, Use{}).first;
    }
    Use& use = found->second;
    use.last = {now, std::string(region), std::string(service)};
    if (now - use.saved_at < last_used_interval) return;
    use.saved_at = now;
    text = use_text(use.last);
  }
  const Result<void> saved = database_.write([&](store::Session& session) -> Result<void> {
    save_row(session, use_kind, id, text);
    return ok();
  });
  if (!saved) log::warn("identity", "the last use of {} was not written down: {}", id, saved.error().message);
}

std::optional<LastUsed> Directory::last_used(std::string_view id) const {
  const std::lock_guard lock(uses_mutex_);
  const auto found = uses_.find(std::string(id));
  if (found == uses_.end()) return std::nullopt;
  return found->second.last;
}

}  // namespace kaapi::identity
