#include "actions/settings/settings.h"

#include <fmt/format.h>

#include <optional>

#include "actions/settings/names.h"
#include "actions/settings/protection.h"
#include "base/text.h"

namespace kaapi::actions::settings {
namespace {

using store::Session;

// `environment` is in lower case; empty: the repository's own. `content` of a variable is its value, of a secret what
// the sealer made of it.
constexpr std::string_view schema = R"sql(
CREATE TABLE environment(repository TEXT NOT NULL, folded TEXT NOT NULL, name TEXT NOT NULL, protection TEXT NOT NULL,
  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, PRIMARY KEY(repository, folded)) WITHOUT ROWID;
CREATE TABLE entry(kind TEXT NOT NULL, repository TEXT NOT NULL, environment TEXT NOT NULL, name TEXT NOT NULL,
  content BLOB NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
  PRIMARY KEY(kind, repository, environment, name)) WITHOUT ROWID;
CREATE TABLE sealer(check_value BLOB NOT NULL);
)sql";
constexpr std::string_view all_migrations[] = {schema};

constexpr std::string_view variable_kind = "variable";
constexpr std::string_view secret_kind = "secret";

std::string sealed_place(const Level& level, std::string_view name) {
  // A name holds no slash and a repository exactly one, so no two places have one text.
  return fmt::format("actions-secret/{}/{}/{}", level.repository, name, lower(level.environment));
}

Error no_environment(const Level& level) {
  return make_error(errc::not_found, fmt::format("{} has no environment {}; make it with: kaapi env create {}",
                                                 level.repository, level.environment, level.environment));
}

// The name as it is kept; nullopt when there is none.
std::optional<std::string> kept_name(Session& session, const Level& level) {
  store::Statement row = session.query("SELECT name FROM environment WHERE repository = ?1 AND folded = ?2",
                                       level.repository, lower(level.environment));
  if (!row.step()) return std::nullopt;
  return std::string(row.text(0));
}

Result<void> check_written(const Level& level, std::string_view kept) {
  if (kept == level.environment) return ok();
  return make_error(errc::conflict, fmt::format("the environment {} of {} is written {}; write it so",
                                                level.environment, level.repository, kept));
}

Result<void> check_level(Session& session, const Level& level) {
  if (level.environment.empty()) return ok();
  const std::optional<std::string> kept = kept_name(session, level);
  if (!kept) return no_environment(level);
  return check_written(level, *kept);
}

struct Limits {
  std::size_t entries;
  std::size_t bytes;
};

Limits limits_of(const Level& level, std::string_view kind) {
  if (kind == secret_kind) return {max_secrets, max_secrets_bytes};
  return {level.environment.empty() ? max_repository_variables : max_environment_variables, max_variables_bytes};
}

// That one more of `name` fits beside the others.
Result<void> check_room(Session& session, const Level& level, std::string_view kind, std::string_view name,
                        std::size_t bytes) {
  const Limits limits = limits_of(level, kind);
  store::Statement others = session.query(
      "SELECT COUNT(*), COALESCE(SUM(LENGTH(content)), 0) FROM entry WHERE kind = ?1 AND repository = ?2 AND "
      "environment = ?3 AND name <> ?4",
      kind, level.repository, lower(level.environment), name);
  others.step();
  const std::string of = level.environment.empty()
                             ? std::string(level.repository)
                             : fmt::format("the environment {} of {}", level.environment, level.repository);
  if (static_cast<std::size_t>(others.number(0)) >= limits.entries) {
    return make_error(errc::too_large, fmt::format("{} has {} {}s already, the most there may be; delete one first", of,
                                                   limits.entries, kind));
  }
  if (static_cast<std::size_t>(others.number(1)) + bytes > limits.bytes) {
    return make_error(errc::too_large,
                      fmt::format("the {}s of {} would hold {} bytes together: at most {} KiB are kept", kind, of,
                                  static_cast<std::size_t>(others.number(1)) + bytes, limits.bytes / 1024));
  }
  return ok();
}

// Calls `visit(name, content, created, updated)` for each entry in the order of names.
template <class Visit>
Result<void> for_each(Session& session, const Level& level, std::string_view kind, const Visit& visit) {
  store::Statement rows = session.query(
      "SELECT name, content, created_ms, updated_ms FROM entry WHERE kind = ?1 AND repository = ?2 AND environment = "
      "?3 ORDER BY name",
      kind, level.repository, lower(level.environment));
  while (rows.step()) {
    const Result<void> visited =
        visit(rows.text(0), rows.blob(1), from_millis(rows.number(2)), from_millis(rows.number(3)));
    if (!visited) return visited;
  }
  return ok();
}

// First the repository's, then the environment's on top.
template <class Visit>
Result<void> for_each_of_job(Session& session, const Level& level, std::string_view kind, const Visit& visit) {
  const Level own{level.repository, {}};
  if (Result<void> done =
          for_each(session, own, kind, [&](auto name, auto content, Time, Time) { return visit(own, name, content); });
      !done || level.environment.empty()) {
    return done;
  }
  return for_each(session, level, kind,
                  [&](auto name, auto content, Time, Time) { return visit(level, name, content); });
}

Result<store::Sealer> open_sealer(store::Database& database, const std::string& path) {
  using Check = std::optional<std::string>;
  const Result<Check> check = database.read([](Session& session) -> Result<Check> {
    store::Statement row = session.query("SELECT check_value FROM sealer");
    return row.step() ? Check(row.blob(0)) : Check();
  });
  if (!check) return check.error();
  Result<store::Sealer> sealer = store::Sealer::open(path, *check);
  if (!sealer || *check) return sealer;
  const std::string value = sealer->check();
  const Result<void> saved = database.write([&](Session& session) -> Result<void> {
    store::Statement insert = session.query("INSERT INTO sealer(check_value) VALUES(?1)");
    insert.bind_blob(1, value).run();
    return ok();
  });
  if (!saved) return saved.error();
  return sealer;
}

}  // namespace

