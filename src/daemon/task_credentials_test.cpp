// Who gets the credentials of a task's role at the task's address, and who does not; on a fake engine, with real
// sessions, and over real HTTP where it matters.

#include "daemon/task_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/test_directory.h"
#include "containers/fake_engine.h"
#include "ecs/driver.h"
#include "ecs/state.h"
#include "ecs/task_network.h"
#include "http/client.h"
#include "http/listener.h"
#include "identity/iam/database.h"

#include <unistd.h>

namespace kaapi::daemon {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;

constexpr std::chrono::seconds patience{20};
const identity::Account account{"123456789012", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                "eu-central-1"};

class TaskCredentials : public ::testing::Test {
 protected:
  TaskCredentials() {
    engine_.add_image("app:1");
    put_role("ecs-tasks.amazonaws.com");
  }

  void put_role(const std::string& trusted_service) {
    identity::Role role;
    role.name = "app";
    role.path = "/";
    role.id = "AROAEXAMPLEEXAMPLE123";
    role.arn = "arn:aws:iam::123456789012:role/app";
    role.trust.text = R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":")" +
                      trusted_service + R"("},"Action":"sts:AssumeRole"}]})";
    role.trust.document = identity::policy::parse(role.trust.text, identity::policy::Kind::trust).value();
    ASSERT_TRUE(directory_->write([&](identity::Edit& edit) -> Result<void> {
      edit.put(role);
      return ok();
    }));
  }

  ecs::Task task_of(const std::string& id, ecs::NetworkMode mode = ecs::NetworkMode::awsvpc) {
    ecs::Task task;
    task.id = id;
    task.region = "eu-central-1";
    task.cluster = "default";
    task.family = "web";
    task.network_mode = mode;
    task.role = "arn:aws:iam::123456789012:role/app";
    task.credentials_id = ids_.uuid();
    ecs::Container container;
    container.plan.name = "app";
    container.state.image_reference = "app:1";
    container.state.phase = ecs::Phase::running;
    task.containers.push_back(std::move(container));
    return task;
  }
  // Its container runs and may ask; returns the address that it asks from.
  std::string running(const ecs::Task& task) {
    EXPECT_TRUE(door_.admit(task));
    containers::ContainerSpec spec;
    spec.name = "container-of-" + task.id;
    spec.image = "app:1";
    spec.network = ecs::credentials_network;
    spec.labels = {{std::string(ecs::instance_label), "instance"}, {std::string(ecs::task_label), task.id}};
    const std::string container = engine_.create(spec).value();
    EXPECT_TRUE(engine_.start(container));
    return engine_.inspect(container).value().addresses.at(std::string(ecs::credentials_network));
  }
  http::Response ask(const std::string& source, const std::string& target, const std::string& method = "GET") {
    http::Request request;
    request.head.method = method;
    request.head.target = request.head.path = target;
    request.head.remote_address = source + ":40000";
    return door_.answer(request);
  }
  http::Response ask(const std::string& source, const ecs::Task& task) {
    return ask(source, "/v2/credentials/" + task.credentials_id);
  }
  static json::value body(const http::Response& response) {
    return parse_json(std::get<std::string>(response.body)).value();
  }
  std::shared_ptr<const identity::Session> session_of(const http::Response& response) {
    return sessions_->find(string_member(body(response), "AccessKeyId"));
  }
  TaskCredentialsConfig config() {
    TaskCredentialsConfig config;
    config.instance = "instance";
    config.account_id = account.account_id;
    config.address = "127.0.0.1";
    config.port = 0;
    config.max_body_bytes = 1024;
    return config;
  }
  void store(const ecs::Task& task) {
    ASSERT_TRUE(control_->write([&](store::Session& session) -> Result<void> {
      ecs::save_task(session, task);
      return ok();
    }));
  }
  static http::Response front_door(const http::Request& request) {
    return http::Response::text(200, "front door: " + request.head.path);
  }

  TestDirectory files_;
  ManualClock clock_;
  SeededIds ids_{3};
  containers::FakeEngine engine_{clock_};
  std::unique_ptr<store::Database> database_ = *store::Database::open(":memory:", identity::migrations());
  std::unique_ptr<store::Database> control_ = *store::Database::open(":memory:", ecs::migrations());
  store::Sealer sealer_ = *identity::open_sealer(*database_, files_.file("identity.key"));
  std::unique_ptr<identity::Directory> directory_ =
      *identity::Directory::open(*database_, sealer_, account, clock_, ids_);
  std::unique_ptr<identity::Sessions> sessions_ = *identity::Sessions::open(*database_, sealer_, clock_, ids_);
  identity::TaskCredentials credentials_{*directory_, *sessions_, clock_};
  TaskCredentialsDoor door_{engine_, credentials_, front_door, config()};
};

