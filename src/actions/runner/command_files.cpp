#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "actions/runner/file_commands.h"
#include "actions/runner/step_frame.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

constexpr std::array<const char*, 5> variables = {"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE",
                                                  "GITHUB_STEP_SUMMARY"};
constexpr std::array<const char*, 5> prefixes = {"set_env_", "set_output_", "add_path_", "save_state_",
                                                 "step_summary_"};

// What the step wrote; empty for an untouched file. A pipe or a device in its place is not read.
Result<std::string> written(const char* variable, const std::string& path) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size == 0) return std::string();
  const bool summary = std::string_view(variable) == "GITHUB_STEP_SUMMARY";
  const std::size_t limit = summary ? max_summary_bytes : max_command_file_bytes;
  if (static_cast<std::size_t>(about.st_size) > limit) {
    return make_error(errc::too_large,
                      fmt::format("{}: the file has {} bytes, at most {} are taken", variable, about.st_size, limit));
  }
  return read_file(path, limit);
}

Result<void> take(JobState& job, StepFrame& frame, std::string_view variable, const std::string& text) {
  if (variable == "GITHUB_PATH") {
    for (const std::string& folder : parse_path_lines(text)) add_path(job, folder);
    return ok();
  }
  if (variable == "GITHUB_STEP_SUMMARY") {
    const std::string masked = job.masks.mask(text);
    if (job.summary.size() + masked.size() > max_summary_bytes) {
      job.log.warning("The summaries of this job have more than 1 MiB: this step's is dropped.");
    } else {
      job.summary += masked;
      if (!job.summary.ends_with('\n')) job.summary += '\n';
    }
    return ok();
  }
  const Result<NamedValues> values = parse_named_values(text);
  if (!values) return make_error(errc::invalid, fmt::format("{}: {}", variable, values.error().message));
  for (const auto& [name, value] : *values) {
    if (variable == "GITHUB_ENV") {
      set_env(job, frame, name, value);
    } else if (variable == "GITHUB_OUTPUT") {
      set_output(job, frame, name, value);
    } else {
      (*frame.state)[name] = value;
    }
  }
  return ok();
}

}  // namespace

Result<CommandFiles> CommandFiles::make(JobState& job) {
  CommandFiles files;
  const std::string suffix = job.unique("");
  for (std::size_t i = 0; i < variables.size(); ++i) {
    std::string path = fmt::format("{}/{}{}", job.paths.commands, prefixes[i], suffix);
    const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file) return file_error("make", path);
    files.env_.emplace(variables[i], std::move(path));
  }
  return files;
}

Result<void> CommandFiles::apply(JobState& job, StepFrame& frame) {
  Result<void> result = ok();
  for (const char* variable : variables) {
    const std::string& path = env_.at(variable);
    const Result<std::string> text = written(variable, path);
    ::unlink(path.c_str());
    if (!text) {
      result = text.error();
    } else if (!text->empty()) {
      if (const Result<void> taken = take(job, frame, variable, *text); !taken) result = taken.error();
    }
  }
  return result;
}

}  // namespace kaapi::actions::runner
