#include "actions/git/cgi.h"

#include <gtest/gtest.h>

namespace kaapi::actions::git {
namespace {

// However the bytes are cut.
std::string through(std::string_view text, std::size_t step, std::string_view failure) {
  PacketTail tail;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += step) out += tail.pass(text.substr(at, step));
  return out + tail.finish(failure);
}

TEST(PacketTail, PutsAFailureBeforeTheLastFlush) {
  constexpr std::string_view text = "0009hello0000000ahello!0000";
  constexpr std::string_view failed =
      "0009hello0000000ahello!0009\x03"
      "bad\n0000";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    EXPECT_EQ(through(text, step, ""), text) << step;
    EXPECT_EQ(through(text, step, "bad"), failed) << step;
  }
}

TEST(PacketTail, HoldsNothingButAFlushBack) {
  PacketTail tail;
  EXPECT_EQ(tail.pass("0009hello"), "0009hello");
  EXPECT_EQ(tail.pass("0000"), "");
  EXPECT_EQ(tail.pass("0009wo"), "00000009wo");
}

TEST(PacketTail, PassesWhatIsNoPackets) {
  for (const std::string_view text : {"", "00", "fatal: no", "0003x", "zzzz0000"})
    EXPECT_EQ(through(text, 3, "bad"), text);
}

TEST(CgiHead, IsReadOrRefused) {
  const Result<CgiHead> head = parse_cgi_head("Status: 404 Not Found\r\nContent-Type: text/plain\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 404);
  ASSERT_EQ(head->headers.size(), 1U);
  EXPECT_EQ(head->headers.front().second, "text/plain");
  EXPECT_EQ(parse_cgi_head("Expires: 0")->status, 200);
  EXPECT_FALSE(parse_cgi_head("no header"));
  EXPECT_FALSE(parse_cgi_head("Status: 1"));
}

}  // namespace
}  // namespace kaapi::actions::git
