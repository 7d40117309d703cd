#pragma once
// One connection, as a state machine that never blocks: read a head, read a body, hand over to a handler, write the
// answer, again.

#include <atomic>
#include <cstdint>
#include <list>
#include <string>

#include "http/chunked.h"
#include "http/deadline.h"
#include "http/request_head.h"
#include "http/router.h"
#include "http/server.h"

namespace kaapi::http {

// What all connections of one server share.
struct Shared {
  const ServerConfig& config;
  const Router& router;
  std::atomic<bool> stopping{false};  // finish what runs, take nothing new
  std::atomic<bool> aborting{false};  // close everything
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::size_t> large_body_bytes{0};  // charged by connections, see Connection::charge_body()
};

// What the caller does with a connection next.
enum class Next {
  wait,     // for `interest`, then on_ready()
  handle,   // call handle() on a worker, now or when one is free
  stream,   // call handle() on a thread that may wait for the peer
  produce,  // call produce() on such a thread
  close     // destroy it
};

// Owned by one thread at a time; whoever gets its event from epoll or takes it from a queue is the owner until it waits
// again. Only `deadline` is touched by others.
class Connection {
 public:
  // Takes the descriptor, which is non-blocking.
  Connection(int fd, std::string remote_address, Shared& shared);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The first step: wait for a request, or tell the peer that there are too many.
  Next begin(bool refused);
  // The socket is ready for what was waited for, or the deadline has expired.
  Next on_ready();
  // Runs the handler of the request that was read, and begins the answer.
  Next handle();
  // Writes an answer whose body comes to be meanwhile.
  Next produce();
  // The handler cannot be run: answers 503.
  Next handle_overload();

  int fd() const { return fd_; }

  // What Next::wait waits for.
  struct Interest {
    std::uint32_t events = 0;
    Wait wait = Wait::idle;
    Millis due = 0;
  };
  const Interest& interest() const { return interest_; }
  Deadline deadline;
  std::list<Connection>::iterator self;  // for the registry that holds it
  bool registered = false;               // with epoll; the registry's too

 private:
  friend class StreamBody;
  friend class ChunkWriter;
  enum class Phase { head, body, write, linger };

  Next read_head();
  Next take_head();
  Next check_head(std::size_t head_bytes);
  Next begin_request();
  Next read_body();
  Next read_sized_body();
  Next read_chunked_body();
  Next wait_for_body();
  // Accounts for what body_ holds beyond its free share. False: all bodies together hold too much.
  bool charge_body();
  void release_body();
  Next refuse_for_memory();
  Next start_answer(Response response);
  Next write_some();
  Next finish_answer();
  Next discard();
  Next refuse(int status, std::string text);
  Next wait_for(std::uint32_t events, Wait wait, Millis due);
  Response run_handler();
  Response run_stream_handler(const StreamHandler& handler);
  void send_continue();
  // Bytes received (appended to input_); 0: nothing there yet; -1: the peer is gone.
  long receive();

  const int fd_;
  const std::string remote_address_;
  Shared& shared_;
  Interest interest_;
  Phase phase_ = Phase::head;

  std::string input_;        // received and not yet understood
  std::size_t scanned_ = 0;  // of input_, without the end of a head in it
  bool pipelined_ = false;   // input_ may hold a whole request already
  Millis head_due_ = 0;      // 0: no byte of a request yet

  ParsedHead request_;
  const Route* route_ = nullptr;
  std::string body_;
  std::uint64_t body_remaining_ = 0;  // of a body with Content-Length
  std::size_t charged_bytes_ = 0;     // of Shared::large_body_bytes
  Millis body_due_ = 0;               // the last byte
  ChunkDecoder chunks_;
  bool head_only_ = false;  // the request is HEAD

  Response response_;
  std::string response_head_;
  std::uint64_t written_ = 0;  // of head and body together
  std::uint64_t body_to_write_ = 0;
  bool keep_alive_ = true;
  bool linger_ = false;  // unread input would reset the connection before the peer has read the answer
  Millis linger_due_ = 0;
};

}  // namespace kaapi::http
