#include "logs/store.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>

#include "base/test_directory.h"
#include "logs/janitor.h"

namespace kaapi::logs {
namespace {

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::int64_t start_ms = 1'750'000'000'000;
const Time now = from_millis(start_ms);
const GroupName app{"eu-west-1", "/ecs/app"};

class LogStoreTest : public testing::Test {
 protected:
  LogStoreTest() : database_(*store::Database::open(":memory:", migrations())), store_(*database_) {
    EXPECT_TRUE(store_.create_group(app, "STANDARD", {}, now));
    EXPECT_TRUE(store_.create_stream(app, "s", now));
  }
  void put(const std::string& stream, std::vector<NewEvent> events, Time when = now) {
    ASSERT_TRUE(store_.put(app, stream, events, when));
  }
  // "0".."count-1", one in each millisecond.
  void put_numbers(int count) {
    std::vector<NewEvent> events;
    for (int i = 0; i < count; ++i) events.push_back({start_ms + i, std::to_string(i)});
    put("s", events);
  }
  static std::string texts(const std::vector<StoredEvent>& events) {
    std::string out;
    for (const StoredEvent& event : events) out += (out.empty() ? "" : " ") + event.message;
    return out;
  }
  ReadPage read(ReadQuery query) {
    query.stream = "s";
    Result<ReadPage> page = store_.read(app, query, now);
    EXPECT_TRUE(page);
    return std::move(*page);
  }
  static ReadQuery from(Direction direction, Position position, std::size_t limit = max_page_events) {
    ReadQuery query;
    query.direction = direction;
    query.from = position;
    query.limit = limit;
    return query;
  }
  FilterPage filter(const FilterQuery& query, Time when = now) {
    Result<FilterPage> page = store_.filter(app, query, when);
    EXPECT_TRUE(page) << page.error().message;
    return std::move(*page);
  }
  std::int64_t count(std::string_view sql) {
    return *database_->read([&](store::Session& session) -> Result<std::int64_t> {
      store::Statement rows = session.query(sql);
      rows.step();
      return rows.number(0);
    });
  }

