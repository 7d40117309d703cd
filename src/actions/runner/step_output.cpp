#include <fmt/format.h>

#include <utility>

#include "actions/runner/file_commands.h"
#include "actions/runner/log_commands.h"
#include "actions/runner/step_frame.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

std::int64_t number_of(const Texts& properties, const char* name) {
  const auto found = properties.find(name);
  return found == properties.end() ? 0 : parse_number(found->second).value_or(0);
}

std::string text_of(const Texts& properties, const char* name) {
  const auto found = properties.find(name);
  return found == properties.end() ? std::string() : found->second;
}

}  // namespace

void StepOutput::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (in_long_line_) {
      piece_of_long_line(piece, end != std::string_view::npos);
    } else if (end == std::string_view::npos) {
      pending_ += piece;
      if (pending_.size() > max_log_line_bytes) {
        in_long_line_ = true;
        piece_of_long_line(pending_, false);
        pending_.clear();
      }
    } else if (pending_.empty()) {
      line(piece);
    } else {
      pending_ += piece;
      line(pending_);
      pending_.clear();
    }
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
  }
}

void StepOutput::finish() {
  if (in_long_line_) piece_of_long_line({}, true);
  if (!pending_.empty()) line(pending_);
  pending_.clear();
}

// A line without an end is no command; it is masked as it comes.
void StepOutput::piece_of_long_line(std::string_view bytes, bool last) {
  long_line_.write(bytes, long_out_);
  if (last) long_line_.finish(long_out_);
  if (!last && long_out_.size() < max_log_line_bytes) return;
  job_.log.masked_line(long_out_);
  long_out_.clear();
  in_long_line_ = !last;
}

void StepOutput::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  const std::size_t start = text.find_first_not_of(" \t");
  const bool command = start != std::string_view::npos && text.substr(start).starts_with("::");
  if (!command || !obey(text)) job_.log.line(text);
}

bool StepOutput::obey(std::string_view text) {
  if (!resume_.empty()) {
    if (trim(text) != fmt::format("::{}::", resume_)) return false;
    resume_.clear();
    return true;
  }
  const std::optional<LogCommand> command = parse_log_command(text);
  if (!command) return false;
  const std::string& name = command->name;
  const std::string& data = command->data;
  if (name == "add-mask") {
    if (trim(data).empty()) {
      job_.log.warning("Can't add secret mask for empty string in ##[add-mask] command.");
    } else {
      add_mask(job_, data);
    }
    if (echo_) job_.log.line("::add-mask::***");
    return true;
  }
  if (annotation(name, data, command->properties)) return true;
  if (name == "group") {
    job_.log.line("##[group]" + data);
  } else if (name == "endgroup") {
    job_.log.line("##[endgroup]");
  } else if (name == "debug") {
    if (job_.debug) job_.log.line("##[debug]" + data);
  } else if (name == "echo") {
    echo_ = trim(data) == "on";
  } else if (name == "stop-commands") {
    resume_ = trim(data);
    if (resume_.empty()) job_.log.error("stop-commands needs a token, such as ::stop-commands::a1b2c3");
  } else if (name == "set-output" || name == "save-state") {
    const std::string key = text_of(command->properties, "name");
    if (key.empty()) {
      job_.log.error(fmt::format("::{}:: needs a name, as in ::{} name=version::1.0", name, name));
    } else if (name == "set-output") {
      set_output(job_, frame_, key, data);
    } else {
      (*frame_.state)[key] = data;
    }
    if (echo_) job_.log.line(text);
  } else if (name == "set-env" || name == "add-path") {
    job_.log.error(fmt::format("The `{}` command is disabled, as on GitHub: write to the file that ${} names instead",
                               name, name == "set-env" ? "GITHUB_ENV" : "GITHUB_PATH"));
    frame_.faulted = true;
  } else {
    return name == "add-matcher" || name == "remove-matcher";
  }
  return true;
}

bool StepOutput::annotation(const std::string& name, std::string_view data, const Texts& properties) {
  if (name != "error" && name != "warning" && name != "notice") return false;
  job_.log.line(fmt::format("##[{}]{}", name, data));
  if (++frame_.annotated[name] > max_annotations_per_step) return true;
  Annotation annotation;
  annotation.level = name;
  annotation.message = data;
  annotation.title = text_of(properties, "title");
  annotation.file = text_of(properties, "file");
  annotation.line = number_of(properties, "line");
  annotation.column = number_of(properties, "col");
  annotate(job_, std::move(annotation));
  return true;
}

void set_output(JobState& job, StepFrame& frame, std::string_view name, std::string_view value) {
  if (value.size() > max_job_output_bytes) {
    job.log.warning(fmt::format("The output '{}' has more than {} bytes and is dropped.", name, max_job_output_bytes));
    return;
  }
  frame.outputs.insert_or_assign(std::string(name), std::string(value));
}

void set_env(JobState& job, StepFrame& frame, std::string_view name, std::string_view value) {
  if (!may_set_env(name)) {
    // The step goes on, as on GitHub.
    const std::string why = fmt::format("Can't store {} output parameter using '$GITHUB_ENV' command.", name);
    job.log.error(why);
    return annotate(job, {"error", why, "", "", 0, 0});
  }
  job.env.insert_or_assign(std::string(name), std::string(value));
  // Within a composite action the steps that follow see it although the step that uses the action has its own.
  for (Scope* scope = &frame.scope; scope != nullptr; scope = scope->above) {
    if (const auto own = scope->env.find(std::string(name)); own != scope->env.end()) own->second = value;
  }
}

void add_path(JobState& job, std::string_view folder) {
  std::erase(job.added_paths, folder);
  job.added_paths.insert(job.added_paths.begin(), std::string(folder));
}

void add_mask(JobState& job, std::string_view value) {
  if (!job.masks.add(value)) {
    job.stop.raise(StopLevel::kill, "the job masks more than can be searched for; its log would not be safe");
  }
}

}  // namespace kaapi::actions::runner
