#include "actions/builtin/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <locale.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

constexpr std::size_t buffer_bytes = 128UL * 1024;

using Handle = std::unique_ptr<archive, int (*)(archive*)>;
using Entry = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;

// libarchive asks the locale how names are written. Names are bytes here, and mostly UTF-8.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) before_ = ::uselocale(locale_);
  }
  ~Utf8Locale() {
    if (locale_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(locale_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t locale_, before_ = nullptr;
};

std::string why(archive* handle) {
  const char* text = archive_error_string(handle);
  return text == nullptr ? "it is damaged" : text;
}

Error cancelled_error() {
  return make_error(errc::cancelled, "the step was cancelled");
}

class Packer {
 public:
  Packer(const Packing& packing, const std::string& into)
      : packing_(packing), into_(into), out_(archive_write_new(), &archive_write_free) {}

  Result<void> pack_all(const std::vector<PackedFile>& files) {
    const FileDescriptor file(::open(into_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return file_error("cannot write", into_);
    if (!choose_format() || archive_write_open_fd(out_.get(), file.get()) != ARCHIVE_OK) return write_error();
    for (const PackedFile& each : files) {
      if (const Result<void> added = add(each); !added) return added;
    }
    if (archive_write_close(out_.get()) != ARCHIVE_OK) return write_error();
    return check_size();
  }

 private:
  bool choose_format() {
    archive* out = out_.get();
    archive_write_set_bytes_in_last_block(out, 1);
    if (packing_.format == ArchiveFormat::tar_zstd) {
      return archive_write_set_format_pax(out) == ARCHIVE_OK && archive_write_add_filter_zstd(out) == ARCHIVE_OK;
    }
    if (archive_write_set_format_zip(out) != ARCHIVE_OK) return false;
    if (packing_.level == 0) return archive_write_zip_set_compression_store(out) == ARCHIVE_OK;
    const std::string level = fmt::format("{}", packing_.level);
    return archive_write_set_format_option(out, "zip", "compression-level", level.c_str()) == ARCHIVE_OK;
  }

  Result<void> add(const PackedFile& file) {
    if (packing_.cancelled && packing_.cancelled()) return cancelled_error();
    struct stat about {};
    const bool follow = packing_.format == ArchiveFormat::zip;
    if ((follow ? ::stat(file.path.c_str(), &about) : ::lstat(file.path.c_str(), &about)) != 0) {
      return file_error("cannot read", file.path);
    }
    // Opened before it is described: it may change meanwhile.
    FileDescriptor content(-1);
    if (S_ISREG(about.st_mode)) {
      content = FileDescriptor(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)));
      if (!content || ::fstat(content.get(), &about) != 0) return file_error("cannot read", file.path);
    }
    const Entry entry(archive_entry_new(), &archive_entry_free);
    if (const Result<void> described = describe(entry.get(), file, about); !described) return described;
    const bool linked = archive_entry_hardlink(entry.get()) != nullptr;
    const int begun = archive_write_header(out_.get(), entry.get());
    if (begun != ARCHIVE_OK && begun != ARCHIVE_WARN) return write_error();
    if (!content || linked) return ok();
    return write_content(content.get(), file, static_cast<std::uint64_t>(about.st_size));
  }

  Result<void> describe(archive_entry* entry, const PackedFile& file, const struct stat& about) {
    archive_entry_set_pathname(entry, file.name.c_str());
    archive_entry_set_filetype(entry, about.st_mode & S_IFMT);
    archive_entry_set_mtime(entry, about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
    if (packing_.format == ArchiveFormat::zip) {
      archive_entry_set_perm(entry, S_ISDIR(about.st_mode) ? 0755 : 0644);
    } else {
      archive_entry_set_perm(entry, about.st_mode & 0777);
    }
    if (S_ISREG(about.st_mode)) archive_entry_set_size(entry, about.st_size);
    if (S_ISLNK(about.st_mode)) {
      std::error_code failed;
      const std::string target = std::filesystem::read_symlink(file.path, failed).string();
      if (failed) return make_error(errc::unavailable, fmt::format("cannot read {}: {}", file.path, failed.message()));
      archive_entry_set_symlink(entry, target.c_str());
    }
    if (packing_.format == ArchiveFormat::tar_zstd && S_ISREG(about.st_mode) && about.st_nlink > 1) {
      const auto [first, is_new] = names_.try_emplace({about.st_dev, about.st_ino}, file.name);
      if (!is_new) {
        archive_entry_set_hardlink(entry, first->second.c_str());
        archive_entry_set_size(entry, 0);
      }
    }
    return ok();
  }

  Result<void> write_content(int content, const PackedFile& file, std::uint64_t size) {
    std::uint64_t written = 0;
    while (written < size) {
      if (packing_.cancelled && packing_.cancelled()) return cancelled_error();
      const ssize_t got = ::read(content, buffer_.data(),
                                 static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), size - written)));
      if (got < 0) return file_error("cannot read", file.path);
      if (got == 0) {
        return make_error(errc::unavailable, fmt::format("{} became shorter while it was read", file.path));
      }
      if (archive_write_data(out_.get(), buffer_.data(), static_cast<std::size_t>(got)) != got) return write_error();
      written += static_cast<std::uint64_t>(got);
      if (const Result<void> fits = check_size(); !fits) return fits;
    }
    return ok();
  }

  Result<void> check_size() const {
    const la_int64_t bytes = archive_filter_bytes(out_.get(), -1);
    if (bytes >= 0 && static_cast<std::uint64_t>(bytes) <= packing_.max_bytes) return ok();
    return make_error(errc::too_large, fmt::format("the archive would have more than {} bytes", packing_.max_bytes));
  }

  Error write_error() const {
    return make_error(errc::unavailable, fmt::format("cannot write {}: {}", into_, why(out_.get())));
  }

  const Packing& packing_;
  const std::string& into_;
  Handle out_;
  std::array<char, buffer_bytes> buffer_{};
  std::map<std::pair<dev_t, ino_t>, std::string> names_;  // of files that have several names
};

