#include <gtest/gtest.h>

#include <filesystem>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/text.h"

namespace kaapi {
namespace {

TEST(Json, WriterPlacesCommasAndEscapes) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  writer.key("a\"b");
  writer.value("line\nbreak\x01");
  writer.key("list");
  writer.begin_array();
  writer.value(std::int64_t{-5});
  writer.value(true);
  writer.null();
  writer.begin_object();
  writer.end_object();
  writer.end_array();
  writer.key("t");
  writer.value(1.5);
  writer.end_object();
  EXPECT_EQ(out, R"({"a\"b":"line\nbreak\u0001","list":[-5,true,null,{}],"t":1.5})");
  EXPECT_TRUE(parse_json(out));
}

TEST(Json, RefusesTrailingTextAndDeepNesting) {
  EXPECT_FALSE(parse_json("{} x"));
  EXPECT_FALSE(parse_json("{"));
  EXPECT_FALSE(parse_json(""));
  EXPECT_FALSE(parse_json(std::string(max_json_depth + 1, '[') + std::string(max_json_depth + 1, ']')));
  EXPECT_TRUE(parse_json(" {\"a\": 1} \n"));
}

TEST(Text, Base64RoundTripsAndRefusesBrokenText) {
  for (const std::string text : {"", "a", "ab", "abc", "abcd"}) {
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
  }
  EXPECT_EQ(base64_decode("YQ="), std::nullopt);
  EXPECT_EQ(base64_decode("Y==="), std::nullopt);
  EXPECT_EQ(base64_decode("a=bc"), std::nullopt);
}

TEST(Text, PercentEncodingFollowsRfc3986) {
  EXPECT_EQ(percent_encode("a b/c~é"), "a%20b%2Fc~%C3%A9");
  EXPECT_EQ(percent_encode("a/b", true), "a/b");
  EXPECT_EQ(percent_decode("a%20b+c"), "a b+c");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  EXPECT_EQ(percent_decode("%2"), std::nullopt);
  EXPECT_EQ(percent_decode("%zz"), std::nullopt);
  EXPECT_EQ(percent_decode("%41"), "A");
}

TEST(Text, PageTokensBelongToOneListing) {
  const std::string token = encode_page_token("ListTasks/a", "task-7");
  EXPECT_EQ(decode_page_token("ListTasks/a", token), "task-7");
  EXPECT_EQ(decode_page_token("ListTasks/b", token), std::nullopt);
  EXPECT_EQ(decode_page_token("ListTasks/a", "nonsense"), std::nullopt);
}

TEST(Text, Sha256AndHmacMatchPublishedVectors) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, test case 2.
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Text, AtomicWriteSetsModeAndReplaces) {
  const std::string path = testing::TempDir() + "kaapi_base_atomic";
  ASSERT_TRUE(write_file_atomically(path, "one", 0600));
  ASSERT_TRUE(write_file_atomically(path, "two", 0600));
  EXPECT_EQ(*read_file(path, 100), "two");
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(read_file(path, 2).error().code, errc::too_large);
  std::filesystem::remove(path);
  EXPECT_EQ(read_file(path, 2).error().code, errc::not_found);
}

TEST(Ids, HaveTheirShapesAndReplay) {
  SeededIds a(7);
  SeededIds b(7);
  EXPECT_EQ(a.hex(32), b.hex(32));
  EXPECT_EQ(a.decimal(19).size(), 19U);
  SecureIds secure;
  EXPECT_NE(secure.uuid(), secure.uuid());
  EXPECT_EQ(secure.uuid()[14], '4');
}

TEST(Clock, FormatsRfc3339) {
  EXPECT_EQ(format_time(from_millis(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(from_millis(1'782'898'200'125)), "2026-07-01T09:30:00.125Z");
}

}  // namespace
}  // namespace kaapi