TEST_F(TaskCredentials, AreGivenToTheTasksContainersInTheFormOfEcs) {
  const ecs::Task task = task_of("t1");
  const http::Response given = ask(running(task), task);
  ASSERT_EQ(given.status, 200);
  const json::value shown = body(given);
  EXPECT_EQ(string_member(shown, "RoleArn"), "arn:aws:iam::123456789012:role/app");
  const auto session = session_of(given);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(string_member(shown, "SecretAccessKey"), session->secret_access_key);
  EXPECT_EQ(string_member(shown, "Token"), session->token);
  EXPECT_EQ(session->session_name, "t1");
  const std::string expiration = string_member(shown, "Expiration");
  EXPECT_EQ(expiration, format_time(std::chrono::floor<std::chrono::seconds>(session->expires_at)).substr(0, 19) + "Z");
}

TEST_F(TaskCredentials, AreNewOnesBeforeTheOldOnesEnd) {
  const ecs::Task task = task_of("t1");
  const std::string source = running(task);
  const auto first = session_of(ask(source, task));
  EXPECT_EQ(session_of(ask(source, task)), first);
  clock_.advance(hours(5) + std::chrono::minutes(1));
  const auto second = session_of(ask(source, task));
  EXPECT_NE(second->access_key_id, first->access_key_id);
  EXPECT_NE(sessions_->find(first->access_key_id), nullptr);
}

TEST_F(TaskCredentials, AreGivenToNobodyElse) {
  const ecs::Task task = task_of("t1");
  const ecs::Task other = task_of("t2");
  const std::string source = running(task);
  const std::string other_source = running(other);
  EXPECT_EQ(ask(source, task).status, 200);
  for (const std::string& stranger : {other_source, std::string("169.254.170.2"), std::string("169.254.171.9")}) {
    const http::Response refused = ask(stranger, task);
    EXPECT_EQ(refused.status, 404) << stranger;
    EXPECT_EQ(string_member(body(refused), "code"), "InvalidIdInRequest");
    EXPECT_EQ(int_member(body(refused), "HTTPErrorCode"), 404);
  }
  EXPECT_EQ(ask(source, "/v2/credentials/").status, 404);
  EXPECT_EQ(ask(source, "/v2/credentials/" + ids_.uuid()).status, 404);
  EXPECT_EQ(ask(source, "/v2/credentials/" + task.credentials_id, "PUT").status, 405);
  for (const char* outside : {"127.0.0.1", "172.17.0.5", "169.254.1.1", "[fe80::1]"}) {
    EXPECT_EQ(ask(outside, task).status, 403) << outside;
    EXPECT_EQ(ask(outside, "/").status, 403) << outside << ": nor any other door";
  }
}

TEST_F(TaskCredentials, OfATaskOnTheMachinesNetworkAreGivenToTheMachine) {
  const ecs::Task task = task_of("t1", ecs::NetworkMode::host);
  ASSERT_TRUE(door_.admit(task));
  // That address is the machine's own: what is asked from there cannot be told apart further.
  TaskCredentialsConfig real = config();
  real.address = std::string(ecs::credentials_address);
  TaskCredentialsDoor door(engine_, credentials_, front_door, real);
  store(task);
  ASSERT_TRUE(door.resume(*control_));
  http::Request request;
  request.head.method = "GET";
  request.head.path = "/v2/credentials/" + task.credentials_id;
  request.head.remote_address = "169.254.170.2:40000";
  EXPECT_EQ(door.answer(request).status, 200);
  request.head.remote_address = "169.254.170.3:40000";
  EXPECT_EQ(door.answer(request).status, 404);
}

TEST_F(TaskCredentials, AreRefusedWithTheReasonWhenTwoInterfacesHaveTheAddress) {
  TaskCredentialsConfig twice = config();
  twice.interfaces = [](const std::string&) { return std::vector<std::string>{"br-old", "br-new"}; };
  TaskCredentialsDoor door(engine_, credentials_, front_door, twice);
  const Result<void> admitted = door.admit(task_of("t1"));
  ASSERT_FALSE(admitted);
  EXPECT_EQ(admitted.error().code, "ResourceInitializationError");
  EXPECT_THAT(admitted.error().message, testing::HasSubstr("br-old, br-new"));
  EXPECT_THAT(admitted.error().message, testing::HasSubstr("ip link delete"));
}

TEST_F(TaskCredentials, AreOverWithTheTask) {
  const ecs::Task task = task_of("t1");
  const std::string source = running(task);
  const auto session = session_of(ask(source, task));
  door_.release(task.id);
  EXPECT_EQ(ask(source, task).status, 404);
  EXPECT_EQ(sessions_->find(session->access_key_id), nullptr);
  door_.release(task.id);
}

TEST_F(TaskCredentials, AreNotGivenWhenTheEngineDoesNotSayWhoAsks) {
  const ecs::Task task = task_of("t1");
  const std::string source = running(task);
  engine_.set_failure([](std::string_view call, const std::string&) -> std::optional<Error> {
    if (call != "list") return std::nullopt;
    return make_error(errc::unavailable, "nobody answered");
  });
  EXPECT_EQ(ask(source, task).status, 404);
}

TEST_F(TaskCredentials, EverythingElseIsForTheFrontDoor) {
  const std::string source = running(task_of("t1"));
  EXPECT_EQ(std::get<std::string>(ask(source, "/", "POST").body), "front door: /");
  EXPECT_EQ(std::get<std::string>(ask(source, "/v2/other").body), "front door: /v2/other");
}

