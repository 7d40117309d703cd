#include "http/client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <thread>

namespace kaapi::http {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds patience{10'000};

// One accepted connection, scripted by the test.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { ::close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // The next request's head and body; empty when the client has closed.
  std::string read_request() {
    std::string text;
    while (text.find("\r\n\r\n") == std::string::npos) {
      char byte = 0;
      if (::recv(fd_, &byte, 1, 0) != 1) {
        return {};
      }
      text += byte;
    }
    const auto at = text.find("Content-Length: ");
    std::size_t left = at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
    while (left > 0) {
      char buffer[4096];
      const ssize_t count = ::recv(fd_, buffer, std::min(left, sizeof(buffer)), 0);
      if (count <= 0) {
        return {};
      }
      text.append(buffer, static_cast<std::size_t>(count));
      left -= static_cast<std::size_t>(count);
    }
    return text;
  }
  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) {
        return;
      }
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // Byte by byte, so that every border is crossed.
  void trickle(std::string_view text) {
    for (const char byte : text) {
      write(std::string_view(&byte, 1));
    }
  }
  // Returns when the client has closed its side.
  void wait_closed() {
    char byte = 0;
    while (::recv(fd_, &byte, 1, 0) > 0) {
    }
  }

 private:
  int fd_;
};

// Runs `script` on a thread for every connection, with the connection's number.
class ScriptedServer {
 public:
  using Script = std::function<void(Peer&, int number)>;
  enum class Kind { tcp, local };

  explicit ScriptedServer(Script script, Kind kind = Kind::local) : script_(std::move(script)) {
    kind == Kind::tcp ? listen_tcp() : listen_local();
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    for (std::thread& thread : threads_) {
      thread.join();
    }
    std::filesystem::remove(endpoint_.unix_path);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  Endpoint endpoint() const { return endpoint_; }
  int connections() const { return count_; }

 private:
  void listen_tcp() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint_.host = "127.0.0.1";
    endpoint_.port = ntohs(address.sin_port);
    ::listen(listener_, 128);
  }
  void listen_local() {
    static std::atomic<int> next{0};
    endpoint_.unix_path =
        ::testing::TempDir() + "kaapi-client-" + std::to_string(::getpid()) + "-" + std::to_string(next++);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint_.unix_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::listen(listener_, 128);
  }
  void accept_all() {
    while (true) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) {
        return;
      }
      threads_.emplace_back([this, fd, number = count_++] {
        Peer peer(fd);
        script_(peer, number);
      });
    }
  }

  Script script_;
  Endpoint endpoint_;
  int listener_ = -1;
  std::atomic<int> count_{0};
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // touched by the acceptor until it is joined
};

constexpr std::string_view hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: greeting\r\n\r\nhello";

void answer_all(Peer& peer, std::string_view answer) {
  while (!peer.read_request().empty()) {
    peer.write(answer);
  }
}

ClientRequest get(std::string target = "/") {
  ClientRequest request;
  request.target = std::move(target);
  return request;
}

TEST(Client, ReadsABodyWithLengthOverTcp) {
  ScriptedServer server([](Peer& peer, int) { answer_all(peer, hello); }, ScriptedServer::Kind::tcp);
  Client client(server.endpoint());
  const auto response = client.send(get(), patience);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hello");
  EXPECT_EQ(response->headers.find("x-kind"), "greeting");
}

TEST(Client, SendsMethodTargetHeadersAndBody) {
  std::string seen;
  {
    ScriptedServer server([&](Peer& peer, int) {
      seen = peer.read_request();
      peer.write(hello);
    });
    Client client(server.endpoint());
    ClientRequest request{"POST", "/a?b=c", {}, std::string(1'000'000, 'x')};
    request.headers.add("X-Name", "value");
    ASSERT_TRUE(client.send(request, patience));
  }
  EXPECT_EQ(seen.substr(0, seen.find("\r\n\r\n")),
            "POST /a?b=c HTTP/1.1\r\nHost: localhost\r\nX-Name: value\r\nContent-Length: 1000000");
  EXPECT_EQ(seen.size() - seen.find("\r\n\r\n") - 4, 1'000'000U);
}

TEST(Client, RefusesLineBreaksInTheHead) {
  Client client(Endpoint{"/nowhere", "localhost", 80});
  ClientRequest request = get();
  request.headers.add("X", "a\r\nY: b");
  EXPECT_EQ(client.send(request, patience).error().code, errc::invalid);
  EXPECT_EQ(client.send(get("/a b"), patience).error().code, errc::invalid);
}

TEST(Client, ReadsChunksAcrossEveryBorder) {
  ScriptedServer server([](Peer& peer, int) {
    while (!peer.read_request().empty()) {
      peer.trickle("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      peer.trickle("5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nTrailer: x\r\n\r\n");
    }
  });
  Client client(server.endpoint());
  for (int round = 0; round < 2; ++round) {
    const auto response = client.send(get(), patience);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "hello, world");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(Client, ReadsABodyUntilClose) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\n\r\nall ");
    peer.write("of it");
  });
  Client client(server.endpoint());
  EXPECT_EQ(client.send(get(), patience).value().body, "all of it");
  EXPECT_EQ(client.send(get(), patience).value().body, "all of it");
  EXPECT_EQ(server.connections(), 2);
}

