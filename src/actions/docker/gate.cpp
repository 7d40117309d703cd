#include "actions/docker/gate.h"

#include <mutex>
#include <optional>
#include <system_error>

#include "actions/docker/acceptor.h"
#include "actions/docker/session.h"
#include "actions/docker/socket_folder.h"
#include "actions/docker/unix_socket.h"
#include "base/log.h"

namespace kaapi::actions::docker {
namespace {

// Said once for each version, not with every job.
void warn_of_engine(EngineApi& engine) {
  static std::mutex mutex;
  static std::string said;
  const Result<json::value> about = engine.ask("GET", "/version");
  const std::string version = about ? string_member(*about, "Version") : std::string();
  const std::lock_guard lock(mutex);
  if (version.empty() || std::exchange(said, version) == version) return;
  if (const std::string warning = engine_warning(version); !warning.empty()) log::warn("runner", "{}", warning);
}

}  // namespace

struct Gate::State {
  State(GateConfig config, SocketFolder folder, Folders folders)
      : place(std::move(folder)), shared(std::move(config), std::move(folders), place.socket()) {}

  // In this order: connections end before what they use, mounts go before the folder that they are in.
  SocketFolder place;
  Shared shared;
  std::optional<Acceptor> acceptor;
};

Gate::Gate(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Gate>> Gate::open(GateConfig config) {
  Result<SocketFolder> place = SocketFolder::make(config.sockets, config.uid);
  if (!place) return place.error();
  Result<Folders> folders =
      Folders::open(config.job_folder, config.shared_folder, place->pins(), config.uid, config.gid);
  if (!folders) return folders.error();
  Result<FileDescriptor> line = listen_unix(place->socket(), config.uid, config.gid, static_cast<int>(max_connections));
  if (!line) return line.error();
  auto state = std::make_unique<State>(std::move(config), std::move(*place), std::move(*folders));
  warn_of_engine(state->shared.engine);
  try {
    state->acceptor.emplace(std::move(*line), max_connections,
                            [&shared = state->shared](int client, int stop) { Session(client, stop, shared).serve(); });
  } catch (const std::system_error& error) {
    return make_error(errc::unavailable, std::string("no thread for the job's Docker socket: ") + error.what(), 500);
  }
  return std::unique_ptr<Gate>(new Gate(std::move(state)));
}

Gate::~Gate() = default;

std::string Gate::socket() const {
  return state_->place.socket();
}

void Gate::stop() {
  state_->acceptor.reset();
}

bool Gate::made_any() const {
  return state_->shared.made_any;
}

}  // namespace kaapi::actions::docker