TEST_F(TaskCredentials, ARoleThatDoesNotTrustTasksEndsTheStart) {
  put_role("ec2.amazonaws.com");
  const Result<void> refused = door_.admit(task_of("t1"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("ECS was unable to assume the role"));
  EXPECT_EQ(door_.port(), 0) << "no need to listen";
}

TEST_F(TaskCredentials, ATrustThatIsTakenBackShowsWhenNewOnesAreDue) {
  const ecs::Task task = task_of("t1");
  const std::string source = running(task);
  put_role("ec2.amazonaws.com");
  EXPECT_EQ(ask(source, task).status, 200) << "a session outlives its trust, as on AWS";
  clock_.advance(hours(5) + std::chrono::minutes(1));
  const http::Response refused = ask(source, task);
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(string_member(body(refused), "message"), HasSubstr("ECS was unable to assume the role"));
}

TEST_F(TaskCredentials, TheDoorIsOpenedByTheFirstTaskWithARole) {
  EXPECT_EQ(door_.port(), 0);
  ASSERT_TRUE(door_.admit(task_of("t1")));
  const std::uint16_t port = door_.port();
  ASSERT_NE(port, 0);
  ASSERT_TRUE(door_.admit(task_of("t2")));
  EXPECT_EQ(door_.port(), port);
  http::Client client({"", "127.0.0.1", port});
  http::ClientRequest request;
  request.target = "/";
  const Result<http::ClientResponse> response = client.send(request, patience);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 403) << "not from a container";
  door_.stop(std::chrono::milliseconds(100));
  EXPECT_EQ(door_.port(), 0);
  EXPECT_TRUE(door_.admit(task_of("t3"))) << "a platform that ends opens no door";
  EXPECT_EQ(door_.port(), 0);
}

TEST_F(TaskCredentials, AnAddressThatIsTakenIsSaidWithWhatToDo) {
  const http::Listener other = http::listen_on("127.0.0.1", 0).value();
  TaskCredentialsConfig taken = config();
  taken.port = other.port;
  TaskCredentialsDoor door(engine_, credentials_, front_door, taken);
  const Result<void> refused = door.admit(task_of("t1"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "ResourceInitializationError") << "not to be tried again";
  EXPECT_THAT(refused.error().message, HasSubstr("ResourceInitializationError: unable to give the task"));
  EXPECT_THAT(refused.error().message, HasSubstr("tasks without one are not affected"));
  ::close(other.fd);
  EXPECT_TRUE(door.admit(task_of("t2"))) << "and the next task finds it free";
}

TEST_F(TaskCredentials, ANetworkThatCannotBeMadeIsSaidWithWhatToDo) {
  containers::NetworkSpec other = ecs::credentials_network_spec();
  other.name = "other";
  ASSERT_TRUE(engine_.ensure_network(other));
  const Result<void> refused = door_.admit(task_of("t1"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "ResourceInitializationError");
  EXPECT_THAT(refused.error().message, HasSubstr("Pool overlaps"));
}

TEST_F(TaskCredentials, AnEngineThatDoesNotAnswerIsAskedAgain) {
  engine_.set_failure([](std::string_view call, const std::string&) -> std::optional<Error> {
    if (call != "ensure_network") return std::nullopt;
    return make_error(errc::unavailable, "nobody answered");
  });
  EXPECT_EQ(door_.admit(task_of("t1")).error().code, errc::unavailable);
}

TEST_F(TaskCredentials, ARestartGoesOnForRunningTasksAndRevokesTheOthers) {
  const ecs::Task lives = task_of("lives");
  ecs::Task ended = task_of("ended");
  const std::string source = running(lives);
  const std::string other_source = running(ended);
  const auto of_ended = session_of(ask(other_source, ended));
  store(lives);
  ended.status = ecs::TaskStatus::stopped;
  store(ended);

  identity::TaskCredentials credentials(*directory_, *sessions_, clock_);
  TaskCredentialsDoor door(engine_, credentials, front_door, config());
  ASSERT_TRUE(door.resume(*control_));
  EXPECT_NE(door.port(), 0);
  http::Request request;
  request.head.method = "GET";
  request.head.path = "/v2/credentials/" + lives.credentials_id;
  request.head.remote_address = source + ":40000";
  EXPECT_EQ(door.answer(request).status, 200);
  request.head.path = "/v2/credentials/" + ended.credentials_id;
  request.head.remote_address = other_source + ":40000";
  EXPECT_EQ(door.answer(request).status, 404);
  EXPECT_EQ(sessions_->find(of_ended->access_key_id), nullptr);
}

TEST_F(TaskCredentials, ARestartWithoutSuchTasksOpensNoDoor) {
  ecs::Task plain = task_of("plain");
  plain.role.clear();
  plain.credentials_id.clear();
  store(plain);
  ASSERT_TRUE(door_.resume(*control_));
  EXPECT_EQ(door_.port(), 0);
}

}  // namespace
}  // namespace kaapi::daemon