  std::unique_ptr<store::Database> database_;
  LogStore store_;
};

TEST(EventId, SortsByTimeAndReadsBack) {
  const Position positions[] = {{0, 0}, {0, 1}, {5, 9}, {5, 10}, {start_ms, 1}, {end_of_time_ms, end_of_time_ms}};
  std::string before;
  for (const Position& position : positions) {
    const std::string id = encode_event_id(position);
    EXPECT_EQ(id.size(), 56U);
    EXPECT_LT(before, id);
    EXPECT_EQ(decode_event_id(id), position);
    before = id;
  }
  for (const std::string_view bad :
       {"", "3", "f/3", "x/", "30000000000000000000000000000000000000000000000000000000000"}) {
    EXPECT_FALSE(decode_event_id(bad));
    EXPECT_FALSE(decode_event_token(bad));
  }
  std::string tampered = encode_event_id({1, 1});
  tampered[3] = '-';
  EXPECT_FALSE(decode_event_id(tampered));
}

TEST_F(LogStoreTest, AnswersInCloudWatchsWords) {
  EXPECT_EQ(store_.create_group(app, "STANDARD", {}, now).error().message, "The specified log group already exists");
  EXPECT_EQ(store_.create_stream(app, "s", now).error().message, "The specified log stream already exists");
  const GroupName other{"us-east-1", app.name};
  EXPECT_EQ(store_.create_stream(other, "s", now).error().message, "The specified log group does not exist.");
  EXPECT_EQ(store_.put(app, "none", {}, now).error().message, "The specified log stream does not exist.");
  EXPECT_EQ(store_.delete_group(other).error().code, "ResourceNotFoundException");
  EXPECT_TRUE(store_.create_group(other, "STANDARD", {}, now)) << "regions are apart";
}

TEST_F(LogStoreTest, ReadsForwardUntilTheTokenStays) {
  put_numbers(5);
  ReadQuery head;
  head.direction = Direction::forward;
  head.limit = 2;
  ReadPage page = read(head);
  EXPECT_EQ(texts(page.events), "0 1");
  page = read(from(Direction::forward, page.forward, 2));
  EXPECT_EQ(texts(page.events), "2 3");
  page = read(from(Direction::forward, page.forward, 2));
  EXPECT_EQ(texts(page.events), "4");
  const Position end = page.forward;
  page = read(from(Direction::forward, end, 2));
  EXPECT_TRUE(page.events.empty());
  EXPECT_EQ(page.forward, end) << "at the end the token stays the same";
  // Back from there finds the last ones again, none left out.
  EXPECT_EQ(texts(read(from(Direction::backward, page.backward, 2)).events), "3 4");
  // What comes later is found with the old token.
  put("s", {{start_ms + 9, "late"}});
  EXPECT_EQ(texts(read(from(Direction::forward, end)).events), "late");
}

TEST_F(LogStoreTest, ReadsBackwardFromTheLatest) {
  put_numbers(5);
  ReadQuery tail;
  tail.limit = 2;
  ReadPage page = read(tail);
  EXPECT_EQ(texts(page.events), "3 4") << "the latest, oldest first";
  page = read(from(Direction::backward, page.backward, 2));
  EXPECT_EQ(texts(page.events), "1 2");
  page = read(from(Direction::backward, page.backward, 2));
  EXPECT_EQ(texts(page.events), "0");
  const Position front = page.backward;
  page = read(from(Direction::backward, front));
  EXPECT_TRUE(page.events.empty());
  EXPECT_EQ(page.backward, front);
  EXPECT_EQ(texts(read(from(Direction::forward, page.forward, 1)).events), "0");
}

TEST_F(LogStoreTest, AnEmptyPageFindsWhatComesLater) {
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    ReadQuery query;
    query.direction = direction;
    const ReadPage page = read(query);
    EXPECT_TRUE(page.events.empty());
    EXPECT_EQ(read(from(Direction::forward, page.forward)).forward, page.forward);
  }
  const ReadPage page = read({});
  put_numbers(2);
  EXPECT_EQ(texts(read(from(Direction::forward, page.forward)).events), "0 1");
}

TEST_F(LogStoreTest, KeepsOrderOfArrivalWithinAMillisecondAndTimesInclusiveExclusive) {
  put("s", {{start_ms, "a"}, {start_ms, "b"}, {start_ms + 1, "d"}});
  put("s", {{start_ms, "c"}});
  ReadQuery query;
  EXPECT_EQ(texts(read(query).events), "a b c d");
  query.start_ms = start_ms;
  query.end_ms = start_ms + 1;
  EXPECT_EQ(texts(read(query).events), "a b c");
  query.start_ms = start_ms + 1;
  query.end_ms = start_ms + 2;
  EXPECT_EQ(texts(read(query).events), "d");
  query.direction = Direction::forward;
  query.from = Position{start_ms, 1};
  EXPECT_EQ(texts(read(query).events), "d") << "a token does not widen the range";
}

TEST_F(LogStoreTest, APageHoldsAMebibyte) {
  const std::string text(400'000, 'x');
  put("s", {{start_ms, text}, {start_ms + 1, text}, {start_ms + 2, text}});
  ReadPage page = read({});
  EXPECT_EQ(page.events.size(), 2U);
  EXPECT_EQ(page.events.front().position.at_ms, start_ms + 1);
  const FilterPage filtered = filter({});
  EXPECT_EQ(filtered.events.size(), 2U);
  ASSERT_TRUE(filtered.next);
  FilterQuery rest;
  rest.after = filtered.next;
  EXPECT_EQ(filter(rest).events.size(), 1U);
}

TEST_F(LogStoreTest, FiltersOverStreamsInOrder) {
  for (const char* stream : {"web/1", "web/2", "db/1"}) ASSERT_TRUE(store_.create_stream(app, stream, now));
  put("web/1", {{start_ms, "w1"}, {start_ms + 2, "w1 error"}});
  put("web/2", {{start_ms + 1, "w2 error"}});
  put("db/1", {{start_ms + 1, "d1"}, {start_ms + 3, "d1 error"}});
  EXPECT_EQ(texts(filter({}).events), "w1 w2 error d1 w1 error d1 error");
  FilterQuery query;
  query.stream_prefix = "web/";
  EXPECT_EQ(texts(filter(query).events), "w1 w2 error w1 error");
  EXPECT_EQ(filter(query).events.front().stream, "web/1");
  query.stream_prefix = "none";
  EXPECT_TRUE(filter(query).events.empty());
  query = {};
  query.streams = {"db/1", "web/2", "db/1"};
  EXPECT_EQ(texts(filter(query).events), "w2 error d1 d1 error");
  query.pattern = *FilterPattern::parse("error");
  query.end_ms = start_ms + 3;
  EXPECT_EQ(texts(filter(query).events), "w2 error d1 error") << "the end is inclusive";
  query.end_ms = start_ms + 2;
  EXPECT_EQ(texts(filter(query).events), "w2 error");
  query.streams = {"db/1", "gone"};
  EXPECT_EQ(store_.filter(app, query, now).error().message, "The specified log stream does not exist.");
}

TEST_F(LogStoreTest, FiltersByAPrefixOfManyStreams) {
  for (int i = 0; i < 150; ++i) {
    const std::string stream = fmt::format("{}/{:03}", i % 2 == 0 ? "even" : "odd", i);
    ASSERT_TRUE(store_.create_stream(app, stream, now));
    put(stream, {{start_ms + i, std::to_string(i)}});
  }
  ASSERT_TRUE(store_.create_stream(app, "evening", now));
  FilterQuery query;
  query.stream_prefix = "even/";
  EXPECT_EQ(filter(query).events.size(), 75U);
  for (int i = 150; i < 400; i += 2) {
    const std::string stream = fmt::format("even/{:03}", i);
    ASSERT_TRUE(store_.create_stream(app, stream, now));
    put(stream, {{start_ms + i, std::to_string(i)}});
  }
  EXPECT_EQ(filter(query).events.size(), 200U);
}

TEST_F(LogStoreTest, FilterPagesMeetWithoutGapOrDouble) {
  std::vector<NewEvent> events;
  for (int i = 0; i < 1000; ++i) events.push_back({start_ms + i / 10, fmt::format("{}{}", i % 3 == 0 ? "x" : "", i)});
  put("s", events);
  FilterQuery query;
  query.pattern = *FilterPattern::parse("x");
  query.limit = 7;
  std::vector<std::string> found;
  for (int pages = 0; pages < 100; ++pages) {
    const FilterPage page = filter(query);
    for (const StoredEvent& event : page.events) found.push_back(event.message);
    if (!page.next) break;
    query.after = page.next;
  }
  ASSERT_EQ(found.size(), 334U);
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], fmt::format("x{}", 3 * i));
}

