#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "actions/docker/gate.h"
#include "actions/protocol/deployments.h"
#include "actions/runner/containers.h"
#include "actions/runner/step_frame.h"

namespace kaapi::actions::runner {
namespace {

using expression::Kind;
using expression::Value;

// Members of the `github` context that are variables too. GitHub's "Default environment variables".
constexpr std::array<const char*, 29> default_variables = {"actor",
                                                           "actor_id",
                                                           "api_url",
                                                           "base_ref",
                                                           "event_name",
                                                           "graphql_url",
                                                           "head_ref",
                                                           "job",
                                                           "ref",
                                                           "ref_name",
                                                           "ref_protected",
                                                           "ref_type",
                                                           "repository",
                                                           "repository_id",
                                                           "repository_owner",
                                                           "repository_owner_id",
                                                           "retention_days",
                                                           "run_attempt",
                                                           "run_id",
                                                           "run_number",
                                                           "server_url",
                                                           "sha",
                                                           "triggering_actor",
                                                           "workflow",
                                                           "workflow_ref",
                                                           "workflow_sha",
                                                           "workspace",
                                                           "event_path",
                                                           "environment"};

// What of the runner's own environment a job may see: where programs and the network are, no credentials.
constexpr std::array<const char*, 12> inherited = {"LANG",        "LC_ALL",        "TZ",           "http_proxy",
                                                   "https_proxy", "no_proxy",      "HTTP_PROXY",   "HTTPS_PROXY",
                                                   "NO_PROXY",    "SSL_CERT_FILE", "SSL_CERT_DIR", "DOCKER_HOST"};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

void add_github(const JobState& job, const StepFrame& frame, Texts& env) {
  const auto found = job.contexts.find("github");
  for (const char* name : default_variables) {
    const Value value = found == job.contexts.end() ? Value() : found->second[name];
    if (value.is_primitive()) env["GITHUB_" + upper(name)] = expression::to_text(value);
  }
  if (job.message.environment.empty()) env.erase("GITHUB_ENVIRONMENT");
  env["GITHUB_ACTIONS"] = "true";
  env["GITHUB_ACTION"] = frame.action;
  if (!frame.scope.action_path.empty()) env["GITHUB_ACTION_PATH"] = frame.scope.action_path;
  env["GITHUB_ACTION_REPOSITORY"] = frame.scope.action_repository;
  env["GITHUB_ACTION_REF"] = frame.scope.action_ref;
  env["GITHUB_WORKSPACE"] = job.paths.workspace;
  env["GITHUB_EVENT_PATH"] = job.paths.workflow + "/event.json";
}

void add_runner(const JobState& job, Texts& env) {
  const auto found = job.contexts.find("runner");
  for (const char* name : {"os", "arch", "name", "environment", "debug"}) {
    const Value value = found == job.contexts.end() ? Value() : found->second[name];
    if (const std::string text = expression::to_text(value); !text.empty()) env["RUNNER_" + upper(name)] = text;
  }
  env["RUNNER_TEMP"] = job.paths.temp;
  env["RUNNER_TOOL_CACHE"] = job.paths.tools;
  env["RUNNER_WORKSPACE"] = job.paths.workspace.substr(0, job.paths.workspace.rfind('/'));
}

void add_id_token(const JobState& job, Texts& env) {
  env.erase("ACTIONS_ID_TOKEN_REQUEST_URL");
  env.erase("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
  if (!job.message.may_ask_token) return;
  // The toolkit appends "&audience=...", so there must be a query already.
  env["ACTIONS_ID_TOKEN_REQUEST_URL"] =
      fmt::format("{}{}jobs/{}/id-token?api-version=2.0", job.place.server_url, runner_api_path, job.message.job_id);
  env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = job.message.id_request_token;
}

std::vector<std::string> assignments(const Texts& env) {
  std::vector<std::string> list;
  list.reserve(env.size());
  for (const auto& [name, value] : env) list.push_back(fmt::format("{}={}", name, value));
  return list;
}

}  // namespace

std::vector<std::string> words_of(std::string_view command) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (const char c : command) {
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word += c;
      }
    } else if (c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

Texts process_env(const JobState& job, const StepFrame& frame) {
  Texts env;
  for (const char* name : inherited) {
    if (const char* value = std::getenv(name)) env[name] = value;
  }
  env["CI"] = "true";
  env["HOME"] = job.paths.home;
  env["DOCKER_CONFIG"] = job.paths.docker_config;
  env["AWS_ENDPOINT_URL"] = job.place.server_url;
  env["AWS_EXECUTION_ENV"] = execution_environment_of(job.message.job_id);
  if (!job.place.docker_buildkit.empty()) env["DOCKER_BUILDKIT"] = job.place.docker_buildkit;
  // Testcontainers' helper asks for privileges that a job's containers do not have, and does without them.
  const auto host = env.find("DOCKER_HOST");
  if (host != env.end() && host->second.starts_with(fmt::format("unix://{}/", docker::socket_folder))) {
    env["TESTCONTAINERS_RYUK_CONTAINER_PRIVILEGED"] = "false";
  }
  for (const auto& [name, value] : frame.env) env[name] = value;
  const auto own_path = frame.env.find("PATH");
  env["PATH"] = job.search_path(own_path == frame.env.end() ? job.base_path : own_path->second);
  add_github(job, frame, env);
  add_runner(job, env);
  add_id_token(job, env);
  return env;
}

Result<ProcessEnd> launch(JobState& job, StepFrame& frame, const Launch& what) {
  const std::string directory = what.directory.empty() ? job.paths.workspace : what.directory;
  Texts env = process_env(job, frame);
  for (const auto& [name, value] : what.env) env[name] = value;
  ProcessRun run;
  if (job.containers->steps_inside() && !what.on_host) {
    const auto own_path = frame.env.find("PATH");
    ContainerExec inside =
        job.containers->exec(what.argv, directory, env, own_path == frame.env.end() ? "" : own_path->second);
    run.argv = std::move(inside.argv);
    run.env = std::move(inside.env);
  } else {
    run.argv = what.argv;
    const std::string program = find_program(what.argv.at(0), env["PATH"], directory);
    if (program.empty()) {
      return make_error(errc::not_found, fmt::format("{}: command not found in PATH ({})", what.argv[0], env["PATH"]));
    }
    run.argv[0] = program;
    run.env = assignments(env);
    run.directory = directory;
  }
  run.input = what.input;
  run.on_output = what.on_output;
  run.on_error = what.on_error;
  run.enough = what.enough;
  if (frame.ends_by) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*frame.ends_by - std::chrono::steady_clock::now());
    run.timeout = std::max(left, std::chrono::milliseconds(0));
  }
  Result<ProcessEnd> end = run_process(run, job.stop, frame.since);
  if (end && end->how == ProcessEnd::How::timed_out) frame.timed_out = true;
  return end;
}

