// A job's Docker socket before an engine that the test plays.

#include "actions/docker/gate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "actions/docker/cleanup.h"
#include "actions/docker/engine_api.h"
#include "actions/docker/folders.h"
#include "actions/docker/owned.h"
#include "actions/docker/socket_folder.h"
#include "actions/docker/test_engine.h"
#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using Answer = TestEngine::Answer;
using Asked = TestEngine::Asked;

const Owner owner{"kaapi.job", "42.61184"};

Answer missing() {
  return {404, R"({"message":"No such thing"})", {}};
}

// Containers "own" and "other", images by their names.
class Machine {
 public:
  Machine() : engine([this](const Asked& asked) { return answer(asked); }) {}

  std::set<std::string> images;
  int networks = 0;
  std::function<std::optional<Answer>(const Asked&)> first;
  TestEngine engine;

 private:
  Answer answer(const Asked& asked) {
    if (first) {
      if (std::optional<Answer> given = first(asked)) return *given;
    }
    const std::string path = asked.target.substr(0, asked.target.find('?'));
    if (path == "/containers/own/json" || path == "/containers/other/json") {
      const bool own = path == "/containers/own/json";
      return {200, fmt::format(R"({{"Id":"id-{}","Config":{{"Labels":{{"kaapi.job":"{}"}}}}}})", own ? "own" : "other",
                               own ? owner.value : "43.61185")};
    }
    if (asked.method == "GET" && path.starts_with("/images/") && path.ends_with("/json")) {
      const std::string name = *percent_decode(path.substr(8, path.size() - 13));
      return images.contains(name) ? Answer{200, fmt::format(R"({{"Id":"id of {}"}})", name)} : missing();
    }
    if (asked.method == "GET" && path == "/networks") {
      json::array all(static_cast<std::size_t>(networks), json::object{{"Id", "n"}});
      return {200, json::serialize(all)};
    }
    return path.find("other") == std::string::npos ? Answer() : missing();
  }
};

class DockerGate : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.file("job"));
    GateConfig config;
    config.engine_socket = machine_.engine.path();
    config.sockets = folder_.file("sockets");
    config.uid = ::getuid();
    config.gid = ::getgid();
    config.owner = owner;
    config.own_names = "kaapi-job-42";
    config.job_folder = folder_.file("job");
    gate_ = Gate::open(config).value();
  }

  FileDescriptor connect() { return connect_unix(gate_->socket()).value(); }
  // The whole answer to one request.
  std::string ask(std::string_view line, std::string_view body = {}) {
    const FileDescriptor client = connect();
    const std::string request =
        fmt::format("{} HTTP/1.1\r\nHost: d\r\nContent-Length: {}\r\n\r\n{}", line, body.size(), body);
    EXPECT_TRUE(send_all(client.get(), request, -1, test_limit()));
    return read_all(client.get(), "}");
  }
  std::optional<Asked> last(std::string_view method, std::string_view target) {
    return machine_.engine.last(method, target);
  }

  const TestDirectory folder_;
  Machine machine_;
  std::unique_ptr<Gate> gate_;
};