TEST_F(LogStoreTest, FilterStopsAtWhatOneCallMayLookAt) {
  std::vector<NewEvent> events(max_scanned_events + 1, {start_ms, "no"});
  events.push_back({start_ms, "yes"});
  put("s", events);
  FilterQuery query;
  query.pattern = *FilterPattern::parse("yes");
  FilterPage page = filter(query);
  EXPECT_TRUE(page.events.empty());
  ASSERT_TRUE(page.next);
  query.after = page.next;
  page = filter(query);
  EXPECT_EQ(texts(page.events), "yes");
  EXPECT_FALSE(page.next);
}

TEST_F(LogStoreTest, ListsGroupsByPrefixPatternAndPage) {
  for (const char* name : {"/ecs/app2", "/ecs/b", "/rds/app"}) {
    ASSERT_TRUE(store_.create_group({app.region, name}, "STANDARD", {}, now));
  }
  const auto names = [&](const GroupQuery& query) {
    std::string out;
    const GroupPage page = *store_.groups(app.region, query);
    for (const Group& group : page.groups) out += group.name + " ";
    return out;
  };
  GroupQuery query;
  EXPECT_EQ(names(query), "/ecs/app /ecs/app2 /ecs/b /rds/app ");
  query.prefix = "/ecs/app";
  EXPECT_EQ(names(query), "/ecs/app /ecs/app2 ");
  query.limit = 1;
  EXPECT_TRUE(store_.groups(app.region, query)->more);
  query.after = "/ecs/app";
  EXPECT_EQ(names(query), "/ecs/app2 ");
  EXPECT_FALSE(store_.groups(app.region, query)->more);
  query = {};
  query.pattern = "app";
  EXPECT_EQ(names(query), "/ecs/app /ecs/app2 /rds/app ");
  query = {};
  query.names = {"/rds/app", "/ecs/b", "/none"};
  EXPECT_EQ(names(query), "/ecs/b /rds/app ");
}

