// Answers whose bodies are produced while they are sent.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <future>

#include "base/log.h"
#include "http/server.h"
#include "http/test_peer.h"

namespace kaapi::http {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

class ProducedTest : public testing::Test {
 protected:
  void serve(std::function<bool(BodyWriter&)> produce, ServerConfig config = {}) {
    server.emplace(config);
    server->route("/", 0, [produce = std::move(produce)](const Request&) {
      Response response;
      response.headers.add("Content-Type", "text/plain");
      response.body = ProducedBody{produce};
      return response;
    });
    ASSERT_TRUE(server->start());
  }
  // Everything that arrives until the server closes.
  static std::string rest(TestPeer& peer) {
    std::string all;
    for (std::string some = peer.read_some(); !some.empty(); some = peer.read_some()) all += some;
    return all;
  }
  std::optional<Server> server;
};

TEST_F(ProducedTest, EachPieceArrivesWhenItIsWritten) {
  std::promise<void> seen;
  std::future<void> first_was_seen = seen.get_future();
  serve([&](BodyWriter& out) {
    if (!out.write("first")) return false;
    first_was_seen.wait();
    return static_cast<bool>(out.write("second"));
  });
  TestPeer peer(server->port());
  ASSERT_TRUE(peer.send(get));
  const RawAnswer answer = peer.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(answer.field("Content-Length"), "");
  EXPECT_EQ(answer.field("Connection"), "close");
  std::string body;
  while (!body.ends_with("first\r\n")) body += peer.read_some();
  EXPECT_EQ(body, "5\r\nfirst\r\n");
  seen.set_value();
  EXPECT_EQ(rest(peer), "6\r\nsecond\r\n0\r\n\r\n");
}

TEST_F(ProducedTest, ABodyThatIsNotCompleteHasNoEnd) {
  serve([](BodyWriter& out) {
    EXPECT_TRUE(out.write("half"));
    return false;
  });
  TestPeer peer(server->port());
  ASSERT_TRUE(peer.send(get));
  peer.read_answer();
  EXPECT_EQ(rest(peer), "4\r\nhalf\r\n");
}

TEST_F(ProducedTest, AnOldClientGetsItUntilTheConnectionEnds) {
  serve([](BodyWriter& out) { return out.write("") && out.write("old") && out.write(" client"); });
  TestPeer peer(server->port());
  ASSERT_TRUE(peer.send("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(peer.read_answer().field("Transfer-Encoding"), "");
  EXPECT_EQ(rest(peer), "old client");
}

TEST_F(ProducedTest, HeadHasNoBody) {
  serve([](BodyWriter&) -> bool { throw std::logic_error("must not run"); });
  TestPeer peer(server->port());
  EXPECT_EQ(peer.ask("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", true).status, 200);
}

TEST_F(ProducedTest, AProducerThatWaitsLearnsThatThePeerHasGone) {
  std::promise<bool> told;
  serve([&](BodyWriter& out) {
    pollfd gone{out.descriptor(), POLLRDHUP, 0};
    told.set_value(::poll(&gone, 1, 20'000) == 1);
    return false;
  });
  {
    TestPeer peer(server->port());
    ASSERT_TRUE(peer.send(get));
    peer.read_answer();
  }
  EXPECT_TRUE(told.get_future().get());
}

TEST_F(ProducedTest, AProducerThatWaitsLearnsThatTheServerEnds) {
  std::promise<void> waiting;
  std::promise<std::string> told;
  serve([&](BodyWriter& out) {
    waiting.set_value();
    pollfd gone{out.descriptor(), POLLRDHUP, 0};
    ::poll(&gone, 1, 20'000);
    told.set_value(out.write("more").error().code);
    return false;
  });
  TestPeer peer(server->port());
  ASSERT_TRUE(peer.send(get));
  waiting.get_future().wait();
  server->stop(milliseconds(0));
  EXPECT_EQ(told.get_future().get(), errc::unavailable);
}

TEST_F(ProducedTest, APeerThatTakesNothingIsLetGo) {
  ServerConfig config;
  config.body_timeout = milliseconds(50);
  std::promise<std::string> told;
  serve(
      [&](BodyWriter& out) {
        const std::string piece(1U << 20U, 'x');
        while (true) {
          const Result<void> sent = out.write(piece);
          if (sent) continue;
          told.set_value(sent.error().code);
          return false;
        }
      },
      config);
  TestPeer peer(server->port(), "127.0.0.1", 4096);
  ASSERT_TRUE(peer.send(get));
  EXPECT_EQ(told.get_future().get(), errc::timed_out);
}

TEST_F(ProducedTest, AFailureInsideIsNoWholeBody) {
  log::set_level(log::Level::off);
  serve([](BodyWriter&) -> bool { throw std::runtime_error("inside"); });
  TestPeer peer(server->port());
  ASSERT_TRUE(peer.send(get));
  peer.read_answer();
  EXPECT_TRUE(peer.ended());
  log::set_level(log::Level::info);
}

}  // namespace
}  // namespace kaapi::http
