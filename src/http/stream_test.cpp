// Bodies that stream: uploads into a BodyReader, files out through sendfile.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "http/server.h"
#include "http/test_peer.h"

namespace kaapi::http {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t big_bytes = 64U << 20U;

const std::string& big_content() {
  static const std::string content = [] {
    std::string bytes(big_bytes, '\0');
    std::uint32_t state = 1;
    for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
    return bytes;
  }();
  return content;
}

std::string chunked_head(const std::string& path) {
  return "PUT " + path + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
}
std::string sized_head(const std::string& path, std::size_t length, const std::string& more = "") {
  return "PUT " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) + "\r\n" + more + "\r\n";
}
const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

// Reads to the end; the outcome as text.
std::string drain(BodyReader& body, std::size_t piece, std::string& content) {
  std::string buffer(piece, '\0');
  while (true) {
    const auto got = body.read(buffer);
    if (!got) return got.error().code;
    if (*got == 0) return "end";
    content.append(buffer, 0, *got);
  }
}

class StreamTest : public testing::Test {
 protected:
  void start(ServerConfig config = {}) {
    server.emplace(config);
    server->route("/", 1000, [](const Request&) { return Response::text(200, "plain"); });
    server->route_stream("/hash", [](const RequestHead&, BodyReader& body) {
      std::string content;
      const std::string outcome = drain(body, 300'000, content);
      return Response::text(200, outcome + " " + std::to_string(content.size()) + " " + to_hex(sha256(content)));
    });
    server->route_stream("/echo", [](const RequestHead&, BodyReader& body) {
      std::string content;
      const std::string outcome = drain(body, 7, content);
      return Response::text(outcome == "end" ? 200 : 400, content);
    });
    server->route_stream("/outcome", [this](const RequestHead&, BodyReader& body) {
      std::string content;
      reading.release();
      const std::string outcome = drain(body, 1000, content);
      {
        const std::lock_guard lock(mutex);
        outcomes.push_back(outcome);
      }
      ended.release();
      return Response::text(outcome == "TimedOut" ? 408 : 200, outcome);
    });
    server->route_stream("/unread",
                         [](const RequestHead&, BodyReader&) { return Response::text(401, "who are you?"); });
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  TestPeer peer() { return TestPeer(server->port()); }

  // An event that may happen many times.
  class Counter {
   public:
    void release() {
      const std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    }
    void wait_for(int count) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return count_ >= count; });
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
  };

  std::mutex mutex;
  std::vector<std::string> outcomes;
  Counter reading;
  Counter ended;
  std::optional<Server> server;
};

TEST_F(StreamTest, SizedBodiesArriveWhole) {
  start();
  const std::string expected = "end " + std::to_string(big_bytes) + " " + to_hex(sha256(big_content()));
  TestPeer client = peer();
  ASSERT_TRUE(client.send(sized_head("/hash", big_bytes)));
  ASSERT_TRUE(client.send(big_content()));
  EXPECT_EQ(client.read_answer().body, expected);
  EXPECT_EQ(client.ask(get).body, "plain") << "the connection goes on";
}

