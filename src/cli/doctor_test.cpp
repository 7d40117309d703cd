#include "cli/doctor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "base/json.h"
#include "base/test_directory.h"

namespace kaapi::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t gib = 1024ULL * 1024 * 1024;
constexpr const char* date = "Sun, 06 Nov 1994 08:49:37 GMT";
const Time date_time = from_millis(784'111'777'000);

auto found(Severity severity, const std::string& what) {
  return AllOf(Field(&Finding::severity, severity), Field(&Finding::what, HasSubstr(what)));
}

class DoctorTest : public testing::Test {
 protected:
  DoctorTest() {
    surroundings_.variable = [](const char*) { return std::nullopt; };
    surroundings_.running_endpoint = [this](const std::string&) { return running_; };
    surroundings_.health = [this](const std::string&) { return health_; };
    surroundings_.engine = [this] { return engine_; };
    surroundings_.disk = [this](const std::string&) { return disk_; };
    surroundings_.version = "1.2.3";
    ::chmod(data_.c_str(), 0700);
  }
  void make(const std::string& name, mode_t mode) {
    std::ofstream(data_ + "/" + name) << "x";
    ::chmod((data_ + "/" + name).c_str(), mode);
  }
  void make_all() {
    for (const char* name : {"account.json", "identity.db", "identity.key", "registry-token.key"}) make(name, 0600);
  }
  int run(std::vector<const char*> more = {}) {
    std::vector<const char*> arguments = {"kaapi", "doctor", "--data", data_.c_str()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(static_cast<int>(arguments.size()), arguments.data(), surroundings_, out_, err_);
  }

  const TestDirectory directory_;
  const std::string& data_ = directory_.path();
  Surroundings surroundings_;
  std::optional<std::string> running_ = "http://127.0.0.1:1";
  Result<HealthAnswer> health_ = HealthAnswer{200, date, R"({"status":"ok","version":"1.2.3"})"};
  Result<EngineVersion> engine_ = EngineVersion{"20.10.24", "1.41"};
  Result<DiskSpace> disk_ = DiskSpace{100 * gib, 50 * gib};
  ManualClock clock_{date_time};
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(DoctorTest, IsContentWithSecretsThatAreTheirOwners) {
  make_all();
  EXPECT_THAT(check_files(data_), ElementsAre(found(Severity::ok, data_)));
}

TEST_F(DoctorTest, NamesEachSecretThatOthersMayUse) {
  make_all();
  for (const char* name : {"account.json", "identity.key", "registry-token.key"}) {
    ::chmod((data_ + "/" + name).c_str(), 0640);
    const auto findings = check_files(data_);
    EXPECT_THAT(findings, ElementsAre(found(Severity::problem, std::string(name) + " holds a secret"))) << name;
    EXPECT_THAT(findings.front().what, HasSubstr("0640"));
    EXPECT_THAT(findings.front().advice, HasSubstr("chmod 600 " + data_ + "/" + name));
    ::chmod((data_ + "/" + name).c_str(), 0600);
  }
  ::chmod(data_.c_str(), 0711);
  EXPECT_THAT(check_files(data_), ElementsAre(found(Severity::problem, "others may look into " + data_)));
}

TEST_F(DoctorTest, MissesFilesThatThePlatformNeeds) {
  EXPECT_THAT(check_files(data_), ElementsAre(found(Severity::problem, "account.json is missing")));
  make("account.json", 0600);
  EXPECT_THAT(check_files(data_), ElementsAre(found(Severity::ok, "")));
  make("identity.db", 0600);
  EXPECT_THAT(check_files(data_), ElementsAre(found(Severity::problem, "identity.key is missing")));
  ::mkdir((data_ + "/identity.key").c_str(), 0700);
  EXPECT_THAT(check_files(data_), ElementsAre(found(Severity::problem, "no regular file")));
  EXPECT_THAT(check_files(data_ + "/none"), ElementsAre(found(Severity::problem, "no platform has been started in")));
  EXPECT_THAT(check_files(data_ + "/account.json"), ElementsAre(found(Severity::problem, "no directory")));
}

TEST_F(DoctorTest, AsksThePlatformAndComparesTheClocks) {
  EXPECT_THAT(
      check_platform(data_, surroundings_, clock_),
      ElementsAre(found(Severity::ok, "kaapi 1.2.3 answers at http://127.0.0.1:1"), found(Severity::ok, "agrees")));
  clock_.advance(std::chrono::seconds(90));
  EXPECT_THAT(check_platform(data_, surroundings_, clock_),
              ElementsAre(testing::_, found(Severity::warning, "s behind this one")));
  clock_.set(date_time - std::chrono::minutes(6));
  EXPECT_THAT(check_platform(data_, surroundings_, clock_),
              ElementsAre(testing::_, found(Severity::problem, "360 s ahead of this one")));
  health_->date = "yesterday";
  EXPECT_THAT(check_platform(data_, surroundings_, clock_),
              ElementsAre(testing::_, found(Severity::warning, "no Date")));
}

TEST_F(DoctorTest, TellsWhenThePlatformIsNotWell) {
  surroundings_.version = "2.0.0";
  EXPECT_THAT(
      check_platform(data_, surroundings_, clock_),
      ElementsAre(found(Severity::ok, ""), found(Severity::warning, "kaapi 1.2.3 runs, but this program is 2.0.0"),
                  found(Severity::ok, "agrees")));
  health_->status = 503;
  EXPECT_THAT(check_platform(data_, surroundings_, clock_), ElementsAre(found(Severity::problem, "HTTP 503")));
  health_ = make_error(errc::timed_out, "no answer within 3 s");
  EXPECT_THAT(check_platform(data_, surroundings_, clock_),
              ElementsAre(found(Severity::problem, "does not answer at http://127.0.0.1:1: no answer within 3 s")));
  running_.reset();
  EXPECT_THAT(check_platform(data_, surroundings_, clock_), ElementsAre(found(Severity::problem, "does not run in")));
}

TEST_F(DoctorTest, LooksAtDockerAndTheDisk) {
  EXPECT_THAT(check_engine(surroundings_), found(Severity::ok, "Docker 20.10.24"));
  engine_ = EngineVersion{"19.03", "1.40"};
  EXPECT_THAT(check_engine(surroundings_), found(Severity::problem, "API 1.40, and 1.41 is needed"));
  engine_ = make_error(errc::unavailable, "cannot connect to /var/run/docker.sock");
  EXPECT_THAT(check_engine(surroundings_), found(Severity::problem, "cannot connect to /var/run/docker.sock"));

  EXPECT_THAT(check_disk(data_, surroundings_), found(Severity::ok, "51200 MiB of 102400 MiB"));
  disk_ = DiskSpace{100 * gib, 3 * gib};
  EXPECT_THAT(check_disk(data_, surroundings_), found(Severity::warning, "3072 MiB"));
  disk_ = DiskSpace{100 * gib, gib / 4};
  EXPECT_THAT(check_disk(data_, surroundings_), found(Severity::problem, "256 MiB"));
  disk_ = make_error(errc::unavailable, "the disk cannot be asked");
  EXPECT_THAT(check_disk(data_, surroundings_), found(Severity::problem, "cannot be asked"));
}

TEST(DoctorDateTest, ReadsHttpDatesOnly) {
  EXPECT_EQ(parse_http_date(date), date_time);
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT "), std::nullopt);
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37"), std::nullopt);
  EXPECT_EQ(parse_http_date("1994-11-06T08:49:37Z"), std::nullopt);
  EXPECT_EQ(parse_http_date(""), std::nullopt);
}

std::string web_trust(const std::string& condition) {
  return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":)"
         R"({"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},"Condition":)" +
         condition + "}]}";
}

TEST(DoctorRightsTest, NamesRolesThatAnybodyMayAssume) {
  RightsFacts facts;
  facts.roles = {
      {"tight",
       web_trust(R"({"StringEquals":{"token.actions.githubusercontent.com:sub":"repo:a/b:ref:refs/heads/main"}})")}};
  EXPECT_THAT(judge_rights(facts, date_time),
              ElementsAre(found(Severity::ok, "none of 1 roles"), found(Severity::ok, "none of 0 active")));
  facts.roles.push_back(
      {"loose", web_trust(R"({"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}})")});
  facts.roles.push_back({"broken", "{"});
  const auto findings = judge_rights(facts, date_time);
  EXPECT_THAT(findings, ElementsAre(found(Severity::warning, "role loose: statement 1 lets everybody in"),
                                    found(Severity::warning, "role broken cannot be read"), found(Severity::ok, "")));
  EXPECT_THAT(findings.front().what, HasSubstr("token.actions.githubusercontent.com:sub"));
}

TEST(DoctorRightsTest, WarnsOfOldAndUnusedKeysAndNotesAdministrators) {
  const auto days_ago = [](int days) { return date_time - std::chrono::days(days); };
  RightsFacts facts;
  facts.keys = {{"alice", "AKIAFRESH", days_ago(90), days_ago(0)},
                {"alice", "AKIAOLD", days_ago(91), days_ago(0)},
                {"bob", "AKIAUNUSED", days_ago(2), std::nullopt},
                {"bob", "AKIABOTH", days_ago(200), std::nullopt}};
  facts.administrators = {"user alice"};
  const auto findings = judge_rights(facts, date_time);
  EXPECT_THAT(findings,
              ElementsAre(found(Severity::ok, "none of 0 roles"),
                          found(Severity::warning, "AKIAOLD of user alice is 91 days old"),
                          found(Severity::warning, "AKIAUNUSED of user bob has never been used (2 days old)"),
                          found(Severity::warning, "AKIABOTH of user bob has never been used and is 200 days"),
                          found(Severity::note, "user alice has AdministratorAccess")));
}

TEST(DoctorRenderTest, IsOneLineForEachFinding) {
  const std::vector<Finding> findings = {{Severity::ok, "docker", "answers", ""},
                                         {Severity::problem, "disk", "is\nfull", "make room"}};
  EXPECT_EQ(render_findings(findings, false),
            "ok       docker          answers\n"
            "problem  disk            is?full; make room\n");
  EXPECT_THAT(render_findings(findings, true), HasSubstr("\x1b["));
  EXPECT_EQ(render_findings_json(findings, "/d"),
            R"({"dataDirectory":"/d","problems":1,"warnings":0,"findings":[)"
            R"({"check":"docker","severity":"ok","what":"answers","advice":""},)"
            R"({"check":"disk","severity":"problem","what":"is\nfull","advice":"make room"}]})"
            "\n");
}

TEST_F(DoctorTest, ExitsWithAFailureWhenThereIsAProblem) {
  running_.reset();
  make_all();
  EXPECT_EQ(run(), exit_failure);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("ok       files"), HasSubstr("ok       docker"), HasSubstr("ok       disk"),
                                HasSubstr("problem  platform        does not run in " + data_)));
  EXPECT_EQ(err_.str(), "");
  out_.str("");
  EXPECT_EQ(run({"--json"}), exit_failure);
  const json::value shown = parse_json(out_.str()).value();
  EXPECT_EQ(int_member(shown, "problems"), 1);
  EXPECT_EQ(string_member(shown, "dataDirectory"), data_);
}

TEST_F(DoctorTest, LooksAtRightsOnlyWithAKeyThatItCanRead) {
  make_all();  // account.json is no JSON
  EXPECT_EQ(run(), exit_failure);
  EXPECT_THAT(out_.str(), HasSubstr("problem  rights"));
}

}  // namespace
}  // namespace kaapi::cli