TEST(Client, AnswersWithoutBody) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    peer.read_request();
    peer.write("HTTP/1.1 204 No Content\r\n\r\n");
    peer.wait_closed();
  });
  Client client(server.endpoint());
  ClientRequest head{"HEAD", "/", {}, {}};
  EXPECT_EQ(client.send(head, patience).value().status, 200);
  EXPECT_EQ(client.send(get(), patience).value().status, 204);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Client, TriesAgainWhenAKeptConnectionWasClosed) {
  ScriptedServer server([](Peer& peer, int number) {
    peer.read_request();
    peer.write(hello);
    peer.read_request();
    if (number > 0) {
      peer.write(hello);
      peer.wait_closed();
    }  // else closed without a byte of the second answer
  });
  Client client(server.endpoint());
  ASSERT_TRUE(client.send(get(), patience));
  const auto second = client.send(get(), patience);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(server.connections(), 2);
}

TEST(Client, DoesNotTryAgainOnANewConnection) {
  ScriptedServer server([](Peer& peer, int) { peer.read_request(); });
  Client client(server.endpoint());
  const auto response = client.send(get(), patience);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, errc::unavailable);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Client, DoesNotTryAgainAfterTheFirstByte) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write(hello);
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  });
  Client client(server.endpoint());
  ASSERT_TRUE(client.send(get(), patience));
  const auto second = client.send(get(), patience);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, errc::unavailable);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Client, TimesOutOnASilentAndOnASlowPeer) {
  ScriptedServer server([](Peer& peer, int number) {
    peer.read_request();
    if (number == 1) {
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    }
    peer.wait_closed();
  });
  Client client(server.endpoint());
  for (int round = 0; round < 2; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const auto response = client.send(get(), milliseconds(50));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, errc::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(50));
  }
}

TEST(Client, LimitsTheBodyUnlessASinkTakesIt) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x'));
  });
  Client client(server.endpoint(), 99);
  EXPECT_EQ(client.send(get(), patience).error().code, errc::too_large);
  std::size_t taken = 0;
  const auto whole = client.send(get(), patience, [&](std::string_view bytes) {
    taken += bytes.size();
    return true;
  });
  ASSERT_TRUE(whole);
  EXPECT_EQ(taken, 100U);
  EXPECT_EQ(client.send(get(), patience, [](std::string_view) { return false; }).error().code, errc::cancelled);
}

TEST(Client, RefusesWhatIsNoHttp) {
  ScriptedServer server([](Peer& peer, int number) {
    peer.read_request();
    peer.write(number == 0 ? std::string("SSH-2.0-nonsense\r\n\r\n")
                           : "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'y'));
    peer.wait_closed();
  });
  Client client(server.endpoint());
  EXPECT_EQ(client.send(get(), patience).error().code, errc::unavailable);
  EXPECT_EQ(client.send(get(), patience).error().code, errc::unavailable);
}

TEST(Client, SaysWhereNobodyListens) {
  Client local(Endpoint{"/nowhere/socket", "localhost", 80});
  const auto response = local.send(get(), patience);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, errc::unavailable);
  EXPECT_EQ(response.error().message, "cannot connect to /nowhere/socket: No such file or directory");
}

TEST(Client, ServesManyThreads) {
  ScriptedServer server([](Peer& peer, int) { answer_all(peer, hello); });
  Client client(server.endpoint());
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int index = 0; index < 8; ++index) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        const auto response = client.send(get(), patience);
        good += response && response->body == "hello" ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 400);
  EXPECT_LE(server.connections(), 8);
}

// What a stream brought.
struct Heard {
  std::mutex mutex;
  std::condition_variable changed;
  int status = 0;
  std::string bytes;
  std::optional<Result<void>> end;

  Client::StreamCallbacks callbacks() {
    Client::StreamCallbacks result;
    result.on_head = [this](int code, const Headers&) { update([&] { status = code; }); };
    result.on_bytes = [this](std::string_view more) { update([&] { bytes += more; }); };
    result.on_end = [this](Result<void> how) { update([&] { end = how; }); };
    return result;
  }
  void update(const std::function<void()>& change) {
    const std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  }
  bool wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, patience, condition);
  }
};