TEST_F(StreamTest, ChunkedBodiesArriveWhole) {
  start();
  TestPeer client = peer();
  ASSERT_TRUE(client.send(chunked_head("/hash")));
  std::size_t chunk = 1;
  for (std::size_t at = 0; at < big_bytes; at += chunk) {
    chunk = std::min(big_bytes - at, chunk * 3 % 200'003 + 1);
    ASSERT_TRUE(client.send(fmt::format("{:x}\r\n", chunk)));
    ASSERT_TRUE(client.send(std::string_view(big_content()).substr(at, chunk)));
    ASSERT_TRUE(client.send("\r\n"));
  }
  ASSERT_TRUE(client.send("0\r\n\r\n"));
  EXPECT_EQ(client.read_answer().body, "end " + std::to_string(big_bytes) + " " + to_hex(sha256(big_content())));
  EXPECT_EQ(client.ask(get).body, "plain");
}

TEST_F(StreamTest, PipelinedBehindAStream) {
  start();
  TestPeer client = peer();
  ASSERT_TRUE(client.send(chunked_head("/echo") + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" + sized_head("/echo", 4) +
                          "four" + chunked_head("/echo") + "0\r\n\r\n" + sized_head("/echo", 0) + get));
  EXPECT_EQ(client.read_answer().body, "hello world");
  EXPECT_EQ(client.read_answer().body, "four");
  EXPECT_EQ(client.read_answer().body, "");
  EXPECT_EQ(client.read_answer().body, "");
  EXPECT_EQ(client.read_answer().body, "plain");
}

TEST_F(StreamTest, ContinueIsSaidWhenTheHandlerReads) {
  start();
  TestPeer client = peer();
  ASSERT_TRUE(client.send(sized_head("/echo", 4, "Expect: 100-continue\r\n")));
  EXPECT_EQ(client.read_answer().status, 100);
  EXPECT_EQ(client.ask("four").body, "four");
  EXPECT_EQ(client.ask(sized_head("/unread", 4, "Expect: 100-continue\r\n")).status, 401);
  EXPECT_TRUE(client.ended());
  TestPeer plain = peer();
  EXPECT_EQ(plain.ask(sized_head("/", 4, "Expect: 100-continue\r\n")).status, 100);
  EXPECT_EQ(plain.ask("four").body, "plain");
  TestPeer too_long = peer();
  EXPECT_EQ(too_long.ask(sized_head("/", 4000, "Expect: 100-continue\r\n")).status, 413);
}

TEST_F(StreamTest, AnUnreadBodyClosesTheConnectionAfterTheAnswer) {
  start();
  TestPeer client = peer();
  ASSERT_TRUE(client.send(sized_head("/unread", big_bytes)));
  ASSERT_TRUE(client.send(std::string_view(big_content()).substr(0, 4U << 20U)));
  const RawAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(client.ended());
}

TEST_F(StreamTest, ALostClientEndsTheRead) {
  start();
  for (const std::string& head : {sized_head("/outcome", 1000), chunked_head("/outcome") + "ff\r\n"}) {
    TestPeer client = peer();
    ASSERT_TRUE(client.send(head + "some"));
    client.close();
  }
  ended.wait_for(2);
  const std::lock_guard lock(mutex);
  EXPECT_THAT(outcomes, testing::Each("Unavailable"));
}

TEST_F(StreamTest, AStalledClientTimesOutAndIsTold) {
  start(ServerConfig{.body_timeout = milliseconds(100)});
  TestPeer client = peer();
  EXPECT_EQ(client.ask(sized_head("/outcome", 1000) + "some").status, 408);
  EXPECT_TRUE(client.ended());
}

TEST_F(StreamTest, StalledUploadsHoldNoWorker) {
  start(ServerConfig{.worker_threads = 1, .max_stream_threads = 20});
  std::vector<TestPeer> stalled;
  for (int i = 0; i < 20; ++i) {
    stalled.push_back(peer());
    ASSERT_TRUE(stalled.back().send(sized_head("/outcome", 1000) + "some"));
  }
  reading.wait_for(20);
  EXPECT_EQ(peer().ask(get).body, "plain");
  EXPECT_EQ(peer().ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200) << "a stream route without a body";
  TestPeer queued = peer();
  ASSERT_TRUE(queued.send(sized_head("/echo", 4) + "four"));
  stalled.clear();
  EXPECT_EQ(queued.read_answer().body, "four");
}

TEST_F(StreamTest, StopBreaksUploadsThatOutlastItsGrace) {
  start();
  TestPeer client = peer();
  ASSERT_TRUE(client.send(sized_head("/outcome", 1000) + "some"));
  reading.wait_for(1);
  server->stop(milliseconds(20));
  EXPECT_EQ(outcomes, std::vector<std::string>{"Unavailable"});
}

class FileTest : public StreamTest {
 protected:
  void SetUp() override {
    file = ::memfd_create("kaapi-http-test", MFD_CLOEXEC);
    ASSERT_EQ(::write(file, big_content().data(), big_bytes), static_cast<ssize_t>(big_bytes));
  }
  void TearDown() override { ::close(file); }

  void start_with_file(ServerConfig config = {}) {
    server.emplace(config);
    server->route("/", 0, [](const Request&) { return Response::text(200, "plain"); });
    server->route("/file", 0, [this](const Request&) {
      Response response;
      response.body = FileBody(::dup(file), 1, big_bytes - 2);
      return response;
    });
    server->route("/short", 0, [this](const Request&) {
      Response response;
      response.body = FileBody(::dup(file), big_bytes - 10, 100);
      return response;
    });
    ASSERT_TRUE(server->start());
  }

  int file = -1;
};

TEST_F(FileTest, PartOfAFileIsSentWhole) {
  start_with_file();
  TestPeer client = peer();
  for (int i = 0; i < 2; ++i) {
    const RawAnswer answer = client.ask("GET /file HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body.size(), big_bytes - 2);
    EXPECT_EQ(sha256(answer.body), sha256(std::string_view(big_content()).substr(1, big_bytes - 2)));
  }
  const RawAnswer head = client.ask("HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n", true);
  EXPECT_EQ(head.field("Content-Length"), std::to_string(big_bytes - 2));
  EXPECT_EQ(client.ask(get).body, "plain");
}

TEST_F(FileTest, SlowReadersHoldNoThreadAndAreDroppedInTheEnd) {
  start_with_file(ServerConfig{.worker_threads = 1, .body_timeout = milliseconds(200)});
  std::vector<TestPeer> slow;
  for (int i = 0; i < 5; ++i) {
    slow.emplace_back(server->port(), "127.0.0.1", 4096);
    ASSERT_TRUE(slow.back().send("GET /file HTTP/1.1\r\nHost: h\r\n\r\n"));
  }
  TestPeer quick = peer();
  EXPECT_EQ(quick.ask(get).body, "plain");
  // Nobody reads: after the timeout only the quick one is left, and it is answered all the time.
  while (server->counters().connections > 1) ASSERT_EQ(quick.ask(get).body, "plain");
  EXPECT_LT(slow.front().read_answer().body.size(), big_bytes - 2);
}

TEST_F(FileTest, AClientThatLeavesMidwayHurtsNobody) {
  start_with_file();
  for (int i = 0; i < 5; ++i) {
    TestPeer client(server->port(), "127.0.0.1", 4096);
    ASSERT_TRUE(client.send("GET /file HTTP/1.1\r\nHost: h\r\n\r\n"));
  }
  EXPECT_EQ(peer().ask(get).body, "plain");
}

TEST_F(FileTest, AFileThatGotShorterBreaksTheAnswer) {
  log::set_level(log::Level::off);
  start_with_file();
  TestPeer client = peer();
  const RawAnswer answer = client.ask("GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answer.body.size(), 10U);
  EXPECT_TRUE(client.ended());
}

TEST(StreamRoute, WhoMayWaitHoldsNoWorker) {
  ServerConfig config;
  config.worker_threads = 1;
  Server server(config);
  std::promise<void> waiting, release;
  std::future<void> released = release.get_future();
  server.route_stream(
      "/wait",
      [&](const RequestHead&, BodyReader&) {
        waiting.set_value();
        released.wait();
        return Response::text(200, "waited");
      },
      true);
  server.route("/", 0, [](const Request&) { return Response::text(200, "at once"); });
  ASSERT_TRUE(server.start());
  TestPeer held(server.port());
  ASSERT_TRUE(held.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"));
  waiting.get_future().wait();
  TestPeer other(server.port());
  EXPECT_EQ(other.ask(get).status, 200);
  release.set_value();
  EXPECT_EQ(held.read_answer().status, 200);
}

}  // namespace
}  // namespace kaapi::http