Result<std::unique_ptr<Settings>> Settings::open(const std::string& directory, const Clock& clock) {
  auto database = store::Database::open(fmt::format("{}/{}", directory, database_file_name), all_migrations);
  if (!database) return database.error();
  Result<store::Sealer> sealer = open_sealer(**database, fmt::format("{}/{}", directory, key_file_name));
  if (!sealer) return sealer.error();
  return std::unique_ptr<Settings>(new Settings(std::move(*database), std::move(*sealer), clock));
}

Result<std::map<std::string, std::string>> Settings::variables(std::string_view repository,
                                                               std::string_view environment) const {
  using Values = std::map<std::string, std::string>;
  return database_->read([&](Session& session) -> Result<Values> {
    Values values;
    const Result<void> read = for_each_of_job(session, {repository, environment}, variable_kind,
                                              [&](const Level&, std::string_view name, std::string_view content) {
                                                values[std::string(name)] = content;
                                                return ok();
                                              });
    if (!read) return read.error();
    return values;
  });
}

Result<std::map<std::string, std::string>> Settings::secrets(std::string_view repository,
                                                             std::string_view environment) const {
  return open_secrets(repository, environment, true);
}

Result<std::map<std::string, std::string>> Settings::environment_secrets(std::string_view repository,
                                                                         std::string_view environment) const {
  return open_secrets(repository, environment, false);
}

Result<std::map<std::string, std::string>> Settings::open_secrets(std::string_view repository,
                                                                  std::string_view environment,
                                                                  bool repositorys) const {
  using Values = std::map<std::string, std::string>;
  return database_->read([&](Session& session) -> Result<Values> {
    Values values;
    const auto keep = [&](const Level& level, std::string_view name, std::string_view content) -> Result<void> {
      if (!repositorys && level.environment.empty()) return ok();
      Result<std::string> plain = sealer_.unseal(content, sealed_place(level, name));
      if (!plain) {
        return make_error(
            errc::damaged,
            fmt::format("the secret {} of {} cannot be opened: {}; set it again with: kaapi secret set {}", name,
                        repository, plain.error().message, name),
            500);
      }
      values[std::string(name)] = std::move(*plain);
      return ok();
    };
    const Result<void> read = for_each_of_job(session, {repository, environment}, secret_kind, keep);
    if (!read) return read.error();
    return values;
  });
}

