#include "cli/runner.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <csignal>
#include <thread>

#include "actions/builtin/action_host.h"
#include "actions/runner/job_process.h"
#include "actions/runner/supervisor.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/program.h"
#include "cli/target.h"

namespace kaapi::cli {
namespace {

namespace runner = actions::runner;

constexpr std::size_t max_token_bytes = 4096;

constexpr const char* runner_help = R"help(Examples:
  kaapi runner --server http://127.0.0.1:4566 --token-file /etc/kaapi/runner.token
  kaapi runner --server http://127.0.0.1:4566 --token-file t --slots 4 --label gpu --name build-2
  kaapi runner ... --label ubuntu-latest=docker://debian:bookworm   jobs for this label run in that image
  kaapi runner ... --actions-url http://git.lan/mirror               where actions such as OWNER/NAME@v1 come from
  kaapi runner ... --original aws-actions/amazon-ecr-login           fetch this one instead of the built-in
  kaapi runner ... --share /srv/sdk                                  jobs may read this folder too

Asks the platform for jobs and runs each in a process of its own with a fresh workspace. `kaapi up` starts one by
itself; on another machine, reach the platform through a tunnel. Where it is root, jobs run as unprivileged users of
their own (61184 and up) with a Docker socket each that lets them build, push and run containers of their own;
--job-user names another one, or turns that off. Of the machine they see its programs (/usr, /opt, /etc and the like),
their own files, and what --share names. SIGTERM ends jobs as cancelled, in order; a second one ends them at once.)help";

Result<std::string> read_token(const std::string& path) {
  const Result<std::string> text = read_file(path, max_token_bytes);
  if (!text) return text.error();
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    log::warn("runner", "{} may be read by others: chmod 600 {}", path, path);
  }
  const std::string token(trim(*text));
  if (token.empty() || token.find_first_of(" \t\r\n") != std::string::npos) {
    return make_error(errc::invalid, fmt::format("{} must hold a runner token and nothing else", path));
  }
  return token;
}

Result<runner::RunnerConfig> config_of(const RunnerCommand& command) {
  runner::RunnerConfig config;
  const auto server = runner::parse_server_address(command.server);
  if (!server) return server.error();
  config.server = *server;
  const Result<std::string> token = read_token(command.token_file);
  if (!token) return token.error();
  config.token = *token;
  config.renewed_token = [path = command.token_file] {
    const Result<std::string> newer = read_token(path);
    return newer ? *newer : std::string();
  };
  config.name = command.name;
  std::array<char, 256> host{};
  if (config.name.empty() && ::gethostname(host.data(), host.size() - 1) == 0) config.name = host.data();
  config.labels = runner::default_labels();
  for (const std::string& text : command.labels) {
    const Result<RunnerLabel> label = parse_runner_label(text);
    if (!label) return label.error();
    std::erase(config.labels, label->name);
    config.labels.push_back(label->name);
    if (!label->image.empty()) config.label_images[label->name] = label->image;
  }
  config.slots = command.slots;
  config.work_folder = command.work_dir;
  if (!config.work_folder.starts_with('/')) {
    std::array<char, 4096> here{};
    if (::getcwd(here.data(), here.size()) == nullptr)
      return make_error(errc::unavailable, "there is no current folder");
    config.work_folder = fmt::format("{}/{}", here.data(), config.work_folder);
  }
  config.job_user = command.job_user;
  config.actions_url = command.actions_url;
  while (config.actions_url.ends_with('/')) config.actions_url.pop_back();
  config.originals = command.originals;
  config.sandbox = command.sandbox == "auto";
  config.alone_after = std::chrono::seconds(command.alone_after_s);
  // As if somebody had stopped it.
  config.on_alone = [] { ::kill(::getpid(), SIGTERM); };
  config.shared = command.shared;
  return config;
}

}  // namespace

