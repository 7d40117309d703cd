#pragma once
// Every access key that the front door may meet: root's, those of users, and those of sessions.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "aws/sigv4.h"
#include "identity/account.h"
#include "identity/iam/directory.h"
#include "identity/sts/sessions.h"

namespace kaapi::identity {

// Thread-safe. `directory` and `sessions` must outlive it.
class Keys final : public aws::KeyStore {
 public:
  Keys(Account account, Directory& directory, const Sessions& sessions);

  // A key that is inactive, or whose user or role was deleted, is not found. A session that has expired is: the
  // verifier tells its user so.
  std::optional<aws::AccessKey> find(std::string_view access_key_id) const override;
  // Noted in the directory: of a user's key, or of the role whose session it is.
  void used(std::string_view access_key_id, std::string_view service, std::string_view region) const override;

  // From now on root has this key, and what was made with the old one has ended: a key is replaced because somebody
  // else may have it.
  void replace_root(const Account& account);

  // Whether the key is one of this account, active or not: GetAccessKeyInfo.
  bool is_known(std::string_view access_key_id) const;

 private:
  std::shared_ptr<const Account> account() const;
  std::optional<aws::AccessKey> find_session(const Session& session) const;

  Directory& directory_;
  const Sessions& sessions_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Account> account_;
};

}  // namespace kaapi::identity
