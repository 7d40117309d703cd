#include "logs/store_internal.h"

namespace kaapi::logs {
namespace {

using containers::OutputStream;

std::int64_t number_of(OutputStream stream) {
  return stream == OutputStream::out ? 0 : 1;
}

void write_cursor(Session& session, const OutputBatch& batch, OutputStream stream, const OutputCursor& cursor,
                  Time now) {
  std::optional<std::int64_t> drained_at_ms;
  if (batch.drained) drained_at_ms = to_millis(now);
  Statement statement = session.query(
      "INSERT OR REPLACE INTO output_cursor(source, stream, at_nanos, pieces, pending_at_nanos, drained_at_ms, carry) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
      batch.source, number_of(stream), cursor.at_nanos, cursor.pieces, cursor.pending_at_nanos, drained_at_ms);
  statement.bind_blob(7, cursor.carry);
  statement.run();
}

// Where the batch goes; made anew when it was deleted since the container started. None: dropped.
struct Place {
  GroupRow group;
  std::int64_t stream_id = 0;
};
std::optional<Place> find_place(Session& session, const OutputBatch& batch, Time now) {
  Result<GroupRow> group = find_group(session, batch.group);
  if (!group) {
    if (!batch.create_group) return std::nullopt;
    session.run("INSERT INTO log_group(region, name, class, created_at_ms) VALUES(?1, ?2, 'STANDARD', ?3)",
                batch.group.region, batch.group.name, to_millis(now));
    group = GroupRow{session.last_insert_id(), std::nullopt};
  }
  const Result<std::int64_t> stream_id = find_stream(session, group->id, batch.stream);
  return Place{*group, stream_id ? *stream_id : insert_stream(session, group->id, batch.stream, now)};
}

}  // namespace

Result<std::vector<std::string>> LogStore::store_output(std::span<const OutputBatch> batches, Time now) {
  return database_.write([&](Session& session) -> Result<std::vector<std::string>> {
    std::vector<std::string> dropped;
    for (const OutputBatch& batch : batches) {
      if (!batch.events.empty()) {
        const std::optional<Place> place = find_place(session, batch, now);
        if (place) {
          append_events(session, place->group, place->stream_id, batch.events, now);
        } else {
          dropped.push_back(batch.source);
        }
      }
      for (const auto& [stream, cursor] : batch.cursors) write_cursor(session, batch, stream, cursor, now);
    }
    return dropped;
  });
}

Result<OutputCursors> LogStore::output_cursors(const std::string& source) {
  return database_.read([&](Session& session) -> Result<OutputCursors> {
    OutputCursors cursors;
    Statement rows = session.query(
        "SELECT stream, at_nanos, pieces, pending_at_nanos, carry FROM output_cursor WHERE source=?1", source);
    while (rows.step()) {
      OutputCursor cursor{rows.number(1), rows.number(2), std::nullopt, std::string(rows.blob(4))};
      if (!rows.is_null(3)) cursor.pending_at_nanos = rows.number(3);
      cursors.emplace(rows.number(0) == 0 ? OutputStream::out : OutputStream::err, std::move(cursor));
    }
    return cursors;
  });
}

Result<void> LogStore::forget_output(const std::string& source) {
  return database_.write([&](Session& session) -> Result<void> {
    session.run("DELETE FROM output_cursor WHERE source=?1", source);
    return ok();
  });
}

}  // namespace kaapi::logs
