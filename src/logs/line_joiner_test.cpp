#include "logs/line_joiner.h"

#include <gtest/gtest.h>

namespace kaapi::logs {
namespace {

using containers::OutputLine;
using containers::OutputStream;

constexpr std::int64_t ms = 1'000'000;

OutputLine piece(std::int64_t at_nanos, std::string text, bool partial = false) {
  return {OutputStream::out, at_nanos, partial, std::move(text)};
}

std::vector<std::string> messages(const std::vector<NewEvent>& events) {
  std::vector<std::string> out;
  for (const NewEvent& event : events) out.push_back(event.message);
  return out;
}

TEST(LineJoiner, MakesOneEventOfALineAndNoneOfAnEmptyOne) {
  LineJoiner joiner;
  std::vector<NewEvent> events;
  joiner.add(piece(5 * ms + 7, "one"), events);
  joiner.add(piece(6 * ms, ""), events);
  EXPECT_EQ(events, (std::vector<NewEvent>{{5, "one"}}));
  EXPECT_EQ(joiner.cursor(), (OutputCursor{6 * ms, 1, std::nullopt, ""}));
}

TEST(LineJoiner, JoinsPiecesAndStandsBeforeThemMeanwhile) {
  LineJoiner joiner;
  std::vector<NewEvent> events;
  joiner.add(piece(4 * ms, "first"), events);
  joiner.add(piece(5 * ms, "a", true), events);
  joiner.add(piece(6 * ms, "b", true), events);
  EXPECT_EQ(joiner.cursor(), (OutputCursor{4 * ms, 1, 5 * ms, ""}));
  joiner.add(piece(7 * ms, "c"), events);
  EXPECT_EQ(events, (std::vector<NewEvent>{{4, "first"}, {5, "abc"}}));
  EXPECT_EQ(joiner.cursor(), (OutputCursor{7 * ms, 1, std::nullopt, ""}));
}

TEST(LineJoiner, SkipsExactlyWhatTheCursorCovers) {
  LineJoiner joiner(OutputCursor{5 * ms, 2, std::nullopt, ""});
  std::vector<NewEvent> events;
  for (const char* text : {"1", "2", "3"}) joiner.add(piece(5 * ms, text), events);
  joiner.add(piece(4 * ms, "the clock went back"), events);
  EXPECT_EQ(messages(events), (std::vector<std::string>{"3", "the clock went back"}));

  LineJoiner later(OutputCursor{5 * ms, 2, std::nullopt, ""});
  events.clear();
  later.add(piece(4 * ms, "old"), events);
  later.add(piece(6 * ms, "new"), events);
  EXPECT_EQ(messages(events), (std::vector<std::string>{"new"}));
}

TEST(LineJoiner, SplitsLongLinesBetweenPiecesWithoutCuttingCharacters) {
  const std::string euro = "\xE2\x82\xAC";
  std::string line;
  while (line.size() < 3 * max_joined_bytes) line += euro;
  constexpr std::size_t piece_bytes = 16'384;  // no multiple of three: pieces cut characters
  // Whatever piece a crash comes after, the rest makes up the line.
  std::vector<OutputLine> pieces;
  for (std::size_t at = 0; at < line.size(); at += piece_bytes) {
    pieces.push_back(piece(9 * ms, line.substr(at, piece_bytes), at + piece_bytes < line.size()));
  }
  for (std::size_t crash = 0; crash < pieces.size(); ++crash) {
    std::vector<NewEvent> events;
    LineJoiner before;
    for (std::size_t i = 0; i < crash; ++i) before.add(pieces[i], events);
    LineJoiner after(before.cursor());
    for (const OutputLine& next : pieces) after.add(next, events);
    std::string joined;
    for (const NewEvent& event : events) {
      EXPECT_LE(event.message.size(), max_joined_bytes);
      EXPECT_EQ(event.message.size() % euro.size(), 0U);
      joined += event.message;
    }
    ASSERT_EQ(joined, line) << "crash after piece " << crash;
    EXPECT_EQ(events.size(), 4U);
  }
}

TEST(LineJoiner, SplitsAPieceBeyondTheLimit) {
  LineJoiner joiner;
  std::vector<NewEvent> events;
  joiner.add(piece(ms, std::string(2 * max_joined_bytes + 5, 'x'), true), events);
  joiner.add(piece(ms, "end"), events);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[2].message, "xxxxx");
  EXPECT_EQ(events[3].message, "end");
  EXPECT_EQ(joiner.cursor().pieces, 2);
}

TEST(LineJoiner, EndsAnUnfinishedLineWithTheContainer) {
  LineJoiner joiner;
  std::vector<NewEvent> events;
  joiner.add(piece(ms, "bye\xC3", true), events);
  joiner.finish(events);
  EXPECT_EQ(messages(events), (std::vector<std::string>{"bye\xEF\xBF\xBD"}));
  EXPECT_EQ(joiner.cursor(), (OutputCursor{ms, 1, std::nullopt, ""}));
}

TEST(FollowFrom, MissesNothingAndSkipsWhatIsLongStored) {
  constexpr std::int64_t s = 1000 * ms;
  const auto from = [](OutputCursors cursors) { return follow_from_nanos(cursors); };
  EXPECT_EQ(from({}), 0);
  EXPECT_EQ(
      from({{OutputStream::out, {100 * s, 1, std::nullopt, ""}}, {OutputStream::err, {99 * s, 1, std::nullopt, ""}}}),
      99 * s);
  // A stream that is silent since long, or has written nothing yet, holds nothing back.
  EXPECT_EQ(
      from({{OutputStream::out, {100 * s, 1, std::nullopt, ""}}, {OutputStream::err, {5 * s, 1, std::nullopt, ""}}}),
      90 * s);
  EXPECT_EQ(from({{OutputStream::out, {100 * s, 1, std::nullopt, ""}}}), 90 * s);
  EXPECT_EQ(from({{OutputStream::out, {3 * s, 1, std::nullopt, ""}}}), 0);
  // An unfinished line does.
  EXPECT_EQ(from({{OutputStream::out, {100 * s, 1, std::nullopt, ""}}, {OutputStream::err, {5 * s, 1, 7 * s, ""}}}),
            7 * s);
  EXPECT_EQ(from({{OutputStream::out, {100 * s, 1, std::nullopt, ""}}, {OutputStream::err, {0, 0, 7 * s, ""}}}), 7 * s);
}

}  // namespace
}  // namespace kaapi::logs
