#include "daemon/up.h"

#include <fmt/format.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <future>

#include "base/log.h"
#include "containers/docker_engine.h"
#include "daemon/platform.h"

namespace kaapi::daemon {
namespace {

// A healthy engine answers in milliseconds; a person who waits for the prompt wants to know soon.
constexpr std::chrono::milliseconds engine_check_timeout{3'000};
// Each arena keeps what its threads freed; two are enough for work that mostly waits.
constexpr int max_malloc_arenas = 2;

int fail(std::string_view message) {
  fmt::print(stderr, "kaapi: {}\n", message);
  return 1;
}

// Signals that end the platform, kept from every thread and taken by wait().
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  int wait() const {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }
  // From now on they do what they always do.
  void let_through() const { pthread_sigmask(SIG_UNBLOCK, &set_, nullptr); }

 private:
  sigset_t set_{};
};

PlatformConfig platform_config(const cli::UpCommand& command, const std::string& version) {
  PlatformConfig config;
  config.data_dir = command.data_dir;
  config.listen_address = command.listen.address;
  config.listen_port = command.listen.port;
  config.public_host = command.public_host;
  config.oidc_ca_file = command.oidc_ca_file;
  config.account = {command.account_id, command.region};
  config.auth = command.auth;
  config.aws_timing = command.aws_timing;
  config.audit_max_mib = command.audit_max_mib;
  config.pipeline = command.pipeline;
  config.version = version;
  return config;
}

Result<containers::EngineInfo> check_engine(containers::DockerConfig config) {
  config.call_timeout = engine_check_timeout;
  return containers::DockerEngine(std::move(config)).info();
}

void tell_started(const Platform& platform, const containers::EngineInfo& engine, const cli::UpCommand& command,
                  const std::string& version) {
  log::info("daemon", "kaapi {} is up: AWS APIs at {}, registry {}, account {}, region {}, Docker {}", version,
            platform.endpoint(), platform.registry_host(), platform.account().account_id, platform.account().region,
            engine.version);
  log::info("daemon", "data in {}; for the aws client: eval \"$(kaapi env --data {})\"", platform.data_dir(),
            platform.data_dir());
  if (!command.auth) log::warn("daemon", "auth is off: every program on this machine may do everything");
}

}  // namespace

int run_up(const cli::UpCommand& command, const std::string& version) {
  mallopt(M_ARENA_MAX, max_malloc_arenas);
  std::signal(SIGPIPE, SIG_IGN);
  ::umask(077);  // what is stored here is nobody else's business
  log::set_level(command.log_level);
  const EndSignals signals;  // before any thread

  const Result<containers::DockerConfig> docker = containers::DockerConfig::from_environment();
  if (!docker) return fail(docker.error().message);
  // The engine is asked while the databases are opened.
  auto checking = std::async(std::launch::async, [&docker] { return check_engine(*docker); });
  containers::DockerEngine engine(*docker);
  Result<std::unique_ptr<Platform>> platform = Platform::open(platform_config(command, version), engine);
  const Result<containers::EngineInfo> info = checking.get();
  if (!platform) return fail(platform.error().message);
  if (!info) return fail(info.error().message);
  if (const Result<void> started = (*platform)->start(); !started) return fail(started.error().message);
  tell_started(**platform, *info, command, version);

  const int signal = signals.wait();
  signals.let_through();
  log::info("daemon", "stopping ({}); tasks keep running", sigdescr_np(signal));
  if (!(*platform)->stop()) {
    log::info("daemon", "an engine call is still in progress and is left to the next start");
    std::_Exit(0);
  }
  platform->reset();
  log::info("daemon", "stopped");
  return 0;
}

}  // namespace kaapi::daemon
