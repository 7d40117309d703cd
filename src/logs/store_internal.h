#pragma once
// What the parts of LogStore share. Private to logs/.

#include <algorithm>
#include <span>

#include "logs/errors.h"
#include "logs/store.h"

namespace kaapi::logs {

using store::Session;
using store::Statement;

inline constexpr std::int64_t day_ms = 86'400'000;

// Deleted groups move to this region, and deleted groups and streams to the name "*" and their id, neither of which a
// client can name; maintain() deletes what they hold.
inline constexpr std::string_view deleted_region = "*";

struct GroupRow {
  std::int64_t id = 0;
  std::optional<std::int64_t> retention_days;
};

// Error: the group does not exist.
Result<GroupRow> find_group(Session& session, const GroupName& group);
// Error: the stream does not exist.
Result<std::int64_t> find_stream(Session& session, std::int64_t group_id, std::string_view stream);
std::int64_t insert_stream(Session& session, std::int64_t group_id, std::string_view stream, Time now);
void write_tags(Session& session, std::int64_t group_id, const Tags& tags);

// The least name of a page: the first one behind `after` (which has a name of its own: the one with a zero byte more),
// and not before the prefix. One bound, so that SQLite seeks straight to it.
inline std::string first_name(const std::string& after, const std::string& prefix) {
  return after.empty() ? prefix : std::max(after + '\0', prefix);
}

// Stores events and keeps the sums and times of group and stream.
void append_events(Session& session, const GroupRow& group, std::int64_t stream_id, std::span<const NewEvent> events,
                   Time now);
// Deletes at most `limit` events of the group older than its retention; returns how many.
std::int64_t delete_expired(Session& session, const GroupRow& group, Time now, std::int64_t limit);

// Events before this time are not shown any more, deleted or not.
inline std::int64_t retention_start(const GroupRow& group, Time now) {
  return group.retention_days ? to_millis(now) - *group.retention_days * day_ms : 0;
}

}  // namespace kaapi::logs
