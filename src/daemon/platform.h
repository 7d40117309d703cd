#pragma once
// The whole platform on one data directory and one container engine: every room opened and wired to the others.
// Wiring only; what the rooms do is theirs.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "containers/engine.h"
#include "identity/account.h"

namespace kaapi::daemon {

// AWS's largest request here is PutLogEvents with 1 MiB of events, and JSON escapes make that longer.
inline constexpr std::size_t max_api_body_bytes = 2 * 1024 * 1024;
// Requests in progress may end, and engine calls may.
inline constexpr std::chrono::milliseconds request_grace{5'000};
inline constexpr std::chrono::milliseconds engine_call_grace{3'000};

struct PlatformConfig {
  std::string data_dir;
  std::string listen_address = "127.0.0.1";
  std::uint16_t listen_port = 4566;  // 0: a free one
  std::string public_host;  // under which docker and clients reach it; empty: localhost, or the address listened on
  identity::AccountOptions account;
  bool auth = true;
  cli::PipelineOptions pipeline;    // without a runner, unless it says so
  std::string oidc_ca_file;         // certificates (PEM) of issuers of tokens, besides the system's; empty: none
  bool aws_timing = false;          // AWS's own waiting times instead of the quick ones
  std::size_t audit_max_mib = 256;  // what the audit log may take on disk; at least 32
  std::string version = "unknown";
};

// start() and stop() from one thread.
class Platform {
 public:
  // Opens the data directory, takes it for this process, and brings it up to date. Nothing runs and nobody listens yet.
  // Errors: one line for a person: what, why, what to do. `engine` outlives the platform.
  static Result<std::unique_ptr<Platform>> open(PlatformConfig config, containers::Engine& engine);
  ~Platform();  // stops
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  // Listens, adopts what runs, goes on with what was interrupted. Error: `Unavailable` (the port).
  Result<void> start();
  // Ends in order; tasks keep running. False when an engine call would not end in time: then the process must end
  // without destroying the platform, which is as safe as a crash. Harmless when it does not run.
  bool stop();

  std::uint16_t port() const;
  const std::string& endpoint() const;       // "http://127.0.0.1:4566"
  const std::string& registry_host() const;  // "localhost:4566"
  const identity::Account& account() const;
  const std::string& instance() const;
  const std::string& data_dir() const;

 private:
  struct Rooms;
  explicit Platform(std::unique_ptr<Rooms> rooms);

  std::unique_ptr<Rooms> rooms_;
};

}  // namespace kaapi::daemon
