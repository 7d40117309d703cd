#pragma once
// Folders of a job that its containers may see. The engine is root and looks for a folder by its name, at a later time:
// a job could put a link to another one in its place meanwhile. So what the engine is told is the name of a mount of
// that very folder, where the job cannot write.

#include <sys/types.h>

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace kaapi::actions::docker {

inline constexpr std::size_t max_pins = 512;  // different folders of one job

// Thread-safe.
class Folders {
 public:
  // `root`: everything below it may be bound, and missing folders are made there for `uid`. `read_only`: what may be
  // seen, not written. `pins`: where the mounts go, an empty folder of root's; they go with this object.
  static Result<Folders> open(std::string root, std::string read_only, std::string pins, uid_t uid, gid_t gid);
  ~Folders();
  Folders(Folders&& other) noexcept;
  Folders& operator=(Folders&&) = delete;

  // The path to bind for `source`, absolute; the same for the same folder. Errors: `AccessDenied` (not the job's, or
  // links lead out of it), `NotFound`, `TooLarge` (max_pins), `Unavailable` (the kernel does not let this process
  // mount).
  Result<std::string> pin(std::string_view source, bool read_only, bool make_missing);

 private:
  // A folder as it is named, and as it is without links.
  struct Top {
    std::string named, real;
  };
  // Device, inode, whether it cannot be written through the mount.
  using Key = std::tuple<dev_t, ino_t, bool>;

  Folders(Top root, Top read_only, std::string pins, uid_t uid, gid_t gid);
  Result<FileDescriptor> open_below(const std::string& top, std::string_view rest, bool make_missing) const;
  Result<std::string> hold(const FileDescriptor& file, std::string_view source, bool read_only);
  Result<void> mount(const FileDescriptor& file, const std::string& at, bool folder, bool read_only) const;

  Top root_, read_only_;
  std::string pins_;
  uid_t uid_;
  gid_t gid_;
  std::mutex mutex_;
  std::map<Key, std::string> held_;
};

// Files of the machine that say nothing which a container may not know, and that many are given, read-only.
bool is_well_known(std::string_view path);

// Whether this process and the one that listens on the Unix socket see the same mounts. Errors: those of connecting.
Result<bool> shares_mounts(const std::string& socket_path);

}  // namespace kaapi::actions::docker
