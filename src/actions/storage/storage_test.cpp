#include "actions/storage/storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/test_directory.h"
#include "base/text.h"

namespace kaapi::actions::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view shop = "team/shop";
constexpr std::string_view main_ref = "refs/heads/main";

// Hands out its text in pieces, and may break off at the end.
class TextBody final : public http::BodyReader {
 public:
  explicit TextBody(std::string text, bool breaks = false) : text_(std::move(text)), breaks_(breaks) {}
  Result<std::size_t> read(std::span<char> buffer) override {
    const std::size_t count = std::min({buffer.size(), text_.size() - at_, std::size_t{7}});
    if (count == 0 && breaks_) return make_error(errc::unavailable, "the peer went away");
    std::memcpy(buffer.data(), text_.data() + at_, count);
    at_ += count;
    return count;
  }
  std::size_t taken() const { return at_; }

 private:
  std::string text_;
  bool breaks_;
  std::size_t at_ = 0;
};

std::string text_of(const http::FileBody& body) {
  std::string text(body.length, '\0');
  EXPECT_EQ(::pread(body.fd, text.data(), text.size(), static_cast<off_t>(body.offset)),
            static_cast<ssize_t>(text.size()));
  return text;
}

class StorageTest : public testing::Test {
 protected:
  StorageTest() {
    limits_.max_artifact_bytes = 1000;
    limits_.max_repository_artifact_bytes = 2000;
    limits_.max_repository_cache_bytes = 100;
    reopen();
  }

  void reopen() {
    storage_.reset();
    Result<std::unique_ptr<Storage>> opened = Storage::open(directory_.path(), limits_, clock_, ids_);
    ASSERT_TRUE(opened) << opened.error().message;
    storage_ = std::move(*opened);
  }
  Result<Artifact> put(std::int64_t run, std::string_view name, std::string text, bool overwrite = false,
                       std::optional<int> days = std::nullopt) {
    TextBody body(std::move(text));
    return storage_->put_artifact(shop, run, 1, name, days, overwrite, body);
  }
  std::string code_of_cache(std::string_view ref, std::string_view key, std::string text) {
    TextBody body(std::move(text));
    const Result<void> put = storage_->put_cache(shop, ref, key, "v1", body);
    return put ? "" : put.error().code;
  }
  // "KEY=CONTENT", or empty.
  std::string found(std::string_view ref, std::string_view key, const std::vector<std::string>& restore = {},
                    std::string_view version = "v1") {
    auto hit = storage_->cache(shop, ref, main_ref, key, restore, version);
    EXPECT_TRUE(hit);
    return hit && *hit ? (*hit)->key + "=" + text_of((*hit)->body) : "";
  }
  std::size_t files(const std::string& folder) const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(directory_.file("pipeline-storage/" + folder))) {
      ++count;
    }
    return count;
  }

  const TestDirectory directory_;
  ManualClock clock_;
  SecureIds ids_;
  StorageLimits limits_;
  std::unique_ptr<Storage> storage_;
};

TEST_F(StorageTest, AnArtifactComesBackWhole) {
  const Result<Artifact> made = put(7, "report.zip", "some bytes of a zip");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->size, 19U);
  EXPECT_EQ(made->digest, "sha256:" + to_hex(sha256("some bytes of a zip")));
  ASSERT_TRUE(put(7, "empty", ""));
  reopen();
  const auto listed = storage_->artifacts(7);
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ(listed->back().name, "report.zip");
  EXPECT_EQ(listed->back().id, made->id);
  EXPECT_EQ(text_of(*storage_->artifact(7, "report.zip")), "some bytes of a zip");
  EXPECT_EQ(storage_->artifact(7, "other").error().code, errc::not_found);
  EXPECT_EQ(storage_->artifact(8, "report.zip").error().code, errc::not_found);
}

TEST_F(StorageTest, AnArtifactIsReplacedOnlyWhenAsked) {
  ASSERT_TRUE(put(7, "a", "one"));
  TextBody unread("two");
  EXPECT_EQ(storage_->put_artifact(shop, 7, 1, "a", {}, false, unread).error().code, errc::conflict);
  EXPECT_EQ(unread.taken(), 0U) << "who will be refused need not send it all";
  ASSERT_TRUE(put(8, "a", "of another run"));
  ASSERT_TRUE(put(7, "a", "two", true));
  EXPECT_EQ(text_of(*storage_->artifact(7, "a")), "two");
  EXPECT_EQ(files("files"), 2U);
}

TEST_F(StorageTest, AnArtifactIsRemovedForGood) {
  for (const std::string name : {"a", "b"}) ASSERT_TRUE(put(7, name, "bytes"));
  ASSERT_TRUE(put(8, "a", "of another run"));
  const Result<http::FileBody> read = storage_->artifact(7, "a");
  ASSERT_TRUE(storage_->remove_artifact(7, "a"));
  EXPECT_EQ(files("files"), 2U);
  EXPECT_EQ(text_of(*read), "bytes") << "who is reading it reads on";
  EXPECT_EQ(storage_->remove_artifact(7, "a").error().code, errc::not_found);
  reopen();
  EXPECT_EQ(storage_->artifact(7, "a").error().code, errc::not_found);
  EXPECT_EQ(storage_->artifacts(7)->size(), 1U);
  EXPECT_EQ(text_of(*storage_->artifact(8, "a")), "of another run");
  EXPECT_TRUE(put(7, "a", "again")) << "its name is free";
}