Result<RunnerLabel> parse_runner_label(std::string_view text) {
  constexpr std::string_view scheme = "docker://";
  const std::size_t equals = text.find('=');
  RunnerLabel label;
  label.name = lower(text.substr(0, equals));
  if (label.name.empty() || label.name.find_first_of(" ,") != std::string::npos) {
    return make_error(errc::invalid, fmt::format("--label '{}' must be NAME or NAME=docker://IMAGE", text));
  }
  if (equals == std::string_view::npos) return label;
  const std::string_view image = text.substr(equals + 1);
  if (!image.starts_with(scheme) || image.size() == scheme.size()) {
    return make_error(errc::invalid, fmt::format("--label '{}' must be NAME or NAME=docker://IMAGE", text));
  }
  label.image = image.substr(scheme.size());
  return label;
}

RunnerCommands add_runner_commands(CLI::App& program, RunnerCommand& command) {
  RunnerCommands commands;
  CLI::App* app = program.add_subcommand("runner", "Run the jobs of pipelines on this machine");
  app->add_option("--server", command.server, "The platform")->required()->type_name("URL");
  app->add_option("--token-file", command.token_file, "Holds the runner token")->required()->type_name("FILE");
  app->add_option("--name", command.name, "Shown with its jobs (default: the machine's name)")->type_name("NAME");
  app->add_option("--label", command.labels, "Offer this label too, perhaps in a container; repeat for more")
      ->type_name("LABEL[=docker://IMAGE]");
  app->add_option("--slots", command.slots, "Jobs at once")
      ->check(whole_number(1, runner::max_slots))
      ->type_name("N")
      ->capture_default_str();
  app->add_option("--work", command.work_dir, "Workspaces and fetched actions")
      ->type_name("DIR")
      ->capture_default_str();
  app->add_option("--job-user", command.job_user, "auto, off, or the user that jobs run as")
      ->type_name("auto|NAME|off")
      ->capture_default_str();
  app->add_option("--sandbox", command.sandbox,
                  "auto: jobs see programs and their own files only; off: all by its modes")
      ->check(CLI::IsMember({"auto", "off"}).description(""))
      ->type_name("auto|off")
      ->capture_default_str();
  app->add_option("--share", command.shared, "Jobs see this folder too, read-only; repeat for more")
      ->type_name("FOLDER");
  app->add_option("--actions-url", command.actions_url, "Where actions are fetched from")
      ->type_name("URL")
      ->capture_default_str();
  app->add_option("--end-alone-after", command.alone_after_s,
                  "End when no job runs and the platform has not answered for so long; 0: stay")
      ->type_name("SECONDS")
      ->capture_default_str();
  app->add_option("--original", command.originals, "Fetch this action though it is built in; all: every one")
      ->type_name("OWNER/NAME");
  app->add_option("--log-level", command.log_level, "debug, info, warn, error or off")
      ->type_name("LEVEL")
      ->capture_default_str();
  app->footer(runner_help);
  commands.runner = app;
  commands.run_job = program.add_subcommand("run-job", "One job, started by kaapi runner")->group("");
  return commands;
}

int run_runner(const RunnerCommand& command, std::ostream& err) {
  const Result<log::Level> level = log::parse_level(command.log_level);
  if (!level) {
    fail(level.error().message, err);
    return exit_usage;
  }
  log::set_level(*level);
  Result<runner::RunnerConfig> config = config_of(command);
  if (!config) return fail(config.error().message, err);
  // Blocked before threads start, so that they only come here.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  runner::Supervisor supervisor(std::move(*config));
  if (const Result<void> started = supervisor.start(); !started) return fail(started.error().message, err);
  int number = 0;
  // SIGUSR1: a newer build of the platform has a runner of its own as soon as this one has ended its jobs.
  while (::sigwait(&signals, &number) == 0 && number == SIGUSR1) supervisor.leave();
  log::info("runner", "stopping: jobs are cancelled; again to end them at once");
  std::thread second([&] {
    int again = 0;
    if (::sigwait(&signals, &again) == 0 && again != SIGUSR1) supervisor.hurry();
  });
  supervisor.stop();
  ::pthread_kill(second.native_handle(), SIGUSR1);
  second.join();
  return exit_success;
}

int run_runner_job() {
  return runner::run_job_process(&actions::find_builtin);
}

}  // namespace kaapi::cli
