// The server from outside, over real sockets: answers, limits, order, patience.

#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <future>
#include <thread>

#include "base/log.h"
#include "http/test_peer.h"

namespace kaapi::http {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

std::string post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A server with a route that echoes and one that blocks until the test opens it.
class ServerTest : public testing::Test {
 protected:
  static constexpr std::size_t max_body_bytes = 1000;

  void start(ServerConfig config = {}) {
    server.emplace(config);
    server->route("/", max_body_bytes, [](const Request& request) {
      return Response::text(200, request.head.method + " " + request.head.target + " " + request.body);
    });
    server->route("/block", max_body_bytes, [this](const Request&) {
      entered.set_value();
      opened.wait();
      return Response::text(200, "opened");
    });
    server->route("/throw", max_body_bytes,
                  [](const Request&) -> Response { throw std::runtime_error("thrown by the test"); });
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  TestPeer peer() { return TestPeer(server->port()); }

  std::promise<void> entered;
  std::promise<void> open;
  std::shared_future<void> opened = open.get_future().share();
  std::optional<Server> server;
};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  start();
  TestPeer client = peer();
  for (int i = 0; i < 3; ++i) {
    const RawAnswer answer = client.ask(post("/a?b", "hello"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /a?b hello");
    EXPECT_EQ(answer.field("Connection"), "keep-alive");
    EXPECT_EQ(answer.field("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(answer.field("Date").size(), 29U);
  }
  EXPECT_EQ(server->counters().requests, 3U);
  EXPECT_EQ(server->counters().connections, 1U);
  EXPECT_EQ(server->counters().refused, 0U);
}

TEST_F(ServerTest, ConnectionCloseAndHttp10) {
  start();
  TestPeer closing = peer();
  const RawAnswer answer = closing.ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(closing.ended());
  TestPeer old = peer();
  EXPECT_EQ(old.ask("GET / HTTP/1.0\r\n\r\n").status, 200);
  EXPECT_TRUE(old.ended());
  TestPeer old_kept = peer();
  EXPECT_EQ(old_kept.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").field("Connection"), "keep-alive");
  EXPECT_EQ(old_kept.ask(get).status, 200);
}

TEST_F(ServerTest, HeadHasNoBodyButItsLength) {
  Server with_lengths{ServerConfig{}};
  with_lengths.route("/", 0, [](const Request& request) {
    Response response = Response::text(request.head.path == "/none" ? 204 : 200, "four");
    if (request.head.path == "/announced") response.announced_length = 12345;
    return response;
  });
  ASSERT_TRUE(with_lengths.start());
  TestPeer client(with_lengths.port());
  EXPECT_EQ(client.ask("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", true).field("Content-Length"), "4");
  EXPECT_EQ(client.ask("HEAD /announced HTTP/1.1\r\nHost: h\r\n\r\n", true).field("Content-Length"), "12345");
  const RawAnswer none = client.ask("GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(none.status, 204);
  EXPECT_EQ(none.field("Content-Length"), "");
  EXPECT_EQ(client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").body, "four") << "a body where none belongs";
}

TEST_F(ServerTest, NoRouteIs404) {
  Server empty{ServerConfig{}};
  ASSERT_TRUE(empty.start());
  TestPeer client(empty.port());
  EXPECT_EQ(client.ask(get).status, 404);
  EXPECT_EQ(client.ask(get).status, 404) << "the connection stays";
  EXPECT_EQ(client.ask(post("/", "body")).status, 404);
  EXPECT_TRUE(client.ended());
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  TestPeer client = peer();
  std::string all;
  constexpr int count = 2000;
  for (int i = 0; i < count; ++i)
    all += post("/" + std::to_string(i), std::string(static_cast<std::size_t>(i % 50), 'b'));
  std::thread sender([&] { EXPECT_TRUE(client.send(all)); });
  for (int i = 0; i < count; ++i) {
    const RawAnswer answer = client.read_answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /" + std::to_string(i) + " " + std::string(static_cast<std::size_t>(i % 50), 'b'));
    if (HasFailure()) break;
  }
  sender.join();
}

TEST_F(ServerTest, RequestsMayComeByteByByte) {
  start();
  TestPeer client = peer();
  const std::string request =
      "\r\n" + post("/slow", "body") +
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
  for (const char byte : request) ASSERT_TRUE(client.send({&byte, 1}));
  EXPECT_EQ(client.read_answer().body, "POST /slow body");
  EXPECT_EQ(client.read_answer().body, "POST /c abcd");
}

TEST_F(ServerTest, MalformedRequestsAreRefusedAndTheConnectionClosed) {
  start();
  const std::vector<std::pair<std::string, int>> cases{
      {"GARBAGE\r\n\r\n", 400},
      {"\x16\x03\x01\x02", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\nabc", 501},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {"GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(70'000, 'a') + "\r\n\r\n", 431},
      {"GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(70'000, 'a'), 431},
  };
  for (const auto& [bytes, status] : cases) {
    TestPeer client = peer();
    const RawAnswer answer = client.ask(bytes);
    EXPECT_EQ(answer.status, status) << bytes.substr(0, 100);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_FALSE(answer.body.empty());
    EXPECT_TRUE(client.ended());
  }
  EXPECT_EQ(server->counters().refused, cases.size());
}

TEST_F(ServerTest, TooLongBodiesAreRefusedUnread) {
  start();
  TestPeer announced = peer();
  const RawAnswer answer = announced.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("1000 bytes"));
  EXPECT_TRUE(announced.ended());
  TestPeer chunked = peer();
  EXPECT_EQ(
      chunked.ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x'))
          .status,
      413);
  // A client that sends everything before it listens still reads the answer instead of a reset.
  TestPeer stubborn = peer();
  EXPECT_TRUE(stubborn.send(post("/", std::string(8U << 20U, 'x'))));
  EXPECT_EQ(stubborn.read_answer().status, 413);
  TestPeer fitting = peer();
  EXPECT_EQ(fitting.ask(post("/", std::string(1000, 'x'))).status, 200);
}

TEST_F(ServerTest, LargeBodiesShareABoundedMemory) {
  constexpr std::size_t large = 200'000;
  ServerConfig config;
  config.max_large_body_bytes = 150'000;
  server.emplace(config);
  server->route("/", large, [](const Request& request) { return Response::text(200, request.body.substr(0, 5)); });
  server->route("/block", large, [this](const Request&) {
    entered.set_value();
    opened.wait();
    return Response::text(200, "opened");
  });
  ASSERT_TRUE(server->start());
  TestPeer holding = peer();
  ASSERT_TRUE(holding.send(post("/block", std::string(large, 'a'))));
  entered.get_future().wait();
  const RawAnswer refused = peer().ask(post("/", std::string(large, 'b')));
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("too many large requests at once"));
  TestPeer chunked = peer();
  chunked.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n" + std::string(large, 'c'));
  EXPECT_EQ(chunked.read_answer().status, 503);
  EXPECT_EQ(peer().ask(post("/", "small")).body, "small") << "however much the large ones hold";
  open.set_value();
  EXPECT_EQ(holding.read_answer().body, "opened");
  EXPECT_EQ(peer().ask(post("/", std::string(large, 'd'))).body, "ddddd") << "there is room again";
}

TEST_F(ServerTest, ABodyThatDripsHasAnEnd) {
  ServerConfig config;
  config.whole_body_timeout = milliseconds(300);
  start(config);
  TestPeer client = peer();
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"));
  std::jthread dripping([&client](const std::stop_token& stop) {
    while (!stop.stop_requested() && client.send("x")) std::this_thread::sleep_for(milliseconds(20));
  });
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST_F(ServerTest, SlowClientsRunIntoTheTimeouts) {
  start(ServerConfig{
      .header_timeout = milliseconds(100), .idle_timeout = milliseconds(100), .body_timeout = milliseconds(100)});
  TestPeer silent = peer();
  EXPECT_TRUE(silent.ended());
  TestPeer slow_head = peer();
  EXPECT_EQ(slow_head.ask("GET / HTTP/1.1\r\nHo").status, 408);
  EXPECT_TRUE(slow_head.ended());
  TestPeer slow_body = peer();
  EXPECT_EQ(slow_body.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").status, 408);
  EXPECT_TRUE(slow_body.ended());
  TestPeer kept = peer();
  EXPECT_EQ(kept.ask(get).status, 200);
  EXPECT_TRUE(kept.ended());
}

TEST_F(ServerTest, OneConnectionTooManyIsTold) {
  start(ServerConfig{.max_connections = 2});
  TestPeer first = peer();
  std::optional<TestPeer> second(peer());
  EXPECT_EQ(first.ask(get).status, 200);
  EXPECT_EQ(second->ask(get).status, 200);
  TestPeer third = peer();
  EXPECT_EQ(third.read_answer().status, 503);
  EXPECT_TRUE(third.ended());
  third.close();
  second.reset();
  // The places are free as soon as the server has seen the ends.
  int status = 503;
  for (int i = 0; i < 10'000 && status != 200; ++i) status = peer().ask(get).status;
  EXPECT_EQ(status, 200);
}

TEST_F(ServerTest, AnExceptionIs500AndClosesTheConnection) {
  log::set_level(log::Level::off);
  start();
  TestPeer client = peer();
  const RawAnswer answer = client.ask(post("/throw", "x"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("thrown by the test"), std::string::npos) << "details belong into the log";
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(peer().ask(get).status, 200);
}

TEST_F(ServerTest, BlockedHandlersHoldUpNothingElse) {
  start(ServerConfig{.worker_threads = 1});
  TestPeer blocked = peer();
  ASSERT_TRUE(blocked.send(post("/block", "")));
  entered.get_future().wait();
  EXPECT_EQ(peer().ask("GARBAGE\r\n\r\n").status, 400) << "transport goes on";
  std::vector<TestPeer> waiting;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(peer());
    ASSERT_TRUE(waiting.back().send(get));
  }
  open.set_value();
  EXPECT_EQ(blocked.read_answer().body, "opened");
  for (TestPeer& client : waiting) EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(ServerTest, TwoHundredConnectionsAtOnce) {
  start();
  std::vector<TestPeer> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(peer());
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) ASSERT_TRUE(clients[i].send(post("/" + std::to_string(i), "x")));
    for (std::size_t i = 0; i < clients.size(); ++i) {
      EXPECT_EQ(clients[i].read_answer().body, "POST /" + std::to_string(i) + " x");
    }
  }
  EXPECT_EQ(server->counters().connections, 200U);
  EXPECT_EQ(server->counters().requests, 600U);
}

TEST_F(ServerTest, StopLetsRequestsEnd) {
  start();
  TestPeer idle = peer();
  EXPECT_EQ(idle.ask(get).status, 200);
  TestPeer busy = peer();
  ASSERT_TRUE(busy.send(post("/block", "")));
  entered.get_future().wait();
  auto stopping = std::async(std::launch::async, [&] { server->stop(milliseconds(20'000)); });
  EXPECT_TRUE(idle.ended()) << "idle connections are closed at once";
  EXPECT_FALSE(peer().connected()) << "nobody new is let in";
  open.set_value();
  const RawAnswer answer = busy.read_answer();
  EXPECT_EQ(answer.body, "opened");
  EXPECT_EQ(answer.field("Connection"), "close");
  stopping.get();
  EXPECT_EQ(server->counters().connections, 0U);
  server->stop();  // harmless
}

TEST_F(ServerTest, StopEndsWhatOutlastsItsGrace) {
  start();
  TestPeer half = peer();
  ASSERT_TRUE(half.send("GET / HTTP/1.1\r\nHost"));
  TestPeer other = peer();
  EXPECT_EQ(other.ask(get).status, 200);  // so the server has seen both
  server->stop(milliseconds(50));
  EXPECT_TRUE(half.ended());
  EXPECT_EQ(server->counters().connections, 0U);
}

// Whether this machine's loopback has an IPv6 address; containers often have none.
bool has_ipv6_loopback() {
  std::ifstream addresses("/proc/net/if_inet6");
  std::string line;
  while (std::getline(addresses, line)) {
    if (line.starts_with("00000000000000000000000000000001 ")) return true;
  }
  return false;
}

TEST_F(ServerTest, ListensOnIpv6OrSaysThatThereIsNone) {
  if (!has_ipv6_loopback()) {
    const auto refused = Server(ServerConfig{.address = "[::1]"}).start();
    EXPECT_THAT(refused.error().message, HasSubstr("this machine has no such address"));
    return;
  }
  start(ServerConfig{.address = "[::1]"});
  TestPeer client(server->port(), "::1");
  EXPECT_EQ(client.ask(get).status, 200);
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
  start();
  Server second{ServerConfig{.port = server->port()}};
  const auto taken = second.start();
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, errc::unavailable);
  EXPECT_THAT(taken.error().message, HasSubstr("cannot listen on 127.0.0.1:" + std::to_string(server->port()) +
                                               ": the port is taken by another program"));
  EXPECT_THAT(Server(ServerConfig{.address = "203.0.113.7"}).start().error().message,
              HasSubstr("cannot listen on 203.0.113.7:0: this machine has no such address"));
  EXPECT_THAT(Server(ServerConfig{.address = "not an address"}).start().error().message,
              HasSubstr("give an IP address"));
}

}  // namespace
}  // namespace kaapi::http