TEST_F(StorageTest, WhatHasExpiredIsNotThereToRemove) {
  ASSERT_TRUE(put(7, "short", "bytes", false, 1));
  clock_.advance(std::chrono::hours(24));
  EXPECT_EQ(storage_->remove_artifact(7, "short").error().code, errc::not_found);
  EXPECT_EQ(storage_->tidy().value(), 1U);
}

TEST_F(StorageTest, OfTwoAtOnceOneIsKept) {
  std::vector<std::string> outcomes(4);
  std::vector<std::thread> threads;
  for (std::string& outcome : outcomes) {
    threads.emplace_back([&] {
      const Result<Artifact> made = put(7, "a", "bytes");
      outcome = made ? "kept" : made.error().code;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), "kept"), 1);
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), errc::conflict), 3);
  EXPECT_EQ(files("files"), 1U);
}

TEST_F(StorageTest, ArtifactsAreBounded) {
  EXPECT_TRUE(put(7, "most", std::string(1000, 'x')));
  EXPECT_EQ(put(7, "more", std::string(1001, 'x')).error().code, errc::too_large);
  EXPECT_TRUE(put(8, "most", std::string(1000, 'x')));
  EXPECT_EQ(put(9, "one", "x").error().code, errc::too_large) << "of the repository together";
  EXPECT_TRUE(put(8, "most", std::string(1000, 'y'), true)) << "it makes room for itself";
  EXPECT_EQ(files("files"), 2U);
  EXPECT_EQ(files("incoming"), 0U);
}

TEST_F(StorageTest, WhatBreaksOffLeavesNothing) {
  TextBody body("half of it", true);
  EXPECT_EQ(storage_->put_artifact(shop, 7, 1, "a", {}, false, body).error().code, errc::unavailable);
  EXPECT_EQ(files("incoming") + files("files"), 0U);
  EXPECT_THAT(*storage_->artifacts(7), IsEmpty());
}

TEST_F(StorageTest, ArtifactsExpire) {
  ASSERT_TRUE(put(7, "default", "x"));
  ASSERT_TRUE(put(7, "short", "x", false, 1));
  EXPECT_EQ(put(7, "never", "x", false, 0).error().code, errc::invalid);
  EXPECT_EQ(put(7, "long", "x", false, max_retention_days + 1).error().code, errc::invalid);
  clock_.advance(std::chrono::hours(24));
  EXPECT_EQ(storage_->artifact(7, "short").error().code, errc::not_found) << "also before it is tidied up";
  EXPECT_EQ(storage_->artifacts(7)->size(), 1U);
  EXPECT_TRUE(put(7, "short", "again"));
  EXPECT_EQ(storage_->tidy().value(), 0U);
  clock_.advance(std::chrono::hours(24 * 89));
  EXPECT_EQ(storage_->tidy().value(), 1U);
  EXPECT_EQ(text_of(*storage_->artifact(7, "short")), "again");
  EXPECT_EQ(files("files"), 1U);
}

TEST_F(StorageTest, NamesAreGitHubs) {
  for (const std::string wrong : {"", "a/b", "a\\b", "..", "a:b", "a\nb", "a*", "a\"", "a|b", "a?"}) {
    EXPECT_EQ(put(7, wrong, "x").error().code, errc::invalid) << wrong;
  }
  EXPECT_TRUE(put(7, "test results (linux, 20)", "x"));
  for (const std::string& wrong : {std::string(), std::string("a,b"), std::string(max_cache_key_bytes + 1, 'a')}) {
    EXPECT_EQ(code_of_cache(main_ref, wrong, "x"), errc::invalid) << wrong;
  }
}

TEST_F(StorageTest, ACacheIsSeenByItsRefAndTheDefaultBranchsByAll) {
  EXPECT_EQ(code_of_cache("refs/heads/topic", "deps-1", "topic"), "");
  EXPECT_EQ(found("refs/heads/topic", "deps-1"), "deps-1=topic");
  EXPECT_EQ(found("refs/heads/other", "deps-1"), "");
  EXPECT_EQ(found(main_ref, "deps-1"), "");
  EXPECT_EQ(code_of_cache(main_ref, "deps-1", "main"), "");
  EXPECT_EQ(found("refs/heads/other", "deps-1"), "deps-1=main");
  EXPECT_EQ(found("refs/tags/v1", "deps-1"), "deps-1=main");
  EXPECT_EQ(found("refs/heads/topic", "deps-1"), "deps-1=topic");
  EXPECT_EQ(found("refs/heads/topic", "deps-1", {}, "v2"), "");
  auto other = storage_->cache("team/other", main_ref, main_ref, "deps-1", {}, "v1");
  EXPECT_FALSE(*other);
}

