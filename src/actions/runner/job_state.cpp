#include "actions/runner/job_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/runner/containers.h"
#include "actions/runner/hash_files.h"

namespace kaapi::actions::runner {

using expression::Object;
using expression::Value;

std::string_view outcome_text(Outcome outcome) {
  constexpr std::string_view texts[] = {"success", "failure", "cancelled", "skipped"};
  return texts[static_cast<std::size_t>(outcome)];
}

Outcome JobState::status() const {
  if (cancelled()) return Outcome::cancelled;
  return scope.failed ? Outcome::failure : Outcome::success;
}

std::string JobState::search_path(std::string_view last) const {
  std::string path = paths.bin;
  for (const std::string& folder : added_paths) path.append(":").append(folder);
  return path.append(":").append(last);
}

std::string JobState::unique(std::string_view prefix) {
  return fmt::format("{}{}", prefix, ++counter);
}

Value object_of(const Texts& texts, Object::Case key_case) {
  Object object(key_case);
  for (const auto& [name, value] : texts) object.set(name, value);
  return Value(std::move(object));
}

std::optional<Value> StepEnvironment::context(std::string_view name) const {
  if (name == "env") return object_of(env_, Object::Case::sensitive);
  if (name == "github") return github();
  if (name == "job") return job();
  if (name == "inputs" && scope_.inputs) return *scope_.inputs;
  if (name == "steps") {
    Object steps;
    for (const auto& [id, result] : scope_.results) steps.set(id, result);
    return Value(std::move(steps));
  }
  if (const auto found = job_.contexts.find(std::string(name)); found != job_.contexts.end()) return found->second;
  return std::nullopt;
}

Value StepEnvironment::github() const {
  Object github;
  if (const auto found = job_.contexts.find("github"); found != job_.contexts.end()) {
    if (found->second.is(expression::Kind::object)) github = found->second.object();
  }
  for (const char* url : {"server_url", "api_url", "graphql_url"}) {
    if (const Value* found = github.find(url)) github.set(url, job_.containers->to_inside(expression::to_text(*found)));
  }
  github.set("action", action_);
  if (!scope_.action_path.empty()) {
    github.set("action_path", job_.containers->to_inside(scope_.action_path));
  }
  if (!scope_.action_repository.empty()) {
    github.set("action_repository", scope_.action_repository);
    github.set("action_ref", scope_.action_ref);
  }
  if (scope_.above != nullptr) github.set("action_status", scope_.failed ? "failure" : "success");
  return Value(std::move(github));
}

Value StepEnvironment::job() const {
  Object job = job_.containers->context();
  job.set("status", outcome_text(job_.status()));
  return Value(std::move(job));
}

Result<std::string> StepEnvironment::hash_files(std::span<const std::string> patterns) const {
  return runner::hash_files(job_.paths.workspace, patterns);
}

Result<bool> StepEnvironment::status(expression::Function function, std::span<const std::string> jobs) const {
  if (!jobs.empty()) {
    return make_error(errc::invalid, "the condition of a step: a status function takes no arguments here");
  }
  const bool cancelled = job_.cancelled() && !scope_.began_cancelled;
  switch (function) {
    case expression::Function::success:
      return !cancelled && !scope_.failed;
    case expression::Function::failure:
      return !cancelled && scope_.failed;
    case expression::Function::cancelled:
      return cancelled;
    default:
      return true;
  }
}

void annotate(JobState& job, Annotation annotation) {
  if (job.annotations.size() >= max_annotations) {
    job.annotations_cut = true;
    return;
  }
  annotation.message = job.masks.mask(annotation.message).substr(0, 4096);
  annotation.title = job.masks.mask(annotation.title).substr(0, 256);
  annotation.file = job.masks.mask(annotation.file).substr(0, 1024);
  job.annotations.push_back(std::move(annotation));
}

}  // namespace kaapi::actions::runner
