#pragma once
// Where the state of IAM lives: a snapshot in memory for who reads, written through to identity.db for who changes.

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "identity/account.h"
#include "identity/iam/state.h"
#include "store/database.h"
#include "store/sealer.h"

namespace kaapi::identity {

// How often the last use of one access key or role is written down. In between it is only remembered.
inline constexpr Duration last_used_interval{60'000};

struct LastUsed {
  Time at{};
  std::string region;
  std::string service;  // "ecs"
};

// What one write changes. Every put and erase takes effect on state() at once, so that later steps see it.
class Edit {
 public:
  const IamState& state() const { return state_; }

  void put(User value);
  void put(Group value);
  void put(Role value);
  void put(ManagedPolicy value);
  void put(InstanceProfile value);
  void put(OidcProvider value);
  void put(AccessKeyRecord value);
  // Nothing happens when it is not there.
  void erase(const User& value);
  void erase(const Group& value);
  void erase(const Role& value);
  void erase(const ManagedPolicy& value);
  void erase(const InstanceProfile& value);
  void erase(const OidcProvider& value);
  void erase(const AccessKeyRecord& value);
  void set_alias(std::string alias);

 private:
  friend class Directory;
  Edit(const IamState& state, const store::Sealer& sealer) : state_(state), sealer_(sealer) {}
  template <class T>
  void put_as(T value);
  template <class T>
  void erase_as(const T& value);

  struct Change {
    std::string kind;
    std::string key;
    std::optional<std::string> document;  // nullopt: erased
  };
  IamState state_;
  const store::Sealer& sealer_;
  std::vector<Change> changes_;
};

// The access key of a user as the front door wants it; nullopt when there is none, or an inactive one.
std::optional<aws::AccessKey> find_user_key(const IamState& state, std::string_view access_key_id);

// Thread-safe. Reading takes a pointer and waits for nobody; writers take turns. `database`, `sealer`, `clock` and
// `ids` must outlive it.
class Directory {
 public:
  // `database` was opened with identity::migrations(). Errors: `Damaged` (a row that cannot be read or unsealed).
  static Result<std::unique_ptr<Directory>> open(store::Database& database, const store::Sealer& sealer,
                                                 const Account& account, const Clock& clock, IdSource& ids);

  ~Directory();  // writes down the last uses that were only remembered
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::shared_ptr<const IamState> state() const;

  // Runs f(Edit&) -> Result<T>. On success what it changed is on disk, in one transaction, before anyone sees it; on an
  // error nothing is changed. f must not call write().
  template <class F>
  std::invoke_result_t<F, Edit&> write(F&& f) {
    const std::lock_guard lock(writing_);
    Edit edit(*state(), sealer_);
    std::invoke_result_t<F, Edit&> outcome = f(edit);
    if (!outcome) return outcome;
    if (const Result<void> saved = commit(edit); !saved) return saved.error();
    return outcome;
  }

  // Notes that a user's key was used, or a session of the role that has this id ("AROA..."). Quick; now and then it
  // writes (last_used_interval). Nothing happens when there is no such key or role.
  void note_use(std::string_view access_key_id, std::string_view service, std::string_view region);
  void note_role_use(std::string_view role_name, std::string_view role_id, std::string_view service,
                     std::string_view region);
  // By the id of either.
  std::optional<LastUsed> last_used(std::string_view id) const;

  const std::string& account_id() const { return account_id_; }
  const Clock& clock() const { return clock_; }
  IdSource& ids() const { return ids_; }

 private:
  Directory(store::Database& database, const store::Sealer& sealer, std::string account_id, const Clock& clock,
            IdSource& ids);
  Result<void> load(store::Session& session);
  Result<void> commit(Edit& edit);
  void note(std::string_view id, std::string_view service, std::string_view region,
            const std::function<bool()>& exists);

  store::Database& database_;
  const store::Sealer& sealer_;
  const std::string account_id_;
  const Clock& clock_;
  IdSource& ids_;

  std::mutex writing_;  // held through a write
  mutable std::mutex mutex_;
  std::shared_ptr<const IamState> state_;
  struct Use {
    LastUsed last;
    Time saved_at{};
  };
  mutable std::mutex uses_mutex_;
  std::unordered_map<std::string, Use> uses_;  // of keys and roles that exist
};

}  // namespace kaapi::identity
