#include "actions/git/cgi.h"

#include <gtest/gtest.h>

namespace kaapi::actions::git {
namespace {

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
