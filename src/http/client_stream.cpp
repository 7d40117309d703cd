#include "http/client_stream.h"

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <mutex>
#include <thread>
#include <vector>

#include "http/client_parser.h"

namespace kaapi::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

constexpr std::size_t read_buffer_bytes = 64 * 1024;

struct Io {
  asio::io_context context{1};
  // One for all streams: they read one at a time.
  std::array<char, read_buffer_bytes> buffer;
};

// One streamed exchange. Lives on the io thread, except for stop().
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<Io> io, std::string peer, std::string request_text, bool head_request,
           Client::StreamCallbacks callbacks)
      : io_(std::move(io)),
        socket_(io_->context),
        resolver_(io_->context),
        peer_(std::move(peer)),
        request_text_(std::move(request_text)),
        callbacks_(std::move(callbacks)),
        parser_(head_request,
                AnswerParser::Callbacks{[this](int status, const Headers& headers) { emit_head(status, headers); },
                                        [this](std::string_view bytes) { return emit_bytes(bytes); }}) {}

  void begin(const Endpoint& endpoint) {
    if (!endpoint.unix_path.empty()) {
      begin_unix(endpoint.unix_path);
      return;
    }
    auto on_resolved = [self = shared_from_this()](const error_code& ec,
                                                   const asio::ip::tcp::resolver::results_type& results) {
      if (ec) {
        self->finish(self->no_connection(ec.message()));
        return;
      }
      for (const auto& entry : results) {
        self->endpoints_.emplace_back(entry.endpoint());
      }
      self->connect(0);
    };
    resolver_.async_resolve(endpoint.host, std::to_string(endpoint.port), std::move(on_resolved));
  }

  void fail(Error error) { finish(std::move(error)); }

  // From any thread, also from inside a callback of this exchange. No callback starts after it returns.
  void stop() {
    Client::StreamCallbacks dropped;  // destroyed after the lock: it may own anything
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) {
        return;
      }
      stopped_ = true;
      if (!in_callback_) {
        dropped = std::move(callbacks_);
      }
    }
    asio::post(io_->context, [self = shared_from_this()] { self->close(); });
  }

 private:
  Error no_connection(const std::string& why) const {
    return make_error(errc::unavailable, "cannot connect to " + peer_ + ": " + why);
  }
  void begin_unix(const std::string& path) {
    asio::local::stream_protocol::endpoint endpoint;
    try {
      endpoint.path(path);
    } catch (const boost::system::system_error&) {
      finish(no_connection("the path is too long for a Unix socket"));
      return;
    }
    endpoints_.emplace_back(endpoint);
    connect(0);
  }

  void connect(std::size_t index) {
    // The answer of the resolver may have been on its way when the exchange was stopped: nobody would end what began
    // now.
    if (stopped()) {
      return;
    }
    if (index >= endpoints_.size()) {
      finish(no_connection(last_error_.message()));
      return;
    }
    error_code ignored;
    socket_.close(ignored);
    auto on_connected = [self = shared_from_this(), index](const error_code& ec) {
      if (ec == asio::error::operation_aborted) {
        return;
      }
      if (ec) {
        self->last_error_ = ec;
        self->connect(index + 1);
        return;
      }
      self->write();
    };
    socket_.async_connect(endpoints_[index], std::move(on_connected));
  }

  void write() {
    auto on_written = [self = shared_from_this()](const error_code& ec, std::size_t) {
      self->request_text_ = {};
      // A peer that refuses early may close before it read everything: its answer says more than the failed write.
      if (ec == asio::error::operation_aborted) {
        return;
      }
      error_code ignored;
      self->socket_.non_blocking(true, ignored);
      self->wait();
    };
    asio::async_write(socket_, asio::buffer(request_text_), std::move(on_written));
  }

  void wait() {
    auto on_ready = [self = shared_from_this()](const error_code& ec) {
      if (ec == asio::error::operation_aborted) {
        return;
      }
      self->read();
    };
    socket_.async_wait(asio::socket_base::wait_read, std::move(on_ready));
  }

  void read() {
    if (stopped()) {
      return;
    }
    error_code ec;
    const std::size_t count = socket_.read_some(asio::buffer(io_->buffer), ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) {
      wait();
      return;
    }
    if (ec == asio::error::eof || ec == asio::error::connection_reset || ec == asio::error::broken_pipe) {
      finish(parser_.end_of_input());
      return;
    }
    if (ec) {
      finish(make_error(errc::unavailable, "the connection to " + peer_ + " was lost: " + ec.message()));
      return;
    }
    Result<void> fed = parser_.feed(std::string_view(io_->buffer.data(), count));
    if (!fed || parser_.done()) {
      finish(std::move(fed));
      return;
    }
    wait();
  }

  template <class Call>
  void emit(Call&& call) {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return;
    }
    in_callback_ = true;
    call();
    in_callback_ = false;
  }
  void emit_head(int status, const Headers& headers) {
    emit([&] {
      if (callbacks_.on_head) {
        callbacks_.on_head(status, headers);
      }
    });
  }
  bool emit_bytes(std::string_view bytes) {
    emit([&] {
      if (callbacks_.on_bytes) {
        callbacks_.on_bytes(bytes);
      }
    });
    return !stopped();
  }
  void finish(Result<void> result) {
    emit([&] {
      if (callbacks_.on_end) {
        callbacks_.on_end(std::move(result));
      }
    });
    stop();
  }

  void close() {
    error_code ignored;
    socket_.close(ignored);
    resolver_.cancel();
    Client::StreamCallbacks dropped;
    const std::lock_guard lock(mutex_);
    std::swap(dropped, callbacks_);
  }
  bool stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

  std::shared_ptr<Io> io_;
  Protocol::socket socket_;
  asio::ip::tcp::resolver resolver_;
  std::string peer_;
  std::string request_text_;
  std::vector<Protocol::endpoint> endpoints_;
  error_code last_error_;

  // Held while a callback runs, so that stop() waits for it; recursive, so that the callback itself may stop.
  std::recursive_mutex mutex_;
  bool stopped_ = false;
  bool in_callback_ = false;
  Client::StreamCallbacks callbacks_;
  AnswerParser parser_;
};

