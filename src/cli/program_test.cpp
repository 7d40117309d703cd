#include "cli/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <sstream>

#include "base/test_directory.h"
#include "cli/git_credential.h"
#include "cli/target.h"

namespace kaapi::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    surroundings_.up = [this](const UpCommand& command) {
      up_ = command;
      return 0;
    };
    surroundings_.running_endpoint = [this](const std::string&) { return running_; };
    surroundings_.last_endpoint = [this](const std::string&) { return last_; };
    surroundings_.variable = [this](const char* name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    surroundings_.version = "1.2.3";
  }

  int run(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "kaapi");
    out_.str("");
    err_.str("");
    return run_program(static_cast<int>(arguments.size()), arguments.data(), surroundings_, out_, err_);
  }
  void make_account() {
    const std::string path = data_ + "/account.json";
    std::ofstream(path) << R"({"account_id":"123456789012","access_key_id":"AKIAIOSFODNN7EXAMPLE",)"
                        << R"("secret_access_key":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY","region":"eu-west-1"})";
    ::chmod(path.c_str(), 0600);
  }

  Surroundings surroundings_;
  std::map<std::string, std::string> variables_;
  std::optional<std::string> running_;
  std::optional<std::string> last_;
  std::optional<UpCommand> up_;
  const TestDirectory directory_;
  const std::string& data_ = directory_.path();
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(ProgramTest, UpHasDefaults) {
  variables_["HOME"] = "/home/me";
  ASSERT_EQ(run({"up"}), exit_success);
  UpCommand expected;
  expected.data_dir = "/home/me/.local/share/kaapi";
  expected.pipeline.runner_slots = 2;
  EXPECT_EQ(up_, expected);
  EXPECT_EQ(expected.listen, (ListenAddress{"127.0.0.1", 4566}));
}

TEST_F(ProgramTest, UpTakesEveryOption) {
  ASSERT_EQ(run({"up",
                 "--listen",
                 "[::1]:80",
                 "--data",
                 "/d",
                 "--region",
                 "eu-west-1",
                 "--account-id",
                 "123456789012",
                 "--auth",
                 "off",
                 "--log-level",
                 "debug",
                 "--aws-timing",
                 "--public-host",
                 "r.example.com",
                 "--audit-max-mib",
                 "64",
                 "--runner-slots",
                 "5",
                 "--runner-option=--original=all",
                 "--max-jobs",
                 "4",
                 "--retry-lost-jobs",
                 "0",
                 "--keep-runs",
                 "7",
                 "--keep-artifacts",
                 "8",
                 "--artifacts-max-gib",
                 "9",
                 "--caches-max-gib",
                 "3",
                 "--trust-github"}),
            exit_success);
  UpCommand expected;
  expected.listen = {"[::1]", 80};
  expected.data_dir = "/d";
  expected.region = "eu-west-1";
  expected.account_id = "123456789012";
  expected.public_host = "r.example.com";
  expected.auth = false;
  expected.aws_timing = true;
  expected.audit_max_mib = 64;
  expected.pipeline = {5, {"--original=all"}, 4, 0, 7, 8, 9, 3, true};
  expected.log_level = log::Level::debug;
  EXPECT_EQ(up_, expected);
}

TEST_F(ProgramTest, UpPassesItsExitCodeOn) {
  surroundings_.up = [](const UpCommand&) { return 1; };
  EXPECT_EQ(run({"up"}), 1);
}

TEST_F(ProgramTest, FindsTheDataDirectory) {
  EXPECT_EQ(default_data_dir(surroundings_), "kaapi-data");
  variables_["HOME"] = "/home/me";
  variables_["XDG_DATA_HOME"] = "/xdg";
  EXPECT_EQ(default_data_dir(surroundings_), "/xdg/kaapi");
  surroundings_.is_root = true;
  EXPECT_EQ(default_data_dir(surroundings_), "/var/lib/kaapi");
  variables_["KAAPI_DATA"] = "/mine";
  EXPECT_EQ(default_data_dir(surroundings_), "/mine");
}

