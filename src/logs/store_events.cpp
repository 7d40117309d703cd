#include "logs/store_internal.h"

namespace kaapi::logs {
namespace {

// What ingest deletes in passing: a little more than it brings, so that a busy group with retention stays bounded by
// itself.
constexpr std::int64_t expired_per_append = 64;

}  // namespace

std::int64_t delete_expired(Session& session, const GroupRow& group, Time now, std::int64_t limit) {
  if (!group.retention_days) return 0;
  std::int64_t deleted = 0;
  std::int64_t bytes = 0;
  {
    Statement rows = session.query(
        "DELETE FROM log_event WHERE id IN (SELECT id FROM log_event WHERE group_id=?1 AND at_ms<?2 ORDER BY at_ms "
        "LIMIT ?3) "
        "RETURNING length(CAST(message AS BLOB))",
        group.id, retention_start(group, now), limit);
    while (rows.step()) {
      ++deleted;
      bytes += rows.number(0) + static_cast<std::int64_t>(event_overhead_bytes);
    }
  }
  if (deleted > 0)
    session.run("UPDATE log_group SET stored_bytes=max(0, stored_bytes-?2) WHERE id=?1", group.id, bytes);
  return deleted;
}

void append_events(Session& session, const GroupRow& group, std::int64_t stream_id, std::span<const NewEvent> events,
                   Time now) {
  if (events.empty()) return;
  std::int64_t bytes = 0;
  std::int64_t last_at_ms = -1;
  for (const NewEvent& event : events) {
    session.run("INSERT INTO log_event(group_id, stream_id, at_ms, ingested_at_ms, message) VALUES(?1, ?2, ?3, ?4, ?5)",
                group.id, stream_id, event.at_ms, to_millis(now), event.message);
    bytes += static_cast<std::int64_t>(event.message.size() + event_overhead_bytes);
    last_at_ms = std::max(last_at_ms, event.at_ms);
  }
  session.run("UPDATE log_group SET stored_bytes=stored_bytes+?2 WHERE id=?1", group.id, bytes);
  session.run("UPDATE log_stream SET last_event_at_ms=max(last_event_at_ms, ?2), last_ingested_at_ms=?3 WHERE id=?1",
              stream_id, last_at_ms, to_millis(now));
  delete_expired(session, group, now, static_cast<std::int64_t>(events.size()) + expired_per_append);
}

Result<void> LogStore::put(const GroupName& group, const std::string& stream, std::span<const NewEvent> events,
                           Time now) {
  return database_.write([&](Session& session) -> Result<void> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    const Result<std::int64_t> stream_id = find_stream(session, found->id, stream);
    if (!stream_id) return stream_id.error();
    append_events(session, *found, *stream_id, events, now);
    return ok();
  });
}

Result<std::optional<std::int64_t>> LogStore::retention_of(const GroupName& group, const std::string& stream) {
  return database_.read([&](Session& session) -> Result<std::optional<std::int64_t>> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    const Result<std::int64_t> stream_id = find_stream(session, found->id, stream);
    if (!stream_id) return stream_id.error();
    return found->retention_days;
  });
}

namespace {

std::vector<StoredEvent> collect_events(Statement rows, std::size_t limit) {
  std::vector<StoredEvent> events;
  std::size_t bytes = 0;
  while (events.size() < limit && rows.step()) {
    const std::string_view message = rows.text(3);
    bytes += message.size() + event_overhead_bytes;
    if (!events.empty() && bytes > max_page_bytes) break;
    events.push_back({{rows.number(0), rows.number(1)}, rows.number(2), "", std::string(message)});
  }
  return events;
}

std::vector<StoredEvent> read_forward(Session& session, std::int64_t stream_id, Position after, std::int64_t end_ms,
                                      std::size_t limit) {
  return collect_events(session.query("SELECT at_ms, id, ingested_at_ms, message FROM log_event "
                                      "WHERE stream_id=?1 AND (at_ms, id)>(?2, ?3) AND at_ms<?4 ORDER BY at_ms, id",
                                      stream_id, after.at_ms, after.id, end_ms),
                        limit);
}

std::vector<StoredEvent> read_backward(Session& session, std::int64_t stream_id, Position before, std::int64_t start_ms,
                                       std::size_t limit) {
  std::vector<StoredEvent> events = collect_events(
      session.query("SELECT at_ms, id, ingested_at_ms, message FROM log_event "
                    "WHERE stream_id=?1 AND (at_ms, id)<(?2, ?3) AND at_ms>=?4 ORDER BY at_ms DESC, id DESC",
                    stream_id, before.at_ms, before.id, start_ms),
      limit);
  std::reverse(events.begin(), events.end());
  return events;
}

// Where an empty page leaves the reader: the token that was passed stays as it is, and the other one points at the same
// gap.
void stay(ReadPage& page, const ReadQuery& query, std::int64_t start_ms) {
  if (!query.from) {
    page.forward = page.backward = {start_ms, 0};
  } else if (query.direction == Direction::forward) {
    page.forward = *query.from;
    page.backward = {query.from->at_ms, query.from->id + 1};
  } else {
    page.backward = *query.from;
    page.forward = {query.from->at_ms, std::max<std::int64_t>(query.from->id - 1, 0)};
  }
}

}  // namespace

Result<ReadPage> LogStore::read(const GroupName& group, const ReadQuery& query, Time now) {
  return database_.read([&](Session& session) -> Result<ReadPage> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    const Result<std::int64_t> stream_id = find_stream(session, found->id, query.stream);
    if (!stream_id) return stream_id.error();
    const std::int64_t start_ms = std::max(query.start_ms, retention_start(*found, now));
    const std::size_t limit = std::min(query.limit, max_page_events);
    ReadPage page;
    if (query.direction == Direction::forward) {
      const Position start{start_ms, 0};
      page.events =
          read_forward(session, *stream_id, query.from ? std::max(*query.from, start) : start, query.end_ms, limit);
    } else {
      const Position end{query.end_ms, 0};
      page.events = read_backward(session, *stream_id, query.from ? std::min(*query.from, end) : end, start_ms, limit);
    }
    if (page.events.empty()) {
      stay(page, query, start_ms);
    } else {
      page.backward = page.events.front().position;
      page.forward = page.events.back().position;
    }
    return page;
  });
}

}  // namespace kaapi::logs
