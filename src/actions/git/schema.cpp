#include "actions/git/schema.h"

namespace kaapi::actions::git {
namespace {

constexpr std::string_view first = R"sql(
CREATE TABLE owners (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
);
CREATE TABLE repositories (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL REFERENCES owners(id),
  name TEXT NOT NULL UNIQUE,          -- OWNER/NAME
  created_ms INTEGER NOT NULL,
  rules TEXT NOT NULL                 -- JSON
);
-- Pushes whose refs may be updated already, but which nobody has been told of.
CREATE TABLE pushes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository TEXT NOT NULL,
  actor TEXT NOT NULL,
  actor_arn TEXT NOT NULL,
  updates TEXT NOT NULL               -- JSON
);
CREATE TABLE access_tokens (
  id TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,          -- SHA-256 of the token
  name TEXT NOT NULL,
  access_key_id TEXT NOT NULL,
  principal_arn TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  last_used_ms INTEGER
);
CREATE TABLE mirrors (
  repository TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  every_s INTEGER NOT NULL,           -- 0: by webhook only
  username TEXT NOT NULL,
  password BLOB NOT NULL,             -- sealed; empty: none
  webhook_secret BLOB NOT NULL,       -- sealed; empty: no webhook
  synced INTEGER NOT NULL DEFAULT 0,  -- 1: has been fetched whole once
  fetched_ms INTEGER,
  error TEXT NOT NULL DEFAULT ''
);
)sql";

// What a job pushes starts no runs, also when the platform died in between.
constexpr std::string_view pushes_of_jobs = "ALTER TABLE pushes ADD COLUMN by_job INTEGER NOT NULL DEFAULT 0";

// What changed while nobody could be told is told at the next start: JSON, commits by ref. Empty: not yet known.
constexpr std::string_view refs_of_mirrors = "ALTER TABLE mirrors ADD COLUMN told TEXT NOT NULL DEFAULT ''";

// Who pushed, when names are used again.
constexpr std::string_view ids_of_pushers = "ALTER TABLE pushes ADD COLUMN actor_id TEXT NOT NULL DEFAULT ''";

// When the runs were told of a push first that they could not deal with: its refs are known to have changed, and some
// of its workflows may have started.
constexpr std::string_view pushes_told = "ALTER TABLE pushes ADD COLUMN told_ms INTEGER";

// What the last change of a mirror started, and what not and why: JSON, lines for people.
constexpr std::string_view reports_of_mirrors = "ALTER TABLE mirrors ADD COLUMN report TEXT NOT NULL DEFAULT ''";

// The default branch of the other side, when it was looked at last. Empty: not yet.
constexpr std::string_view heads_of_mirrors = "ALTER TABLE mirrors ADD COLUMN head TEXT NOT NULL DEFAULT ''";

// fetched_ms is of the last good fetch, tried_ms of the last since the mirror was set, good or not.
constexpr std::string_view tries_of_mirrors = R"sql(
ALTER TABLE mirrors ADD COLUMN tried_ms INTEGER;
UPDATE mirrors SET tried_ms = fetched_ms;
UPDATE mirrors SET fetched_ms = NULL WHERE error <> '';
)sql";

// What was a mirror, until it is one again: the refs that it was left with, JSON, commits by ref.
constexpr std::string_view former_mirrors = R"sql(
CREATE TABLE former_mirrors (
  repository TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  refs TEXT NOT NULL
);
)sql";

constexpr std::string_view all[] = {first,         pushes_of_jobs,     refs_of_mirrors,  ids_of_pushers,
                                    pushes_told,   reports_of_mirrors, heads_of_mirrors, tries_of_mirrors,
                                    former_mirrors};

}  // namespace

store::Migrations migrations() {
  return all;
}

}  // namespace kaapi::actions::git