TEST_F(ProgramTest, UsageErrorsAreOneLineThatNamesTheArgument) {
  const std::vector<std::pair<std::vector<const char*>, const char*>> cases = {
      {{"up", "--bogus"}, "--bogus"},
      {{"up", "--listen", "4566"}, "'4566' is no address to listen on"},
      {{"up", "--listen", "::1:80"}, "'::1:80'"},
      {{"up", "--listen", "127.0.0.1:65536"}, "'127.0.0.1:65536'"},
      {{"up", "--auth", "maybe"}, "--auth"},
      {{"up", "--log-level", "loud"}, "loud"},
      {{"up", "--audit-max-mib", "31"}, "--audit-max-mib"},
      {{"up", "--audit-max-mib", "2000000"}, "--audit-max-mib"},
      {{"up", "--audit-max-mib", "lots"}, "--audit-max-mib"},
      {{"status", "--watch", "--json"}, "--watch"},
      {{"up", "--runner-slots", "65"}, "--runner-slots: \"65\" does not fit: expected a whole number from 0 to 64"},
      {{"audit", "--last", "-1"}, "--last: \"-1\" does not fit: expected a whole number from 0;"},
      {{"run", "list", "--limit", "lots"}, "--limit: \"lots\" does not fit: expected a whole number from 1 to 100"},
      {{"dance"}, "dance"},
  };
  for (const auto& [arguments, named] : cases) {
    EXPECT_EQ(run(arguments), exit_usage) << named;
    EXPECT_THAT(err_.str(), StartsWith("kaapi: "));
    EXPECT_THAT(err_.str(), HasSubstr(named));
    const std::string told = err_.str();
    EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 1) << told;
    EXPECT_EQ(out_.str(), "");
  }
  EXPECT_FALSE(up_);
}

TEST_F(ProgramTest, WhatIsNoIdOfARunIsNamed) {
  for (const char* command : {"show", "watch", "log", "artifacts", "rerun", "cancel", "approve", "reject", "delete"}) {
    for (const std::string id : {"abc", "-1", "0", "1.5", ""}) {
      EXPECT_EQ(run({"run", command, id.c_str(), "--data", data_.c_str()}), exit_usage) << command << " " << id;
      EXPECT_EQ(err_.str(), "kaapi: run: \"" + id +
                                "\" is no id of a run: expected a number from 1, as kaapi run list shows; see kaapi "
                                "--help\n");
    }
  }
}

TEST_F(ProgramTest, WithoutArgumentsItTeaches) {
  EXPECT_EQ(run({}), exit_usage);
  EXPECT_THAT(err_.str(), HasSubstr("First steps:"));
}

TEST_F(ProgramTest, HelpAndVersionSucceed) {
  for (const auto* command : {"up", "env", "status", "doctor"}) {
    EXPECT_EQ(run({command, "--help"}), exit_success);
    EXPECT_THAT(out_.str(), HasSubstr("Usage: kaapi " + std::string(command)));
    EXPECT_THAT(out_.str(), HasSubstr("Examples:\n  "));
  }
  EXPECT_EQ(run({"--help"}), exit_success);
  EXPECT_EQ(run({"version"}), exit_success);
  EXPECT_EQ(out_.str(), "kaapi 1.2.3\n");
  EXPECT_EQ(run({"--version"}), exit_success);
  EXPECT_EQ(out_.str(), "kaapi 1.2.3\n");
}

