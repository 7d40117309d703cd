#include "actions/git/access_tokens.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::string_view secret_start = "kaapi_";
constexpr std::size_t secret_digits = 64;

AccessToken read_row(const store::Statement& row) {
  AccessToken token;
  token.id = row.text(0);
  token.name = row.text(1);
  token.access_key_id = row.text(2);
  token.principal_arn = row.text(3);
  token.created_at = from_millis(row.number(4));
  token.expires_at = from_millis(row.number(5));
  if (!row.is_null(6)) token.last_used_at = from_millis(row.number(6));
  return token;
}

}  // namespace

Result<AccessTokens::Created> AccessTokens::create(AccessToken token) {
  token.id = lower(ids_.letters(16));
  token.created_at = clock_.now();
  Created created{token, std::string(secret_start) + ids_.hex(secret_digits)};
  const std::string hash = sha256(created.secret);
  const Result<void> stored = database_.write([&](store::Session& session) -> Result<void> {
    session.run("DELETE FROM access_tokens WHERE expires_ms <= ?", to_millis(token.created_at));
    store::Statement count =
        session.query("SELECT count(*) FROM access_tokens WHERE principal_arn = ?", token.principal_arn);
    if (count.step() && count.number(0) >= static_cast<std::int64_t>(max_access_tokens)) {
      return make_error(errc::too_large,
                        fmt::format("{} has {} access tokens, which is the most; delete one with: kaapi token rm ID",
                                    token.principal_arn, max_access_tokens));
    }
    store::Statement insert = session.query(
        "INSERT INTO access_tokens (id, name, access_key_id, principal_arn, created_ms, expires_ms, hash) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        token.id, token.name, token.access_key_id, token.principal_arn, to_millis(token.created_at),
        to_millis(token.expires_at));
    insert.bind_blob(7, hash);
    insert.run();
    return ok();
  });
  if (!stored) return stored.error();
  return created;
}

Result<std::vector<AccessToken>> AccessTokens::list(std::string_view principal_arn) const {
  return database_.read([&](store::Session& session) -> Result<std::vector<AccessToken>> {
    std::vector<AccessToken> out;
    store::Statement rows = session.query(
        "SELECT id, name, access_key_id, principal_arn, created_ms, expires_ms, last_used_ms FROM access_tokens "
        "WHERE (?1 = '' OR principal_arn = ?1) AND expires_ms > ?2 ORDER BY created_ms DESC, id",
        principal_arn, to_millis(clock_.now()));
    while (rows.step()) out.push_back(read_row(rows));
    return out;
  });
}

Result<void> AccessTokens::remove(std::string_view id, std::string_view principal_arn) {
  return database_.write([&](store::Session& session) -> Result<void> {
    session.run("DELETE FROM access_tokens WHERE id = ?1 AND (?2 = '' OR principal_arn = ?2)", id, principal_arn);
    if (session.changes() == 1) return ok();
    return make_error(errc::not_found, fmt::format("you have no access token with the id '{}'; list yours with: "
                                                   "kaapi token list",
                                                   id));
  });
}

std::optional<AccessToken> AccessTokens::find(std::string_view secret) {
  if (!secret.starts_with(secret_start) || secret.size() != secret_start.size() + secret_digits) return std::nullopt;
  const Time now = clock_.now();
  const std::string hash = sha256(secret);
  const auto found = database_.read([&](store::Session& session) -> Result<std::optional<AccessToken>> {
    store::Statement row = session.query(
        "SELECT id, name, access_key_id, principal_arn, created_ms, expires_ms, last_used_ms FROM access_tokens "
        "WHERE hash = ?1 AND expires_ms > ?2");
    row.bind_blob(1, hash).bind(2, to_millis(now));
    return row.step() ? std::optional(read_row(row)) : std::nullopt;
  });
  if (!found || !*found) return std::nullopt;
  const AccessToken& token = **found;
  if (!token.last_used_at || now - *token.last_used_at >= last_used_precision) {
    const Result<void> noted = database_.write([&](store::Session& session) -> Result<void> {
      session.run("UPDATE access_tokens SET last_used_ms = ? WHERE id = ?", to_millis(now), token.id);
      return ok();
    });
    if (!noted) log::warn("git", "the use of access token {} is not noted: {}", token.id, noted.error().message);
  }
  return token;
}

}  // namespace kaapi::actions::git
