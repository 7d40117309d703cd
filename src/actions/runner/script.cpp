#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "actions/runner/containers.h"
#include "actions/runner/steps.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

using workflow::Defaults;
using workflow::Text;

struct Shell {
  std::string command;    // "bash -e {0}"
  std::string extension;  // of the script's file
};

// The table of `shell` in GitHub's "Workflow syntax". Without `shell`: bash, or sh where there is none.
Shell shell_for(const std::string& name, bool has_bash) {
  if (name.empty()) return has_bash ? Shell{"bash -e {0}", ".sh"} : Shell{"sh -e {0}", ".sh"};
  if (name == "bash") return {"bash --noprofile --norc -eo pipefail {0}", ".sh"};
  if (name == "sh") return {"sh -e {0}", ".sh"};
  if (name == "python") return {"python {0}", ".py"};
  if (name == "pwsh") return {"pwsh -command \". '{0}'\"", ".ps1"};
  if (name == "node") return {"node {0}", ".js"};
  return {name, ""};
}

// As GitHub's runner does it: the first error ends the script, and its exit code is that of the last program.
std::string powershell(std::string_view script) {
  return fmt::format(
      "$ErrorActionPreference = 'stop'\n{}\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) {{ exit "
      "$LASTEXITCODE }}\n",
      script);
}

void put_in(std::string& text, std::string_view mark, std::string_view value) {
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size())) {
    text.replace(at, mark.size(), value);
  }
}

// The step's own, else the job's, else the workflow's; in a composite action only the step's own.
Result<std::string> chosen(const JobState& job, const StepFrame& frame, const std::optional<Text>& own,
                           std::optional<Text> Defaults::*of_defaults, const expression::Environment& environment) {
  const Text* text = own ? &*own : nullptr;
  if (text == nullptr && frame.scope.above == nullptr) {
    if (job.job.defaults.*of_defaults) {
      text = &*(job.job.defaults.*of_defaults);
    } else if (job.workflow.defaults.*of_defaults) {
      text = &*(job.workflow.defaults.*of_defaults);
    }
  }
  if (text == nullptr) return std::string();
  auto value = text->value.evaluate_text(environment);
  if (!value) return value.error();
  return std::string(trim(*value));
}

Result<std::string> write_script(JobState& job, const std::string& script, const std::string& extension) {
  std::string path = fmt::format("{}/{}{}", job.paths.temp, job.unique("run-"), extension);
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
  std::string_view left = script;
  while (file && !left.empty()) {
    const ssize_t written = ::write(file.get(), left.data(), left.size());
    if (written <= 0) break;
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!file || !left.empty()) return file_error("write the script", path);
  return path;
}

// As GitHub shows it: the script, the shell and the step's variables, folded.
void show(JobState& job, const StepFrame& frame, const std::string& script, const std::string& shell) {
  const std::size_t end = script.find('\n');
  std::string text = fmt::format("##[group]Run {}\n{}\nshell: {}\n", trim(script.substr(0, end)), script, shell);
  if (!frame.env.empty()) text += "env:\n";
  for (const auto& [name, value] : frame.env) text += fmt::format("  {}: {}\n", name, value);
  job.log.line(text + "##[endgroup]");
}

std::string outside(const JobState& job, const std::string& directory) {
  if (directory.empty()) return job.paths.workspace;
  if (job.containers->steps_inside()) {
    // Elsewhere in the container is as good: the step runs there.
    if (directory.starts_with('/')) {
      const Result<std::string> on_host = job.containers->to_host(directory);
      return on_host ? *on_host : directory;
    }
  }
  return directory.starts_with('/') ? directory : fmt::format("{}/{}", job.paths.workspace, directory);
}

}  // namespace

StepEnd run_script(JobState& job, StepFrame& frame) {
  const StepEnvironment environment(job, frame.scope, frame.env, frame.action);
  const auto fail = [&job](const std::string& message) {
    job.log.error(message);
    return StepEnd{Outcome::failure, message};
  };
  auto script = frame.step->run->value.evaluate_text(environment);
  if (!script) return fail(script.error().message);
  const auto shell_name = chosen(job, frame, frame.step->shell, &Defaults::shell, environment);
  if (!shell_name) return fail(shell_name.error().message);
  const auto directory = chosen(job, frame, frame.step->working_directory, &Defaults::working_directory, environment);
  if (!directory) return fail(directory.error().message);
  const bool inside = job.containers->steps_inside();
  // Images need not have bash; GitHub takes sh in containers.
  const bool has_bash = !inside && !find_program("bash", process_env(job, frame).at("PATH"), "/").empty();
  const Shell shell = shell_for(*shell_name, has_bash);
  if (shell.command.find("{0}") == std::string::npos) {
    return fail(fmt::format("shell: '{}' has no {{0}}, where the script's file belongs; or use bash, sh, python, pwsh",
                            shell.command));
  }
  show(job, frame, *script, shell.command);
  if (shell.extension == ".ps1") *script = powershell(*script);
  if (script->empty() || script->back() != '\n') *script += '\n';
  const Result<std::string> file = write_script(job, *script, shell.extension);
  if (!file) return fail(file.error().message);
  Launch what;
  what.argv = words_of(shell.command);
  for (std::string& word : what.argv) put_in(word, "{0}", job.containers->to_inside(*file));
  what.directory = outside(job, *directory);
  StepEnd end = run_program(job, frame, std::move(what));
  ::unlink(file->c_str());
  return end;
}

}  // namespace kaapi::actions::runner