TEST_F(ProgramTest, EnvPrintsWhatClientsNeed) {
  make_account();
  running_ = "http://127.0.0.1:5000";
  ASSERT_EQ(run({"env", "--data", data_.c_str()}), exit_success) << err_.str();
  EXPECT_EQ(out_.str(),
            "export AWS_ENDPOINT_URL=http://127.0.0.1:5000\n"
            "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n"
            "export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n"
            "export AWS_REGION=eu-west-1\n"
            "export AWS_DEFAULT_REGION=eu-west-1\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ProgramTest, EnvSaysWhenNothingRuns) {
  make_account();
  ASSERT_EQ(run({"env", "--data", data_.c_str()}), exit_success);
  EXPECT_THAT(out_.str(), HasSubstr("AWS_ENDPOINT_URL=http://127.0.0.1:4566\n"));
  EXPECT_THAT(err_.str(), HasSubstr("no platform runs in " + data_));
  last_ = "http://172.17.0.1:4610";
  ASSERT_EQ(run({"env", "--data", data_.c_str()}), exit_success);
  EXPECT_THAT(out_.str(), HasSubstr("AWS_ENDPOINT_URL=http://172.17.0.1:4610\n"));
}

TEST_F(ProgramTest, EnvQuotesForTheShell) {
  make_account();
  ASSERT_EQ(run({"env", "--data", data_.c_str(), "--endpoint", "http://x/$(rm it's)"}), exit_success);
  EXPECT_THAT(out_.str(), HasSubstr(R"(AWS_ENDPOINT_URL='http://x/$(rm it'\''s)')"));
}

TEST_F(ProgramTest, EnvWithoutAnAccountSaysHowToStart) {
  EXPECT_EQ(run({"env", "--data", data_.c_str()}), exit_failure);
  EXPECT_THAT(err_.str(), HasSubstr("start one with: kaapi up --data " + data_));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ProgramTest, StatusAsksThePlatformOfTheDataDirectory) {
  make_account();
  running_ = "http://127.0.0.1:5000";
  variables_["AWS_ACCESS_KEY_ID"] = "other";
  StatusCommand command;
  command.data_dir = data_;
  command.data_dir_given = true;
  const Target target = find_target(command, surroundings_).value();
  EXPECT_EQ(target.endpoint, "http://127.0.0.1:5000");
  EXPECT_EQ(target.region, "eu-west-1");
  EXPECT_EQ(target.credentials.access_key_id, "AKIAIOSFODNN7EXAMPLE");
}

TEST_F(ProgramTest, StatusAsksWhomTheEnvironmentNames) {
  StatusCommand command;
  command.data_dir = data_;
  variables_ = {
      {"AWS_ACCESS_KEY_ID", "key"}, {"AWS_SECRET_ACCESS_KEY", "secret"}, {"AWS_DEFAULT_REGION", "eu-north-1"}};
  Target target = find_target(command, surroundings_).value();
  EXPECT_EQ(target.endpoint, "");  // AWS itself
  EXPECT_EQ(target.region, "eu-north-1");
  EXPECT_EQ(target.credentials.secret_access_key, "secret");

  variables_["AWS_ENDPOINT_URL"] = "http://there:1";
  command.region = "us-west-2";
  target = find_target(command, surroundings_).value();
  EXPECT_EQ(target.endpoint, "http://there:1");
  EXPECT_EQ(target.region, "us-west-2");
}

TEST_F(ProgramTest, NobodyIsAskedInPlaceOfAPlatformThatIsNotRunning) {
  make_account();
  const std::string start = "start it with the options that it had: kaapi up --data " + data_;
  EXPECT_EQ(run({"run", "list", "--data", data_.c_str()}), exit_failure);
  EXPECT_EQ(err_.str(), "kaapi: the platform of " + data_ + " is not running; " + start + "\n");
  last_ = "http://172.17.0.1:4610";
  variables_["KAAPI_DATA"] = data_;
  EXPECT_EQ(run({"status"}), exit_failure);
  EXPECT_EQ(err_.str(), "kaapi: the platform of " + data_ +
                            " is not running (it last listened at http://172.17.0.1:4610); " + start + "\n");
  StatusCommand command;
  command.data_dir = data_;
  command.endpoint = "http://there:1";
  EXPECT_EQ(find_target(command, surroundings_).value().endpoint, "http://there:1");
}

TEST_F(ProgramTest, GitHearsOfItForItsOwnAddressOnly) {
  make_account();
  last_ = "http://172.17.0.1:4610";
  GitCredentialCommand command;
  command.data_dir = data_;
  command.action = "get";
  const auto ask = [&](const std::string& host) {
    std::istringstream input("protocol=http\nhost=" + host + "\n\n");
    return run_git_credential(command, surroundings_, input, out_, err_);
  };
  EXPECT_EQ(ask("127.0.0.1:4566"), exit_success);
  EXPECT_EQ(out_.str() + err_.str(), "");
  EXPECT_EQ(ask("172.17.0.1:4610"), exit_failure);
  EXPECT_THAT(err_.str(), HasSubstr("is not running"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ProgramTest, StatusFailsInOneLine) {
  EXPECT_EQ(run({"status", "--data", data_.c_str()}), exit_failure);
  EXPECT_THAT(err_.str(), HasSubstr("kaapi up"));
  make_account();
  EXPECT_EQ(run({"status", "--data", data_.c_str(), "--endpoint", "http://127.0.0.1:1"}), exit_failure);
  EXPECT_THAT(err_.str(), HasSubstr("cannot reach http://127.0.0.1:1"));
  EXPECT_THAT(err_.str(), HasSubstr("is the platform up?"));
}

}  // namespace
}  // namespace kaapi::cli
