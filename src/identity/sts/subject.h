#pragma once
// Who stands behind an access key, with every policy that counts for them.

#include <cstddef>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "identity/iam/directory.h"
#include "identity/policy/evaluate.h"
#include "identity/sts/sessions.h"

namespace kaapi::identity {

// "arn:aws:sts::123456789012:assumed-role/NAME/SESSION"
std::string assumed_role_arn(std::string_view account_id, const Session& session);

// The account itself.
policy::Subject root_subject(const std::string& account_id);

// Pure. A session counts as long as its role or user does: one that was deleted, and made again under the same name, is
// another. Error: NoSuchEntity.
Result<policy::Subject> subject_of_session(const IamState& state, const Session& session);

// The same for the key of a user or a session. Root's own key is known to Keys only. Error: NoSuchEntity.
Result<policy::Subject> subject_of_key(const IamState& state, const Sessions& sessions, std::string_view access_key_id);

inline constexpr std::size_t max_cached_subjects = 1024;

// subject_of_key() for each request, made once and kept until IAM changes. Thread-safe; `directory` and `sessions` must
// outlive it.
class Subjects {
 public:
  Subjects(const Directory& directory, const Sessions& sessions) : directory_(directory), sessions_(sessions) {}

  using Answer = Result<std::shared_ptr<const policy::Subject>>;
  Answer of_key(std::string_view access_key_id);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  const Directory& directory_;
  const Sessions& sessions_;
  std::shared_mutex mutex_;
  std::shared_ptr<const IamState> state_;  // what everything below was made from
  std::unordered_map<std::string, std::shared_ptr<const policy::Subject>, Hash, std::equal_to<>> subjects_;
};

}  // namespace kaapi::identity
