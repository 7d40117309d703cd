// Docker actions: an image from a Dockerfile or a registry, run once with the mounts that GitHub documents.

#include <fmt/format.h>

#include <algorithm>

#include "actions/runner/containers.h"
#include "actions/runner/steps.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

StepEnd failed(JobState& job, const std::string& message) {
  job.log.error(message);
  return {Outcome::failure, message};
}

std::string input_of(const Texts& inputs, std::string_view name) {
  const auto found = std::find_if(inputs.begin(), inputs.end(),
                                  [&](const auto& one) { return expression::equal_ignoring_case(one.first, name); });
  return found == inputs.end() ? std::string() : found->second;
}

// The image's name, built when it is a Dockerfile.
Result<std::string> image_of(JobState& job, StepFrame& frame, const ResolvedAction& action) {
  const std::string& image = action.action.image;
  if (image.starts_with("docker://")) return image.substr(9);
  if (!action.image.empty()) return action.image;
  const std::string file = fmt::format("{}/{}", action.folder, image);
  const std::string tag = fmt::format("kaapi-action-{}:{}", job.message.job_id, job.unique("b"));
  Launch what;
  const std::string label = fmt::format("{}={}", container_label, job.message.job_id);
  what.argv = {"docker", "build", "--tag", tag, "--label", label, "--file", file, file.substr(0, file.rfind('/'))};
  what.on_host = true;
  job.log.line(fmt::format("##[group]Build {}", image));
  StepOutput output(job, frame);
  what.on_output = [&output](std::string_view bytes) { output.write(bytes); };
  const Result<ProcessEnd> end = launch(job, frame, what);
  output.finish();
  job.log.line("##[endgroup]");
  const StepEnd how = end_of(job, frame, end);
  if (how.outcome == Outcome::success) {
    job.containers->note_image(tag);
    return tag;
  }
  return make_error(how.outcome == Outcome::cancelled ? errc::cancelled : errc::unavailable,
                    fmt::format("docker build of the action failed: {}", how.reason));
}

// Those of action.yml, in which `inputs` is the action's; `with.args` where it names none (actions/runner,
// ContainerActionHandler).
Result<std::vector<std::string>> arguments_of(const JobState& job, const StepFrame& frame, const ResolvedAction& action,
                                              const Texts& inputs) {
  if (action.action.args.empty()) return words_of(input_of(inputs, "args"));
  Scope scope = frame.scope;
  scope.inputs = object_of(inputs, expression::Object::Case::insensitive);
  const StepEnvironment environment(job, scope, frame.env, frame.action);
  std::vector<std::string> arguments;
  for (const workflow::Text& text : action.action.args) {
    const auto value = text.value.evaluate_text(environment);
    if (!value) return make_error(errc::invalid, "args: " + value.error().message);
    arguments.push_back(*value);
  }
  return arguments;
}

Result<void> add_action_env(const JobState& job, const StepFrame& frame, const ResolvedAction& action,
                            const Texts& inputs, Texts& env) {
  Scope scope = frame.scope;
  scope.inputs = object_of(inputs, expression::Object::Case::insensitive);
  const StepEnvironment environment(job, scope, frame.env, frame.action);
  for (const workflow::Variable& variable : action.action.env.list) {
    const auto value = variable.value.value.evaluate_text(environment);
    if (!value) return make_error(errc::invalid, fmt::format("env {}: {}", variable.name, value.error().message));
    if (!env.contains(variable.name)) env[variable.name] = *value;
  }
  return ok();
}

// Paths as the container of an action sees them.
std::string to_action(const JobState& job, const std::string& path) {
  const std::vector<std::pair<std::string, std::string>> mounts = {{job.paths.workspace, "/github/workspace"},
                                                                   {job.paths.home, "/github/home"},
                                                                   {job.paths.workflow, "/github/workflow"},
                                                                   {job.paths.commands, "/github/file_commands"},
                                                                   {job.paths.temp, "/github/runner_temp"}};
  for (const auto& [host, inside] : mounts) {
    if (path == host || path.starts_with(host + "/")) return inside + path.substr(host.size());
  }
  return path;
}

std::vector<std::string> run_arguments(const JobState& job, const std::string& entrypoint) {
  std::vector<std::string> run = {"docker",
                                  "run",
                                  "--rm",
                                  "--label",
                                  fmt::format("{}={}", container_label, job.message.job_id),
                                  "--workdir",
                                  "/github/workspace"};
  const auto mount = [&run](const std::string& host, const char* inside) {
    run.insert(run.end(), {"-v", fmt::format("{}:{}", host, inside)});
  };
  run.insert(run.end(), {"-v", "/var/run/docker.sock:/var/run/docker.sock"});
  mount(job.paths.workspace, "/github/workspace");
  mount(job.paths.home, "/github/home");
  mount(job.paths.workflow, "/github/workflow");
  mount(job.paths.commands, "/github/file_commands");
  mount(job.paths.temp, "/github/runner_temp");
  if (!entrypoint.empty()) run.insert(run.end(), {"--entrypoint", entrypoint});
  run.insert(run.end(), {"--network", job.containers->network()});
  return run;
}

}  // namespace

StepEnd run_docker_action(JobState& job, StepFrame& frame, const ResolvedAction& action, const Texts& inputs,
                          const std::string& entrypoint) {
  const Result<std::string> image = image_of(job, frame, action);
  if (!image) return failed(job, image.error().message);
  const auto arguments = arguments_of(job, frame, action, inputs);
  if (!arguments) return failed(job, arguments.error().message);
  std::string entry = entrypoint;
  if (entry.empty() && action.action.entrypoint) {
    const StepEnvironment environment(job, frame.scope, frame.env, frame.action);
    const auto value = action.action.entrypoint->value.evaluate_text(environment);
    if (!value) return failed(job, value.error().message);
    entry = trim(*value);
  }
  if (entry.empty()) entry = input_of(inputs, "entrypoint");
  if (const Result<void> made = job.containers->ensure_network(frame); !made) return failed(job, made.error().message);
  Result<CommandFiles> files = CommandFiles::make(job);
  if (!files) return failed(job, files.error().message);
  Texts env = process_env(job, frame);
  for (const auto& [name, value] : action_env(frame, inputs)) env[name] = value;
  if (const Result<void> added = add_action_env(job, frame, action, inputs, env); !added) {
    return failed(job, added.error().message);
  }
  for (const auto& [name, path] : files->env()) env[name] = path;
  job.containers->for_network(env);
  for (auto& [name, value] : env) value = to_action(job, value);
  // The image's own.
  for (const char* name : {"PATH", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_BUILDKIT"}) env.erase(name);
  Launch what;
  what.on_host = true;
  what.argv = run_arguments(job, entry);
  pass_env(env, what.argv, what.env);
  what.argv.push_back(*image);
  what.argv.insert(what.argv.end(), arguments->begin(), arguments->end());
  StepOutput output(job, frame);
  what.on_output = [&output](std::string_view bytes) { output.write(bytes); };
  const Result<ProcessEnd> ended = launch(job, frame, what);
  output.finish();
  StepEnd end = end_of(job, frame, ended);
  if (end.outcome == Outcome::failure && !frame.timed_out) {
    job.log.error(ended ? fmt::format("Docker run failed with {}.", end.reason) : end.reason);
  }
  if (const Result<void> applied = files->apply(job, frame); !applied) {
    job.log.error(applied.error().message);
    if (end.outcome == Outcome::success) end = {Outcome::failure, applied.error().message};
  }
  return end;
}

}  // namespace kaapi::actions::runner