class Handle final : public Client::Stream {
 public:
  explicit Handle(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~Handle() override { exchange_->stop(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace

struct StreamLoop::Impl {
  explicit Impl(Endpoint where) : endpoint(std::move(where)) {}

  std::shared_ptr<Exchange> add(std::string request_text, bool head_request, Client::StreamCallbacks callbacks) {
    auto exchange = std::make_shared<Exchange>(io, peer, std::move(request_text), head_request, std::move(callbacks));
    const std::lock_guard lock(mutex);
    std::erase_if(exchanges, [](const std::weak_ptr<Exchange>& weak) { return weak.expired(); });
    exchanges.push_back(exchange);
    return exchange;
  }

  Endpoint endpoint;
  std::string peer =
      endpoint.unix_path.empty() ? endpoint.host + ":" + std::to_string(endpoint.port) : endpoint.unix_path;
  std::shared_ptr<Io> io = std::make_shared<Io>();
  asio::executor_work_guard<asio::io_context::executor_type> work{io->context.get_executor()};
  std::mutex mutex;
  std::vector<std::weak_ptr<Exchange>> exchanges;
  std::thread thread{[shared = io] { shared->context.run(); }};
};

StreamLoop::StreamLoop(Endpoint endpoint) : impl_(std::make_unique<Impl>(std::move(endpoint))) {}

StreamLoop::~StreamLoop() {
  for (const std::weak_ptr<Exchange>& weak : impl_->exchanges) {
    if (const std::shared_ptr<Exchange> exchange = weak.lock()) {
      exchange->stop();
    }
  }
  impl_->work.reset();
  impl_->thread.join();
}

std::unique_ptr<Client::Stream> StreamLoop::start(std::string request_text, bool head_request,
                                                  Client::StreamCallbacks callbacks) {
  auto exchange = impl_->add(std::move(request_text), head_request, std::move(callbacks));
  asio::post(impl_->io->context, [exchange, endpoint = impl_->endpoint] { exchange->begin(endpoint); });
  return std::make_unique<Handle>(std::move(exchange));
}

std::unique_ptr<Client::Stream> StreamLoop::fail(Error error, Client::StreamCallbacks callbacks) {
  auto exchange = impl_->add({}, false, std::move(callbacks));
  asio::post(impl_->io->context, [exchange, error = std::move(error)] { exchange->fail(error); });
  return std::make_unique<Handle>(std::move(exchange));
}

}  // namespace kaapi::http
