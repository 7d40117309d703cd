#include "identity/iam/database.h"

#include "base/text.h"

namespace kaapi::identity {
namespace {

constexpr std::string_view schema = R"sql(
CREATE TABLE entity(kind TEXT NOT NULL, key TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;
)sql";
constexpr std::string_view all_migrations[] = {schema};

constexpr std::string_view sealer_kind = "sealer";
constexpr std::string_view check_key = "check";

Result<std::optional<std::string>> stored_check(store::Session& session) {
  store::Statement row = session.query("SELECT doc FROM entity WHERE kind = ?1 AND key = ?2", sealer_kind, check_key);
  if (!row.step()) return std::optional<std::string>();
  std::optional<std::string> check = base64_decode(row.text(0));
  if (check) return check;
  return make_error(
      errc::damaged,
      "the check value of the key file cannot be read; restore identity.db and identity.key from one backup", 500);
}

}  // namespace

store::Migrations migrations() {
  return all_migrations;
}

void save_row(store::Session& session, std::string_view kind, std::string_view key, std::string_view document) {
  session.run("INSERT OR REPLACE INTO entity(kind, key, doc) VALUES(?1, ?2, ?3)", kind, key, document);
}

void erase_row(store::Session& session, std::string_view kind, std::string_view key) {
  session.run("DELETE FROM entity WHERE kind = ?1 AND key = ?2", kind, key);
}

Result<void> for_each_row(store::Session& session, std::string_view kind,
                          const std::function<Result<void>(std::string_view key, std::string_view document)>& visit) {
  store::Statement rows = session.query("SELECT key, doc FROM entity WHERE kind = ?1 ORDER BY key", kind);
  while (rows.step()) {
    if (const Result<void> visited = visit(rows.text(0), rows.text(1)); !visited) return visited.error();
  }
  return ok();
}

Result<store::Sealer> open_sealer(store::Database& database, const std::string& key_path) {
  const auto check = database.read([](store::Session& session) { return stored_check(session); });
  if (!check) return check.error();
  Result<store::Sealer> sealer = store::Sealer::open(key_path, *check);
  if (!sealer || *check) return sealer;
  const Result<void> saved = database.write([&](store::Session& session) -> Result<void> {
    save_row(session, sealer_kind, check_key, base64_encode(sealer->check()));
    return ok();
  });
  if (!saved) return saved.error();
  return sealer;
}

}  // namespace kaapi::identity
