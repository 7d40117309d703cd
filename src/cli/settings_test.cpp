#include "cli/settings.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "actions/settings/operations.h"
#include "actions/settings/settings.h"
#include "aws/front_door.h"
#include "aws/gen/settings.h"
#include "base/file_descriptor.h"
#include "base/test_directory.h"
#include "cli/repo.h"
#include "cli/secret_input.h"
#include "http/server.h"

namespace kaapi::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr std::string_view access_key_id = "AKIAIOSFODNN7EXAMPLE";
constexpr std::string_view secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

class OneKey final : public aws::KeyStore {
 public:
  std::optional<aws::AccessKey> find(std::string_view id) const override {
    if (id != access_key_id) return std::nullopt;
    return aws::AccessKey{
        std::string(secret_access_key), "", "123456789012", "arn:aws:iam::123456789012:root", "123456789012", true};
  }
};

// The commands against the real operations, over HTTP.
class SettingsCommandsTest : public testing::Test {
 protected:
  SettingsCommandsTest() {
    settings_ = actions::settings::Settings::open(directory_.path(), clock_).value();
    actions::settings::add_settings_operations(dispatcher_, *settings_, {});
    server_.route("/", 1024 * 1024, [this](const http::Request& request) { return door_(request); });
    EXPECT_TRUE(server_.start());
    variables_["AWS_ENDPOINT_URL"] = "http://127.0.0.1:" + std::to_string(server_.port());
    variables_["AWS_ACCESS_KEY_ID"] = access_key_id;
    variables_["AWS_SECRET_ACCESS_KEY"] = secret_access_key;
    surroundings_.variable = [this](const char* name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    surroundings_.running_endpoint = [](const std::string&) { return std::nullopt; };
    surroundings_.last_endpoint = surroundings_.running_endpoint;
  }
  ~SettingsCommandsTest() override { server_.stop(std::chrono::milliseconds(0)); }

  int run(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "kaapi");
    out_.str("");
    err_.str("");
    return run_program(static_cast<int>(arguments.size()), arguments.data(), surroundings_, out_, err_);
  }

  const TestDirectory directory_;
  SystemClock clock_;
  OneKey keys_;
  aws::Dispatcher dispatcher_;
  aws::FrontDoor door_{dispatcher_, keys_, clock_, {}};
  http::Server server_{http::ServerConfig{}};
  std::unique_ptr<actions::settings::Settings> settings_;
  std::map<std::string, std::string> variables_;
  Surroundings surroundings_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(SettingsCommandsTest, VariablesAreSetListedAndRemoved) {
  ASSERT_EQ(run({"env", "set", "PREFIX=shop", "query=a=b", "--repo", "team/shop"}), exit_success) << err_.str();
  EXPECT_THAT(*settings_->variables("team/shop", ""), ElementsAre(Pair("PREFIX", "shop"), Pair("QUERY", "a=b")));
  ASSERT_EQ(run({"env", "list", "--repo", "team/shop"}), exit_success);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("PREFIX"), HasSubstr("a=b")));
  ASSERT_EQ(run({"env", "list", "--json", "--repo", "team/shop"}), exit_success);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr(R"("name":"PREFIX")"), HasSubstr(R"("environments":[])")));
  ASSERT_EQ(run({"env", "rm", "PREFIX", "QUERY", "--repo", "team/shop"}), exit_success);
  EXPECT_EQ(run({"env", "rm", "PREFIX", "--repo", "team/shop"}), exit_failure);
  EXPECT_THAT(err_.str(), HasSubstr("has no variable PREFIX"));
}

TEST_F(SettingsCommandsTest, AShortNameBelongsToTheDefaultOwner) {
  ASSERT_EQ(run({"env", "set", "A=b", "--repo", "shop"}), exit_success);
  EXPECT_THAT(*settings_->variables("kaapi/shop", ""), ElementsAre(Pair("A", "b")));
}

