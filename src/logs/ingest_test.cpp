#include "logs/ingest.h"

#include <gtest/gtest.h>

namespace kaapi::logs {
namespace {

constexpr std::int64_t now_ms = 1'750'000'000'000;
constexpr std::int64_t hour_ms = 3'600'000;
const Time now = from_millis(now_ms);

std::vector<NewEvent> events_at(std::initializer_list<std::int64_t> times) {
  std::vector<NewEvent> events;
  for (const std::int64_t at_ms : times) events.push_back({at_ms, "x"});
  return events;
}

std::string refusal(const std::vector<NewEvent>& events) {
  const Result<Admission> admission = admit(events, std::nullopt, now);
  EXPECT_FALSE(admission);
  if (admission) return "admitted";
  EXPECT_EQ(admission.error().code, "InvalidParameterException");
  return admission.error().message;
}

TEST(Admit, TakesWhatIsWithinItsTimes) {
  const Result<Admission> all = admit(events_at({now_ms - 1, now_ms, now_ms, now_ms + 2 * hour_ms}), std::nullopt, now);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->first, 0U);
  EXPECT_EQ(all->end, 4U);
  EXPECT_FALSE(all->rejected_any());
}

TEST(Admit, NamesWhatIsTooOldExpiredOrTooNew) {
  const std::int64_t day = 24 * hour_ms;
  const std::vector<NewEvent> events =
      events_at({now_ms - 15 * day, now_ms - 14 * day - 1, now_ms - 2 * day, now_ms, now_ms + 2 * hour_ms + 1});
  const Result<Admission> admission = admit(events, 1, now);
  ASSERT_TRUE(admission);
  EXPECT_EQ(admission->first, 3U);
  EXPECT_EQ(admission->end, 4U);
  EXPECT_EQ(admission->too_old_end, 2U);
  EXPECT_EQ(admission->expired_end, 3U);
  EXPECT_EQ(admission->too_new_start, 4U);
}

TEST(Admit, TakesNothingOfABatchThatIsTooOldOrTooNew) {
  const Result<Admission> old = admit(events_at({1, 2}), std::nullopt, now);
  ASSERT_TRUE(old);
  EXPECT_EQ(old->first, old->end);
  EXPECT_EQ(old->too_old_end, 2U);
  const Result<Admission> ahead = admit(events_at({now_ms + 9 * hour_ms}), std::nullopt, now);
  ASSERT_TRUE(ahead);
  EXPECT_EQ(ahead->first, ahead->end);
  EXPECT_EQ(ahead->too_new_start, 0U);
}

TEST(Admit, RefusesBatchesAgainstTheRules) {
  EXPECT_EQ(refusal(events_at({now_ms, now_ms - 1})),
            "Log events in a single PutLogEvents request must be in chronological order.");
  EXPECT_EQ(refusal(events_at({now_ms - 24 * hour_ms - 1, now_ms})),
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
  EXPECT_EQ(refusal({}), "A batch must have between 1 and 10000 log events, and this one has 0.");
  EXPECT_EQ(refusal(std::vector<NewEvent>(10'001, {now_ms, "x"})),
            "A batch must have between 1 and 10000 log events, and this one has 10001.");
  EXPECT_EQ(refusal({{now_ms, std::string(1'048'576 - 25, 'x')}}),
            "Log event too large: 1048577 bytes exceeds limit of 1048576");
  EXPECT_EQ(refusal({{now_ms, ""}}), "A log event must have a message.");
}

TEST(Admit, CountsTwentySixBytesForEachEvent) {
  std::vector<NewEvent> events(2, {now_ms, std::string(524'288 - 26, 'x')});
  EXPECT_TRUE(admit(events, std::nullopt, now));
  events[0].message += 'x';
  EXPECT_EQ(refusal(events), "Upload too large: 1048577 bytes exceeds limit of 1048576");
}

}  // namespace
}  // namespace kaapi::logs
