// Archives: what goes in comes out, and nothing gets outside.
#include "actions/builtin/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "actions/builtin/test_host.h"

namespace kaapi::actions {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

struct Planted {
  std::string name, content;
  mode_t kind = AE_IFREG;
  std::string link{};
};

class ArchiveTest : public testing::Test {
 protected:
  ArchiveTest() {
    fs::create_directories(folder);
    packing.max_bytes = 1'000'000;
  }

  // An archive as somebody else may have made it.
  void plant(const std::vector<Planted>& entries, ArchiveFormat format) const {
    archive* out = archive_write_new();
    if (format == ArchiveFormat::zip) {
      archive_write_set_format_zip(out);
    } else {
      archive_write_set_format_pax_restricted(out);
      archive_write_add_filter_zstd(out);
    }
    archive_write_open_filename(out, file.c_str());
    for (const Planted& each : entries) {
      archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, each.name.c_str());
      archive_entry_set_filetype(entry, each.kind);
      archive_entry_set_perm(entry, 0777);
      archive_entry_set_size(entry, static_cast<la_int64_t>(each.content.size()));
      if (each.kind == AE_IFLNK) archive_entry_set_symlink(entry, each.link.c_str());
      if (each.kind == AE_IFREG && !each.link.empty()) archive_entry_set_hardlink(entry, each.link.c_str());
      archive_write_header(out, entry);
      archive_write_data(out, each.content.data(), each.content.size());
      archive_entry_free(entry);
    }
    archive_write_close(out);
    archive_write_free(out);
  }
  Result<std::size_t> take_out(ArchiveFormat format) const {
    Unpacking unpacking;
    unpacking.format = format;
    unpacking.place = [this](std::string_view name) { return place_below(folder, name); };
    return unpack(file, unpacking);
  }
  std::string refused(const std::vector<Planted>& entries, ArchiveFormat format) const {
    plant(entries, format);
    const auto taken = take_out(format);
    return taken ? "" : taken.error().message;
  }

  TestHost host;
  std::string file = host.file("archive"), folder = host.file("there"), outside = host.file("outside");
  Packing packing;
};

