#include <fmt/format.h>

#include "base/text.h"
#include "logs/store_internal.h"

namespace kaapi::logs {

Result<std::int64_t> find_stream(Session& session, std::int64_t group_id, std::string_view stream) {
  Statement rows =
      session.query("SELECT id FROM log_stream WHERE group_id=?1 AND name=?2 AND deleted=0", group_id, stream);
  if (!rows.step()) return no_such_stream();
  return rows.number(0);
}

std::int64_t insert_stream(Session& session, std::int64_t group_id, std::string_view stream, Time now) {
  session.run("INSERT INTO log_stream(group_id, name, created_at_ms) VALUES(?1, ?2, ?3)", group_id, stream,
              to_millis(now));
  return session.last_insert_id();
}

Result<void> LogStore::create_stream(const GroupName& group, const std::string& stream, Time now) {
  return database_.write([&](Session& session) -> Result<void> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    if (find_stream(session, found->id, stream)) return stream_exists();
    insert_stream(session, found->id, stream, now);
    return ok();
  });
}

Result<void> LogStore::delete_stream(const GroupName& group, const std::string& stream) {
  const Result<void> done = database_.write([&](Session& session) -> Result<void> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    const Result<std::int64_t> stream_id = find_stream(session, found->id, stream);
    if (!stream_id) return stream_id.error();
    session.run("UPDATE log_stream SET name='*'||id, deleted=1 WHERE id=?1", *stream_id);
    return ok();
  });
  if (done) notify_maintenance();
  return done;
}

namespace {

Stream read_stream(const Statement& rows) {
  Stream stream;
  stream.id = rows.number(0);
  stream.name = rows.text(1);
  stream.created_at_ms = rows.number(2);
  if (rows.number(3) >= 0) stream.last_event_at_ms = rows.number(3);
  if (!rows.is_null(4)) stream.last_ingested_at_ms = rows.number(4);
  return stream;
}

Statement streams_by_name(Session& session, std::int64_t group_id, const StreamQuery& query) {
  if (query.descending) {
    // From behind the prefix downwards: U+10FFFF sorts last. Without a page before, everything counts as before the
    // end.
    const std::string last = query.after.empty() ? query.prefix + "\xF4\x8F\xBF\xBF" : query.after;
    return session.query(
        "SELECT id, name, created_at_ms, last_event_at_ms, last_ingested_at_ms FROM log_stream "
        "WHERE group_id=?1 AND deleted=0 AND name<?2 ORDER BY name DESC",
        group_id, last);
  }
  return session.query(
      "SELECT id, name, created_at_ms, last_event_at_ms, last_ingested_at_ms FROM log_stream "
      "WHERE group_id=?1 AND deleted=0 AND name>=?2 ORDER BY name",
      group_id, first_name(query.after, query.prefix));
}

struct LastEventKey {
  std::int64_t at_ms;
  std::string name;
};

// "TIME NAME", with the time one up because it may be -1.
std::string encode_last_event_key(const Stream& stream) {
  return fmt::format("{} {}", stream.last_event_at_ms.value_or(-1) + 1, stream.name);
}

LastEventKey decode_last_event_key(std::string_view text) {
  const std::size_t space = text.find(' ');
  const std::optional<std::int64_t> at_ms = parse_number(text.substr(0, space));
  if (space == std::string_view::npos || !at_ms) return {-2, ""};
  return {*at_ms - 1, std::string(text.substr(space + 1))};
}

Statement streams_by_last_event(Session& session, std::int64_t group_id, const StreamQuery& query) {
  if (query.descending) {
    const LastEventKey last =
        query.after.empty() ? LastEventKey{end_of_time_ms, ""} : decode_last_event_key(query.after);
    return session.query(
        "SELECT id, name, created_at_ms, last_event_at_ms, last_ingested_at_ms FROM log_stream "
        "WHERE group_id=?1 AND deleted=0 AND (last_event_at_ms, name)<(?2, ?3) ORDER BY last_event_at_ms DESC, name "
        "DESC",
        group_id, last.at_ms, last.name);
  }
  const LastEventKey first = query.after.empty() ? LastEventKey{-2, ""} : decode_last_event_key(query.after);
  return session.query(
      "SELECT id, name, created_at_ms, last_event_at_ms, last_ingested_at_ms FROM log_stream "
      "WHERE group_id=?1 AND deleted=0 AND (last_event_at_ms, name)>(?2, ?3) ORDER BY last_event_at_ms, name",
      group_id, first.at_ms, first.name);
}

StreamPage collect_streams(Statement rows, const StreamQuery& query) {
  StreamPage page;
  while (rows.step()) {
    Stream stream = read_stream(rows);
    if (!stream.name.starts_with(query.prefix)) break;
    if (page.streams.size() == query.limit) {
      const Stream& last = page.streams.back();
      page.next = query.by_last_event ? encode_last_event_key(last) : last.name;
      break;
    }
    page.streams.push_back(std::move(stream));
  }
  return page;
}

}  // namespace

Result<StreamPage> LogStore::streams(const GroupName& group, const StreamQuery& query) {
  return database_.read([&](Session& session) -> Result<StreamPage> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    StreamPage page = collect_streams(query.by_last_event ? streams_by_last_event(session, found->id, query)
                                                          : streams_by_name(session, found->id, query),
                                      query);
    for (Stream& stream : page.streams) {
      Statement first = session.query("SELECT min(at_ms) FROM log_event WHERE stream_id=?1", stream.id);
      if (first.step() && !first.is_null(0)) stream.first_event_at_ms = first.number(0);
    }
    return page;
  });
}

}  // namespace kaapi::logs
