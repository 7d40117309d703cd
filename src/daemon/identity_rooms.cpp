#include "daemon/identity_rooms.h"

#include "identity/iam/database.h"
#include "identity/iam/iam_operations.h"
#include "identity/platform_operations.h"
#include "identity/policy/document.h"
#include "identity/sts/sts_operations.h"

namespace kaapi::daemon {

Result<IdentityStore> IdentityStore::open(const DataDirectory& directory) {
  auto database = store::Database::open(directory.file(identity::database_file_name), identity::migrations());
  if (!database) return database.error();
  Result<store::Sealer> sealer = identity::open_sealer(**database, directory.file(identity::key_file_name));
  if (!sealer) return sealer.error();
  return IdentityStore{std::move(*database), std::move(*sealer)};
}

IdentityRooms::IdentityRooms(IdentityStore opened, std::string oidc_ca_file, const Clock& clock, IdSource& ids)
    : store_(std::move(opened)), ids_(ids), fetcher({std::move(oidc_ca_file)}), issuers(fetcher, clock) {}

Result<std::unique_ptr<IdentityRooms>> IdentityRooms::open(IdentityStore opened, const identity::Account& account,
                                                           const Clock& clock, IdSource& ids,
                                                           std::string oidc_ca_file) {
  std::unique_ptr<IdentityRooms> rooms(new IdentityRooms(std::move(opened), std::move(oidc_ca_file), clock, ids));
  store::Database& database = *rooms->store_.database;
  const store::Sealer& sealer = rooms->store_.sealer;
  auto directory = identity::Directory::open(database, sealer, account, clock, ids);
  if (!directory) return directory.error();
  rooms->directory = std::move(*directory);
  auto sessions = identity::Sessions::open(database, sealer, clock, ids);
  if (!sessions) return sessions.error();
  rooms->sessions = std::move(*sessions);
  rooms->keys = std::make_unique<identity::Keys>(account, *rooms->directory, *rooms->sessions);
  rooms->subjects = std::make_unique<identity::Subjects>(*rooms->directory, *rooms->sessions);
  rooms->access =
      std::make_unique<identity::AccessControl>(*rooms->directory, *rooms->sessions, *rooms->subjects, sealer);
  rooms->facts = std::make_unique<identity::IamFacts>(*rooms->directory);
  rooms->access->facts_of("iam", *rooms->facts);
  return rooms;
}

void IdentityRooms::add_operations(aws::Dispatcher& dispatcher, const std::string& data_directory, bool auth) {
  identity::add_iam_operations(dispatcher, *directory);
  identity::add_sts_operations(dispatcher, {*directory, *sessions, *keys, issuers, store_.sealer, auth});
  identity::add_platform_operations(dispatcher, *access, *keys, data_directory, ids_);
}

Result<void> check_resource_policy(std::string_view json) {
  const auto parsed = identity::policy::parse(json, identity::policy::Kind::resource);
  return parsed ? ok() : Result<void>(parsed.error());
}

}  // namespace kaapi::daemon
