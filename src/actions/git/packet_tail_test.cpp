#include "actions/git/packet_tail.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kaapi::actions::git {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string packet(const std::string& content) {
  return fmt::format("{:04x}{}", content.size() + 4, content);
}

// What the other side has of it: the report, what is for people, and errors.
struct Heard {
  std::string report, people, error, rest;
};
Heard heard(std::string_view answer) {
  Heard out;
  while (answer.size() >= 5 && !answer.starts_with("0000")) {
    const std::size_t length = std::stoul(std::string(answer.substr(0, 4)), nullptr, 16);
    EXPECT_LE(length, answer.size());
    EXPECT_LE(length, 1000U) << "the smallest sideband";
    std::string& into = answer[4] == 1 ? out.report : answer[4] == 2 ? out.people : out.error;
    into += answer.substr(5, length - 5);
    answer.remove_prefix(length);
  }
  out.rest = answer;
  return out;
}

// However the bytes are cut.
std::string through(std::string_view text, std::size_t step, const std::vector<RefFailure>& failures) {
  PacketTail tail;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += step) out += tail.pass(text.substr(at, step));
  return out + tail.finish(failures);
}

const std::vector<RefFailure> failed = {{"refs/heads/main", "CD #8 ended with failure"}};

TEST(PacketTail, ARefWhoseRunFailedIsReportedAsRefused) {
  const std::string report = packet("unpack ok\n") + packet("ok refs/heads/main\n") + packet("option forced-update\n") +
                             packet("ok refs/heads/other\n") + packet("option new-oid 1\n") + "0000";
  const std::string changed = packet("unpack ok\n") +
                              packet("ng refs/heads/main pushed, but CD #8 ended with failure\n") +
                              packet("ok refs/heads/other\n") + packet("option new-oid 1\n") + "0000";
  // git cuts the report into packets wherever they are full.
  for (std::size_t size = 1; size <= report.size(); size += 7) {
    std::string answer;
    for (std::size_t at = 0; at < report.size(); at += size) answer += packet('\1' + report.substr(at, size));
    answer += packet("\2hello\n") + "0000";
    for (std::size_t step = 1; step <= answer.size(); step += 5) {
      const Heard good = heard(through(answer, step, {}));
      EXPECT_EQ(good.report, report);
      EXPECT_EQ(good.people, "hello\n");
      const Heard bad = heard(through(answer, step, failed));
      EXPECT_EQ(bad.report, changed);
      EXPECT_EQ(bad.error, "");
      EXPECT_EQ(bad.rest, "0000");
    }
  }
}

TEST(PacketTail, WhatIsForPeopleIsNotHeldBack) {
  PacketTail tail;
  EXPECT_EQ(tail.pass("000a\1unpac"), "");
  EXPECT_EQ(tail.pass("0009\2he"), "0009\2he");
  EXPECT_EQ(tail.pass("ll0005\2"), "ll0005\2");
  EXPECT_EQ(tail.pass("0000"), "");
  EXPECT_EQ(tail.pass("0009\2"), "000a\1unpac00000009\2") << "it was not the last flush";
}

// git sends them while hooks run: a push that waits for hours would be cut off by what lies in between.
TEST(PacketTail, PacketsThatKeepTheConnectionAliveGoOnAtOnce) {
  PacketTail tail;
  const std::string alive = packet("\1");
  EXPECT_EQ(tail.pass(alive + alive.substr(0, 3)), alive);
  EXPECT_EQ(tail.pass(alive.substr(3)), alive);
}

TEST(PacketTail, WithoutAReportTheSidebandEndsWithAnError) {
  const Heard bad = heard(through(packet("\2hello\n") + "0000", 3, failed));
  EXPECT_EQ(bad.error, "CD #8 ended with failure; the push itself is done\n");
  EXPECT_EQ(bad.people, "hello\n");
  const std::string refused = packet("unpack ok\n") + packet("ng refs/heads/main no\n") + "0000";
  const Heard other = heard(through(packet('\1' + refused) + "0000", 3, failed));
  EXPECT_EQ(other.report, refused);
  EXPECT_THAT(other.error, HasSubstr("CD #8"));
  EXPECT_EQ(through("0009\2hell", 2, failed), "0009\2hell") << "an answer without its end is none to change";
}

TEST(PacketTail, AReportInNoBandIsChangedToo) {
  const std::string report = packet("unpack ok\n") + packet("ok refs/heads/main\n") + "0000";
  const std::string changed =
      packet("unpack ok\n") + packet("ng refs/heads/main pushed, but CD #8 ended with failure\n") + "0000";
  for (std::size_t step = 1; step <= report.size(); ++step) {
    EXPECT_EQ(through(report, step, {}), report);
    EXPECT_EQ(through(report, step, failed), changed);
  }
}

TEST(PacketTail, AThousandRefsAreHeldAndNoMore) {
  std::string report = packet("unpack ok\n");
  std::vector<RefFailure> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back({fmt::format("refs/heads/{:0>240}", i), std::string(2000, 'y')});
    report += packet(fmt::format("ok {}\n", all.back().ref));
  }
  report += "0000";
  std::string answer;
  for (std::size_t at = 0; at < report.size(); at += 900) answer += packet('\1' + report.substr(at, 900));
  EXPECT_THAT(heard(through(answer + "0000", 4096, all)).report, Not(HasSubstr("ok refs")));
  std::string endless;
  while (endless.size() < max_report_bytes + 100'000) endless += packet('\1' + std::string(900, 'x'));
  endless += "0000";
  EXPECT_TRUE(through(endless, 4096, failed) == endless) << "passes unchanged";
}

TEST(PacketTail, PassesWhatIsNoPackets) {
  for (const std::string_view text : {"", "00", "fatal: no", "0003x", "zzzz0000"}) {
    EXPECT_EQ(through(text, 3, failed), text);
  }
}

}  // namespace
}  // namespace kaapi::actions::git