TEST_F(DockerGate, OnlyOwnContainersAreTouchedAndByTheirIds) {
  EXPECT_THAT(ask("POST /v1.41/containers/own/stop?t=1"), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(last("POST", "/v1.41/containers/id-own/stop?t=1"));
  for (const char* line : {"POST /containers/other/stop", "DELETE /containers/other", "GET /containers/none/json"}) {
    EXPECT_THAT(ask(line), StartsWith("HTTP/1.1 404")) << line;
  }
  EXPECT_FALSE(last("POST", "/containers/other/stop"));
  EXPECT_FALSE(last("DELETE", "/containers/"));
  EXPECT_THAT(ask("DELETE /containers/own?v=0&force=1"), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(last("DELETE", "/containers/id-own?force=1&v=1")) << "nameless volumes would be nobody's";
}

TEST_F(DockerGate, AQueryHasNamesThatAreKnownForItsCall) {
  for (const char* line : {"POST /containers/own/start?checkpoint=a", "POST /containers/own/start?checkpoint-dir=/etc",
                           "DELETE /containers/own?link=1", "POST /containers/own/rename?name=kaapi-x",
                           "POST /images/create?fromSrc=http://x/y", "POST /build?remote=git@github.com:a/b.git",
                           "POST /build?remote=ssh://a/b", "POST /build?labels=%7B%22kaapi.task%22%3A%22t%22%7D",
                           "POST /build?t=sha256:abc", "POST /images/x/tag?repo=sha256&tag=abc"}) {
    EXPECT_THAT(ask(line), StartsWith("HTTP/1.1 403")) << line;
  }
  EXPECT_THAT(ask("DELETE /containers/own?link=False"), StartsWith("HTTP/1.1 200")) << "as docker-py says it";
  ask("POST /build?labels=%7B%22kaapi.job%22%3A%2242%22%7D&t=a");
  EXPECT_THAT(*percent_decode(last("POST", "/build")->target), HasSubstr(R"({"kaapi.job":"42.61184"})"));
  EXPECT_TRUE(gate_->made_any());
}

TEST_F(DockerGate, OnlyNamesThatWereNobodysAreTheJobs) {
  machine_.images = {"theirs:1"};
  ask("POST /images/theirs:1/tag?repo=theirs&tag=1");
  EXPECT_THAT(ask("DELETE /images/theirs:1"), StartsWith("HTTP/1.1 403")) << "it had a name before";
  machine_.first = [this](const Asked& asked) -> std::optional<Answer> {
    if (!asked.target.starts_with("/images/theirs:1/tag")) return std::nullopt;
    machine_.images.insert("mine:2");
    return Answer{201, ""};
  };
  const FileDescriptor client = connect();
  EXPECT_TRUE(send_all(client.get(), "POST /images/theirs:1/tag?repo=mine&tag=2 HTTP/1.1\r\nHost: d\r\n\r\n", -1,
                       test_limit()));
  EXPECT_THAT(read_all(client.get()), StartsWith("HTTP/1.1 201"));
  EXPECT_THAT(ask("DELETE /images/mine:2?force=yes"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("DELETE /images/mine:2"), StartsWith("HTTP/1.1 200"));
}

TEST_F(DockerGate, ANameThatTheEngineDidNotGiveIsNotTheJobs) {
  machine_.first = [this](const Asked& asked) -> std::optional<Answer> {
    if (!asked.target.starts_with("/images/none/tag")) return std::nullopt;
    machine_.images.insert("later:1");  // by somebody else
    return missing();
  };
  EXPECT_THAT(ask("POST /images/none/tag?repo=later&tag=1"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask("DELETE /images/later:1"), StartsWith("HTTP/1.1 403"));
}

TEST_F(DockerGate, ABuildThatFailsGivesNoName) {
  std::atomic<bool> fails{true};
  machine_.first = [&](const Asked& asked) -> std::optional<Answer> {
    if (!asked.target.starts_with("/build")) return std::nullopt;
    machine_.images.insert("built:1");  // when it fails, by somebody else
    return Answer{200, fails ? R"({"stream":"Step 1"}{"errorDetail":{"message":"no"},"error":"no"})"
                             : R"({"stream":"Successfully tagged built:1"})"};
  };
  EXPECT_THAT(ask("POST /build?t=built:1"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("DELETE /images/built:1"), StartsWith("HTTP/1.1 403"));
  fails = false;
  machine_.images.clear();
  // It leaves as soon as it has its answer, before the gate has heard of the end.
  EXPECT_THAT(ask("POST /build?t=built:1"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("DELETE /images/built:1"), StartsWith("HTTP/1.1 200"));
}

TEST_F(DockerGate, NetworksAreBoundedAndThePlatformsNamesAreItsOwn) {
  EXPECT_THAT(ask("POST /networks/create", R"({"Name":"kaapi-job-42-7"})"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(last("POST", "/networks/create")->body, HasSubstr(R"("kaapi.job":"42.61184")"));
  for (const char* name : {"kaapi-job-43-7", "kaapi-job-42x", "kaapi-tasks"}) {
    EXPECT_THAT(ask("POST /networks/create", fmt::format(R"({{"Name":"{}"}})", name)), StartsWith("HTTP/1.1 403"));
  }
  machine_.networks = static_cast<int>(max_networks);
  EXPECT_THAT(ask("POST /networks/create", R"({"Name":"n"})"), HasSubstr("8 networks"));
}

TEST_F(DockerGate, PruningImagesAndBuildsTakesNothing) {
  EXPECT_THAT(ask("POST /images/prune"), HasSubstr("ImagesDeleted"));
  EXPECT_THAT(ask("POST /build/prune?all=1"), HasSubstr("CachesDeleted"));
  EXPECT_FALSE(last("POST", "/build/prune"));
}

TEST_F(DockerGate, BodiesThatAreLookedIntoAreBounded) {
  EXPECT_THAT(ask("POST /containers/create", std::string(max_checked_body_bytes + 1, ' ')), StartsWith("HTTP/1.1 413"));
  machine_.first = [](const Asked& asked) -> std::optional<Answer> {
    if (asked.target != "/exec/e/json") return std::nullopt;
    return Answer{200, R"({"ContainerID":"own"})"};
  };
  EXPECT_THAT(ask("POST /exec/e/start", std::string(max_start_body_bytes + 1, ' ')), StartsWith("HTTP/1.1 413"));
}

TEST_F(DockerGate, AContainerIsMadeWithWhatTheJobMayGiveIt) {
  EXPECT_THAT(ask("POST /containers/create?name=web",
                  R"({"Image":"app","ExposedPorts":{"80/tcp":{}},"HostConfig":{"PublishAllPorts":true,
                      "Links":["own:db"],"PidMode":"container:own","Binds":["/etc/localtime:/etc/localtime:ro"]}})"),
              StartsWith("HTTP/1.1 200"));
  const std::string body = last("POST", "/containers/create")->body;
  for (const char* part : {R"("Links":["id-own:db"])", R"("PidMode":"container:id-own")", R"("HostIp":"127.0.0.1")",
                           R"("/etc/localtime:/etc/localtime:ro")", R"("kaapi.job":"42.61184")"}) {
    EXPECT_THAT(body, HasSubstr(part));
  }
  EXPECT_THAT(body, Not(HasSubstr("PublishAllPorts")));
  for (const char* host : {R"("Links":["other:db"])", R"("PidMode":"container:other")",
                           R"("Binds":["/etc/shadow:/s:ro"])", R"("Binds":["/etc/passwd:/s"])"}) {
    EXPECT_THAT(ask("POST /containers/create", fmt::format(R"({{"HostConfig":{{{}}}}})", host)),
                StartsWith("HTTP/1.1 4"))
        << host;
  }
}

// An exec's stream, which gives back what it gets until that ends.
Answer echo() {
  return {101, "", [](int fd) {
            EXPECT_TRUE(send_all(fd, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\n", -1, test_limit()));
            EXPECT_TRUE(send_all(fd, "got " + read_all(fd), -1, test_limit()));
          }};
}

std::optional<Answer> exec_of_own(const Asked& asked) {
  if (asked.target == "/exec/e/json") return Answer{200, R"({"ContainerID":"own"})"};
  return asked.target.starts_with("/exec/e/start") ? std::optional(echo()) : std::nullopt;
}

TEST_F(DockerGate, WhatComesRightBehindTheBodyOfAStartIsTheStreams) {
  machine_.first = exec_of_own;
  const FileDescriptor client = connect();
  EXPECT_TRUE(
      send_all(client.get(),
               "POST /exec/e/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: other\r\n"
               "HTTP2-Settings: x\r\nContent-Length: 2\r\n\r\n{}first ",
               -1, test_limit()));
  EXPECT_TRUE(send_all(client.get(), "second", -1, test_limit()));
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_THAT(read_all(client.get()), testing::EndsWith("\r\n\r\ngot first second"));
  const Asked asked = *last("POST", "/exec/e/start");
  EXPECT_THAT(asked.head, HasSubstr("\r\nUpgrade: tcp\r\n"));
  EXPECT_THAT(asked.head, Not(HasSubstr("HTTP2")));
  EXPECT_EQ(asked.body, "{}");
}

TEST_F(DockerGate, AClientThatOnlySendsNoMoreGetsItsAnswer) {
  const FileDescriptor client = connect();
  EXPECT_TRUE(send_all(client.get(), "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n", -1, test_limit()));
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_THAT(read_all(client.get()), StartsWith("HTTP/1.1 200"));
}

// Said on and on, slowly, until nobody takes it.
void drip(int fd) {
  while (send_all(fd, "line\n", -1, test_limit())) {
    (void)wait_readable(fd, -1, std::chrono::steady_clock::now() + std::chrono::milliseconds(50));
  }
}

TEST_F(DockerGate, AClientThatHasGoneEndsWhatItAskedFor) {
  std::mutex mutex;
  std::condition_variable changed;
  int over = 0;
  machine_.first = [&](const Asked& asked) -> std::optional<Answer> {
    const bool silent = asked.target.ends_with("/logs?follow=1") || asked.target.ends_with("/attach");
    if (!silent && !asked.target.ends_with("/logs?tail=1")) return std::nullopt;
    const char* head = asked.method == "GET" ? "HTTP/1.1 200 OK\r\n\r\n" : "HTTP/1.1 101 X\r\n\r\n";
    return Answer{200, "", [&, head, silent](int fd) {
                    EXPECT_TRUE(send_all(fd, head, -1, test_limit()));
                    // Where nothing more is ever said it ends when the gate closes the line.
                    if (silent) {
                      EXPECT_EQ(read_all(fd), "");
                    } else {
                      drip(fd);
                    }
                    const std::lock_guard lock(mutex);
                    ++over;
                    changed.notify_all();
                  }};
  };
  for (const char* line :
       {"GET /containers/own/logs?follow=1", "GET /containers/own/logs?tail=1", "POST /containers/own/attach"}) {
    const FileDescriptor client = connect();
    EXPECT_TRUE(send_all(client.get(), fmt::format("{} HTTP/1.1\r\nHost: d\r\n\r\n", line), -1, test_limit()));
    EXPECT_THAT(read_all(client.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 "));
  }
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_until(lock, test_limit(), [&] { return over == 3; }));
}

TEST_F(DockerGate, StoppingEndsClientsThatDoNotRead) {
  std::atomic<bool> flooding{false};
  machine_.first = [&](const Asked& asked) -> std::optional<Answer> {
    if (!asked.target.ends_with("/logs")) return std::nullopt;
    return Answer{200, "", [&](int fd) {
                    flooding = true;
                    const std::string much(1024UL * 1024, 'x');
                    (void)send_all(fd, "HTTP/1.1 200 OK\r\n\r\n", -1, test_limit());
                    while (send_all(fd, much, -1, test_limit())) {
                    }
                  }};
  };
  const FileDescriptor reads_nothing = connect(), says_nothing = connect(), says_half = connect();
  EXPECT_TRUE(send_all(reads_nothing.get(), "GET /containers/own/logs HTTP/1.1\r\nHost: d\r\n\r\n", -1, test_limit()));
  EXPECT_TRUE(send_all(says_half.get(), "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n{", -1,
                       test_limit()));
  while (!flooding) std::this_thread::yield();
  const auto began = std::chrono::steady_clock::now();
  gate_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
  EXPECT_FALSE(connect_unix(gate_->socket())) << "nobody listens any more";
}

TEST(SocketFolder, NoTwoJobsHaveTheSameAndWhatEarlierOnesLeftGoes) {
  const TestDirectory base;
  const auto mine = [&](const char* name) { return base.file(name); };
  // As an engine makes it where a container that it starts again had a socket.
  std::filesystem::create_directories(mine("61184-old/docker.sock"));
  std::filesystem::create_directories(mine("61184-old/pins/1"));
  std::ofstream(mine("61184-old/pins/2")) << "";
  std::filesystem::create_directories(mine("611840-others/docker.sock"));
  std::string first;
  {
    const SocketFolder folder = SocketFolder::make(base.path(), 61184).value();
    first = folder.socket();
    EXPECT_FALSE(std::filesystem::exists(mine("61184-old")));
    EXPECT_TRUE(std::filesystem::exists(mine("611840-others/docker.sock")));
    EXPECT_TRUE(std::filesystem::exists(folder.pins()));
    std::filesystem::create_directories(folder.socket());
  }
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(first).parent_path()));
  const SocketFolder next = SocketFolder::make(base.path(), 61184).value();
  EXPECT_NE(next.socket(), first);
}

TEST(DockerFolders, AreHeldOnceAndOnlyWhatIsTheJobs) {
  const TestDirectory base;
  std::filesystem::create_directories(base.file("real/job/in"));
  std::filesystem::create_directories(base.file("real/shared"));
  std::filesystem::create_directories(base.file("pins"));
  std::filesystem::create_directory_symlink(base.file("real"), base.file("work"));
  std::filesystem::create_directory_symlink("/etc", base.file("real/job/out"));
  Folders folders =
      Folders::open(base.file("work/job"), base.file("work/shared"), base.file("pins"), ::getuid(), ::getgid()).value();
  EXPECT_EQ(folders.pin("/etc", true, false).error().status, 403);
  EXPECT_EQ(folders.pin(base.file("work/job/out"), false, false).error().status, 403);
  EXPECT_EQ(folders.pin(base.file("work/job/../shared"), false, false).error().status, 403) << "not writable";
  EXPECT_EQ(folders.pin(base.file("work/job/none"), false, false).error().code, errc::not_found);
  const Result<std::string> pin = folders.pin(base.file("work/job/in"), false, false);
  if (!pin) {
    EXPECT_THAT(pin.error().message, HasSubstr("allowed to mount"));
    return;
  }
  for (std::size_t i = 0; i < max_pins + 1; ++i) {
    ASSERT_EQ(folders.pin(base.file("work/job/in"), false, false).value(), *pin);
  }
  EXPECT_EQ(folders.pin(base.file("real/job/in"), true, false).value(), *pin) << "by its name without links";
  std::ofstream(*pin + "/file") << "written";
  EXPECT_TRUE(std::filesystem::exists(base.file("real/job/in/file")));
  const std::string shared = folders.pin(base.file("work/shared"), true, false).value();
  EXPECT_FALSE(std::ofstream(shared + "/file") << "not written") << "also by root";
  EXPECT_EQ(::mknod((*pin + "/device").c_str(), S_IFCHR | 0600, 0), -1 * (::geteuid() != 0));
  EXPECT_TRUE(std::filesystem::exists(folders.pin(base.file("work/job/new/er"), false, true).value()));
}

TEST(DockerCleanup, RemovesOneByOneAndTriesAgain) {
  int refusals = 2;
  std::set<std::string> there = {"a", "b"};
  TestEngine engine([&](const Asked& asked) -> Answer {
    if (asked.method == "DELETE") {
      const std::string id = asked.target.substr(12, 1);
      if (asked.target.starts_with("/containers/") && id == "a" && refusals-- > 0)
        return {409, R"({"message":"busy"})", {}};
      there.erase(id);
      return {204, "", {}};
    }
    if (!asked.target.starts_with("/containers/json?all=1")) return {200, "[]", {}};
    json::array all;
    for (const std::string& id : there) all.push_back(json::object{{"Id", id}});
    all.push_back(json::object{{"Id", "task"}, {"Labels", json::object{{"kaapi.instance", "i"}}}});
    return {200, json::serialize(all), {}};
  });
  EXPECT_THAT(remove_owned(engine_at_socket(engine.path()), owner, std::chrono::milliseconds(1)), IsEmpty());
  EXPECT_THAT(there, IsEmpty());
  EXPECT_TRUE(engine.last("DELETE", "/containers/a?force=1&v=1"));
  EXPECT_FALSE(engine.last("DELETE", "/containers/task")) << "its image has brought the label along";
  EXPECT_THAT(*percent_decode(engine.last("GET", "/containers/json")->target), HasSubstr("kaapi.job=42.61184"));
}

TEST(DockerCleanup, TellsWhatIsLeft) {
  TestEngine engine([](const Asked& asked) -> Answer {
    if (asked.method == "DELETE") return {500, R"({"message":"device or resource busy"})", {}};
    if (asked.target.starts_with("/containers/json")) return {200, R"([{"Id":"stuck"}])", {}};
    return {200, asked.target.starts_with("/volumes") ? R"({"Volumes":null})" : "[]", {}};
  });
  EXPECT_THAT(remove_owned(engine_at_socket(engine.path()), owner, std::chrono::milliseconds(1)),
              ElementsAre("container stuck: device or resource busy"));
  EXPECT_EQ(remove_owned(engine_at_socket("/nowhere"), owner, std::chrono::milliseconds(1)).size(), 1U);
}

TEST(DockerEngine, IsFoundByDockerHost) {
  EXPECT_EQ(engine_at("")->unix_path, "/var/run/docker.sock");
  EXPECT_EQ(engine_at("unix:///x/y.sock")->unix_path, "/x/y.sock");
  EXPECT_EQ(engine_at("tcp://host:2375")->port, 2375);
  for (const char* other : {"ssh://host", "tcp://host:2376", "tcp://host:x", "npipe:////./pipe/docker"}) {
    EXPECT_FALSE(engine_at(other)) << other;
  }
}

TEST(DockerEngine, OldOnesAreWarnedOf) {
  for (const char* old : {"20.10.24+dfsg1", "24.0.8", "25.0.1", "23.0.15"}) {
    EXPECT_THAT(engine_warning(old), HasSubstr("CVE-2024-21626")) << old;
  }
  for (const char* good : {"24.0.9", "25.0.2", "26.1.5", "28.2.2", "", "unknown"}) {
    EXPECT_EQ(engine_warning(good), "") << good;
  }
}

}  // namespace
}  // namespace kaapi::actions::docker