Result<Protection> Settings::protection(std::string_view repository, std::string_view environment) const {
  return database_->read([&](Session& session) -> Result<Protection> {
    store::Statement row = session.query("SELECT protection FROM environment WHERE repository = ?1 AND folded = ?2",
                                         repository, lower(environment));
    if (row.step()) return protection_from(row.text(0));
    Protection none;
    none.exists = false;
    return none;
  });
}

Result<void> Settings::put(const Level& level, std::string_view kind, const std::string& name, std::string_view value) {
  const bool secret = kind == secret_kind;
  const std::string content = secret ? sealer_.seal(value, sealed_place(level, name)) : std::string(value);
  const std::int64_t now = to_millis(clock_.now());
  return database_->write([&](Session& session) -> Result<void> {
    if (const Result<void> checked = check_level(session, level); !checked) return checked;
    if (const Result<void> room = check_room(session, level, kind, name, content.size()); !room) return room;
    store::Statement upsert = session.query(
        "INSERT INTO entry(kind, repository, environment, name, created_ms, updated_ms, content) VALUES(?1, ?2, ?3, "
        "?4, ?5, ?5, ?6) ON CONFLICT(kind, repository, environment, name) DO UPDATE SET content = excluded.content, "
        "updated_ms = excluded.updated_ms",
        kind, level.repository, lower(level.environment), name, now);
    upsert.bind_blob(6, content).run();
    return ok();
  });
}

Result<void> Settings::erase(const Level& level, std::string_view kind, std::string_view name) {
  const Result<std::string> kept = checked_name(kind, name);
  if (!kept) return kept.error();
  return database_->write([&](Session& session) -> Result<void> {
    if (const Result<void> checked = check_level(session, level); !checked) return checked;
    session.run("DELETE FROM entry WHERE kind = ?1 AND repository = ?2 AND environment = ?3 AND name = ?4", kind,
                level.repository, lower(level.environment), *kept);
    if (session.changes() > 0) return ok();
    return make_error(errc::not_found, level.environment.empty()
                                           ? fmt::format("{} has no {} {}", level.repository, kind, *kept)
                                           : fmt::format("the environment {} of {} has no {} {}", level.environment,
                                                         level.repository, kind, *kept));
  });
}

Result<void> Settings::put_variable(const Level& level, std::string_view name, std::string_view value) {
  const Result<std::string> kept = checked_name(variable_kind, name);
  if (!kept) return kept.error();
  if (const Result<void> checked = check_value(variable_kind, *kept, value); !checked) return checked;
  return put(level, variable_kind, *kept, value);
}

Result<void> Settings::put_secret(const Level& level, std::string_view name, std::string_view value) {
  const Result<std::string> kept = checked_name(secret_kind, name);
  if (!kept) return kept.error();
  if (const Result<void> checked = check_value(secret_kind, *kept, value); !checked) return checked;
  if (value.empty()) {
    return make_error(
        errc::invalid,
        fmt::format("the value of the secret {} is empty; to remove it: kaapi secret rm {}", *kept, *kept));
  }
  return put(level, secret_kind, *kept, value);
}

Result<void> Settings::delete_variable(const Level& level, std::string_view name) {
  return erase(level, variable_kind, name);
}

Result<void> Settings::delete_secret(const Level& level, std::string_view name) {
  return erase(level, secret_kind, name);
}

