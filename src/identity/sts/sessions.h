#pragma once
// Temporary credentials: what AssumeRole, AssumeRoleWithWebIdentity and GetSessionToken give out, and what the
// containers of a task get for its task role. A session is an access key with a secret, a token and an end. Source of
// the rules: "Temporary security credentials in IAM" in the IAM user guide.

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "aws/authorization.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "identity/policy/document.h"

namespace kaapi::store {
class Database;
class Sealer;
}  // namespace kaapi::store

namespace kaapi::identity {

inline constexpr std::size_t max_sessions = 10'000;
// Of one role or user, so that one caller cannot take the room of all others.
inline constexpr std::size_t max_sessions_of_one = 2'000;
// An expired session is remembered so long, so that its user reads "expired" and not "unknown".
inline constexpr std::chrono::hours expired_session_kept{1};

enum class SessionKind {
  assumed_role,   // AssumeRole
  web_identity,   // AssumeRoleWithWebIdentity
  session_token,  // GetSessionToken: of a user, or of root
  task_role,      // of the containers of a task
};

// One policy that was passed when the session was made. It can only take rights away.
struct SessionPolicy {
  std::string arn;   // of a managed policy, which is looked up at each use; empty: an inline one
  std::string text;  // the inline one's JSON
  std::shared_ptr<const policy::Document> document;  // what `text` means
};

// Immutable once made. The secret and the token must never reach a log or another answer than that of who asked for
// them.
struct Session {
  // Filled in by Sessions::create().
  std::string access_key_id;      // "ASIA" and 16 of A-Z, 2-7
  std::string secret_access_key;  // 40 characters
  std::string token;              // opaque
  Time issued_at{};               // aws:TokenIssueTime

  SessionKind kind = SessionKind::assumed_role;
  Time expires_at{};
  std::string role_name;     // all kinds but session_token
  std::string role_id;       // "AROA...": a role that was deleted and made again is another one
  std::string session_name;  // of a role's sessions
  std::string user_name;     // of session_token; empty: root
  std::string user_id;       // "AIDA..."
  std::vector<SessionPolicy> policies;
  std::map<std::string, std::string> tags;  // session tags: aws:PrincipalTag/KEY
  std::vector<std::string> transitive_tag_keys;
  std::string source_identity;
  std::string federated_provider;  // web_identity: the ARN of the OIDC provider
  aws::ConditionValues claims;     // web_identity: "issuer/path:aud" in lower case and the like
  // Who can end it: the task's id. Of root's own sessions the root key, with which they end. Empty: nobody.
  std::string owner;
};

// Thread-safe. `database` (identity.db), `sealer`, `clock` and `ids` must outlive it.
class Sessions {
 public:
  // Reads what is stored; what has expired long ago is left behind. Errors: `Damaged` (a row that cannot be read, or a
  // key file that does not fit).
  static Result<std::unique_ptr<Sessions>> open(store::Database& database, const store::Sealer& sealer,
                                                const Clock& clock, IdSource& ids);

  // Fills in key, secret, token and time of issue, and keeps the session: it is on disk when this returns. Error:
  // LimitExceeded (too many that are still good).
  Result<std::shared_ptr<const Session>> create(Session session);

  // Quick: memory only. nullptr when there is none; one that has expired is found for a while, look at `expires_at`.
  std::shared_ptr<const Session> find(std::string_view access_key_id) const;

  // From now on they are unknown. Harmless when there are none.
  Result<void> revoke(std::string_view access_key_id);
  Result<void> revoke_owner(std::string_view owner);

  // Of the sessions of this kind that have one, each once.
  std::set<std::string> owners(SessionKind kind) const;
  std::size_t size() const;

 private:
  Sessions(store::Database& database, const store::Sealer& sealer, const Clock& clock, IdSource& ids);

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  Result<void> load();
  Result<void> reserve(const Session& session, std::vector<std::string>& forgotten);
  void release(const std::string& principal);
  Result<void> save(const Session& session, const std::vector<std::string>& forgotten);
  Result<void> revoke_all(const std::vector<std::string>& access_key_ids);
  // With the lock held.
  void insert(std::shared_ptr<const Session> session);
  void erase(const std::string& access_key_id);
  std::vector<std::string> forget_before(Time time);

  store::Database& database_;
  const store::Sealer& sealer_;
  const Clock& clock_;
  IdSource& ids_;

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Session>, Hash, std::equal_to<>> sessions_;
  std::set<std::pair<Time, std::string>> by_expiry_;
  std::map<std::string, std::set<std::string>, std::less<>> by_owner_;
  // Of roles and users, with those that are being made.
  std::map<std::string, std::size_t, std::less<>> of_principal_;
  std::size_t being_made_ = 0;
};

}  // namespace kaapi::identity
