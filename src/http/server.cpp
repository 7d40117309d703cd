#include "http/server.h"

#include "http/core.h"

namespace kaapi::http {

struct Server::State {
  ServerConfig config;
  Router router;
  std::unique_ptr<Core> core;  // kept after stop() for its counters
};

Server::Server(ServerConfig config) : state_(std::make_unique<State>()) {
  state_->config = std::move(config);
}

Server::~Server() {
  stop();
}

void Server::route(std::string prefix, std::size_t max_body_bytes, Handler handler) {
  state_->router.add(Route{std::move(prefix), max_body_bytes, std::move(handler), false});
}

void Server::route_stream(std::string prefix, StreamHandler handler, bool may_wait) {
  state_->router.add(Route{std::move(prefix), 0, std::move(handler), may_wait});
}

Result<void> Server::start() {
  auto core = std::make_unique<Core>(state_->config, state_->router);
  const auto started = core->start();
  if (started) state_->core = std::move(core);
  return started;
}

void Server::stop(std::chrono::milliseconds grace) {
  if (state_->core) state_->core->stop(grace);
}

std::uint16_t Server::port() const {
  return state_->core ? state_->core->port() : state_->config.port;
}

ServerCounters Server::counters() const {
  return state_->core ? state_->core->counters() : ServerCounters{};
}

}  // namespace kaapi::http
