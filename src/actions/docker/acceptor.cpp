#include "actions/docker/acceptor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"

namespace kaapi::actions::docker {
namespace {

constexpr int accept_retry_ms = 100;

FileDescriptor make_event() {
  FileDescriptor event(::eventfd(0, EFD_CLOEXEC));
  // Without it nobody could be told to stop.
  if (!event) throw std::system_error(errno, std::generic_category(), "eventfd");
  return event;
}

}  // namespace

Acceptor::Acceptor(FileDescriptor listener, std::size_t max_connections, Serve serve)
    : listener_(std::move(listener)),
      stop_(make_event()),
      max_connections_(max_connections),
      serve_(std::move(serve)),
      thread_([this] { accept_all(); }) {}

Acceptor::~Acceptor() {
  ::eventfd_write(stop_.get(), 1);
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return running_ == 0; });
  }
  thread_.join();
}

void Acceptor::accept_all() {
  while (true) {
    std::array<pollfd, 2> polled = {pollfd{listener_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
    ::poll(polled.data(), polled.size(), -1);
    if (polled[1].revents != 0) return;
    FileDescriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) {
      // Out of descriptors, perhaps: what comes next waits in line until there are some again.
      pollfd stopped = {stop_.get(), POLLIN, 0};
      if (errno != EAGAIN && errno != ECONNABORTED) ::poll(&stopped, 1, accept_retry_ms);
      continue;
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return running_ < max_connections_ || stopping_; });
    if (stopping_) return;
    ++running_;
    lock.unlock();
    begin(std::move(client));
  }
}

void Acceptor::begin(FileDescriptor client) {
  const int fd = client.release();
  try {
    std::thread([this, fd] {
      {
        const FileDescriptor line(fd);
        serve_(line.get(), stop_.get());
      }
      end_one();
    }).detach();
  } catch (const std::system_error& error) {
    log::warn("runner", "no thread for a connection of a job: {}", error.what());
    ::close(fd);
    end_one();
  }
}

void Acceptor::end_one() {
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_all();
}

}  // namespace kaapi::actions::docker
