#include <deque>
#include <unordered_map>

#include "logs/store_internal.h"

namespace kaapi::logs {
namespace {

// A prefix that matches more streams than this is checked event by event instead of merging the streams.
constexpr std::size_t max_merged_streams = 100;
constexpr std::int64_t keys_per_chunk = 256;

// The positions of one stream, or of a whole group, in order, read from the index in chunks.
class KeySource {
 public:
  KeySource(std::int64_t owner_id, bool is_group, Position after, std::int64_t end_ms)
      : owner_id_(owner_id), is_group_(is_group), after_(after), end_ms_(end_ms) {}

  // The next position, or nullptr at the end.
  const Position* peek(Session& session) {
    if (keys_.empty() && !ended_) load(session);
    return keys_.empty() ? nullptr : &keys_.front();
  }
  void pop() { keys_.pop_front(); }

 private:
  void load(Session& session) {
    Statement rows =
        is_group_ ? session.query(
                        "SELECT at_ms, id FROM log_event WHERE group_id=?1 AND (at_ms, id)>(?2, ?3) AND at_ms<=?4 "
                        "ORDER BY at_ms, id LIMIT ?5",
                        owner_id_, after_.at_ms, after_.id, end_ms_, keys_per_chunk)
                  : session.query(
                        "SELECT at_ms, id FROM log_event WHERE stream_id=?1 AND (at_ms, id)>(?2, ?3) AND at_ms<=?4 "
                        "ORDER BY at_ms, id LIMIT ?5",
                        owner_id_, after_.at_ms, after_.id, end_ms_, keys_per_chunk);
    while (rows.step()) keys_.push_back({rows.number(0), rows.number(1)});
    if (keys_.empty()) {
      ended_ = true;
    } else {
      after_ = keys_.back();
    }
  }

  std::int64_t owner_id_;
  bool is_group_;
  Position after_;
  std::int64_t end_ms_;
  std::deque<Position> keys_;
  bool ended_ = false;
};

// One run of FilterLogEvents.
class Filtering {
 public:
  Filtering(Session& session, const FilterQuery& query, const GroupRow& group, Time now)
      : session_(session),
        query_(query),
        group_(group),
        after_{std::max(query.start_ms, retention_start(group, now)), 0} {
    if (query.after) after_ = std::max(after_, *query.after);
  }

  Result<FilterPage> run() {
    const Result<void> chosen = choose_sources();
    if (!chosen) return chosen.error();
    FilterPage page;
    std::size_t scanned = 0;
    Position last = after_;
    while (KeySource* source = earliest()) {
      if (page.events.size() >= query_.limit || page_bytes_ >= max_page_bytes || scanned == max_scanned_events ||
          scanned_bytes_ >= max_scanned_bytes) {
        page.next = last;
        break;
      }
      const Position position = *source->peek(session_);
      ++scanned;
      if (!look_at(position, page)) {
        page.next = last;
        break;
      }
      last = position;
      source->pop();
    }
    return page;
  }

 private:
  Result<void> choose_sources() {
    if (!query_.streams.empty()) {
      for (const std::string& name : query_.streams) {
        const Result<std::int64_t> id = find_stream(session_, group_.id, name);
        if (!id) return id.error();
        add_stream(*id, name);
      }
      return ok();
    }
    if (!query_.stream_prefix.empty() && merge_prefix()) return ok();
    sources_.emplace_back(group_.id, true, after_, query_.end_ms);
    return ok();
  }

  // False when too many streams match.
  bool merge_prefix() {
    std::vector<std::pair<std::int64_t, std::string>> found;
    Statement rows =
        session_.query("SELECT id, name FROM log_stream WHERE group_id=?1 AND deleted=0 AND name>=?2 ORDER BY name",
                       group_.id, query_.stream_prefix);
    while (rows.step() && rows.text(1).starts_with(query_.stream_prefix)) {
      if (found.size() == max_merged_streams) return false;
      found.emplace_back(rows.number(0), std::string(rows.text(1)));
    }
    for (const auto& [id, name] : found) add_stream(id, name);
    return true;
  }

  void add_stream(std::int64_t id, const std::string& name) {
    if (!names_.emplace(id, name).second) return;  // named twice
    sources_.emplace_back(id, false, after_, query_.end_ms);
  }

  KeySource* earliest() {
    KeySource* first = nullptr;
    for (KeySource& source : sources_) {
      const Position* position = source.peek(session_);
      if (position != nullptr && (first == nullptr || *position < *first->peek(session_))) first = &source;
    }
    return first;
  }

  // The stream's name when events of it are wanted.
  const std::optional<std::string>& name_of(std::int64_t stream_id) {
    const auto known = names_.find(stream_id);
    if (known != names_.end()) return known->second;
    std::optional<std::string> name;
    Statement rows = session_.query("SELECT name FROM log_stream WHERE id=?1 AND deleted=0", stream_id);
    if (rows.step() && rows.text(0).starts_with(query_.stream_prefix)) name = rows.text(0);
    return names_.emplace(stream_id, std::move(name)).first->second;
  }

  // Adds the event if it matches. False when it matches but does not fit into this page.
  bool look_at(Position position, FilterPage& page) {
    Statement rows =
        session_.query("SELECT stream_id, ingested_at_ms, message FROM log_event WHERE id=?1", position.id);
    if (!rows.step()) return true;
    const std::string_view message = rows.text(2);
    scanned_bytes_ += message.size();
    const std::optional<std::string>& stream = name_of(rows.number(0));
    if (!stream || !query_.pattern.matches(message)) return true;
    const std::size_t bytes = message.size() + event_overhead_bytes;
    if (!page.events.empty() && page_bytes_ + bytes > max_page_bytes) return false;
    page_bytes_ += bytes;
    page.events.push_back({position, rows.number(1), *stream, std::string(message)});
    return true;
  }

  Session& session_;
  const FilterQuery& query_;
  const GroupRow group_;
  Position after_;
  std::vector<KeySource> sources_;
  std::unordered_map<std::int64_t, std::optional<std::string>> names_;
  std::size_t page_bytes_ = 0;
  std::size_t scanned_bytes_ = 0;
};

}  // namespace

Result<FilterPage> LogStore::filter(const GroupName& group, const FilterQuery& query, Time now) {
  return database_.read([&](Session& session) -> Result<FilterPage> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    return Filtering(session, query, *found, now).run();
  });
}

}  // namespace kaapi::logs
