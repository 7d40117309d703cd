#include "logs/store_internal.h"

namespace kaapi::logs {
namespace {

// Cursors of containers that ended this long ago are forgotten even when nobody said that the container is gone.
constexpr std::int64_t drained_cursor_ms = 30 * day_ms;

std::optional<std::int64_t> first_number(Statement rows) {
  if (!rows.step() || rows.is_null(0)) return std::nullopt;
  return rows.number(0);
}

// Deletes what deleted groups and streams hold; returns how many events.
std::int64_t purge_deleted(Session& session, std::int64_t limit) {
  const std::optional<std::int64_t> group =
      first_number(session.query("SELECT id FROM log_group WHERE region=?1 LIMIT 1", deleted_region));
  if (group) {
    session.run("DELETE FROM log_event WHERE id IN (SELECT id FROM log_event WHERE group_id=?1 LIMIT ?2)", *group,
                limit);
    const std::int64_t events = session.changes();
    if (events == limit) return events;
    session.run("DELETE FROM log_stream WHERE id IN (SELECT id FROM log_stream WHERE group_id=?1 LIMIT ?2)", *group,
                limit - events);
    const std::int64_t streams = session.changes();
    if (events + streams == limit) return limit;
    session.run("DELETE FROM log_group_tag WHERE group_id=?1", *group);
    session.run("DELETE FROM log_group WHERE id=?1", *group);
    return events;
  }
  const std::optional<std::int64_t> stream =
      first_number(session.query("SELECT id FROM log_stream WHERE deleted=1 LIMIT 1"));
  if (!stream) return 0;
  std::int64_t bytes = 0;
  std::int64_t events = 0;
  {
    Statement rows = session.query(
        "DELETE FROM log_event WHERE id IN (SELECT id FROM log_event WHERE stream_id=?1 LIMIT ?2) "
        "RETURNING length(CAST(message AS BLOB))",
        *stream, limit);
    while (rows.step()) {
      ++events;
      bytes += rows.number(0) + static_cast<std::int64_t>(event_overhead_bytes);
    }
  }
  session.run(
      "UPDATE log_group SET stored_bytes=max(0, stored_bytes-?2) WHERE id=(SELECT group_id FROM log_stream WHERE "
      "id=?1)",
      *stream, bytes);
  if (events < limit) session.run("DELETE FROM log_stream WHERE id=?1", *stream);
  return events;
}

bool anything_deleted(Session& session) {
  return first_number(session.query("SELECT id FROM log_group WHERE region=?1 LIMIT 1", deleted_region)).has_value() ||
         first_number(session.query("SELECT id FROM log_stream WHERE deleted=1 LIMIT 1")).has_value();
}

std::vector<GroupRow> groups_with_retention(Session& session) {
  std::vector<GroupRow> groups;
  Statement rows = session.query("SELECT id, retention_days FROM log_group WHERE retention_days IS NOT NULL");
  while (rows.step()) groups.push_back({rows.number(0), rows.number(1)});
  return groups;
}

void earlier(std::optional<Time>& next, std::int64_t at_ms) {
  if (!next || from_millis(at_ms) < *next) next = from_millis(at_ms);
}

// When the first event expires that is stored now, or could come next.
std::optional<Time> next_expiry(Session& session, const std::vector<GroupRow>& groups, Time now) {
  std::optional<Time> next;
  for (const GroupRow& group : groups) {
    const std::optional<std::int64_t> first =
        first_number(session.query("SELECT min(at_ms) FROM log_event WHERE group_id=?1", group.id));
    earlier(next, first.value_or(to_millis(now)) + *group.retention_days * day_ms + 1);
  }
  const std::optional<std::int64_t> drained =
      first_number(session.query("SELECT min(drained_at_ms) FROM output_cursor WHERE drained_at_ms IS NOT NULL"));
  if (drained) earlier(next, *drained + drained_cursor_ms + 1);
  return next;
}

}  // namespace

Result<Maintenance> LogStore::maintain(Time now) {
  return database_.write([&](Session& session) -> Result<Maintenance> {
    Maintenance done;
    done.deleted_events = purge_deleted(session, max_deleted_events_per_commit);
    const std::vector<GroupRow> groups = groups_with_retention(session);
    for (const GroupRow& group : groups) {
      const std::int64_t left = max_deleted_events_per_commit - done.deleted_events;
      if (left <= 0) break;
      done.deleted_events += delete_expired(session, group, now, left);
    }
    session.run("DELETE FROM output_cursor WHERE drained_at_ms<?1", to_millis(now) - drained_cursor_ms);
    done.next = anything_deleted(session) ? std::optional<Time>(now) : next_expiry(session, groups, now);
    return done;
  });
}

}  // namespace kaapi::logs
