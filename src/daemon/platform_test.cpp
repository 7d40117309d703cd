// The whole platform on a fake engine: real files, real HTTP, real signatures.
#include "daemon/platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "aws/client.h"
#include "base/test_directory.h"
#include "containers/fake_engine.h"
#include "daemon/data_directory.h"
#include "daemon/metrics.h"
#include "http/client.h"

namespace kaapi::daemon {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr auto patience = 20s;

class PlatformTest : public testing::Test {
 protected:
  PlatformConfig config() const {
    PlatformConfig config;
    config.data_dir = directory_.path();
    config.listen_port = 0;
    config.account.account_id = "123456789012";
    config.account.region = "eu-central-1";
    config.version = "1.2.3";
    return config;
  }
  std::unique_ptr<Platform> started(const PlatformConfig& with) {
    Result<std::unique_ptr<Platform>> platform = Platform::open(with, engine_);
    EXPECT_TRUE(platform) << platform.error().message;
    const Result<void> listening = (*platform)->start();
    EXPECT_TRUE(listening) << listening.error().message;
    return std::move(*platform);
  }
  std::unique_ptr<Platform> started() { return started(config()); }
  Error refusal(const PlatformConfig& with) {
    const Result<std::unique_ptr<Platform>> platform = Platform::open(with, engine_);
    EXPECT_FALSE(platform);
    return platform ? Error() : platform.error();
  }
  static aws::Client client_of(const Platform& platform) {
    aws::ClientConfig client;
    client.endpoint_url = platform.endpoint();
    client.region = platform.account().region;
    client.credentials = {platform.account().access_key_id, platform.account().secret_access_key, ""};
    return aws::Client(client);
  }
  static http::ClientResponse get(const Platform& platform, const std::string& target) {
    http::Client client({"", "127.0.0.1", platform.port()});
    http::ClientRequest request;
    request.target = target;
    const Result<http::ClientResponse> response = client.send(request, patience);
    EXPECT_TRUE(response) << response.error().message;
    return response ? *response : http::ClientResponse();
  }

  TestDirectory directory_;
  SystemClock clock_;
  containers::FakeEngine engine_{clock_};
};

json::object container(const std::string& image) {
  return {{"name", "app"}, {"image", image}, {"memory", 16}, {"essential", true}};
}

TEST_F(PlatformTest, AnswersHealthAndMetricsWithoutAKey) {
  const auto platform = started();
  const http::ClientResponse health = get(*platform, "/healthz");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, R"({"status":"ok","version":"1.2.3"})");
  const http::ClientResponse metrics = get(*platform, "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.body, HasSubstr("kaapi_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("kaapi_http_requests_total "));
  EXPECT_THAT(metrics.body, HasSubstr("kaapi_engine_calls_waiting{lane=\"quick\"} "));
}

TEST_F(PlatformTest, KeepsAsMuchOfTheAuditLogAsItMay) {
  const std::filesystem::path folder = std::filesystem::path(directory_.path()) / "audit";
  std::filesystem::create_directory(folder);
  for (const char* name : {"audit-3.jsonl", "audit-4.jsonl", "audit-5.jsonl", "audit-6.jsonl"}) {
    std::ofstream(folder / name) << "\n";
  }
  PlatformConfig small = config();
  small.audit_max_mib = 47;  // two files of 16 MiB and not quite a third
  const auto platform = started(small);
  EXPECT_FALSE(std::filesystem::exists(folder / "audit-4.jsonl"));
  EXPECT_TRUE(std::filesystem::exists(folder / "audit-5.jsonl"));
  EXPECT_TRUE(std::filesystem::exists(folder / "audit-6.jsonl"));
}

TEST_F(PlatformTest, LetsNobodyInWithoutTheKey) {
  const auto platform = started();
  aws::ClientConfig stranger;
  stranger.endpoint_url = platform->endpoint();
  stranger.credentials = {platform->account().access_key_id, "wrong", ""};
  const auto answer = aws::Client(stranger).call("ecs", "ListClusters", json::object());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "InvalidSignatureException");
  EXPECT_EQ(get(*platform, "/v2/").status, 401);
}

