#pragma once
// Connections of a listening socket, each served on a thread of its own.

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

#include "base/file_descriptor.h"

namespace kaapi::actions::docker {

// Accepts from construction on until it is destroyed, on a thread of its own.
class Acceptor {
 public:
  // Serves one connection, which it does not own; `stop` becomes readable when it shall end. Called on many threads.
  using Serve = std::function<void(int client, int stop)>;

  // `max_connections`: the next ones wait in the socket's line.
  // Throws std::system_error when there is no thread, or no descriptor, for it.
  Acceptor(FileDescriptor listener, std::size_t max_connections, Serve serve);
  ~Acceptor();  // waits until every connection has ended
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  void accept_all();
  void begin(FileDescriptor client);
  void end_one();

  const FileDescriptor listener_, stop_;
  const std::size_t max_connections_;
  const Serve serve_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t running_ = 0;  // connections
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace kaapi::actions::docker