TEST_F(SettingsCommandsTest, WhatIsNoAssignmentIsWrongUsage) {
  EXPECT_EQ(run({"env", "set", "A=b", "C", "--repo", "shop"}), exit_usage);
  EXPECT_THAT(err_.str(), HasSubstr("NAME=VALUE"));
  EXPECT_THAT(*settings_->variables("kaapi/shop", ""), testing::IsEmpty());
  EXPECT_EQ(run({"env", "set", "A=b", "--repo", "a/b/c"}), exit_usage);
}

TEST_F(SettingsCommandsTest, AllVariablesAreCheckedBeforeTheFirstIsSet) {
  EXPECT_EQ(run({"env", "set", "A=1", "B-AD=2", "--repo", "shop"}), exit_usage);
  EXPECT_THAT(err_.str(), HasSubstr("'B-AD' is no name of a variable"));
  EXPECT_EQ(run({"env", "set", "A=1", "BINV=x\xff\xfe", "--repo", "shop"}), exit_usage);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("the value of the variable BINV is no UTF-8 text (not from its byte 1 on"),
                                HasSubstr("base64")));
  EXPECT_EQ(run({"env", "set", "A=1", "\xff=1", "--repo", "shop"}), exit_usage);
  EXPECT_THAT(*settings_->variables("kaapi/shop", ""), testing::IsEmpty());
}

TEST_F(SettingsCommandsTest, ASecretIsText) {
  std::ofstream(directory_.file("input")) << "key\xff";
  const FileDescriptor input(::open(directory_.file("input").c_str(), O_RDONLY | O_CLOEXEC));
  SetSecretCommand command;
  command.repository = "shop";
  command.name = "B-AD";
  EXPECT_EQ(run_set_secret(command, surroundings_, input.get(), out_, err_), exit_usage);
  command.name = "BIN";
  EXPECT_EQ(run_set_secret(command, surroundings_, input.get(), out_, err_), exit_failure);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("'B-AD' is no name of a secret"),
                    HasSubstr("kaapi: the value of the secret BIN is no UTF-8 text (not from its byte 3 on"),
                    HasSubstr("base64"), Not(HasSubstr("key"))));
}

TEST_F(SettingsCommandsTest, AMirrorSaysWhatIsMissing) {
  const FileDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  MirrorRepoCommand command;
  const auto mirror = [&] {
    err_.str("");
    return run_mirror_repo(command, surroundings_, nothing.get(), out_, err_);
  };
  EXPECT_EQ(mirror(), exit_usage);
  EXPECT_THAT(err_.str(), HasSubstr("the URL to fetch from is missing"));
  command.stop = true;
  EXPECT_EQ(mirror(), exit_usage);
  EXPECT_THAT(err_.str(), HasSubstr("kaapi repo mirror --stop --repo OWNER/NAME"));
  command.stop = false;
  command.url = "shop";
  EXPECT_EQ(mirror(), exit_usage);
  EXPECT_THAT(err_.str(), HasSubstr("'shop' names no repository"));
  command.url = "https://example.com/team/shop.git";
  command.username = "me";
  EXPECT_EQ(mirror(), exit_failure);
  EXPECT_EQ(err_.str(),
            "kaapi: no password came on the standard input; for example: kaapi repo mirror URL --user me < FILE\n");
}

