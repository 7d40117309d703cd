#pragma once
// Log groups, streams and events of every region, in a SQLite file of their own (logs.db).

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "containers/engine.h"
#include "logs/event_id.h"
#include "logs/filter_pattern.h"
#include "store/database.h"

namespace kaapi::logs {

store::Migrations migrations();

// Limits of CloudWatch Logs (its quotas page and the model).
inline constexpr std::size_t max_page_events = 10'000;
inline constexpr std::size_t max_page_bytes = 1'048'576;
inline constexpr std::size_t event_overhead_bytes = 26;
inline constexpr std::size_t max_tags = 50;
// What one FilterLogEvents looks at before it answers with what it has and a token.
inline constexpr std::size_t max_scanned_events = 50'000;
inline constexpr std::size_t max_scanned_bytes = 32 * 1'048'576;
// What one maintenance transaction deletes: writers wait no longer than that.
inline constexpr std::int64_t max_deleted_events_per_commit = 2'000;

inline constexpr std::int64_t end_of_time_ms = std::numeric_limits<std::int64_t>::max();

using Tags = std::map<std::string, std::string>;

struct GroupName {
  std::string region;
  std::string name;
};

struct Group {
  std::string name;
  std::string log_class;  // STANDARD, INFREQUENT_ACCESS, DELIVERY
  std::int64_t created_at_ms = 0;
  std::optional<std::int64_t> retention_days;  // none: kept for ever
  std::int64_t stored_bytes = 0;               // messages and 26 bytes for each
};

struct Stream {
  std::string name;
  std::int64_t id = 0;
  std::int64_t created_at_ms = 0;
  std::optional<std::int64_t> first_event_at_ms;
  std::optional<std::int64_t> last_event_at_ms;
  std::optional<std::int64_t> last_ingested_at_ms;
};

struct NewEvent {
  std::int64_t at_ms = 0;
  std::string message;  // UTF-8, not empty
  bool operator==(const NewEvent&) const = default;
};

struct StoredEvent {
  Position position;
  std::int64_t ingested_at_ms = 0;
  std::string stream;  // only from filter()
  std::string message;
};

struct GroupQuery {
  std::string prefix;
  std::string pattern;             // a part of the name; empty: any
  std::vector<std::string> names;  // only these; empty: any
  std::string log_class;           // empty: any
  std::string after;               // the name that the page before ended with
  std::size_t limit = 50;
};
struct GroupPage {
  std::vector<Group> groups;
  bool more = false;
};

struct StreamQuery {
  std::string prefix;
  bool by_last_event = false;  // otherwise by name
  bool descending = false;
  std::string after;  // as StreamPage::next
  std::size_t limit = 50;
};
struct StreamPage {
  std::vector<Stream> streams;
  std::optional<std::string> next;  // none: that was all
};

struct ReadQuery {
  std::string stream;
  std::int64_t start_ms = 0;             // inclusive
  std::int64_t end_ms = end_of_time_ms;  // exclusive
  Direction direction = Direction::backward;
  std::optional<Position> from;  // exclusive; none: the first or last of the range
  std::size_t limit = max_page_events;
};
struct ReadPage {
  std::vector<StoredEvent> events;  // oldest first, whatever the direction
  Position forward;                 // continue after this one
  Position backward;                // go back from before this one
};

struct FilterQuery {
  std::vector<std::string> streams;
  std::string stream_prefix;
  std::int64_t start_ms = 0;             // inclusive
  std::int64_t end_ms = end_of_time_ms;  // inclusive, unlike ReadQuery: as CloudWatch has it
  FilterPattern pattern;
  std::optional<Position> after;
  std::size_t limit = max_page_events;
};
struct FilterPage {
  std::vector<StoredEvent> events;
  std::optional<Position> next;  // none: that was all
};

// How far one output stream of one container is stored: `pieces` pieces with the engine's timestamp `at_nanos` and
// everything before. Kept in the transaction of the events themselves.
struct OutputCursor {
  std::int64_t at_nanos = 0;
  std::int64_t pieces = 0;
  // The first piece of a line that was still unfinished: reading again must not start later.
  std::optional<std::int64_t> pending_at_nanos;
  // Bytes of the last piece that begin a character: they belong to the event that comes next.
  std::string carry;
  bool operator==(const OutputCursor&) const = default;
};
using OutputCursors = std::map<containers::OutputStream, OutputCursor>;

// What the collector stores in one go for one container.
struct OutputBatch {
  GroupName group;
  std::string stream;
  bool create_group = false;  // when it was deleted meanwhile
  std::string source;
  std::vector<NewEvent> events;
  OutputCursors cursors;
  bool drained = false;  // nothing will follow
};

struct Maintenance {
  std::int64_t deleted_events = 0;
  // When to call again: now or earlier when there is more to delete; none when nothing ever expires.
  std::optional<Time> next;
};

// Thread-safe. Errors: CloudWatch's (logs/errors.h), and the database's. A write is on disk when it returns.
// Reading costs what is returned (and, when filtering, what is looked at), not what is stored: every listing follows an
// index.
class LogStore {
 public:
  // `database` was opened with migrations() and outlives the store.
  explicit LogStore(store::Database& database) : database_(database) {}

  Result<void> create_group(const GroupName& group, std::string_view log_class, const Tags& tags, Time now);
  // The group is gone at once; its events are deleted by and by in maintain().
  Result<void> delete_group(const GroupName& group);
  Result<GroupPage> groups(const std::string& region, const GroupQuery& query);
  Result<void> set_retention(const GroupName& group, std::optional<std::int64_t> days);

  Result<Tags> tags(const GroupName& group);
  // Error `TooManyTagsException` above max_tags.
  Result<void> tag(const GroupName& group, const Tags& tags);
  Result<void> untag(const GroupName& group, const std::vector<std::string>& keys);

  Result<void> create_stream(const GroupName& group, const std::string& stream, Time now);
  Result<void> delete_stream(const GroupName& group, const std::string& stream);
  Result<StreamPage> streams(const GroupName& group, const StreamQuery& query);

  // Stores events that the rules of PutLogEvents allow (ingest.h).
  Result<void> put(const GroupName& group, const std::string& stream, std::span<const NewEvent> events, Time now);
  // Returns the group's retention in days, for those rules. Error when group or stream do not exist.
  Result<std::optional<std::int64_t>> retention_of(const GroupName& group, const std::string& stream);
  Result<ReadPage> read(const GroupName& group, const ReadQuery& query, Time now);
  Result<FilterPage> filter(const GroupName& group, const FilterQuery& query, Time now);

  // For the collector. Events of a batch whose group is gone (and not to be created) are dropped: returns the sources
  // concerned.
  Result<std::vector<std::string>> store_output(std::span<const OutputBatch> batches, Time now);
  Result<OutputCursors> output_cursors(const std::string& source);
  Result<void> forget_output(const std::string& source);

  // Deletes one bounded share of what has expired or belonged to deleted groups and streams, and says when to come
  // again.
  Result<Maintenance> maintain(Time now);
  // Called after whatever may bring the next maintenance forward; must be quick. Set before the first use.
  void on_maintenance_changed(std::function<void()> callback) { maintenance_changed_ = std::move(callback); }

 private:
  void notify_maintenance() const {
    if (maintenance_changed_) maintenance_changed_();
  }

  store::Database& database_;
  std::function<void()> maintenance_changed_;
};

}  // namespace kaapi::logs