TEST_F(PlatformTest, ServesEveryServiceOnOnePort) {
  const auto platform = started();
  aws::Client client = client_of(*platform);
  EXPECT_EQ(string_member(client.call("sts", "GetCallerIdentity", json::object()).value(), "Account"), "123456789012");
  EXPECT_TRUE(client.call("logs", "CreateLogGroup", json::object{{"logGroupName", "/app"}}));
  const auto repository = client.call("ecr", "CreateRepository", json::object{{"repositoryName", "app"}});
  ASSERT_TRUE(repository) << repository.error().message;
  EXPECT_EQ(string_member(*find_member(*repository, "repository"), "repositoryUri"),
            platform->registry_host() + "/app");
}

TEST_F(PlatformTest, KeepsEverythingOverARestart) {
  identity::Account account;
  std::string instance;
  {
    const auto platform = started();
    ASSERT_TRUE(client_of(*platform).call("ecs", "CreateCluster", json::object{{"clusterName", "shop"}}));
    account = platform->account();
    instance = platform->instance();
  }
  const auto platform = started();
  EXPECT_EQ(platform->account(), account);
  EXPECT_EQ(platform->instance(), instance);
  const auto clusters = client_of(*platform).call("ecs", "ListClusters", json::object());
  ASSERT_TRUE(clusters) << clusters.error().message;
  EXPECT_EQ(json::serialize(*clusters), R"({"clusterArns":["arn:aws:ecs:eu-central-1:123456789012:cluster/shop"]})");
}

TEST_F(PlatformTest, RunsATaskAndLeavesItRunningAtTheEnd) {
  engine_.add_image("app:1");
  std::promise<void> started_container;
  engine_.set_start([&](const containers::Container&) {
    started_container.set_value();
    return std::nullopt;
  });
  {
    const auto platform = started();
    aws::Client client = client_of(*platform);
    ASSERT_TRUE(client.call("ecs", "CreateCluster", json::object{{"clusterName", "shop"}}));
    const json::object definition{{"family", "job"}, {"containerDefinitions", json::array{container("app:1")}}};
    const auto registered = client.call("ecs", "RegisterTaskDefinition", definition);
    ASSERT_TRUE(registered) << registered.error().message;
    const auto run = client.call("ecs", "RunTask", json::object{{"cluster", "shop"}, {"taskDefinition", "job"}});
    ASSERT_TRUE(run) << run.error().message;
    ASSERT_EQ(started_container.get_future().wait_for(patience), std::future_status::ready);
  }
  EXPECT_EQ(engine_.running_count(), 1U);
}

TEST_F(PlatformTest, TellsClientsWhereItIsWhileItRuns) {
  EXPECT_EQ(running_endpoint(directory_.path()), std::nullopt);
  {
    const auto platform = started();
    EXPECT_EQ(running_endpoint(directory_.path()), platform->endpoint());
  }
  EXPECT_EQ(running_endpoint(directory_.path()), std::nullopt);
}

// `kaapi env` is often the next command of whoever waited for /healthz.
TEST_F(PlatformTest, TellsWhereItIsBeforeItAnswers) {
  auto opened = Platform::open(config(), engine_);
  ASSERT_TRUE(opened) << opened.error().message;
  std::filesystem::create_directory(directory_.file("endpoint"));  // so that it cannot be told
  EXPECT_FALSE((*opened)->start());
  http::Client client({"", "127.0.0.1", (*opened)->port()});
  EXPECT_FALSE(client.send(http::ClientRequest(), patience)) << "nobody listens yet";
}

TEST_F(PlatformTest, RefusesASecondInstance) {
  const auto platform = started();
  const Error error = refusal(config());
  EXPECT_EQ(error.code, errc::conflict);
  EXPECT_THAT(error.message, HasSubstr("already uses " + directory_.path()));
}

TEST_F(PlatformTest, RefusesATakenPort) {
  const auto platform = started();
  const TestDirectory other;
  PlatformConfig second = config();
  second.data_dir = other.path();
  second.listen_port = platform->port();
  auto opened = Platform::open(second, engine_);
  ASSERT_TRUE(opened);
  const Result<void> listening = (*opened)->start();
  ASSERT_FALSE(listening);
  EXPECT_THAT(listening.error().message, HasSubstr(std::to_string(platform->port())));
}

