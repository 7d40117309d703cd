#pragma once
// The rooms of identity, opened and wired to each other: who there is, who may what.

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "daemon/data_directory.h"
#include "identity/access.h"
#include "identity/account.h"
#include "identity/iam/directory.h"
#include "identity/iam/iam_facts.h"
#include "identity/oidc/https_fetcher.h"
#include "identity/oidc/keys.h"
#include "identity/sts/keys.h"
#include "identity/sts/sessions.h"
#include "identity/sts/subject.h"
#include "store/database.h"
#include "store/sealer.h"

namespace kaapi::daemon {

// What is opened before the rooms are built.
struct IdentityStore {
  std::unique_ptr<store::Database> database;
  store::Sealer sealer;

  // Errors: those of the database and the key file, one line for a person.
  static Result<IdentityStore> open(const DataDirectory& directory);
};

// In the order in which one needs the other. Thread-safe as its members are.
class IdentityRooms {
 public:
  // `clock` and `ids` must outlive it. `oidc_ca_file`: PEM certificates that issuers may have besides the system's;
  // empty: none. Errors: `Damaged`.
  static Result<std::unique_ptr<IdentityRooms>> open(IdentityStore opened, const identity::Account& account,
                                                     const Clock& clock, IdSource& ids, std::string oidc_ca_file);

  // The operations of IAM, STS and the platform's own on identity. `auth` off: nobody is asked for a right.
  void add_operations(aws::Dispatcher& dispatcher, const std::string& data_directory, bool auth);

  const store::Sealer& sealer() const { return store_.sealer; }

 private:
  IdentityRooms(IdentityStore opened, std::string oidc_ca_file, const Clock& clock, IdSource& ids);

  IdentityStore store_;
  IdSource& ids_;

 public:
  std::unique_ptr<identity::Directory> directory;
  std::unique_ptr<identity::Sessions> sessions;
  std::unique_ptr<identity::Keys> keys;
  std::unique_ptr<identity::Subjects> subjects;
  std::unique_ptr<identity::AccessControl> access;
  std::unique_ptr<identity::IamFacts> facts;
  identity::oidc::HttpsFetcher fetcher;
  identity::oidc::IssuerKeys issuers;
};

// Whether the text is a policy that a resource may have: MalformedPolicyDocument says why not.
Result<void> check_resource_policy(std::string_view json);

}  // namespace kaapi::daemon
