#include "actions/runs/job_logs.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/test_directory.h"

namespace kaapi::actions::runs {
namespace {

TEST(JobLogs, WhatIsTooMuchIsDroppedAndSaidOnce) {
  const TestDirectory folder;
  JobLogs logs(folder.path(), 100);
  EXPECT_EQ(logs.append(1, 1, 0, "first\n").value(), 6);
  const std::string many(200, 'x');
  EXPECT_EQ(logs.append(1, 1, 6, many).value(), 206) << "who sends it may forget it";
  EXPECT_EQ(logs.append(1, 1, 206, many).value(), 406);
  EXPECT_EQ(logs.append(1, 1, 6, many).value(), 206) << "again, as when the answer was lost";
  const std::string text = logs.read(1, 1, 0, 1'000).value();
  EXPECT_EQ(text.size(), 100U);
  EXPECT_EQ(text.substr(0, 7), "first\nx");
  const std::string said = "\n[the log ends here: it has more than 100 bytes]\n";
  EXPECT_EQ(text.substr(text.size() - said.size()), said);
}

TEST(JobLogs, ATextEndsWithACharacter) {
  EXPECT_EQ(whole_characters(""), 0U);
  EXPECT_EQ(whole_characters("abc"), 3U);
  EXPECT_EQ(whole_characters("a\xC3\xA9"), 3U);
  EXPECT_EQ(whole_characters("a\xC3"), 1U);
  EXPECT_EQ(whole_characters("a\xE2\x82"), 1U);
  EXPECT_EQ(whole_characters("\xF0\x9F\x98\x80\xF0\x9F\x98"), 4U);
  EXPECT_EQ(whole_characters("a\xFF"), 2U) << "begins nothing";
  EXPECT_EQ(whole_characters("\x80\x80\x80\x80\x80"), 5U);
}

}  // namespace
}  // namespace kaapi::actions::runs
