#include "audit/watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace kaapi::audit {

Result<FolderWatch> FolderWatch::open(const std::string& folder) {
  FileDescriptor fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd || ::inotify_add_watch(fd.get(), folder.c_str(), IN_MODIFY | IN_CREATE | IN_ONLYDIR) < 0) {
    return file_error("watch", folder);
  }
  return FolderWatch(std::move(fd));
}

Result<bool> FolderWatch::wait(std::optional<std::chrono::milliseconds> at_most) {
  pollfd waiting{fd_.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, at_most ? static_cast<int>(at_most->count()) : -1);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return file_error("watch", "the audit log");
  if (ready == 0) return false;
  // What changed does not matter; the log is looked at as a whole. An overflow of the queue is an event like any other.
  alignas(inotify_event) std::array<char, 16 * 1024> events;
  while (::read(fd_.get(), events.data(), events.size()) > 0) {
  }
  return true;
}

}  // namespace kaapi::audit
