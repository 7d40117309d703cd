// DockerEngine against a scripted engine: what a real one does too rarely to be tested with.

#include "containers/docker_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <thread>

#include "base/log.h"

namespace kaapi::containers {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds patience{10'000};

std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}
std::string chunk(const std::string& text) {
  char size[16];
  std::snprintf(size, sizeof(size), "%zx\r\n", text.size());
  return size + text + "\r\n";
}
constexpr const char* chunked_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

// Answers every request with what `script` gives for its request line; the connection closes after an answer without
// length.
class ScriptedEngine {
 public:
  using Script = std::function<std::string(const std::string& request_line)>;

  explicit ScriptedEngine(Script script)
      : path_(::testing::TempDir() + "kaapi-engine-" + std::to_string(::getpid())), script_(std::move(script)) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ::unlink(path_.c_str());
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::listen(listener_, 16);
    acceptor_ = std::thread([this] {
      for (int fd = ::accept(listener_, nullptr, nullptr); fd >= 0; fd = ::accept(listener_, nullptr, nullptr)) {
        threads_.emplace_back([this, fd] { serve(fd); });
      }
    });
  }
  // What is connected is served on.
  void stop_listening() {
    ::shutdown(listener_, SHUT_RDWR);
    ::unlink(path_.c_str());
  }
  ~ScriptedEngine() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    for (std::thread& thread : threads_) {
      thread.join();
    }
    ::unlink(path_.c_str());
  }
  ScriptedEngine(const ScriptedEngine&) = delete;
  ScriptedEngine& operator=(const ScriptedEngine&) = delete;

  DockerConfig config() const {
    DockerConfig config;
    config.socket_path = path_;
    config.first_retry = milliseconds(1);
    return config;
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve(int fd) {
    std::string text;
    char byte = 0;
    while (::recv(fd, &byte, 1, 0) == 1) {
      text += byte;
      if (!text.ends_with("\r\n\r\n")) {
        continue;
      }
      const std::string line = text.substr(0, text.find(" HTTP/1.1"));
      text.clear();
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(line);
      }
      const std::string reply = script_(line);
      ::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
      if (reply.find("Content-Length") == std::string::npos) {
        break;
      }
    }
    ::close(fd);
  }

  std::string path_;
  Script script_;
  int listener_ = -1;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
};

std::string version_answer(const std::string& offered, const std::string& oldest = "1.12") {
  return answer(200, R"({"Version":"x","ApiVersion":")" + offered + R"(","MinAPIVersion":")" + oldest + R"("})");
}

TEST(DockerEngine, AgreesOnAVersion) {
  const auto agreed = [](const std::string& offered, const std::string& oldest) {
    ScriptedEngine scripted([&](const std::string&) { return version_answer(offered, oldest); });
    DockerEngine engine(scripted.config());
    const auto info = engine.info();
    return info ? info->api_version : info.error().code;
  };
  EXPECT_EQ(agreed("1.41", "1.12"), "1.41");
  EXPECT_EQ(agreed("1.43", "1.12"), "1.43");
  EXPECT_EQ(agreed("1.50", "1.24"), "1.43");
  EXPECT_EQ(agreed("1.52", "1.44"), "1.44");
  EXPECT_EQ(agreed("1.40", "1.12"), errc::unavailable);
  EXPECT_EQ(agreed("nonsense", ""), errc::unavailable);
}

TEST(DockerEngine, APingTellsThatTheEngineShutsDown) {
  ScriptedEngine scripted(
      [&](const std::string& line) { return line == "GET /_ping" ? answer(200, "OK") : version_answer("1.41"); });
  DockerEngine engine(scripted.config());
  ASSERT_TRUE(engine.info());
  EXPECT_TRUE(engine.ping());
  scripted.stop_listening();
  EXPECT_TRUE(engine.info()) << "the connection of before still serves";
  const Result<void> ping = engine.ping();
  ASSERT_FALSE(ping);
  EXPECT_EQ(ping.error().code, errc::unavailable);
}

TEST(DockerEngine, SaysWhatToDoWithoutAnEngine) {
  DockerConfig config;
  config.socket_path = "/nowhere/docker.sock";
  DockerEngine engine(config);
  const auto info = engine.info();
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, errc::unavailable);
  EXPECT_EQ(
      info.error().message,
      "the Docker Engine does not answer (cannot connect to /nowhere/docker.sock: No such file or directory): start it "
      "(systemctl start docker), or name its socket in DOCKER_HOST");
}

TEST(DockerEngine, FindsAPullsFailureInsideASuccess) {
  std::string progress;
  ScriptedEngine scripted([&](const std::string& line) {
    if (line == "GET /version") {
      return version_answer("1.41");
    }
    if (line.starts_with("POST /v1.41/images/create")) {
      return chunked_head + chunk("{\"status\":\"Pulling from app\"}\r\n{\"sta") +
             chunk("tus\":\"x\"}\r\n" + progress) + chunk("");
    }
    return answer(200, R"({"Id":"sha256:ab","RepoDigests":["localhost:1/app@sha256:cd"]})");
  });
  DockerEngine engine(scripted.config());
  const auto pulled = engine.pull("localhost:1/app:1", RegistryLogin{"u", "p"});
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->id, "sha256:ab");
  EXPECT_THAT(scripted.requests(),
              ::testing::Contains("POST /v1.41/images/create?fromImage=localhost%3A1%2Fapp&tag=1"));
  progress = "{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n";
  EXPECT_EQ(engine.pull("localhost:1/app:1", {}).error().code, errc::not_found);
  progress = "{\"error\":\"unauthorized: authentication required\"}\r\n";
  EXPECT_EQ(engine.pull("localhost:1/app:1", {}).error().code, access_denied);
}

