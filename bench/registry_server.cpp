// The registry alone behind the HTTP server, without authentication: what bench/registry_push.py measures.
// registry_server DIR PORT REPOSITORY: serves until SIGTERM or SIGINT; prints "ready" once it listens.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "http/server.h"
#include "registry/http_api.h"

namespace kaapi {
namespace {

Error usage() {
  return make_error(errc::invalid, "usage: registry_server DIR PORT REPOSITORY");
}

Result<void> serve(const std::string& directory, std::uint16_t port, const std::string& repository) {
  std::filesystem::create_directories(directory);
  Result<std::unique_ptr<store::Database>> database =
      store::Database::open(directory + "/registry.db", registry::migrations());
  if (!database) return database.error();
  SystemClock clock;
  SecureIds ids;
  registry::Config config;
  config.data_dir = directory + "/registry";
  config.account_id = "000000000000";
  config.default_region = "us-east-1";
  config.host = "127.0.0.1:" + std::to_string(port);
  config.auth = false;
  Result<std::unique_ptr<registry::Registry>> opened = registry::Registry::open(config, **database, clock, ids);
  if (!opened) return opened.error();
  registry::Repository wanted;
  wanted.region = config.default_region;
  wanted.name = repository;
  wanted.created_at = clock.now();
  if (auto created = (*opened)->catalog().create_repository(wanted, {}); !created) return created.error();
  const Result<registry::TokenIssuer> tokens = registry::TokenIssuer::open(directory + "/token-secret", ids);
  if (!tokens) return tokens.error();
  registry::HttpApi api(**opened, *tokens);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  http::ServerConfig server_config;
  server_config.port = port;
  http::Server server(server_config);
  server.route_stream("/v2/", [&](const http::RequestHead& head, http::BodyReader& body) { return api(head, body); });
  if (Result<void> started = server.start(); !started) return started;
  std::puts("ready");
  std::fflush(stdout);
  int received = 0;
  sigwait(&signals, &received);
  return ok();
}

}  // namespace
}  // namespace kaapi

int main(int argc, char** argv) {
  const kaapi::Result<void> done =
      argc == 4 ? kaapi::serve(argv[1], static_cast<std::uint16_t>(std::atoi(argv[2])), argv[3]) : kaapi::usage();
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return 1;
}