TEST_F(LogStoreTest, ListsStreamsByNameAndByLastEvent) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(store_.create_stream(app, name, now));
  put("a", {{start_ms + 5, "x"}});
  put("c", {{start_ms + 3, "x"}, {start_ms + 4, "y"}});
  const auto names = [&](StreamQuery query, std::size_t limit) {
    std::string out;
    query.limit = limit;
    for (int pages = 0; pages < 9; ++pages) {
      const StreamPage page = *store_.streams(app, query);
      for (const Stream& stream : page.streams) out += stream.name;
      if (!page.next) break;
      query.after = *page.next;
    }
    return out;
  };
  for (const std::size_t limit : {1U, 2U, 50U}) {
    EXPECT_EQ(names({}, limit), "abcs");
    EXPECT_EQ(names({"", false, true, "", 0}, limit), "scba");
    EXPECT_EQ(names({"", true, false, "", 0}, limit), "bsca");
    EXPECT_EQ(names({"", true, true, "", 0}, limit), "acsb");
    EXPECT_EQ(names({"b", false, false, "", 0}, limit), "b");
    EXPECT_EQ(names({"b", false, true, "", 0}, limit), "b");
  }
  const StreamPage page = *store_.streams(app, {"c", false, false, "", 50});
  EXPECT_EQ(page.streams.at(0).first_event_at_ms, start_ms + 3);
  EXPECT_EQ(page.streams.at(0).last_event_at_ms, start_ms + 4);
  EXPECT_EQ(page.streams.at(0).last_ingested_at_ms, start_ms);
}

TEST_F(LogStoreTest, DeletedThingsAreGoneAtOnceAndTheirEventsSoon) {
  put_numbers(5000);
  ASSERT_TRUE(store_.create_stream(app, "other", now));
  put("other", {{start_ms, "stays"}});
  ASSERT_TRUE(store_.delete_stream(app, "s"));
  EXPECT_EQ(texts(filter({}).events), "stays");
  EXPECT_EQ(store_.streams(app, {})->streams.size(), 1U);
  ASSERT_TRUE(store_.create_stream(app, "s", now));
  EXPECT_TRUE(read({}).events.empty());
  Maintenance done = *store_.maintain(now);
  EXPECT_EQ(done.deleted_events, max_deleted_events_per_commit) << "one bounded share at a time";
  while (done.next && *done.next <= now) done = *store_.maintain(now);
  EXPECT_FALSE(done.next);
  EXPECT_EQ(count("SELECT count(*) FROM log_event"), 1);
  EXPECT_EQ(store_.groups(app.region, {})->groups.at(0).stored_bytes, 26 + 5);

  ASSERT_TRUE(store_.tag(app, {{"a", "b"}}));
  ASSERT_TRUE(store_.delete_group(app));
  ASSERT_TRUE(store_.create_group(app, "STANDARD", {}, now));
  EXPECT_TRUE(store_.streams(app, {})->streams.empty());
  while (store_.maintain(now)->next) {
  }
  EXPECT_EQ(count("SELECT (SELECT count(*) FROM log_event) + (SELECT count(*) FROM log_stream) + (SELECT count(*) FROM "
                  "log_group_tag)"),
            0);
}

TEST_F(LogStoreTest, ExpiresByRetention) {
  put("s", {{start_ms, "old"}, {start_ms + 1000, "new"}});
  ASSERT_TRUE(store_.set_retention(app, 1));
  EXPECT_EQ(store_.maintain(now)->next, from_millis(start_ms + day_ms + 1));
  const Time later = from_millis(start_ms + day_ms + 500);
  EXPECT_EQ(texts(filter({}, later).events), "new") << "expired events are not shown even before they are deleted";
  const Maintenance done = *store_.maintain(later);
  EXPECT_EQ(done.deleted_events, 1);
  EXPECT_EQ(done.next, from_millis(start_ms + 1000 + day_ms + 1));
  EXPECT_EQ(store_.streams(app, {})->streams.at(0).first_event_at_ms, start_ms + 1000);
  // Ingest deletes in passing.
  const Time next_week = from_millis(start_ms + 7 * day_ms);
  put("s", {{to_millis(next_week), "today"}}, next_week);
  EXPECT_EQ(count("SELECT count(*) FROM log_event"), 1);
  EXPECT_EQ(store_.groups(app.region, {})->groups.at(0).stored_bytes, 26 + 5);
  ASSERT_TRUE(store_.set_retention(app, std::nullopt));
  EXPECT_FALSE(store_.maintain(next_week)->next);
}