TEST_F(PlatformTest, RefusesDamagedData) {
  for (const std::string name : {"control.db", "logs.db", "registry.db"}) {
    { started(); }
    const std::string path = directory_.file(name);
    const std::string saved = path + ".saved";
    std::filesystem::copy_file(path, saved);
    std::ofstream(path, std::ios::binary) << std::string(9'000, 'x');
    const Error error = refusal(config());
    EXPECT_EQ(error.code, errc::damaged) << name;
    EXPECT_THAT(error.message, HasSubstr(path));
    EXPECT_THAT(error.message, HasSubstr("restore it from a backup"));
    std::filesystem::rename(saved, path);
  }
}

TEST_F(PlatformTest, RefusesOpenAccessOffLoopback) {
  PlatformConfig open_to_all = config();
  open_to_all.auth = false;
  open_to_all.listen_address = "0.0.0.0";
  const Error error = refusal(open_to_all);
  EXPECT_EQ(error.code, errc::invalid);
  EXPECT_THAT(error.message, HasSubstr("--auth off"));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(PlatformTest, WithoutAuthAnyKeyWillDo) {
  PlatformConfig open_to_all = config();
  open_to_all.auth = false;
  const auto platform = started(open_to_all);
  aws::ClientConfig anybody;
  anybody.endpoint_url = platform->endpoint();
  anybody.credentials = {"anybody", "anything", ""};
  EXPECT_TRUE(aws::Client(anybody).call("ecs", "ListClusters", json::object()));
  EXPECT_EQ(get(*platform, "/v2/").status, 200);
}

TEST_F(PlatformTest, StoppingTwiceIsHarmless) {
  const auto platform = started();
  EXPECT_TRUE(platform->stop());
  EXPECT_TRUE(platform->stop());
}

TEST(MetricsTest, AreWhatPrometheusReads) {
  Observed observed;
  observed.version = "1.2.3";
  observed.started_at = from_millis(1'750'000'000'125);
  observed.http = {7, 2, 1};
  observed.slow = {1, 4};
  observed.aws = "kaapi_aws_unauthenticated_total 0\n";
  EXPECT_EQ(metrics_text(observed),
            "# HELP kaapi_build_info The version that runs.\n"
            "# TYPE kaapi_build_info gauge\n"
            "kaapi_build_info{version=\"1.2.3\"} 1\n"
            "# HELP kaapi_start_time_seconds When this process started, since the Unix epoch.\n"
            "# TYPE kaapi_start_time_seconds gauge\n"
            "kaapi_start_time_seconds 1750000000.125\n"
            "# HELP kaapi_http_requests_total HTTP requests answered.\n"
            "# TYPE kaapi_http_requests_total counter\n"
            "kaapi_http_requests_total 7\n"
            "# HELP kaapi_http_refused_total HTTP requests refused as malformed, too large or too many.\n"
            "# TYPE kaapi_http_refused_total counter\n"
            "kaapi_http_refused_total 1\n"
            "# HELP kaapi_http_connections HTTP connections open now.\n"
            "# TYPE kaapi_http_connections gauge\n"
            "kaapi_http_connections 2\n"
            "# HELP kaapi_engine_calls_running Engine calls in progress.\n"
            "# TYPE kaapi_engine_calls_running gauge\n"
            "kaapi_engine_calls_running{lane=\"slow\"} 1\n"
            "kaapi_engine_calls_running{lane=\"quick\"} 0\n"
            "# HELP kaapi_engine_calls_waiting Engine calls that wait for a thread.\n"
            "# TYPE kaapi_engine_calls_waiting gauge\n"
            "kaapi_engine_calls_waiting{lane=\"slow\"} 4\n"
            "kaapi_engine_calls_waiting{lane=\"quick\"} 0\n"
            "kaapi_aws_unauthenticated_total 0\n");
}

}  // namespace
}  // namespace kaapi::daemon
