#pragma once
// settings.db: variables, secrets and environments of repositories. Secrets are sealed; in the clear they leave this
// room only towards a job.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/settings.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/database.h"
#include "store/sealer.h"

namespace kaapi::actions::settings {

inline constexpr std::string_view database_file_name = "settings.db";
inline constexpr std::string_view key_file_name = "settings.key";

// Of whom: a repository ("OWNER/NAME") itself, or one of its environments. Views are valid for the time of the call.
struct Level {
  std::string_view repository;
  std::string_view environment;  // empty: the repository
};

struct Variable {
  std::string name;  // in upper case
  std::string value;
  Time created, updated;
};

struct Secret {
  std::string name;  // in upper case
  Time created, updated;
};

struct Environment {
  std::string name;  // as it was written when it was made
  Protection protection;
  Time created, updated;
};

// Thread-safe. What returned is on disk. Errors besides those named: `Unavailable`, `Damaged` (the disk).
//
// Environments compare without case, but who changes one or its values must write it as it is kept (`Conflict` says
// how): policies name it in an ARN, where case counts.
class Settings final : public JobSettings {
 public:
  // Opens DIRECTORY/settings.db and the key file beside it, made at the first start. `clock` must outlive it. Errors:
  // those of Database::open() and Sealer::open().
  static Result<std::unique_ptr<Settings>> open(const std::string& directory, const Clock& clock);

  Result<std::map<std::string, std::string>> variables(std::string_view repository,
                                                       std::string_view environment) const override;
  Result<std::map<std::string, std::string>> secrets(std::string_view repository,
                                                     std::string_view environment) const override;
  Result<std::map<std::string, std::string>> environment_secrets(std::string_view repository,
                                                                 std::string_view environment) const override;
  Result<Protection> protection(std::string_view repository, std::string_view environment) const override;

  // Errors of the changes: `Invalid` (a name, a value), `NotFound` (no such environment, or nothing of that name to
  // delete), `TooLarge` (a limit of names.h), `Conflict` (see above).
  Result<void> put_variable(const Level& level, std::string_view name, std::string_view value);
  Result<void> delete_variable(const Level& level, std::string_view name);
  Result<void> put_secret(const Level& level, std::string_view name, std::string_view value);
  Result<void> delete_secret(const Level& level, std::string_view name);
  // Makes it or replaces its protection.
  Result<Environment> put_environment(std::string_view repository, std::string_view name, const Protection& protection);
  // With its variables and secrets.
  Result<void> delete_environment(std::string_view repository, std::string_view name);
  // Everything of a repository that is deleted.
  Result<void> forget_repository(std::string_view repository);

  // In the order of names. Error: `NotFound` (no such environment).
  Result<std::vector<Variable>> list_variables(const Level& level) const;
  Result<std::vector<Secret>> list_secrets(const Level& level) const;
  Result<std::vector<Environment>> environments(std::string_view repository) const;

 private:
  // `repositorys`: also those of the repository itself, which the environment's go before.
  Result<std::map<std::string, std::string>> open_secrets(std::string_view repository, std::string_view environment,
                                                          bool repositorys) const;
  Settings(std::unique_ptr<store::Database> database, store::Sealer sealer, const Clock& clock)
      : database_(std::move(database)), sealer_(std::move(sealer)), clock_(clock) {}

  Result<void> put(const Level& level, std::string_view kind, const std::string& name, std::string_view value);
  Result<void> erase(const Level& level, std::string_view kind, std::string_view name);

  std::unique_ptr<store::Database> database_;
  store::Sealer sealer_;
  const Clock& clock_;
};

}  // namespace kaapi::actions::settings