TEST(Janitor, DeletesWithoutBeingAsked) {
  const TestDirectory folder;
  {
    const auto database = *store::Database::open(folder.file("logs.db"), migrations());
    LogStore store(*database);
    const std::vector<NewEvent> events(3, {start_ms, "x"});
    ASSERT_TRUE(store.create_group(app, "STANDARD", {}, now));
    ASSERT_TRUE(store.create_stream(app, "s", now));
    ASSERT_TRUE(store.put(app, "s", events, now));
    std::mutex mutex;
    std::condition_variable changed;
    int commits = 0;
    database->set_commit_hook([&](bool committed) {
      const std::lock_guard lock(mutex);
      commits += committed ? 1 : 0;
      changed.notify_all();
    });
    const auto left = [&] {
      return *database->read([](store::Session& session) -> Result<std::int64_t> {
        store::Statement rows =
            session.query("SELECT (SELECT count(*) FROM log_event) + (SELECT count(*) FROM log_stream)");
        rows.step();
        return rows.number(0);
      });
    };
    const ManualClock clock(now);
    const Janitor janitor(store, clock);
    ASSERT_TRUE(store.delete_group(app));
    std::unique_lock lock(mutex);
    while (true) {
      const int seen = commits;
      lock.unlock();
      const bool done = left() == 0;
      lock.lock();
      if (done) break;
      ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return commits > seen; }));
    }
  }
}

TEST_F(LogStoreTest, TagsAreLimited) {
  Tags many;
  for (int i = 0; i < 50; ++i) many[std::to_string(i)] = "v";
  ASSERT_TRUE(store_.tag(app, many));
  EXPECT_EQ(store_.tag(app, {{"one more", "v"}}).error().code, "TooManyTagsException");
  EXPECT_EQ(store_.tags(app)->size(), 50U);
  ASSERT_TRUE(store_.tag(app, {{"7", "changed"}}));
  EXPECT_EQ(store_.tags(app)->at("7"), "changed");
  ASSERT_TRUE(store_.untag(app, {"7", "none"}));
  EXPECT_EQ(store_.tags(app)->size(), 49U);
}

TEST_F(LogStoreTest, EveryListingFollowsAnIndex) {
  constexpr std::string_view queries[] = {
      "EXPLAIN QUERY PLAN SELECT message FROM log_event WHERE stream_id=1 AND (at_ms, id)>(2, 3) AND at_ms<4 ORDER BY "
      "at_ms, id",
      "EXPLAIN QUERY PLAN SELECT message FROM log_event WHERE stream_id=1 AND (at_ms, id)<(2, 3) AND at_ms>=1 ORDER BY "
      "at_ms DESC, id DESC",
      "EXPLAIN QUERY PLAN SELECT at_ms, id FROM log_event WHERE group_id=1 AND (at_ms, id)>(2, 3) AND at_ms<=4 ORDER "
      "BY at_ms, id LIMIT 5",
      "EXPLAIN QUERY PLAN SELECT name FROM log_group WHERE region='x' AND name>='y' ORDER BY name",
      "EXPLAIN QUERY PLAN SELECT name FROM log_stream WHERE group_id=1 AND deleted=0 AND name>='y' ORDER BY name",
      "EXPLAIN QUERY PLAN SELECT name FROM log_stream WHERE group_id=1 AND deleted=0 AND (last_event_at_ms, name)<(1, "
      "'x') "
      "ORDER BY last_event_at_ms DESC, name DESC",
      "EXPLAIN QUERY PLAN SELECT id FROM log_stream WHERE deleted=1 LIMIT 1",
  };
  for (const std::string_view query : queries) {
    const std::string plan = *database_->read([&](store::Session& session) -> Result<std::string> {
      std::string text;
      store::Statement rows = session.query(query);
      while (rows.step()) text += std::string(rows.text(3)) + "; ";
      return text;
    });
    EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << query << ": " << plan;
    EXPECT_NE(plan.find("INDEX"), std::string::npos) << query << ": " << plan;
  }
}

TEST_F(LogStoreTest, WritersAtOnceLoseNothing) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string stream = fmt::format("t{}", t);
      ASSERT_TRUE(store_.create_stream(app, stream, now));
      for (int i = 0; i < 50; ++i) put(stream, {{start_ms + i, fmt::format("{}", i)}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const FilterPage page = filter({});
  ASSERT_EQ(page.events.size(), 200U);
  for (std::size_t i = 1; i < page.events.size(); ++i) EXPECT_LT(page.events[i - 1].position, page.events[i].position);
}

}  // namespace
}  // namespace kaapi::logs
