#include "actions/runs/scope.h"

#include <fmt/format.h>

#include <algorithm>

namespace kaapi::actions::runs {
namespace {

using expression::Kind;
using expression::Object;
using expression::Value;
using workflow::Access;

// The outcome of a job of the file: the worst of its matrix, where continue-on-error forgives.
std::optional<Outcome> outcome_of_all(const std::vector<const Job*>& jobs) {
  Outcome outcome = Outcome::skipped;
  for (const Job* job : jobs) {
    if (!job->over() || !job->conclusion) return std::nullopt;
    const bool forgiven = job->continue_on_error && *job->conclusion == Outcome::failure;
    outcome = workflow::worse(outcome, forgiven ? Outcome::success : *job->conclusion);
  }
  return outcome;
}

// Of a matrix, a later job's output replaces an earlier one's, unless it is empty (as GitHub's).
Value outputs_of_all(const std::vector<const Job*>& jobs) {
  Object outputs;
  for (const Job* job : jobs) {
    for (const auto& [name, value] : job->outputs) {
      const std::string text = value.is_string() ? std::string(std::string_view(value.get_string())) : "";
      if (text.empty() && outputs.find(name) != nullptr) continue;
      outputs.set(name, text);
    }
  }
  return outputs;
}

Access own_access(const workflow::Workflow& file, const workflow::Job& job, std::string_view permission,
                  Access otherwise) {
  if (job.permissions) return job.permissions->of(permission);
  if (file.permissions) return file.permissions->of(permission);
  return otherwise;
}

}  // namespace

std::string scope_of_call(const Job& call) {
  return fmt::format("{}{}.{}/", call.scope, call.key, call.index);
}

const Job* caller_of(const Run& run, std::string_view scope) {
  if (scope.empty()) return nullptr;
  const auto found = std::find_if(run.jobs.begin(), run.jobs.end(), [&](const Job& job) {
    return job.is_call && !job.superseded && scope_of_call(job) == scope;
  });
  return found == run.jobs.end() ? nullptr : &*found;
}

std::shared_ptr<const workflow::Workflow> workflow_of(const Run& run, const RunFiles& files, std::string_view scope) {
  if (scope.empty()) return files.find(run.workflow_path);
  const Job* caller = caller_of(run, scope);
  if (caller == nullptr) return nullptr;
  const auto outer = workflow_of(run, files, caller->scope);
  const workflow::Job* job = outer ? outer->job(caller->key) : nullptr;
  return job != nullptr && job->call ? files.find(job->call->workflow.path) : nullptr;
}

bool scope_cancelled(const Run& run, std::string_view scope) {
  if (run.cancel_requested) return true;
  const Job* caller = caller_of(run, scope);
  return caller != nullptr && (caller->cancel_requested || scope_cancelled(run, caller->scope));
}

std::vector<const Job*> jobs_in(const Run& run, std::string_view scope, std::string_view key) {
  std::vector<const Job*> found;
  for (const Job& job : run.jobs) {
    if (!job.superseded && job.scope == scope && job.key == key) found.push_back(&job);
  }
  // One that was started again stands where the first one stood.
  std::sort(found.begin(), found.end(), [](const Job* a, const Job* b) { return a->index < b->index; });
  return found;
}

workflow::RunState run_state(const Run& run, const workflow::Workflow& workflow, std::string_view scope,
                             std::string_view but) {
  workflow::RunState state;
  state.cancelled = scope_cancelled(run, scope);
  for (const workflow::Job& job : workflow.jobs) {
    if (job.id == but) continue;
    const std::vector<const Job*> jobs = jobs_in(run, scope, job.id);
    if (jobs.empty()) continue;
    state.jobs[job.id] = {true, outcome_of_all(jobs), outputs_of_all(jobs)};
  }
  return state;
}

expression::Contexts scope_contexts(const Run& run, std::string_view scope, const Value& vars) {
  expression::Contexts contexts;
  contexts.set("github", expression::from_json_value(run.github));
  contexts.set("vars", vars);
  const Job* caller = caller_of(run, scope);
  contexts.set("inputs", expression::from_json_value(caller == nullptr ? json::value(run.inputs) : caller->inputs));
  return contexts;
}

Access access_of(const Run& run, const RunFiles& files, const Job& job, std::string_view permission) {
  // What GITHUB_TOKEN may do when nobody says anything: GitHub's restricted default, and read the repository's other
  // runs, which on GitHub takes no permission where the repository is public.
  const bool readable = permission == "contents" || permission == "packages" || permission == "actions";
  const Access usual = readable ? Access::read : Access::none;
  const Job* caller = caller_of(run, job.scope);
  const Access most = caller == nullptr ? Access::write : access_of(run, files, *caller, permission);
  const auto file = workflow_of(run, files, job.scope);
  const workflow::Job* written = file ? file->job(job.key) : nullptr;
  if (written == nullptr) return Access::none;
  return std::min(most, own_access(*file, *written, permission, caller == nullptr ? usual : most));
}

Result<json::value> to_json_value(const Value& value) {
  const Result<std::string> text = expression::to_json(value);
  if (!text) return text.error();
  return parse_json(*text);
}

}  // namespace kaapi::actions::runs
