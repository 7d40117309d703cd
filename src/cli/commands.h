#pragma once
// One struct for each subcommand: what was asked, checked for form. Values, so that tests can compare them.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/log.h"

namespace kaapi::cli {

inline constexpr std::uint16_t default_port = 4566;

struct ListenAddress {
  std::string address = "127.0.0.1";
  std::uint16_t port = default_port;
  bool operator==(const ListenAddress&) const = default;
};

// "127.0.0.1:4566", "localhost:0", "[::1]:4566". Error: `Invalid`.
Result<ListenAddress> parse_listen_address(std::string_view text);

// What the audit log may take on disk, in MiB: the oldest of its files of 16 MiB goes when it would take more.
inline constexpr std::size_t default_audit_mib = 256;
inline constexpr std::size_t min_audit_mib = 32;             // two files
inline constexpr std::size_t max_audit_mib = 1024UL * 1024;  // 1 TiB

// Of the pipeline: how much runs at once, and how long what it leaves is kept.
inline constexpr unsigned default_runner_slots = 2;  // of `kaapi up`
inline constexpr unsigned max_runner_slots = 64;
inline constexpr unsigned max_kept_days = 3650;
inline constexpr unsigned max_kept_gib = 1024 * 1024;
struct PipelineOptions {
  unsigned runner_slots = 0;                // jobs at once on this machine; 0: no runner
  std::vector<std::string> runner_options;  // handed to `kaapi runner` as they are
  unsigned max_jobs = 0;                    // at once on all runners; 0: as many as they take
  unsigned retry_lost = 1;                  // how often a job whose runner was lost is started again, at most 5
  unsigned keep_runs_days = 90;             // after their end; 0: for ever
  unsigned artifact_days = 90;              // of artifacts that do not say, 1 to 400
  unsigned artifact_gib = 50;               // of a repository together
  unsigned cache_gib = 10;                  // of a repository together
  bool trust_github = false;                // tokens of GitHub's issuer name are GitHub's own
  bool operator==(const PipelineOptions&) const = default;
};

struct UpCommand {
  ListenAddress listen;
  std::string data_dir;
  std::optional<std::string> region;
  std::optional<std::string> account_id;
  std::string public_host;
  std::string oidc_ca_file;
  bool auth = true;
  bool aws_timing = false;
  std::size_t audit_max_mib = default_audit_mib;
  PipelineOptions pipeline;
  log::Level log_level = log::Level::info;
  bool operator==(const UpCommand&) const = default;
};

struct EnvCommand {
  std::string data_dir;
  std::string endpoint;  // empty: of the platform that runs
};

// Whom a command asks that is a client.
struct TargetOptions {
  std::string data_dir;
  bool data_dir_given = false;
  std::string endpoint;  // empty: from the environment, else of the platform that runs
  std::string region;    // empty: from the environment, else the account's
};

struct StatusCommand : TargetOptions {
  std::string cluster;  // empty: all
  bool watch = false;
  bool json = false;
};

// `kaapi iam why`
struct WhyCommand : TargetOptions {
  std::string principal;             // an ARN; empty: who asks
  std::string action;                // "ecs:UpdateService"
  std::string resource = "*";        // an ARN
  std::vector<std::string> context;  // "aws:SourceIp=10.0.0.1", more than one value by repeating
  bool json = false;
};

// `kaapi credentials rotate-root`
struct RotateRootCommand : TargetOptions {};

struct DoctorCommand {
  std::string data_dir;
  bool json = false;
};

// "90s", "30m", "1h", "2d". Error: `Invalid`.
Result<std::chrono::seconds> parse_duration(std::string_view text);

struct AuditCommand {
  std::string data_dir;
  std::string user;      // empty members ask for nothing
  std::string event;     // "UpdateService" or "ecs:UpdateService"
  std::string resource;  // an ARN or the name at its end
  bool denied = false;
  std::optional<std::chrono::seconds> since;  // counted back from now
  std::optional<std::size_t> last;            // nullopt: all that `since` allows, or default_audit_lines without it
  bool follow = false;
  bool json = false;
};
inline constexpr std::size_t default_audit_lines = 50;

}  // namespace kaapi::cli