std::string die_event(int number) {
  const std::string nanos = std::to_string(1'795'455'195'000'000'000 + number);
  return R"({"Type":"container","Action":"die","Actor":{"ID":"c)" + std::to_string(number) +
         R"(","Attributes":{"exitCode":"1"}},"timeNano":)" + nanos + "}\n";
}

TEST(DockerEngine, LosesAndDoublesNoEventAcrossInterruptions) {
  log::set_level(log::Level::off);
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> seen;
  int connections = 0;
  bool done = false;
  ScriptedEngine scripted([&](const std::string& line) -> std::string {
    if (line == "GET /version") {
      return version_answer("1.41");
    }
    std::unique_lock lock(mutex);
    changed.notify_all();
    switch (connections++) {
      case 0:
        return chunked_head + chunk(die_event(1)) + chunk(die_event(2).substr(0, 30));  // broken off inside an event
      case 1:
        return answer(500, R"({"message":"not now"})");
      case 2:
        return chunked_head + chunk(die_event(1) + die_event(2)) + chunk(die_event(3)) + chunk("");
      default:
        changed.wait(lock, [&] { return done; });
        return answer(200, "");
    }
  });
  DockerEngine engine(scripted.config());
  auto subscription = engine.watch({}, [&](const Event& event) {
    const std::lock_guard lock(mutex);
    seen.push_back(event.kind == EventKind::reconnected ? "reconnected" : event.container);
    changed.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, patience, [&] { return connections == 4 || seen.size() > 5; }));
    EXPECT_THAT(seen, ::testing::ElementsAre("c1", "reconnected", "c2", "c3"));
  }
  subscription.reset();
  const std::lock_guard lock(mutex);
  done = true;
  changed.notify_all();
  log::set_level(log::Level::info);
}

TEST(DockerEngine, ReadsTheRestOfAFollowedOutputThatEndsEarly) {
  const auto frame = [](int nano, const std::string& text) {
    const std::string payload = "2026-11-23T17:27:03.00000000" + std::to_string(nano) + "Z " + text + "\n";
    return std::string("\1\0\0\0\0\0\0", 7) + static_cast<char>(payload.size()) + payload;
  };
  int inspected = 0;
  ScriptedEngine scripted([&](const std::string& line) {
    if (line == "GET /version") {
      return version_answer("1.41");
    }
    if (line.ends_with("/json")) {
      // Runs; was followed to an end, but runs on; has ended.
      return answer(200, ++inspected < 3 ? R"({"State":{"Status":"running"},"Config":{}})"
                                         : R"({"State":{"Status":"exited"},"Config":{}})");
    }
    const std::string first = frame(1, "a") + frame(1, "b");
    if (line.find("since") == std::string::npos) {
      return chunked_head + chunk(first) + chunk("");
    }
    if (line.find("follow=1") != std::string::npos) {
      return chunked_head + chunk(first + frame(2, "c")) + chunk("");
    }
    return chunked_head + chunk(frame(2, "c") + frame(2, "c") + frame(3, "d")) + chunk("");
  });
  DockerEngine engine(scripted.config());
  std::vector<std::string> lines;
  std::promise<Result<void>> end;
  const auto subscription = engine.follow_output(
      "web", 0, [&](const OutputLine& line) { lines.push_back(line.text); },
      [&](Result<void> result) { end.set_value(std::move(result)); });
  auto ended = end.get_future();
  ASSERT_EQ(ended.wait_for(patience), std::future_status::ready);
  const auto result = ended.get();
  EXPECT_TRUE(result) << result.error().message;
  EXPECT_THAT(lines, ::testing::ElementsAre("a", "b", "c", "c", "d"));
  EXPECT_EQ(scripted.requests().back(),
            "GET /v1.41/containers/web/logs?follow=0&stdout=1&stderr=1&timestamps=1&since=1795454823.000000002");
}

TEST(DockerEngine, TellsWhenOutputBreaks) {
  ScriptedEngine scripted([&](const std::string& line) {
    if (line == "GET /version") {
      return version_answer("1.41");
    }
    return line.ends_with("/json") ? answer(200, R"({"State":{"Status":"running"},"Config":{}})")
                                   : std::string(chunked_head);
  });
  DockerEngine engine(scripted.config());
  std::promise<Result<void>> end;
  const auto subscription = engine.follow_output(
      "web", 0, [](const OutputLine&) {}, [&](Result<void> result) { end.set_value(std::move(result)); });
  auto ended = end.get_future();
  ASSERT_EQ(ended.wait_for(patience), std::future_status::ready);
  EXPECT_EQ(ended.get().error().code, errc::unavailable);
}

TEST(DockerConfig, TakesOnlyUnixSockets) {
  ::setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock", 1);
  EXPECT_EQ(DockerConfig::from_environment().value().socket_path, "/run/user/1000/docker.sock");
  ::setenv("DOCKER_HOST", "tcp://127.0.0.1:2375", 1);
  EXPECT_EQ(DockerConfig::from_environment().error().code, errc::invalid);
  ::unsetenv("DOCKER_HOST");
  EXPECT_EQ(DockerConfig::from_environment().value().socket_path, "/var/run/docker.sock");
}

}  // namespace
}  // namespace kaapi::containers
