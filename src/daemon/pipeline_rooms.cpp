#include "daemon/pipeline_rooms.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "actions/git/operations.h"
#include "actions/git/schema.h"
#include "actions/runs/operations.h"
#include "actions/settings/operations.h"
#include "base/log.h"

namespace kaapi::daemon {
namespace {

namespace git = actions::git;
namespace runs = actions::runs;

constexpr std::string_view local_runner = "local";
constexpr mode_t folder_of_jobs_mode = 0711;  // jobs of other users pass through, and see nothing
constexpr std::size_t max_path_bytes = 4096;

// Where this program lies; a file that was replaced meanwhile is meant as the new one.
std::string own_program() {
  char path[max_path_bytes];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  std::string program(path, length > 0 ? static_cast<std::size_t>(length) : 0);
  constexpr std::string_view replaced = " (deleted)";
  if (program.ends_with(replaced)) program.resize(program.size() - replaced.size());
  return program;
}

// The job's right at its own repository, and at no other.
git::JobCheck job_check(runs::Conductor& conductor, std::string arn_prefix) {
  return [&conductor, arn_prefix = std::move(arn_prefix)](std::string_view user,
                                                          std::string_view password) -> std::optional<git::GitCaller> {
    if (user != "x-access-token") return std::nullopt;
    const std::optional<runs::JobAccess> job = conductor.job_access(password);
    if (!job || job->kind != runs::TokenKind::git) return std::nullopt;
    return git::GitCaller{fmt::format("job {} of {}", job->job_id, job->repository),
                          fmt::format("{}repository/{}/run/{}", arn_prefix, job->repository, job->run_id),
                          job->repository, job->may_read_code, job->may_write_code};
  };
}

// Of a runner that has ended and has fetched no actions: then nothing in it is worth keeping.
void remove_idle_folder(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::remove(folder + "/actions", ignored);
  if (!std::filesystem::exists(folder + "/actions", ignored)) std::filesystem::remove(folder + "/.lock", ignored);
  std::filesystem::remove(folder, ignored);
}

actions::storage::StorageLimits storage_limits(const cli::PipelineOptions& options) {
  constexpr std::uint64_t gibibyte = 1024ULL * 1024 * 1024;
  actions::storage::StorageLimits limits;
  limits.retention_days = static_cast<int>(options.artifact_days);
  limits.max_repository_artifact_bytes = options.artifact_gib * gibibyte;
  limits.max_repository_cache_bytes = options.cache_gib * gibibyte;
  return limits;
}

}  // namespace

Result<std::unique_ptr<PipelineRooms>> PipelineRooms::open(const DataDirectory& directory, std::string endpoint,
                                                           const cli::PipelineOptions& options) {
  std::unique_ptr<PipelineRooms> rooms(new PipelineRooms());
  rooms->data_dir_ = directory.path();
  rooms->instance_ = directory.instance();
  auto database = store::Database::open(directory.file("git.db"), git::migrations());
  if (!database) return database.error();
  rooms->git_database_ = std::move(*database);
  auto repositories = git::Repositories::open(*rooms->git_database_, rooms->clock_, {directory.path(), own_program()});
  if (!repositories) return repositories.error();
  rooms->repositories_ = std::move(*repositories);
  auto settings = actions::settings::Settings::open(directory.path(), rooms->clock_);
  if (!settings) return settings.error();
  rooms->settings_ = std::move(*settings);
  auto storage = actions::storage::Storage::open(directory.path(), storage_limits(options), rooms->clock_, rooms->ids_);
  if (!storage) return storage.error();
  rooms->storage_ = std::move(*storage);
  runs::ConductorSettings config;
  config.data_directory = directory.path();
  config.keep_runs = std::chrono::days(options.keep_runs_days);
  config.board.max_running_jobs = options.max_jobs;
  config.board.retry_lost = options.retry_lost;
  config.server_url = [url = std::move(endpoint)] { return url; };
  auto conductor = runs::Conductor::open(std::move(config), *rooms->repositories_, *rooms->settings_, *rooms->storage_,
                                         rooms->clock_, rooms->ids_);
  if (!conductor) return conductor.error();
  rooms->conductor_ = std::move(*conductor);
  return rooms;
}

void PipelineRooms::wire(PipelineConfig config, const identity::Account& account, IdentityRooms& identity,
                         aws::Dispatcher& dispatcher, audit::Log* audit, actions::DeploymentWatch& deployments) {
  config_ = std::move(config);
  issuer_.emplace(
      actions::IssuerConfig{data_dir_ + "/actions-issuer.keys", config_.endpoint, !config_.options.trust_github},
      identity.sealer(), clock_, ids_);
  if (!config_.options.trust_github) {
    identity.issuers.add_local(std::string(actions::github_issuer), [this] { return issuer_->jwks(); });
  }
  tokens_.emplace(*git_database_, clock_, ids_);
  gate_.emplace(git::GateConfig{account.account_id, account.region, config_.auth}, *tokens_,
                config_.auth ? identity.keys.get() : nullptr, config_.auth ? identity.access.get() : nullptr, clock_,
                ids_, job_check(*conductor_, fmt::format("arn:aws:kaapi:{}:{}:", account.region, account.account_id)),
                audit);
  pushes_.emplace(*repositories_, *gate_, conductor_.get(), ids_);
  mirrors_.emplace(*repositories_, *pushes_, identity.sealer(), clock_, ids_);
  git_http_.emplace(*repositories_, *gate_, *pushes_, [this] { return config_.endpoint; });
  hook_api_.emplace(*pushes_);
  if (audit != nullptr) runner_audit_.emplace(account.account_id, account.region, *audit, clock_, ids_);
  runner_api_.emplace(*conductor_, *storage_, *issuer_, &deployments, runner_audit_ ? &*runner_audit_ : nullptr);

  const auto exists = [this](std::string_view repository) { return repositories_->find(repository).has_value(); };
  git::add_operations(dispatcher,
                      {*repositories_, *tokens_, *mirrors_, *pushes_, *gate_, *identity.keys, clock_, gate_->config(),
                       [this](const std::string& repository) { return forget(repository); }});
  actions::settings::add_settings_operations(dispatcher, *settings_, {account.region, exists});
  runs::add_run_operations(dispatcher, *conductor_, *storage_, {account.region, exists});
}

void PipelineRooms::add_routes(http::Server& server) {
  // Both wait for more than the body: for git, its hooks, and the platform's news.
  server.route_stream(
      std::string(git::git_path),
      [this](const http::RequestHead& head, http::BodyReader& body) { return (*git_http_)(head, body); }, true);
  server.route(std::string(git::webhook_path), git::max_webhook_body_bytes,
               [this](const http::Request& request) { return mirrors_->webhook(request); });
  // git may take a minute to tell what a push has changed, and the AWS API has eight workers.
  server.route_stream(
      std::string(git::hook_path),
      [this](const http::RequestHead& head, http::BodyReader& body) { return (*hook_api_)(head, body); }, true);
  server.route_stream(
      std::string(actions::runner_api_path),
      [this](const http::RequestHead& head, http::BodyReader& body) { return (*runner_api_)(head, body); }, true);
  server.route("/.well-known/openid-configuration", 0,
               [this](const http::Request& request) { return issuer_->serve_discovery(request); });
  server.route("/.well-known/jwks", 0, [this](const http::Request& request) { return issuer_->serve_jwks(request); });
}

// A repository of the same name that is made later inherits nothing.
Result<void> PipelineRooms::forget(const std::string& repository) {
  if (Result<void> gone = conductor_->forget_repository(repository); !gone) return gone;
  if (Result<void> gone = storage_->forget_repository(repository); !gone) return gone;
  return settings_->forget_repository(repository);
}

Result<void> PipelineRooms::start() {
  conductor_->start();
  pushes_->start();
  mirrors_->start();
  return config_.options.runner_slots == 0 ? ok() : start_runner();
}

std::string PipelineRooms::runner_folder() const {
  // Nobody but us may enter the data directory, and jobs run as users of their own when they can.
  return ::geteuid() == 0 ? "/var/lib/kaapi-runner/" + instance_ : data_dir_ + "/runner";
}

Result<std::string> PipelineRooms::runner_token_file() {
  const std::string path = data_dir_ + "/runner.token";
  std::string token;
  std::ifstream(path) >> token;
  const std::optional<runs::RunnerToken> known = conductor_->runner_token(token);
  if (known && known->own) return path;
  const Result<std::string> made = conductor_->create_own_runner_token();
  if (!made) return made.error();
  std::ofstream file(path, std::ios::trunc);
  file << *made << "\n";
  file.close();
  if (!file || ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) return file_error("cannot write", path);
  return path;
}

Result<void> PipelineRooms::start_runner() {
  const Result<std::string> token_file = runner_token_file();
  if (!token_file) return token_file.error();
  const std::string folder = runner_folder();
  if (::geteuid() != 0) {
    log::warn("runner",
              "not root: jobs run as the platform's own user, and can read the data directory and use Docker as "
              "it can. Run kaapi up as root, or jobs elsewhere (--runner-slots 0 and kaapi runner)");
  }
  RunnerProcessConfig process;
  process.command = {own_program(), "runner", "--server", config_.endpoint, "--token-file", *token_file, "--name",
                     std::string(local_runner), "--slots", std::to_string(config_.options.runner_slots), "--work",
                     folder,
                     // It goes on when this process ends while jobs run, and must not stay for ever.
                     "--end-alone-after", std::to_string(runner_alone_after.count())};
  process.command.insert(process.command.end(), config_.options.runner_options.begin(),
                         config_.options.runner_options.end());
  process.pid_file = data_dir_ + "/runner.pid";
  process.log_file = data_dir_ + "/runner.log";
  std::error_code wrong;
  std::filesystem::create_directories(folder, wrong);
  if (!wrong && ::geteuid() == 0) {
    ::chmod("/var/lib/kaapi-runner", folder_of_jobs_mode);
    ::chmod(folder.c_str(), folder_of_jobs_mode);
  }
  runner_.emplace(std::move(process));
  return runner_->start();
}

void PipelineRooms::stop() {
  if (const std::size_t jobs = jobs_of_runner(); runner_ && jobs > 0) {
    // As after a crash: whoever restarts the platform does not want to stop deployments.
    log::info("runner",
              "{} jobs go on by themselves until they end, or the platform has been away for {} s; to end "
              "them too, end the process in {}",
              jobs, actions::runner_lost_after.count(), data_dir_ + "/runner.pid");
  } else if (runner_) {
    runner_->stop(runner_grace);
    remove_idle_folder(runner_folder());
  }
  mirrors_->stop();
  pushes_->stop();
  conductor_->stop();
}

std::size_t PipelineRooms::jobs_of_runner() const {
  std::size_t jobs = 0;
  for (const runs::RunnerView& runner : conductor_->runners()) {
    if (runner.name == local_runner) jobs += runner.jobs.size();
  }
  return jobs;
}

void PipelineRooms::tidy() {
  if (const auto tidied = storage_->tidy(); !tidied) {
    log::warn("daemon", "artifacts and caches could not be tidied up: {}", tidied.error().message);
  }
  repositories_->tidy();
}

}  // namespace kaapi::daemon