TEST_F(ArchiveTest, AZipHasFilesOnly) {
  host.write("a.txt", "one");
  host.write("deep/ü ß.bin", std::string(300'000, 'x'));
  host.write("empty", "");
  ASSERT_EQ(::chmod(host.in_workspace("a.txt").c_str(), 0700), 0);
  const auto packed = pack({{host.in_workspace("a.txt"), "a.txt"},
                            {host.in_workspace("deep/ü ß.bin"), "deep/ü ß.bin"},
                            {host.in_workspace("empty"), "empty"}},
                           file, packing);
  ASSERT_TRUE(packed) << packed.error().message;
  EXPECT_LT(fs::file_size(file), 5'000U);
  const auto taken = take_out(ArchiveFormat::zip);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(*taken, 3U);
  EXPECT_EQ(TestHost::content(folder + "/a.txt"), "one");
  EXPECT_EQ(TestHost::content(folder + "/deep/ü ß.bin"), std::string(300'000, 'x'));
  EXPECT_TRUE(fs::exists(folder + "/empty"));
  EXPECT_EQ(static_cast<int>(fs::status(folder + "/a.txt").permissions()) & 0111, 0);
}

TEST_F(ArchiveTest, LevelZeroStores) {
  host.write("a", std::string(50'000, 'x'));
  packing.level = 0;
  ASSERT_TRUE(pack({{host.in_workspace("a"), "a"}}, file, packing));
  EXPECT_GT(fs::file_size(file), 50'000U);
}

TEST_F(ArchiveTest, ATarKeepsModesLinksAndTimes) {
  host.write("d/run", "#!");
  ASSERT_EQ(::chmod(host.in_workspace("d/run").c_str(), 0755), 0);
  fs::create_hard_link(host.in_workspace("d/run"), host.in_workspace("d/same"));
  fs::create_symlink("/usr/bin/env", host.in_workspace("d/link"));
  fs::create_directory(host.in_workspace("d/empty"));
  fs::last_write_time(host.in_workspace("d/run"), fs::file_time_type::clock::now() - std::chrono::hours(100));
  packing.format = ArchiveFormat::tar_zstd;
  std::vector<PackedFile> files;
  for (const char* name : {"d", "d/empty", "d/link", "d/run", "d/same"}) {
    files.push_back({host.in_workspace(name), name});
  }
  ASSERT_TRUE(pack(files, file, packing));
  for (int again = 0; again < 2; ++again) {
    const auto taken = take_out(ArchiveFormat::tar_zstd);
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(TestHost::content(folder + "/d/same"), "#!");
    EXPECT_EQ(fs::hard_link_count(folder + "/d/run"), 2U);
    EXPECT_EQ(fs::read_symlink(folder + "/d/link"), "/usr/bin/env");
    EXPECT_TRUE(fs::is_directory(folder + "/d/empty"));
    EXPECT_NE(static_cast<int>(fs::status(folder + "/d/run").permissions()) & 0100, 0);
    EXPECT_EQ(fs::last_write_time(folder + "/d/run"), fs::last_write_time(host.in_workspace("d/run")));
  }
}

TEST_F(ArchiveTest, NothingGetsOutside) {
  fs::create_directory(outside);
  for (const ArchiveFormat format : {ArchiveFormat::zip, ArchiveFormat::tar_zstd}) {
    EXPECT_THAT(refused({{"../outside/x", "evil"}}, format), HasSubstr("'../outside/x'"));
    EXPECT_THAT(refused({{"a/../../outside/x", "evil"}}, format), HasSubstr("outside of"));
    EXPECT_THAT(refused({{outside + "/x", "evil"}}, format), HasSubstr("outside of"));
    EXPECT_THAT(refused({{"..\\outside\\x", "evil"}}, format), HasSubstr("outside of"));
    // A link that is there already.
    fs::remove(folder + "/way");
    fs::create_directory_symlink(outside, folder + "/way");
    EXPECT_THAT(refused({{"way/x", "evil"}}, format), HasSubstr("cannot write"));
    // As a file it is replaced, not followed.
    host.write("target", "safe");
    fs::remove(folder + "/file");
    fs::create_symlink(host.in_workspace("target"), folder + "/file");
    EXPECT_EQ(refused({{"file", "new"}}, format), "");
    EXPECT_EQ(TestHost::content(host.in_workspace("target")), "safe");
    EXPECT_EQ(TestHost::content(folder + "/file"), "new");
  }
  EXPECT_THAT(refused({{"l", "", AE_IFLNK, outside}, {"l/x", "evil"}}, ArchiveFormat::zip),
              HasSubstr("neither a file"));
  EXPECT_THAT(refused({{"l", "", AE_IFLNK, outside}, {"l/x", "evil"}}, ArchiveFormat::tar_zstd),
              HasSubstr("cannot write"));
  EXPECT_THAT(refused({{"h", "", AE_IFREG, "../outside/y"}}, ArchiveFormat::tar_zstd), HasSubstr("outside of"));
  EXPECT_THAT(refused({{"pipe", "", AE_IFIFO, ""}}, ArchiveFormat::tar_zstd), HasSubstr("neither a file"));
  EXPECT_TRUE(fs::is_empty(outside));
}

TEST_F(ArchiveTest, SaysWhatCannotBeDone) {
  host.write("a", std::string(2'000, 'x'));
  packing.level = 0;
  packing.max_bytes = 1'000;
  EXPECT_EQ(pack({{host.in_workspace("a"), "a"}}, file, packing).error().code, errc::too_large);
  fs::remove(file);
  EXPECT_THAT(pack({{host.in_workspace("none"), "none"}}, file, packing).error().message, HasSubstr("none"));
  fs::remove(file);
  packing.cancelled = [] { return true; };
  EXPECT_EQ(pack({{host.in_workspace("a"), "a"}}, file, packing).error().code, errc::cancelled);
  host.write("junk", "this is no archive");
  fs::copy_file(host.in_workspace("junk"), file, fs::copy_options::overwrite_existing);
  EXPECT_EQ(take_out(ArchiveFormat::zip).error().code, errc::invalid);
  EXPECT_EQ(take_out(ArchiveFormat::tar_zstd).error().code, errc::invalid);
}

}  // namespace
}  // namespace kaapi::actions
