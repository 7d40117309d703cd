#include "store/sealer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "base/test_directory.h"
#include "base/text.h"

namespace kaapi::store {
namespace {

using testing::HasSubstr;

class SealerTest : public testing::Test {
 protected:
  std::string path() const { return folder_.file("secrets.key"); }
  Sealer opened() const { return *Sealer::open(path()); }

  const TestDirectory folder_;
};

TEST_F(SealerTest, WhatWasSealedOpensAgainAlsoAfterARestart) {
  std::string sealed;
  std::string check;
  {
    const Sealer sealer = opened();
    sealed = sealer.seal("the secret", "place/1");
    check = sealer.check();
  }
  EXPECT_THAT(sealed, testing::Not(HasSubstr("secret")));
  const Result<Sealer> again = Sealer::open(path(), check);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->unseal(sealed, "place/1").value(), "the secret");
}

TEST_F(SealerTest, SealsTheEmptyTextAndBytes) {
  const Sealer sealer = opened();
  for (const std::string& plain : {std::string(), std::string("\0\xff\n", 3), std::string(5000, 'x')}) {
    EXPECT_EQ(sealer.unseal(sealer.seal(plain, "a"), "a").value(), plain);
    EXPECT_EQ(sealer.seal(plain, "").size(), plain.size() + 29);
  }
}

TEST_F(SealerTest, NoTwoSealedValuesAreAlike) {
  const Sealer sealer = opened();
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(sealer.seal("same", "place")).second);
}

TEST_F(SealerTest, AnyChangeIsNoticed) {
  const Sealer sealer = opened();
  const std::string sealed = sealer.seal("the secret", "place/1");
  EXPECT_EQ(sealer.unseal(sealed, "place/2").error().code, errc::damaged);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(sealer.unseal(changed, "place/1")) << at;
    EXPECT_FALSE(sealer.unseal(sealed.substr(0, at), "place/1")) << at;
  }
  EXPECT_FALSE(sealer.unseal(sealed + "x", "place/1"));
}

TEST_F(SealerTest, TheKeyFileIsItsOwnersAlone) {
  opened();
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(SealerTest, AMissingKeyFileIsNotReplacedWhenSomethingIsSealed) {
  const std::string check = opened().check();
  std::filesystem::remove(path());
  const Error error = Sealer::open(path(), check).error();
  EXPECT_EQ(error.code, errc::damaged);
  EXPECT_THAT(error.message, HasSubstr("the key file " + path() + " is missing"));
  EXPECT_THAT(error.message, HasSubstr("restore the file from a backup"));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SealerTest, AnotherKeyIsNamed) {
  const std::string check = opened().check();
  std::filesystem::remove(path());
  opened();  // another one
  const Error error = Sealer::open(path(), check).error();
  EXPECT_EQ(error.code, errc::damaged);
  EXPECT_THAT(error.message, HasSubstr("holds another key"));
}

TEST_F(SealerTest, AKeyFileThatOthersMayReadIsRefused) {
  opened();
  for (const unsigned mode : {0640U, 0604U, 0660U, 0601U}) {
    ASSERT_EQ(::chmod(path().c_str(), mode), 0);
    const Error error = Sealer::open(path()).error();
    EXPECT_EQ(error.code, errc::damaged) << mode;
    EXPECT_THAT(error.message, HasSubstr("chmod 600 " + path())) << mode;
  }
}

TEST_F(SealerTest, AFileWithoutAKeyIsRefusedAndLeftAlone) {
  const std::string key(64, 'a');
  for (const std::string& content :
       {std::string(), std::string("hello"), key.substr(1), key + "a", "G" + key.substr(1), std::string(10'000, 'a')}) {
    ASSERT_TRUE(write_file_atomically(path(), content, 0600));
    const Error error = Sealer::open(path()).error();
    EXPECT_EQ(error.code, errc::damaged) << content;
    EXPECT_THAT(error.message, HasSubstr(path())) << content;
    EXPECT_EQ(read_file(path(), 20'000).value(), content);
  }
}

TEST_F(SealerTest, AFolderThatDoesNotExistIsAnError) {
  EXPECT_FALSE(Sealer::open(folder_.file("missing/secrets.key")));
}

}  // namespace
}  // namespace kaapi::store