Result<Environment> Settings::put_environment(std::string_view repository, std::string_view name,
                                              const Protection& protection) {
  if (const Result<void> checked = check_environment_name(name); !checked) return checked.error();
  if (const Result<void> checked = check_protection(protection); !checked) return checked.error();
  const Level level{repository, name};
  const Time now = clock_.now();
  return database_->write([&](Session& session) -> Result<Environment> {
    if (const std::optional<std::string> kept = kept_name(session, level)) {
      if (const Result<void> written = check_written(level, *kept); !written) return written.error();
    } else {
      store::Statement count = session.query("SELECT COUNT(*) FROM environment WHERE repository = ?1", repository);
      count.step();
      if (static_cast<std::size_t>(count.number(0)) >= max_environments) {
        return make_error(errc::too_large, fmt::format("{} has {} environments already, the most there may be; delete "
                                                       "one first",
                                                       repository, max_environments));
      }
    }
    session.run(
        "INSERT INTO environment(repository, folded, name, protection, created_ms, updated_ms) VALUES(?1, ?2, ?3, ?4, "
        "?5, ?5) ON CONFLICT(repository, folded) DO UPDATE SET protection = excluded.protection, updated_ms = "
        "excluded.updated_ms",
        repository, lower(name), name, to_text(protection), to_millis(now));
    store::Statement row = session.query("SELECT created_ms FROM environment WHERE repository = ?1 AND folded = ?2",
                                         repository, lower(name));
    row.step();
    return Environment{std::string(name), protection, from_millis(row.number(0)), now};
  });
}

Result<void> Settings::delete_environment(std::string_view repository, std::string_view name) {
  const Level level{repository, name};
  return database_->write([&](Session& session) -> Result<void> {
    const std::optional<std::string> kept = kept_name(session, level);
    if (!kept) return make_error(errc::not_found, fmt::format("{} has no environment {}", repository, name));
    if (const Result<void> written = check_written(level, *kept); !written) return written;
    session.run("DELETE FROM entry WHERE repository = ?1 AND environment = ?2", repository, lower(name));
    session.run("DELETE FROM environment WHERE repository = ?1 AND folded = ?2", repository, lower(name));
    return ok();
  });
}

Result<void> Settings::forget_repository(std::string_view repository) {
  return database_->write([&](Session& session) -> Result<void> {
    session.run("DELETE FROM entry WHERE repository = ?1", repository);
    session.run("DELETE FROM environment WHERE repository = ?1", repository);
    return ok();
  });
}

Result<std::vector<Variable>> Settings::list_variables(const Level& level) const {
  return database_->read([&](Session& session) -> Result<std::vector<Variable>> {
    if (const Result<void> checked = check_level(session, level); !checked) return checked.error();
    std::vector<Variable> all;
    const Result<void> read =
        for_each(session, level, variable_kind, [&](auto name, auto content, Time created, Time updated) {
          all.push_back({std::string(name), std::string(content), created, updated});
          return ok();
        });
    if (!read) return read.error();
    return all;
  });
}

Result<std::vector<Secret>> Settings::list_secrets(const Level& level) const {
  return database_->read([&](Session& session) -> Result<std::vector<Secret>> {
    if (const Result<void> checked = check_level(session, level); !checked) return checked.error();
    std::vector<Secret> all;
    const Result<void> read = for_each(session, level, secret_kind, [&](auto name, auto, Time created, Time updated) {
      all.push_back({std::string(name), created, updated});
      return ok();
    });
    if (!read) return read.error();
    return all;
  });
}

Result<std::vector<Environment>> Settings::environments(std::string_view repository) const {
  return database_->read([&](Session& session) -> Result<std::vector<Environment>> {
    std::vector<Environment> all;
    store::Statement rows = session.query(
        "SELECT name, protection, created_ms, updated_ms FROM environment WHERE repository = ?1 ORDER BY folded",
        repository);
    while (rows.step()) {
      Result<Protection> protection = protection_from(rows.text(1));
      if (!protection) return protection.error();
      all.push_back({std::string(rows.text(0)), std::move(*protection), from_millis(rows.number(2)),
                     from_millis(rows.number(3))});
    }
    return all;
  });
}

}  // namespace kaapi::actions::settings