TEST_F(SettingsCommandsTest, AnEnvironmentIsMadeShownAndDeleted) {
  ASSERT_EQ(run({"env", "create", "production", "--repo", "shop", "--reviewer", "arn:aws:iam::123456789012:user/ann",
                 "--wait", "90s", "--branch", "main", "--branch", "release/*", "--tag", "v*", "--prevent-self-review"}),
            exit_success)
      << err_.str();
  const auto protection = settings_->protection("kaapi/shop", "production");
  EXPECT_THAT(protection->branches, ElementsAre("main", "release/*"));
  EXPECT_THAT(protection->tags, ElementsAre("v*"));
  EXPECT_EQ(protection->wait, std::chrono::minutes(2)) << "never less than asked for";
  EXPECT_TRUE(protection->prevent_self_review);
  ASSERT_EQ(run({"env", "set", "A=b", "--env", "production", "--repo", "shop"}), exit_success) << err_.str();
  ASSERT_EQ(run({"env", "show", "production", "--repo", "shop"}), exit_success);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("user/ann"), HasSubstr("branches main, release/*"), HasSubstr("A         b")));
  ASSERT_EQ(run({"env", "show", "production", "--repo", "shop", "--json"}), exit_success);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr(R"("waitMinutes":2)"), HasSubstr(R"("value":"b")"), HasSubstr(R"("secrets":[])")));
  ASSERT_EQ(run({"env", "list", "--repo", "shop"}), exit_success);
  EXPECT_THAT(out_.str(), HasSubstr("production"));
  ASSERT_EQ(run({"env", "delete", "production", "--repo", "shop"}), exit_success);
  EXPECT_EQ(run({"env", "show", "production", "--repo", "shop"}), exit_failure);
  EXPECT_EQ(run({"env", "create", "x", "--protected-only", "--tag", "v*", "--repo", "shop"}), exit_usage);
}

TEST_F(SettingsCommandsTest, ProtectionIsNotReplacedByAccident) {
  ASSERT_EQ(run({"env", "create", "production", "--repo", "shop", "--branch", "main"}), exit_success);
  ASSERT_EQ(run({"env", "create", "production", "--repo", "shop", "--branch", "main"}), exit_success) << "the same";
  EXPECT_EQ(run({"env", "create", "production", "--repo", "shop"}), exit_failure);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("branches main"), HasSubstr("--replace")));
  EXPECT_THAT(settings_->protection("kaapi/shop", "production")->branches, ElementsAre("main"));
  ASSERT_EQ(run({"env", "create", "production", "--repo", "shop", "--replace"}), exit_success);
  EXPECT_THAT(settings_->protection("kaapi/shop", "production")->branches, testing::IsEmpty());
}

TEST_F(SettingsCommandsTest, ASecretComesFromTheStandardInput) {
  const std::string path = directory_.file("input");
  std::ofstream(path) << "line one\nline two\n";
  const FileDescriptor input(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  SetSecretCommand command;
  command.repository = "shop";
  command.name = "KEY";
  ASSERT_EQ(run_set_secret(command, surroundings_, input.get(), out_, err_), exit_success) << err_.str();
  EXPECT_EQ(settings_->secrets("kaapi/shop", "")->at("KEY"), "line one\nline two");
  EXPECT_THAT(out_.str() + err_.str(), Not(HasSubstr("line")));
  ASSERT_EQ(run({"secret", "list", "--repo", "shop"}), exit_success);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("KEY"), Not(HasSubstr("line"))));
  ASSERT_EQ(run({"secret", "list", "--json", "--repo", "shop"}), exit_success);
  EXPECT_THAT(out_.str(), HasSubstr(R"("name":"KEY")"));
  ASSERT_EQ(run({"secret", "rm", "KEY", "--repo", "shop"}), exit_success);
  EXPECT_EQ(run({"secret", "rm", "KEY", "--repo", "shop"}), exit_failure);
}

TEST_F(SettingsCommandsTest, EnvAloneStillPrintsTheExportLines) {
  const TestDirectory data;
  const std::string path = data.file("account.json");
  std::ofstream(path) << R"({"account_id":"123456789012","access_key_id":"AKIAIOSFODNN7EXAMPLE",)"
                      << R"("secret_access_key":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY","region":"eu-west-1"})";
  ::chmod(path.c_str(), 0600);
  ASSERT_EQ(run({"env", "--data", data.path().c_str()}), exit_success);
  EXPECT_THAT(out_.str(), HasSubstr("export AWS_REGION=eu-west-1"));
  // --data means that platform, whatever the environment says, also before the command.
  EXPECT_EQ(run({"env", "--data", "/nowhere", "list", "--repo", "shop"}), exit_failure);
  EXPECT_THAT(err_.str(), HasSubstr("/nowhere"));
}

