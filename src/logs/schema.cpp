#include "logs/store.h"

namespace kaapi::logs {
namespace {

// Both indexes of log_event end with the row's id, as every SQLite index does, and so give the order of Position.
constexpr std::string_view first_schema = R"sql(
CREATE TABLE log_group(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  class TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  retention_days INTEGER,
  stored_bytes INTEGER NOT NULL DEFAULT 0,
  UNIQUE(region, name));
CREATE INDEX log_group_by_retention ON log_group(retention_days) WHERE retention_days IS NOT NULL;

CREATE TABLE log_group_tag(
  group_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY(group_id, key)) WITHOUT ROWID;

-- last_event_at_ms: -1 while there is none, so that ordering needs no special case.
CREATE TABLE log_stream(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  group_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  last_event_at_ms INTEGER NOT NULL DEFAULT -1,
  last_ingested_at_ms INTEGER,
  UNIQUE(group_id, name));
CREATE INDEX log_stream_by_last_event ON log_stream(group_id, last_event_at_ms, name) WHERE deleted=0;
CREATE INDEX log_stream_deleted ON log_stream(id) WHERE deleted=1;

CREATE TABLE log_event(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  group_id INTEGER NOT NULL,
  stream_id INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  ingested_at_ms INTEGER NOT NULL,
  message TEXT NOT NULL);
CREATE INDEX log_event_by_stream ON log_event(stream_id, at_ms);
CREATE INDEX log_event_by_group ON log_event(group_id, at_ms);

-- How far the output of a source (a container) is stored; stream is 0 for stdout and 1 for stderr.
CREATE TABLE output_cursor(
  source TEXT NOT NULL,
  stream INTEGER NOT NULL,
  at_nanos INTEGER NOT NULL,
  pieces INTEGER NOT NULL,
  pending_at_nanos INTEGER,
  carry BLOB NOT NULL,
  drained_at_ms INTEGER,
  PRIMARY KEY(source, stream)) WITHOUT ROWID;
CREATE INDEX output_cursor_drained ON output_cursor(drained_at_ms) WHERE drained_at_ms IS NOT NULL;
)sql";

constexpr std::string_view schema[] = {first_schema};

}  // namespace

store::Migrations migrations() {
  return schema;
}

}  // namespace kaapi::logs