StepEnd end_of(const JobState& job, const StepFrame& frame, const Result<ProcessEnd>& end) {
  if (!end) return {Outcome::failure, end.error().message};
  if (frame.timed_out) return {Outcome::failure, "it ran out of time (timeout-minutes)"};
  if (end->how == ProcessEnd::How::stopped) return {Outcome::cancelled, job.stop.reason()};
  if (end->exit_code != 0) return {Outcome::failure, fmt::format("exit code {}", end->exit_code)};
  if (frame.faulted) return {Outcome::failure, "it used a command that is not allowed"};
  return {};
}

StepEnd run_program(JobState& job, StepFrame& frame, Launch what) {
  Result<CommandFiles> files = CommandFiles::make(job);
  if (!files) return {Outcome::failure, files.error().message};
  for (const auto& [name, path] : files->env()) what.env[name] = path;
  StepOutput output(job, frame);
  what.on_output = [&output](std::string_view bytes) { output.write(bytes); };
  const Result<ProcessEnd> ended = launch(job, frame, what);
  output.finish();
  StepEnd end = end_of(job, frame, ended);
  if (ended && ended->exit_code != 0 && end.outcome == Outcome::failure && !frame.timed_out) {
    job.log.error(fmt::format("Process completed with exit code {}.", ended->exit_code));
  } else if (end.outcome == Outcome::failure) {
    job.log.error(end.reason);
  }
  const Result<void> applied = files->apply(job, frame);
  if (!applied) {
    job.log.error(applied.error().message);
    if (end.outcome == Outcome::success) end = {Outcome::failure, applied.error().message};
  }
  return end;
}

}  // namespace kaapi::actions::runner
