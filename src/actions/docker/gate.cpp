#include "actions/docker/gate.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "actions/docker/session.h"
#include "base/file_descriptor.h"
#include "base/log.h"

namespace kaapi::actions::docker {
namespace {

Result<FileDescriptor> listen_at(const GateConfig& config) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (config.socket.size() >= sizeof address.sun_path) {
    return make_error(errc::invalid, fmt::format("{} is too long for a socket's path", config.socket));
  }
  std::memcpy(address.sun_path, config.socket.data(), config.socket.size());
  ::unlink(config.socket.c_str());
  FileDescriptor line(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!line) return file_error("make the socket", config.socket);
  // Nobody's until it is the job's. The folder is root's, so that nobody can exchange it meanwhile.
  const bool bound = ::fchmod(line.get(), 0600) == 0 &&
                     ::bind(line.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::chmod(config.socket.c_str(), 0600) == 0 &&
                     ::chown(config.socket.c_str(), config.uid, config.gid) == 0 &&
                     ::listen(line.get(), static_cast<int>(max_connections)) == 0;
  if (!bound) return file_error("listen at", config.socket);
  return line;
}

}  // namespace

struct Gate::State {
  State(GateConfig config, Folders folders, FileDescriptor socket)
      : shared(std::move(config), std::move(folders)), listener(std::move(socket)), stop(::eventfd(0, EFD_CLOEXEC)) {}

  void accept_all() {
    while (true) {
      std::array<pollfd, 2> polled = {pollfd{listener.get(), POLLIN, 0}, pollfd{stop.get(), POLLIN, 0}};
      ::poll(polled.data(), polled.size(), -1);
      if (polled[1].revents != 0) return;
      FileDescriptor client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) continue;
      std::unique_lock lock(mutex);
      // The next ones wait in the socket's line.
      changed.wait(lock, [this] { return running < max_connections || stopping; });
      if (stopping) return;
      ++running;
      lock.unlock();
      begin(std::move(client));
    }
  }

  void begin(FileDescriptor client) {
    const int fd = client.release();
    try {
      std::thread([this, fd] {
        {
          const FileDescriptor line(fd);
          Session(line.get(), stop.get(), shared).serve();
        }
        const std::lock_guard lock(mutex);
        --running;
        changed.notify_all();
      }).detach();
    } catch (const std::system_error& error) {
      log::warn("runner", "no thread for a job's call of Docker: {}", error.what());
      ::close(fd);
      const std::lock_guard lock(mutex);
      --running;
    }
  }

  Shared shared;
  FileDescriptor listener, stop;
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t running = 0;  // connections
  bool stopping = false;
  std::thread acceptor;
};

Gate::Gate(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->acceptor = std::thread([at = state_.get()] { at->accept_all(); });
}

Result<std::unique_ptr<Gate>> Gate::open(GateConfig config) {
  Result<Folders> folders = Folders::open(config.job_folder, config.shared_folder, config.pins, config.uid, config.gid);
  if (!folders) return folders.error();
  Result<FileDescriptor> socket = listen_at(config);
  if (!socket) return socket.error();
  auto state = std::make_unique<State>(std::move(config), std::move(*folders), std::move(*socket));
  return std::unique_ptr<Gate>(new Gate(std::move(state)));
}

Gate::~Gate() {
  ::unlink(state_->shared.config.socket.c_str());
  ::eventfd_write(state_->stop.get(), 1);
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  state_->changed.wait(lock, [this] { return state_->running == 0; });
  lock.unlock();
  state_->acceptor.join();
}

bool Gate::made_any() const {
  return state_->shared.made_any;
}

}  // namespace kaapi::actions::docker