class Unpacker {
 public:
  Unpacker(const Unpacking& unpacking, const std::string& from)
      : unpacking_(unpacking),
        from_(from),
        in_(archive_read_new(), &archive_read_free),
        disk_(archive_write_disk_new(), &archive_write_free) {}

  Result<std::size_t> unpack_all() {
    archive* in = in_.get();
    const bool zip = unpacking_.format == ArchiveFormat::zip;
    if (zip) {
      archive_read_support_format_zip(in);
    } else {
      archive_read_support_format_tar(in);
      archive_read_support_filter_zstd(in);
    }
    int flags = ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT;
    if (!zip) flags |= ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM;
    archive_write_disk_set_options(disk_.get(), flags);
    if (archive_read_open_filename(in, from_.c_str(), buffer_bytes) != ARCHIVE_OK) return read_error();
    while (true) {
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(in, &entry);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return read_error();
      if (const Result<void> taken = take(entry); !taken) return taken.error();
    }
    // Folders get their times and modes last.
    if (archive_write_close(disk_.get()) != ARCHIVE_OK) return disk_error("");
    return files_;
  }

 private:
  Result<void> take(archive_entry* entry) {
    if (unpacking_.cancelled && unpacking_.cancelled()) return cancelled_error();
    if (++entries_ > max_unpacked_entries) {
      return make_error(errc::too_large, fmt::format("the archive has more than {} entries", max_unpacked_entries));
    }
    const char* given = archive_entry_pathname(entry);
    if (given == nullptr) return make_error(errc::invalid, "the archive has a name that cannot be read");
    const std::string name = given;
    const auto kind = archive_entry_filetype(entry);
    const bool link = kind == AE_IFLNK || archive_entry_hardlink(entry) != nullptr;
    const bool links_allowed = unpacking_.format == ArchiveFormat::tar_zstd;
    if ((kind != AE_IFREG && kind != AE_IFDIR && !link) || (link && !links_allowed)) {
      return make_error(errc::invalid, fmt::format("the archive has '{}', which is neither a file nor a folder", name));
    }
    const Result<std::string> place = unpacking_.place(name);
    if (!place) return place.error();
    archive_entry_set_pathname(entry, place->c_str());
    if (const char* target = archive_entry_hardlink(entry); target != nullptr) {
      const Result<std::string> linked = unpacking_.place(std::string(target));
      if (!linked) return linked.error();
      archive_entry_set_hardlink(entry, linked->c_str());
    }
    if (unpacking_.format == ArchiveFormat::zip) archive_entry_set_perm(entry, kind == AE_IFDIR ? 0755 : 0644);
    if (archive_write_header(disk_.get(), entry) < ARCHIVE_WARN) return disk_error(*place);
    if (kind != AE_IFDIR) ++files_;
    if (kind == AE_IFREG && !link) {
      if (const Result<void> copied = copy(*place); !copied) return copied;
    }
    if (archive_write_finish_entry(disk_.get()) < ARCHIVE_WARN) return disk_error(*place);
    return ok();
  }

  Result<void> copy(const std::string& place) {
    while (true) {
      if (unpacking_.cancelled && unpacking_.cancelled()) return cancelled_error();
      const void* bytes = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(in_.get(), &bytes, &size, &offset);
      if (status == ARCHIVE_EOF) return ok();
      if (status < ARCHIVE_WARN) return read_error();
      unpacked_ += size;
      if (unpacked_ > max_unpacked_bytes || offset < 0 || static_cast<std::uint64_t>(offset) > max_unpacked_bytes) {
        return make_error(errc::too_large, fmt::format("the archive has more than {} bytes in it", max_unpacked_bytes));
      }
      if (archive_write_data_block(disk_.get(), bytes, size, offset) < ARCHIVE_WARN) return disk_error(place);
    }
  }

  Error read_error() const {
    return make_error(errc::invalid, fmt::format("the archive cannot be read: {}", why(in_.get())));
  }
  Error disk_error(const std::string& place) const {
    return make_error(errc::unavailable, fmt::format("cannot write {}: {}", place, why(disk_.get())));
  }

  const Unpacking& unpacking_;
  const std::string& from_;
  Handle in_, disk_;
  std::size_t entries_ = 0, files_ = 0;
  std::uint64_t unpacked_ = 0;
};

}  // namespace

Result<void> pack(const std::vector<PackedFile>& files, const std::string& into, const Packing& packing) {
  const Utf8Locale utf8;
  const auto packer = std::make_unique<Packer>(packing, into);
  return packer->pack_all(files);
}

Result<std::size_t> unpack(const std::string& archive, const Unpacking& unpacking) {
  const Utf8Locale utf8;
  Unpacker unpacker(unpacking, archive);
  return unpacker.unpack_all();
}

Result<std::string> place_below(std::string_view folder, std::string_view name) {
  const std::vector<std::string> segments = split(name, '/');
  const bool climbs = std::find(segments.begin(), segments.end(), "..") != segments.end();
  if (name.empty() || name.starts_with('/') || name.find('\\') != std::string_view::npos || climbs) {
    return make_error(errc::invalid, fmt::format("the archive has '{}', which would be outside of {}", name, folder));
  }
  return fmt::format("{}/{}", folder == "/" ? "" : folder, name);
}

}  // namespace kaapi::actions