TEST_F(SettingsCommandsTest, HelpTeachesByExamples) {
  for (const char* command : {"set", "list", "rm", "create", "show", "delete"}) {
    ASSERT_EQ(run({"env", command, "--help"}), exit_success);
    EXPECT_THAT(out_.str(), AllOf(HasSubstr("Example"), HasSubstr(std::string("kaapi env ") + command)));
  }
  for (const char* command : {"set", "list", "rm"}) {
    ASSERT_EQ(run({"secret", command, "--help"}), exit_success);
    EXPECT_THAT(out_.str(), AllOf(HasSubstr("Example"), HasSubstr(std::string("kaapi secret ") + command)));
  }
  EXPECT_EQ(run({"secret"}), exit_usage);
  EXPECT_EQ(run({"secret", "set", "KEY", "value", "--repo", "shop"}), exit_usage) << "never from the command line";
}

// Types at the other end of a terminal as soon as it is asked to.
class Typist final : public std::stringbuf {
 public:
  Typist(int terminal, std::string keys) : terminal_(terminal), keys_(std::move(keys)) {}

 protected:
  int sync() override {
    if (::write(terminal_, keys_.data(), keys_.size()) < 0) ADD_FAILURE() << "cannot type";
    keys_.clear();
    return 0;
  }

 private:
  int terminal_;
  std::string keys_;
};

class TerminalTest : public testing::Test {
 protected:
  TerminalTest() {
    EXPECT_TRUE(::grantpt(master_.get()) == 0 && ::unlockpt(master_.get()) == 0);
    slave_ = FileDescriptor(::open(::ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  }
  Result<std::string> typed(const std::string& keys) {
    Typist typist(master_.get(), keys);
    std::ostream err(&typist);
    return read_secret(slave_.get(), {"Value: ", "value", "kaapi secret set NAME < FILE", 100}, err);
  }
  // What the terminal has shown up to its next `mark`.
  std::string shown_until(char mark) {
    std::string text;
    char byte = 0;
    while (::read(master_.get(), &byte, 1) == 1) {
      text += byte;
      if (byte == mark) break;
    }
    return text;
  }

  FileDescriptor master_{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  FileDescriptor slave_{-1};
};

TEST_F(TerminalTest, WhatIsTypedDoesNotShow) {
  EXPECT_EQ(typed("hunter2\r").value(), "hunter2");
  // Afterwards it shows again: waiting for that makes sure that nothing from before is still on its way.
  ASSERT_EQ(::write(master_.get(), "x", 1), 1);
  EXPECT_EQ(shown_until('x'), "x");
}

TEST_F(TerminalTest, KeysThatEdit) {
  EXPECT_EQ(typed("wrong\x15"
                  "abx\x7f\xc3\xa4\x7f"
                  "c\n")
                .value(),
            "abc");
  EXPECT_EQ(typed("abc\x03").error().code, errc::cancelled);
  EXPECT_EQ(typed("\r").error().code, errc::invalid);
  EXPECT_EQ(typed(std::string(101, 'x') + "\r").error().code, errc::too_large);
}

TEST(SecretInput, APipeIsReadToItsEnd) {
  const auto piped = [](const std::string& text) {
    const TestDirectory directory;
    std::ofstream(directory.file("x")) << text;
    const FileDescriptor input(::open(directory.file("x").c_str(), O_RDONLY | O_CLOEXEC));
    std::ostringstream err;
    return read_secret(input.get(), {"Value: ", "value", "kaapi secret set NAME < FILE", 10}, err);
  };
  EXPECT_EQ(piped("a\n").value(), "a");
  EXPECT_EQ(piped("a\r\n").value(), "a");
  EXPECT_EQ(piped("a\n\n").value(), "a\n");
  EXPECT_EQ(piped("0123456789\n").value(), "0123456789");
  EXPECT_EQ(piped("0123456789a").error().code, errc::too_large);
  EXPECT_EQ(piped("\n").error().code, errc::invalid);
}

}  // namespace
}  // namespace kaapi::cli