TEST_F(StorageTest, TheKeyGoesBeforeWhatBeginsWithIt) {
  EXPECT_EQ(code_of_cache(main_ref, "deps-1", "a"), "");
  EXPECT_EQ(code_of_cache(main_ref, "deps-1-x", "b"), "");
  EXPECT_EQ(code_of_cache(main_ref, "deps-2", "c"), "");
  EXPECT_EQ(found(main_ref, "deps-1"), "deps-1=a");
  EXPECT_EQ(found(main_ref, "deps-9", {"deps-1", "deps-"}), "deps-1-x=b") << "the newest of the first that is there";
  EXPECT_EQ(found(main_ref, "deps-9", {"none", "deps-"}), "deps-2=c");
  EXPECT_EQ(found(main_ref, "deps-9", {"", "none"}), "");
  EXPECT_EQ(found(main_ref, "deps"), "deps-2=c");
  EXPECT_EQ(found(main_ref, "%", {"_"}), "") << "nothing is a pattern";
  EXPECT_EQ(storage_->cache(shop, main_ref, main_ref, "k", std::vector<std::string>(11, "x"), "v").error().code,
            errc::invalid);
}

TEST_F(StorageTest, CachesDoNotChange) {
  EXPECT_EQ(code_of_cache(main_ref, "k", "a"), "");
  EXPECT_EQ(code_of_cache(main_ref, "k", "b"), errc::conflict);
  EXPECT_EQ(found(main_ref, "k"), "k=a");
  EXPECT_EQ(files("files"), 1U);
}

TEST_F(StorageTest, TheLeastRecentlyUsedCachesGo) {
  for (const std::string key : {"a", "b", "c"}) {
    EXPECT_EQ(code_of_cache(main_ref, key, std::string(30, 'x')), "");
    clock_.advance(std::chrono::minutes(1));
  }
  EXPECT_NE(found(main_ref, "a"), "");
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(code_of_cache(main_ref, "d", std::string(30, 'x')), "");
  EXPECT_EQ(found(main_ref, "b"), "");
  EXPECT_NE(found(main_ref, "a"), "");
  EXPECT_NE(found(main_ref, "c"), "");
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(code_of_cache(main_ref, "whole", std::string(100, 'x')), "");
  EXPECT_EQ(files("files"), 1U);
  EXPECT_EQ(code_of_cache(main_ref, "more", std::string(101, 'x')), errc::too_large);
  EXPECT_NE(found(main_ref, "whole"), "");
}

TEST_F(StorageTest, ACacheThatNobodyUsesGoes) {
  EXPECT_EQ(code_of_cache(main_ref, "used", "a"), "");
  EXPECT_EQ(code_of_cache(main_ref, "unused", "b"), "");
  clock_.advance(std::chrono::hours(6 * 24));
  EXPECT_NE(found(main_ref, "used"), "");
  clock_.advance(std::chrono::hours(24));
  EXPECT_EQ(found(main_ref, "unused"), "");
  EXPECT_EQ(code_of_cache(main_ref, "unused", "again"), "") << "its key is free";
  EXPECT_EQ(storage_->tidy().value(), 0U);
  EXPECT_EQ(found(main_ref, "unused"), "unused=again");
  EXPECT_NE(found(main_ref, "used"), "");
  EXPECT_EQ(files("files"), 2U);
}

TEST_F(StorageTest, WhatIsForgottenIsGone) {
  ASSERT_TRUE(put(7, "a", "x"));
  ASSERT_TRUE(put(7, "b", "x"));
  ASSERT_TRUE(put(8, "a", "x"));
  EXPECT_EQ(code_of_cache(main_ref, "k", "a"), "");
  ASSERT_TRUE(storage_->forget_run(7));
  EXPECT_THAT(*storage_->artifacts(7), IsEmpty());
  EXPECT_EQ(files("files"), 2U);
  ASSERT_TRUE(storage_->forget_repository("team/other"));
  EXPECT_EQ(files("files"), 2U);
  ASSERT_TRUE(storage_->forget_repository(shop));
  EXPECT_EQ(files("files"), 0U);
}

TEST_F(StorageTest, WhoIsReadingReadsOn) {
  ASSERT_TRUE(put(7, "a", "bytes"));
  const Result<http::FileBody> body = storage_->artifact(7, "a");
  ASSERT_TRUE(storage_->forget_run(7));
  EXPECT_EQ(text_of(*body), "bytes");
}

TEST_F(StorageTest, ACrashsLeftOversGoAtTheNextStart) {
  ASSERT_TRUE(put(7, "a", "bytes"));
  ASSERT_TRUE(put(7, "lost", "bytes"));
  const std::string folder = directory_.file("pipeline-storage");
  std::string lost;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/files")) lost = entry.path().string();
  storage_.reset();
  std::ofstream(folder + "/incoming/0123") << "half";
  std::ofstream(folder + "/files/4567") << "renamed, but not named in the index";
  std::filesystem::remove(lost);
  reopen();
  EXPECT_EQ(files("incoming"), 0U);
  EXPECT_EQ(files("files"), 1U);
  EXPECT_EQ(storage_->artifacts(7)->size(), 1U);
}

}  // namespace
}  // namespace kaapi::actions::storage