TEST(Stream, DeliversHeadBytesAndEnd) {
  for (const auto kind : {ScriptedServer::Kind::local, ScriptedServer::Kind::tcp}) {
    ScriptedServer server(
        [](Peer& peer, int) {
          peer.read_request();
          peer.trickle("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
          peer.wait_closed();
        },
        kind);
    Client client(server.endpoint());
    Heard heard;
    const auto stream = client.stream(get(), heard.callbacks());
    ASSERT_TRUE(heard.wait([&] { return heard.end.has_value(); }));
    EXPECT_TRUE(heard.end->has_value());
    EXPECT_EQ(heard.status, 200);
    EXPECT_EQ(heard.bytes, "onetwo");
  }
}

TEST(Stream, TellsABrokenEndFromAWholeOne) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  });
  Client client(server.endpoint());
  Heard heard;
  const auto stream = client.stream(get(), heard.callbacks());
  ASSERT_TRUE(heard.wait([&] { return heard.end.has_value(); }));
  ASSERT_FALSE(heard.end->has_value());
  EXPECT_EQ(heard.end->error().code, errc::unavailable);
  EXPECT_EQ(heard.bytes, "one");
}

TEST(Stream, ReportsThatItCannotConnect) {
  Client client(Endpoint{"/nowhere/socket", "localhost", 80});
  Heard heard;
  const auto stream = client.stream(get(), heard.callbacks());
  ASSERT_TRUE(heard.wait([&] { return heard.end.has_value(); }));
  ASSERT_FALSE(heard.end->has_value());
  EXPECT_EQ(heard.end->error().message, "cannot connect to /nowhere/socket: No such file or directory");
}

TEST(Stream, IsSilentOnceDestroyedAndClosesItsConnection) {
  std::promise<void> closed;
  ScriptedServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    peer.wait_closed();
    closed.set_value();
  });
  Client client(server.endpoint());
  Heard heard;
  auto stream = client.stream(get(), heard.callbacks());
  ASSERT_TRUE(heard.wait([&] { return heard.bytes == "one"; }));
  stream.reset();
  EXPECT_EQ(closed.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_FALSE(heard.end.has_value());
}

TEST(Stream, WaitsForACallbackInProgress) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    peer.wait_closed();
  });
  Client client(server.endpoint());
  std::promise<void> inside;
  std::promise<void> go_on;
  std::atomic<bool> left{false};
  Client::StreamCallbacks callbacks;
  callbacks.on_bytes = [&](std::string_view) {
    inside.set_value();
    go_on.get_future().wait();
    left = true;
  };
  auto stream = client.stream(get(), std::move(callbacks));
  inside.get_future().wait();
  auto destroyed = std::async(std::launch::async, [&] {
    stream.reset();
    return left.load();
  });
  EXPECT_EQ(destroyed.wait_for(milliseconds(20)), std::future_status::timeout);
  go_on.set_value();
  EXPECT_TRUE(destroyed.get());
}

TEST(Stream, MayBeDestroyedByItsOwnCallback) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    peer.wait_closed();
  });
  Client client(server.endpoint());
  std::mutex mutex;
  std::unique_ptr<Client::Stream> stream;
  std::promise<void> gone;
  Client::StreamCallbacks callbacks;
  callbacks.on_bytes = [&](std::string_view) {
    const std::lock_guard lock(mutex);
    stream.reset();
    gone.set_value();
  };
  {
    const std::lock_guard lock(mutex);
    stream = client.stream(get(), std::move(callbacks));
  }
  EXPECT_EQ(gone.get_future().wait_for(patience), std::future_status::ready);
}

std::size_t thread_count() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    ++count;
  }
  return count;
}

TEST(Stream, AHundredShareOneThread) {
  std::atomic<int> served{0};
  ScriptedServer server([&](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    ++served;
    peer.wait_closed();
  });
  const std::size_t before = thread_count();
  Client client(server.endpoint());
  EXPECT_EQ(thread_count(), before);
  Heard heard;
  std::vector<std::unique_ptr<Client::Stream>> streams;
  for (int index = 0; index < 100; ++index) {
    streams.push_back(client.stream(get(), heard.callbacks()));
  }
  ASSERT_TRUE(heard.wait([&] { return heard.bytes.size() == 300; }));
  EXPECT_EQ(thread_count(), before + 100 + 1);  // the server's one per connection, and the io thread
}

// Wherever it is stopped, also between the resolver's answer and the connection, nothing of it goes on: the client's
// end would wait for it for ever.
TEST(Stream, StoppedAtAnyMomentDoesNotKeepItsClient) {
  // Connections are made, and nobody ever answers.
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener, 1'024), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  for (int round = 0; round < 3'000; ++round) {
    Client client(Endpoint{"", "127.0.0.1", ntohs(address.sin_port)});
    auto stream = client.stream(get(), {});
    const auto moment = std::chrono::steady_clock::now() + std::chrono::microseconds(round % 300);
    while (std::chrono::steady_clock::now() < moment) {
    }
    stream.reset();
  }
  ::close(listener);
}

TEST(Stream, OutlivesItsClientQuietly) {
  ScriptedServer server([](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    peer.wait_closed();
  });
  Heard heard;
  std::unique_ptr<Client::Stream> stream;
  {
    Client client(server.endpoint());
    stream = client.stream(get(), heard.callbacks());
    ASSERT_TRUE(heard.wait([&] { return heard.bytes == "one"; }));
  }
  EXPECT_FALSE(heard.end.has_value());
}

}  // namespace
}  // namespace kaapi::http
