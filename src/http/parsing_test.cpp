// The pure parts of the server: heads, chunks, the heads of answers, routes.

#include <gtest/gtest.h>

#include "http/chunked.h"
#include "http/limits.h"
#include "http/request_head.h"
#include "http/response_head.h"
#include "http/router.h"

namespace kaapi::http {
namespace {

int refused_with(const std::string& bytes) {
  ParsedHead parsed;
  const auto refusal = parse_request_head(bytes, parsed);
  return refusal ? refusal->status : 0;
}

TEST(RequestHead, IsTakenApart) {
  ParsedHead parsed;
  const auto refusal = parse_request_head(
      "POST /v2/app/?mount=a%20b&x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nX-A:  padded \r\nx-a: 2\r\n\r\n",
      parsed);
  ASSERT_FALSE(refusal) << refusal->text;
  EXPECT_EQ(parsed.head.method, "POST");
  EXPECT_EQ(parsed.head.target, "/v2/app/?mount=a%20b&x=1");
  EXPECT_EQ(parsed.head.path, "/v2/app/");
  EXPECT_EQ(parsed.head.query, "mount=a%20b&x=1");
  EXPECT_EQ(parsed.head.query_parameter("mount"), "a b");
  EXPECT_EQ(parsed.head.query_parameter("y"), std::nullopt);
  EXPECT_EQ(parsed.head.content_length, 12U);
  EXPECT_EQ(parsed.head.headers.find("X-a"), "padded");
  EXPECT_EQ(parsed.head.headers.count("X-A"), 2U);
  EXPECT_TRUE(parsed.keep_alive);
  EXPECT_FALSE(parsed.chunked);
}

TEST(RequestHead, AbsoluteFormIsAPathToo) {
  ParsedHead parsed;
  ASSERT_FALSE(parse_request_head("GET http://h:1/a?b HTTP/1.1\r\nHost: h\r\n\r\n", parsed));
  EXPECT_EQ(parsed.head.path, "/a");
  EXPECT_EQ(parsed.head.query, "b");
  parsed = {};
  ASSERT_FALSE(parse_request_head("GET http://h?b HTTP/1.1\r\nHost: h\r\n\r\n", parsed));
  EXPECT_EQ(parsed.head.path, "/");
  EXPECT_EQ(parsed.head.query, "b");
}

TEST(RequestHead, KeepAliveFollowsTheVersion) {
  const auto keeps = [](const std::string& bytes) {
    ParsedHead parsed;
    EXPECT_FALSE(parse_request_head(bytes, parsed)) << bytes;
    return parsed.keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST(RequestHead, WhatIsRefused) {
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(refused_with(get + "\r\n"), 0);
  EXPECT_EQ(refused_with(post + "Transfer-Encoding: chunked\r\n\r\n"), 0);
  EXPECT_EQ(refused_with("\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET /\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
  EXPECT_EQ(refused_with("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(get + "Host: other\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(get + "Name : value\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(get + "Na(me: value\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(get + "Name: a\x01z\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(get + "Name: a\nOther: b\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(get + "Expect: miracles\r\n\r\n"), 417);
  EXPECT_EQ(refused_with("GET /" + std::string(max_target_bytes, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
  std::string many = get;
  for (std::size_t i = 0; i < max_header_fields; ++i) many += "a: b\r\n";
  EXPECT_EQ(refused_with(many + "\r\n"), 431);
}

// Whoever stands before or behind us must not see another end of the body than we do.
TEST(RequestHead, BodiesOfTwoMeaningsAreRefused) {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(refused_with(post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Content-Length: 1, 1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Content-Length: +1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Content-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Content-Length: 0x1\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Content-Length:\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Content-Length: 18446744073709551617\r\n\r\n"), 400);
  EXPECT_EQ(refused_with(post + "Transfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(refused_with(post + "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_EQ(refused_with(post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(refused_with("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

// Decodes `bytes` in pieces of `piece` bytes; "!" when it is refused, "…" appended when the end was not seen.
std::string decoded(std::string bytes, std::size_t piece) {
  ChunkDecoder decoder;
  std::string content;
  for (std::size_t at = 0; at < bytes.size() && !decoder.finished(); at += piece) {
    const std::span<char> part(bytes.data() + at, std::min(piece, bytes.size() - at));
    const auto progress = decoder.decode(part);
    if (!progress) return "!";
    content.append(part.data(), progress->produced);
  }
  return decoder.finished() ? content : content + "…";
}

TEST(Chunks, AreDecodedInPiecesOfAnySize) {
  const std::string body = "5;name=\"v\"\r\nhello\r\n00A\r\n, chunked!\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= body.size(); ++piece)
    EXPECT_EQ(decoded(body, piece), "hello, chunked!") << piece;
  EXPECT_EQ(decoded("0\r\n\r\n", 1), "");
  EXPECT_EQ(decoded("3\r\nab", 2), "ab…");
}

TEST(Chunks, LeaveWhatFollowsTheBody) {
  std::string bytes = "1\r\nx\r\n0\r\n\r\nGET /";
  ChunkDecoder decoder;
  const auto progress = decoder.decode(bytes);
  ASSERT_TRUE(progress);
  EXPECT_TRUE(decoder.finished());
  EXPECT_EQ(bytes.substr(0, progress->produced), "x");
  EXPECT_EQ(bytes.substr(progress->consumed), "GET /");
}

TEST(Chunks, AnythingLenientIsRefused) {
  const std::vector<std::string> malformed{
      "x\r\n",
      "\r\n",
      ";a\r\n",
      "-1\r\n",
      "+1\r\n",
      " 1\r\nx\r\n",
      "1\nx\r\n",
      "1\r\nxy\r\n",
      "1\r\nx\n0\r\n\r\n",
      "1\rx",
      "1234567890abcdef\r\n",
      "0000000000000001\r\n",
      "1;a\x01\r\nx",
      "1;" + std::string(max_chunk_line_bytes + 1, 'a') + "\r\nx",
      "0\r\nTrailer: x\n\r\n",
      "0\r\n" + std::string(max_trailer_bytes + 1, 'a') + "\r\n\r\n",
      "0\r\n\rx",
  };
  for (const std::string& bytes : malformed) {
    EXPECT_EQ(decoded(bytes, bytes.size()), "!") << bytes.substr(0, 40);
    EXPECT_EQ(decoded(bytes, 1), "!") << bytes.substr(0, 40);
  }
}

TEST(ResponseHead, NoValueEndsItEarly) {
  Response response = Response::text(200, "x", "text/plain\r\nSet-Cookie: a=b\r\n\r\n<html>");
  response.headers.add("Content-Length", "99");
  response.headers.add("Transfer-Encoding", "chunked");
  const std::string head = encode_response_head(response, 1, true);
  EXPECT_EQ(head.find("\r\n\r\n"), head.size() - 4);
  EXPECT_EQ(head.find("\r\nSet-Cookie"), std::string::npos);
  EXPECT_EQ(head.find("99"), std::string::npos);
  EXPECT_EQ(head.find("chunked"), std::string::npos);
  EXPECT_NE(head.find("Content-Length: 1\r\n"), std::string::npos);
  EXPECT_EQ(head.find("HTTP/1.1 200 OK\r\nDate: "), 0U);
}

TEST(Router, TheLongestPrefixWins) {
  Router router;
  for (const char* prefix : {"/", "/v2/", "/v2/app", "/healthz"}) router.add(Route{prefix, 0, Handler(), false});
  EXPECT_EQ(router.find("/v2/app/x")->prefix, "/v2/app");
  EXPECT_EQ(router.find("/v2/other")->prefix, "/v2/");
  EXPECT_EQ(router.find("/v2")->prefix, "/");
  EXPECT_EQ(router.find("*"), nullptr);
}

}  // namespace
}  // namespace kaapi::http
