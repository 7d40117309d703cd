#include "identity/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/json.h"
#include "base/test_directory.h"
#include "base/text.h"

namespace kaapi::identity {
namespace {

using testing::HasSubstr;

class AccountTest : public testing::Test {
 protected:
  std::string file() const { return directory_ + "/account.json"; }
  Account made() { return open_account(directory_, {}, ids_).value(); }

  const TestDirectory folder_;
  const std::string& directory_ = folder_.path();
  SecureIds ids_;
};

TEST_F(AccountTest, FirstStartMakesAnAccountThatLaterStartsFind) {
  const Account first = made();
  EXPECT_THAT(first.account_id, testing::MatchesRegex("[1-9][0-9]{11}"));
  EXPECT_THAT(first.access_key_id, testing::MatchesRegex("AKIA[A-Z2-7]{16}"));
  EXPECT_EQ(first.secret_access_key.size(), 40U);
  EXPECT_EQ(first.region, "us-east-1");
  EXPECT_EQ(made(), first);
  EXPECT_EQ(read_account(directory_).value(), first);
}

TEST_F(AccountTest, OnlyTheOwnerMayReadTheFile) {
  made();
  struct stat info {};
  ASSERT_EQ(::stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(AccountTest, TwoDirectoriesGetTwoAccounts) {
  const Account first = made();
  std::filesystem::remove(file());
  const Account second = made();
  EXPECT_NE(first.account_id, second.account_id);
  EXPECT_NE(first.secret_access_key, second.secret_access_key);
}

TEST_F(AccountTest, TakesTheAccountIdAndRegionThatWereAskedFor) {
  const Account account = open_account(directory_, {"123456789012", "eu-west-1"}, ids_).value();
  EXPECT_EQ(account.account_id, "123456789012");
  EXPECT_EQ(account.region, "eu-west-1");
  EXPECT_EQ(account.root_arn(), "arn:aws:iam::123456789012:root");
  EXPECT_EQ(open_account(directory_, {std::nullopt, "eu-north-1"}, ids_)->region, "eu-north-1");
  EXPECT_EQ(made().region, "eu-west-1");
}

TEST_F(AccountTest, RefusesAnotherAccountIdThanTheStoredOne) {
  open_account(directory_, {"123456789012", std::nullopt}, ids_).value();
  const Error error = open_account(directory_, {"210987654321", std::nullopt}, ids_).error();
  EXPECT_EQ(error.code, errc::invalid);
  EXPECT_THAT(error.message, HasSubstr("belongs to account 123456789012, not 210987654321"));
}

TEST_F(AccountTest, RefusesMalformedOptionsBeforeWritingAnything) {
  EXPECT_EQ(open_account(directory_, {"12345", std::nullopt}, ids_).error().code, errc::invalid);
  EXPECT_EQ(open_account(directory_, {std::nullopt, "US EAST"}, ids_).error().code, errc::invalid);
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(AccountTest, SaysWhatToDoWhenOthersMayReadTheFile) {
  made();
  ASSERT_EQ(::chmod(file().c_str(), 0644), 0);
  const Error error = open_account(directory_, {}, ids_).error();
  EXPECT_EQ(error.code, errc::damaged);
  EXPECT_THAT(error.message, HasSubstr("mode 0644"));
  EXPECT_THAT(error.message, HasSubstr("chmod 600 " + file()));
}

TEST_F(AccountTest, NeverReplacesADamagedFile) {
  for (const std::string content : {"", "{", "[]", R"({"account_id":"1"})", R"({"account_id":"123456789012"})"}) {
    write_file_atomically(file(), content, 0600).value();
    const Error error = open_account(directory_, {}, ids_).error();
    EXPECT_EQ(error.code, errc::damaged) << content;
    EXPECT_THAT(error.message, HasSubstr(file())) << content;
    EXPECT_EQ(read_file(file(), 1000).value(), content);
  }
}

TEST_F(AccountTest, AnOversizedFileIsDamaged) {
  write_file_atomically(file(), std::string(max_account_file_bytes + 1, ' '), 0600).value();
  EXPECT_EQ(read_account(directory_).error().code, errc::damaged);
}

TEST_F(AccountTest, ADirectoryThatDoesNotExistIsAnError) {
  EXPECT_FALSE(open_account(directory_ + "/missing", {}, ids_));
}

}  // namespace
}  // namespace kaapi::identity
