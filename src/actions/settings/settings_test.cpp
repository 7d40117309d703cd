#include "actions/settings/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "actions/settings/names.h"
#include "base/test_directory.h"

namespace kaapi::actions::settings {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr std::string_view shop = "team/shop";
constexpr Level repository{shop, {}};
constexpr Level production{shop, "Production"};

class SettingsTest : public testing::Test {
 protected:
  SettingsTest() { reopen(); }

  void reopen() {
    settings_.reset();
    Result<std::unique_ptr<Settings>> opened = Settings::open(directory_.path(), clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    settings_ = std::move(*opened);
  }
  void make_production() { ASSERT_TRUE(settings_->put_environment(shop, "Production", {})); }

  const TestDirectory directory_;
  ManualClock clock_;
  std::unique_ptr<Settings> settings_;
};

TEST_F(SettingsTest, AnEnvironmentsValuesGoBeforeTheRepositorys) {
  make_production();
  ASSERT_TRUE(settings_->put_variable(repository, "prefix", "shop"));
  ASSERT_TRUE(settings_->put_variable(repository, "COLOUR", "red"));
  ASSERT_TRUE(settings_->put_variable(production, "Colour", "blue"));
  EXPECT_THAT(*settings_->variables(shop, ""), ElementsAre(Pair("COLOUR", "red"), Pair("PREFIX", "shop")));
  EXPECT_THAT(*settings_->variables(shop, "production"), ElementsAre(Pair("COLOUR", "blue"), Pair("PREFIX", "shop")));
  EXPECT_THAT(*settings_->variables(shop, "unheard-of"), ElementsAre(Pair("COLOUR", "red"), Pair("PREFIX", "shop")));
  EXPECT_THAT(*settings_->variables("team/other", ""), IsEmpty());
}

TEST_F(SettingsTest, SecretsComeBackAfterARestart) {
  make_production();
  const std::string binary("\xff\n'\"", 4);
  ASSERT_TRUE(settings_->put_secret(repository, "token", "a"));
  ASSERT_TRUE(settings_->put_secret(production, "TOKEN", binary));
  reopen();
  EXPECT_THAT(*settings_->secrets(shop, ""), ElementsAre(Pair("TOKEN", "a")));
  EXPECT_THAT(*settings_->secrets(shop, "PRODUCTION"), ElementsAre(Pair("TOKEN", binary)));
  ASSERT_TRUE(settings_->put_secret(repository, "OTHER", "b"));
  EXPECT_THAT(*settings_->environment_secrets(shop, "PRODUCTION"), ElementsAre(Pair("TOKEN", binary)));
  EXPECT_THAT(*settings_->environment_secrets(shop, ""), testing::IsEmpty());
}

TEST_F(SettingsTest, SecretsAreSealedOnDisk) {
  ASSERT_TRUE(settings_->put_variable(repository, "V", "visible-variable"));
  ASSERT_TRUE(settings_->put_secret(repository, "S", "hidden-secret"));
  settings_.reset();  // closes the database, so that all is in the file
  std::string bytes;
  for (const auto& file : std::filesystem::directory_iterator(directory_.path())) {
    std::ostringstream content;
    content << std::ifstream(file.path(), std::ios::binary).rdbuf();
    bytes += content.str();
  }
  EXPECT_THAT(bytes, HasSubstr("visible-variable"));
  EXPECT_THAT(bytes, Not(HasSubstr("hidden-secret")));
  EXPECT_EQ(std::filesystem::status(directory_.file("settings.key")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(SettingsTest, WithoutItsKeyFileItDoesNotOpen) {
  ASSERT_TRUE(settings_->put_secret(repository, "S", "x"));
  settings_.reset();
  std::filesystem::remove(directory_.file("settings.key"));
  EXPECT_EQ(Settings::open(directory_.path(), clock_).error().code, errc::damaged);
}

TEST_F(SettingsTest, ListsTellTimesAndNoSecret) {
  ASSERT_TRUE(settings_->put_secret(repository, "s", "x"));
  ASSERT_TRUE(settings_->put_variable(repository, "v", "1"));
  const Time made = clock_.now();
  clock_.advance(Duration(5000));
  ASSERT_TRUE(settings_->put_secret(repository, "S", "y"));
  const auto secrets = settings_->list_secrets(repository);
  ASSERT_EQ(secrets->size(), 1U);
  EXPECT_EQ(secrets->front().name, "S");
  EXPECT_EQ(secrets->front().created, made);
  EXPECT_EQ(secrets->front().updated, clock_.now());
  EXPECT_THAT(*settings_->secrets(shop, ""), ElementsAre(Pair("S", "y")));
  const auto variables = settings_->list_variables(repository);
  ASSERT_EQ(variables->size(), 1U);
  EXPECT_EQ(variables->front().value, "1");
  EXPECT_EQ(variables->front().updated, made);
}

TEST_F(SettingsTest, NamesAreGitHubs) {
  for (const std::string_view wrong : {"", "1A", "A-B", "A B", "GITHUB_X", "github_token", "\xc3\x84", "A\n"}) {
    EXPECT_EQ(settings_->put_variable(repository, wrong, "x").error().code, errc::invalid) << wrong;
    EXPECT_EQ(settings_->put_secret(repository, wrong, "x").error().code, errc::invalid) << wrong;
  }
  EXPECT_TRUE(settings_->put_variable(repository, "_1", ""));
  EXPECT_EQ(settings_->put_secret(repository, "S", "").error().code, errc::invalid);
}

TEST_F(SettingsTest, ValuesAreBounded) {
  const std::string most(max_value_bytes, 'x');
  EXPECT_TRUE(settings_->put_secret(repository, "S", most));
  EXPECT_TRUE(settings_->put_variable(repository, "V", most));
  const auto refused = settings_->put_secret(repository, "S", most + "x");
  EXPECT_EQ(refused.error().code, errc::too_large);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("xxx")));
  EXPECT_EQ(settings_->put_variable(repository, "V", std::string("a\0b", 3)).error().code, errc::invalid);
  for (const std::string name : {"A", "B", "C", "D"}) EXPECT_TRUE(settings_->put_variable(repository, name, most));
  EXPECT_EQ(settings_->put_variable(repository, "E", most).error().code, errc::too_large);
  EXPECT_TRUE(settings_->put_variable(repository, "D", most)) << "it replaces itself";
}

TEST_F(SettingsTest, NumbersAreBounded) {
  make_production();
  for (std::size_t i = 0; i < max_secrets; ++i) {
    ASSERT_TRUE(settings_->put_secret(production, "S" + std::to_string(i), "x"));
    ASSERT_TRUE(settings_->put_variable(production, "V" + std::to_string(i), "x"));
  }
  EXPECT_EQ(settings_->put_secret(production, "MORE", "x").error().code, errc::too_large);
  EXPECT_EQ(settings_->put_variable(production, "MORE", "x").error().code, errc::too_large);
  EXPECT_TRUE(settings_->put_secret(production, "s0", "y")) << "it is there already";
  EXPECT_TRUE(settings_->put_secret(repository, "MORE", "x"));
  EXPECT_TRUE(settings_->put_variable(repository, "MORE", "x"));
}

TEST_F(SettingsTest, AnEnvironmentIsMadeBeforeItHoldsSomething) {
  const auto refused = settings_->put_variable(production, "V", "x");
  EXPECT_EQ(refused.error().code, errc::not_found);
  EXPECT_THAT(refused.error().message, HasSubstr("kaapi env create Production"));
  EXPECT_EQ(settings_->list_secrets(production).error().code, errc::not_found);
  EXPECT_EQ(settings_->delete_environment(shop, "Production").error().code, errc::not_found);
  EXPECT_EQ(settings_->put_environment(shop, "a*", {}).error().code, errc::invalid);
}

TEST_F(SettingsTest, OneEnvironmentIsWrittenOneWayByWhoChangesIt) {
  make_production();
  const Level other{shop, "production"};
  EXPECT_EQ(settings_->put_variable(other, "V", "x").error().code, errc::conflict);
  EXPECT_EQ(settings_->put_secret(other, "V", "x").error().code, errc::conflict);
  EXPECT_EQ(settings_->list_variables(other).error().code, errc::conflict);
  EXPECT_EQ(settings_->put_environment(shop, "PRODUCTION", {}).error().code, errc::conflict);
  const auto refused = settings_->delete_environment(shop, "production");
  EXPECT_EQ(refused.error().code, errc::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("is written Production"));
}

TEST_F(SettingsTest, ProtectionIsReplacedAndValuesStay) {
  Protection protection;
  protection.reviewers = {"arn:aws:iam::123456789012:user/ann"};
  ASSERT_TRUE(settings_->put_environment(shop, "Production", protection));
  ASSERT_TRUE(settings_->put_variable(production, "V", "x"));
  protection.reviewers.clear();
  protection.branches = {"main"};
  ASSERT_TRUE(settings_->put_environment(shop, "Production", protection));
  EXPECT_THAT(settings_->protection(shop, "PRODUCTION")->reviewers, IsEmpty());
  EXPECT_THAT(settings_->protection(shop, "production")->branches, ElementsAre("main"));
  EXPECT_THAT(settings_->protection(shop, "other")->branches, IsEmpty());
  EXPECT_THAT(*settings_->variables(shop, "production"), ElementsAre(Pair("V", "x")));
  ASSERT_EQ(settings_->environments(shop)->size(), 1U);
  protection.branches = {"["};
  EXPECT_EQ(settings_->put_environment(shop, "Production", protection).error().code, errc::invalid);
}

TEST_F(SettingsTest, WhatIsDeletedIsGone) {
  make_production();
  ASSERT_TRUE(settings_->put_variable(production, "V", "x"));
  ASSERT_TRUE(settings_->put_secret(production, "S", "x"));
  ASSERT_TRUE(settings_->put_variable(repository, "V", "y"));
  ASSERT_TRUE(settings_->delete_environment(shop, "Production"));
  EXPECT_THAT(*settings_->variables(shop, "production"), ElementsAre(Pair("V", "y")));
  EXPECT_THAT(*settings_->secrets(shop, "production"), IsEmpty());
  EXPECT_EQ(settings_->delete_secret(repository, "S").error().code, errc::not_found);
  ASSERT_TRUE(settings_->delete_variable(repository, "v"));
  EXPECT_THAT(*settings_->variables(shop, ""), IsEmpty());
  ASSERT_TRUE(settings_->put_variable({"team/shop2", {}}, "V", "z"));
  ASSERT_TRUE(settings_->put_variable(repository, "V", "y"));
  ASSERT_TRUE(settings_->forget_repository(shop));
  EXPECT_THAT(*settings_->variables(shop, ""), IsEmpty());
  EXPECT_THAT(*settings_->variables("team/shop2", ""), ElementsAre(Pair("V", "z")));
}

}  // namespace
}  // namespace kaapi::actions::settings
