#pragma once
// The rooms of the pipeline, opened and introduced to each other: git, runs, settings, storage, the issuer of job
// tokens, and the runner that the platform brings along.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actions/git/access_tokens.h"
#include "actions/git/gate.h"
#include "actions/git/git_http.h"
#include "actions/git/hook_api.h"
#include "actions/git/mirrors.h"
#include "actions/git/pushes.h"
#include "actions/git/repositories.h"
#include "actions/issuer/claims.h"
#include "actions/issuer/issuer.h"
#include "actions/runs/conductor.h"
#include "actions/runs/runner_api.h"
#include "actions/runs/runner_audit.h"
#include "actions/settings/settings.h"
#include "actions/storage/storage.h"
#include "audit/log.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "daemon/data_directory.h"
#include "daemon/deployment_watch.h"
#include "daemon/identity_rooms.h"
#include "daemon/runner_process.h"
#include "http/server.h"
#include "identity/account.h"
#include "store/database.h"

namespace kaapi::daemon {

// An idle runner ends at once; one with jobs ends them in order.
inline constexpr std::chrono::milliseconds runner_grace{15'000};
// A runner without jobs whose platform is away ends by itself.
inline constexpr std::chrono::seconds runner_alone_after{120};

struct PipelineConfig {
  std::string endpoint;  // of the platform: "http://127.0.0.1:4566"
  bool auth = true;
  cli::PipelineOptions options;
};

// open(), then wire(), start() and stop(), from one thread. Everything handed to wire() must outlive it.
class PipelineRooms {
 public:
  // Opens what is on disk. `data_directory` and `program` (the absolute path of this program) are only remembered.
  // Errors: those of the databases and key files, one line for a person.
  static Result<std::unique_ptr<PipelineRooms>> open(const DataDirectory& directory, std::string endpoint,
                                                     const cli::PipelineOptions& options);

  void wire(PipelineConfig config, const identity::Account& account, IdentityRooms& identity,
            aws::Dispatcher& dispatcher, audit::Log* audit, actions::DeploymentWatch& deployments);
  void add_routes(http::Server& server);

  // After the server listens. Error: the runner cannot be started.
  Result<void> start();
  // Before the server stops: the runner tells how its jobs ended, and requests that are held end.
  void stop();
  // Once a day.
  void tidy();

 private:
  PipelineRooms() = default;
  Result<void> start_runner();
  Result<std::string> runner_token_file();
  std::string runner_folder() const;
  std::size_t jobs_of_runner() const;  // that run now
  Result<void> forget(const std::string& repository);

  SystemClock clock_;
  SecureIds ids_;
  std::string data_dir_, instance_;
  PipelineConfig config_;

  std::unique_ptr<store::Database> git_database_;
  std::unique_ptr<actions::git::Repositories> repositories_;
  std::unique_ptr<actions::settings::Settings> settings_;
  std::unique_ptr<actions::storage::Storage> storage_;
  std::unique_ptr<actions::runs::Conductor> conductor_;

  std::optional<actions::Issuer> issuer_;
  std::optional<actions::git::AccessTokens> tokens_;
  std::optional<actions::git::Gate> gate_;
  std::optional<actions::git::Pushes> pushes_;
  std::optional<actions::git::Mirrors> mirrors_;
  std::optional<actions::git::GitHttp> git_http_;
  std::optional<actions::git::HookApi> hook_api_;
  std::optional<actions::runs::RunnerAudit> runner_audit_;
  std::optional<actions::runs::RunnerApi> runner_api_;
  std::optional<RunnerProcess> runner_;
};

}  // namespace kaapi::daemon
