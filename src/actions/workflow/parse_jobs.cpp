// `jobs`: jobs and their steps.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "actions/expression/suggest.h"
#include "actions/workflow/parts.h"
#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

constexpr std::array<std::string_view, 20> job_keys = {
    "name",        "needs",   "if",          "runs-on",   "strategy",        "outputs",           "env",
    "defaults",    "steps",   "uses",        "with",      "timeout-minutes", "continue-on-error", "concurrency",
    "permissions", "secrets", "environment", "container", "services",        "snapshot"};

// A job that calls another workflow has no others than these.
constexpr std::array<std::string_view, 9> call_keys = {"name",    "needs",    "if",          "uses",       "with",
                                                       "secrets", "strategy", "permissions", "concurrency"};

constexpr std::array<std::string_view, 10> step_keys = {
    "name", "id", "if", "run", "uses", "with", "env", "shell", "working-directory", "continue-on-error"};

Step read_step(Reader& reader, const YamlNode& node, const std::string& what, const StepPlaces& places) {
  std::vector<std::string_view> keys(step_keys.begin(), step_keys.end());
  if (!places.in_action) keys.push_back("timeout-minutes");
  Step step;
  step.position = node.position;
  step.condition.position = node.position;
  if (!reader.mapping(node, what, keys)) return step;
  const auto at = [&](std::string_view key) { return below(what, key); };
  const auto text = [&](std::string_view key, Place place, std::optional<Text>& into) {
    if (const YamlMember* m = node.find(key)) into = reader.text(m->value, at(key), place);
  };
  text("name", places.step, step.name);
  text("run", places.step, step.run);
  // Only an action's shell may be computed.
  text("shell", places.in_action ? places.step : Place::none, step.shell);
  text("working-directory", places.step, step.working_directory);
  if (const YamlMember* m = node.find("id")) {
    step.id = reader.plain(m->value, at("id"));
    reader.check_id(step.id, m->value.position, at("id"));
  }
  if (const YamlMember* m = node.find("if")) step.condition = reader.condition(m->value, at("if"), places.condition);
  if (const YamlMember* m = node.find("uses")) step.uses = reader.action_reference(m->value, at("uses"));
  if (const YamlMember* m = node.find("with")) step.with = reader.variables(m->value, at("with"), places.step);
  if (const YamlMember* m = node.find("env")) step.env = reader.variables(m->value, at("env"), places.step);
  if (const YamlMember* m = node.find("continue-on-error")) {
    step.continue_on_error = reader.flag(m->value, at("continue-on-error"), places.step);
  }
  if (const YamlMember* m = node.find("timeout-minutes"); m != nullptr && !places.in_action) {
    step.timeout_minutes = reader.number(m->value, at("timeout-minutes"), places.step, true);
  }
  return step;
}

void check_step(Reader& reader, const YamlNode& node, const std::string& what, const StepPlaces& places) {
  if (node.kind != YamlKind::mapping) return;
  const YamlMember *run = node.find("run"), *uses = node.find("uses");
  if ((run == nullptr) == (uses == nullptr)) {
    reader.fault(node.position, fmt::format("{}: found {}, expected one of run and uses", what,
                                            run == nullptr ? "neither run nor uses" : "both run and uses"));
    return;
  }
  for (const std::string_view key : {"shell", "working-directory"}) {
    const YamlMember* member = node.find(key);
    if (member != nullptr && uses != nullptr) {
      reader.fault(member->position, fmt::format("{}: {} stands beside uses: it belongs to run", what, key));
    }
  }
  if (const YamlMember* with = node.find("with"); with != nullptr && run != nullptr) {
    reader.fault(with->position, fmt::format("{}: with stands beside run: it belongs to uses; run takes env", what));
  }
  if (places.in_action && run != nullptr && node.find("shell") == nullptr) {
    reader.fault(node.position,
                 fmt::format("{}: shell is missing: in an action every run needs one, such as bash", what));
  }
}

void read_environment(Reader& reader, const YamlNode& node, const std::string& what, Job& job) {
  static constexpr std::array<std::string_view, 3> keys = {"name", "url", "deployment"};
  if (node.kind == YamlKind::text) {
    if (std::optional<Text> name = reader.required_text(node, what, Place::job_environment)) {
      job.environment = DeploymentEnvironment{*std::move(name), std::nullopt};
    }
    return;
  }
  if (!reader.mapping(node, what, keys)) return;
  const YamlMember* name = node.find("name");
  if (name == nullptr) {
    reader.fault(node.position, fmt::format("{}: name is missing, expected the name of an environment", what));
    return;
  }
  DeploymentEnvironment environment;
  environment.name = reader.required_text(name->value, what + ".name", Place::job_environment).value_or(Text{});
  if (const YamlMember* url = node.find("url")) {
    environment.url = reader.text(url->value, what + ".url", Place::job_environment_url);
  }
  job.environment = std::move(environment);
}

void read_runs_on(Reader& reader, const YamlNode& node, const std::string& what, Job& job) {
  static constexpr std::array<std::string_view, 2> keys = {"group", "labels"};
  const bool empty = (node.kind == YamlKind::text && node.text.empty()) ||
                     (node.kind == YamlKind::list && node.items.empty()) || node.kind == YamlKind::null;
  if (empty) {
    reader.unexpected(node, what, "a label such as ubuntu-latest, a list of labels, or group and labels");
    return;
  }
  if (node.kind == YamlKind::mapping) reader.mapping(node, what, keys);
  job.runs_on = reader.data(node, what, Place::job_runs_on);
}

void read_call(Reader& reader, const YamlNode& node, const std::string& what, Job& job) {
  for (const YamlMember& member : node.members) {
    const bool known = std::find(job_keys.begin(), job_keys.end(), member.key) != job_keys.end();
    if (!known || std::find(call_keys.begin(), call_keys.end(), member.key) != call_keys.end()) continue;
    reader.fault(member.position, fmt::format("{}: {} stands beside uses: a job that calls a workflow takes only {}",
                                              what, member.key, fmt::join(call_keys, ", ")));
  }
  const YamlMember* uses = node.find("uses");
  Call call;
  call.position = uses->value.position;
  call.workflow.text = reader.plain(uses->value, what + ".uses");
  constexpr std::string_view folder = "./.github/workflows/";
  const std::string_view text = call.workflow.text;
  const std::string_view file = text.starts_with(folder) ? text.substr(folder.size()) : std::string_view();
  const bool yaml = file.ends_with(".yml") || file.ends_with(".yaml");
  if (!yaml || file.find('/') != std::string_view::npos || file.find('@') != std::string_view::npos) {
    reader.unexpected(uses->value, what + ".uses",
                      "a workflow of this repository, ./.github/workflows/FILE.yml; those of others are not supported");
  } else {
    call.workflow.path = text.substr(2);
  }
  if (const YamlMember* m = node.find("with"); m != nullptr && m->value.kind != YamlKind::null) {
    if (reader.any_mapping(m->value, what + ".with")) {
      call.with = reader.data(m->value, what + ".with", Place::job_with).members;
    }
  }
  if (const YamlMember* m = node.find("secrets")) {
    call.inherit_secrets = m->value.kind == YamlKind::text && m->value.text == "inherit";
    if (!call.inherit_secrets) call.secrets = reader.variables(m->value, what + ".secrets", Place::job_secrets);
  }
  job.call = std::move(call);
}

void read_execution(Reader& reader, const YamlNode& node, const std::string& what, Job& job) {
  const auto at = [&](std::string_view key) { return below(what, key); };
  if (const YamlMember* m = node.find("runs-on")) {
    read_runs_on(reader, m->value, at("runs-on"), job);
  } else {
    reader.fault(job.position, fmt::format("{}: runs-on is missing, expected a label such as ubuntu-latest", what));
  }
  for (const std::string_view key : {"with", "secrets"}) {
    if (const YamlMember* m = node.find(key)) {
      reader.fault(m->position, fmt::format("{}: {} belongs to a job with uses; steps have their own with", what, key));
    }
  }
  if (const YamlMember* m = node.find("snapshot")) {
    reader.fault(m->position, fmt::format("{}: snapshot is not supported: runners here have no images to save", what));
  }
  if (const YamlMember* m = node.find("steps")) {
    job.steps = read_steps(reader, m->value, at("steps"), {});
  } else {
    reader.fault(job.position, fmt::format("{}: steps is missing, expected a list of steps, or uses", what));
  }
  if (const YamlMember* m = node.find("env")) job.env = reader.variables(m->value, at("env"), Place::job_env);
  if (const YamlMember* m = node.find("outputs")) {
    job.outputs = reader.variables(m->value, at("outputs"), Place::job_outputs).list;
  }
  if (const YamlMember* m = node.find("defaults")) {
    job.defaults = read_defaults(reader, m->value, at("defaults"), Place::job_defaults_run);
  }
  if (const YamlMember* m = node.find("timeout-minutes")) {
    job.timeout_minutes = reader.number(m->value, at("timeout-minutes"), Place::job_timeout_minutes);
  }
  if (const YamlMember* m = node.find("continue-on-error")) {
    job.continue_on_error = reader.flag(m->value, at("continue-on-error"), Place::job_continue_on_error);
  }
  if (const YamlMember* m = node.find("environment")) read_environment(reader, m->value, at("environment"), job);
  if (const YamlMember* m = node.find("container")) {
    job.container = read_container(reader, m->value, at("container"), false);
  }
  if (const YamlMember* m = node.find("services")) job.services = read_services(reader, m->value, at("services"));
}

Job read_job(Reader& reader, const YamlMember& member) {
  Job job;
  job.id = member.key;
  job.position = member.position;
  job.condition.position = member.position;
  const YamlNode& node = member.value;
  const std::string what = fmt::format("jobs.{}", member.key);
  reader.check_id(job.id, member.position, "jobs");
  if (!reader.mapping(node, what, job_keys)) return job;
  const auto at = [&](std::string_view key) { return below(what, key); };
  if (const YamlMember* m = node.find("name")) job.name = reader.text(m->value, at("name"), Place::job_name);
  if (const YamlMember* m = node.find("needs")) job.needs = reader.plain_list(m->value, at("needs"));
  if (const YamlMember* m = node.find("if")) job.condition = reader.condition(m->value, at("if"), Place::job_if);
  if (const YamlMember* m = node.find("strategy")) job.strategy = read_strategy(reader, m->value, at("strategy"));
  if (const YamlMember* m = node.find("permissions")) {
    job.permissions = read_permissions(reader, m->value, at("permissions"));
  }
  if (const YamlMember* m = node.find("concurrency")) {
    job.concurrency = read_concurrency(reader, m->value, at("concurrency"), Place::job_concurrency);
  }
  if (node.find("uses") != nullptr) {
    read_call(reader, node, what, job);
  } else {
    read_execution(reader, node, what, job);
  }
  return job;
}

Position needs_position(const YamlNode& job, std::size_t index) {
  const YamlMember* needs = job.find("needs");
  return index < needs->value.items.size() ? needs->value.items[index].position : needs->value.position;
}

// Unknown ids, and whether the jobs can be put into an order.
void check_needs(Reader& reader, const YamlNode& node, const std::vector<Job>& jobs) {
  std::vector<std::string_view> ids;
  std::map<std::string, std::size_t> index;
  for (const Job& job : jobs) {
    index.emplace(lower(job.id), ids.size());
    ids.push_back(job.id);
  }
  std::vector<std::vector<std::size_t>> needed(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    for (std::size_t j = 0; j < jobs[i].needs.size(); ++j) {
      const auto found = index.find(lower(jobs[i].needs[j]));
      if (found != index.end()) {
        needed[i].push_back(found->second);
        continue;
      }
      reader.fault(needs_position(node.members[i].value, j),
                   fmt::format("jobs.{}.needs: there is no job {}{}", jobs[i].id, quoted(jobs[i].needs[j]),
                               expression::did_you_mean(jobs[i].needs[j], ids)));
    }
  }
  // Jobs whose needs are all done are taken away, round after round; what stays goes in circles.
  std::vector<bool> done(jobs.size());
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (done[i] || !std::all_of(needed[i].begin(), needed[i].end(), [&](std::size_t n) { return done[n]; })) continue;
      done[i] = moved = true;
    }
  }
  const auto first = std::find(done.begin(), done.end(), false);
  if (first == done.end()) return;
  // Every job that stays needs another one that stays: following them leads round the circle.
  std::vector<std::size_t> path;
  std::size_t at = static_cast<std::size_t>(first - done.begin());
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    at = *std::find_if(needed[at].begin(), needed[at].end(), [&](std::size_t n) { return !done[n]; });
  }
  std::string circle;
  for (auto step = std::find(path.begin(), path.end(), at); step != path.end(); ++step)
    circle += jobs[*step].id + " -> ";
  reader.fault(
      needs_position(node.members[at].value, 0),
      fmt::format("jobs.{}.needs: jobs wait for each other in a circle: {}{}", jobs[at].id, circle, jobs[at].id));
}

}  // namespace

std::vector<Step> read_steps(Reader& reader, const YamlNode& node, std::string_view what, const StepPlaces& places) {
  std::vector<Step> steps;
  std::set<std::string> ids;
  if (!reader.list(node, what)) return steps;
  if (node.items.empty()) reader.unexpected(node, what, "at least one step");
  for (const YamlNode& item : node.items) {
    if (steps.size() >= max_steps) {
      reader.fault(item.position, fmt::format("{}: found more than {} steps", what, max_steps));
      break;
    }
    const std::string where = fmt::format("{}[{}]", what, steps.size() + 1);
    Step step = read_step(reader, item, where, places);
    check_step(reader, item, where, places);
    if (!step.id.empty() && !ids.insert(lower(step.id)).second) {
      reader.fault(item.find("id")->value.position,
                   fmt::format("{}.id: {} is the id of an earlier step: expected one that no other has", where,
                               quoted(step.id)));
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

std::vector<Job> read_jobs(Reader& reader, const YamlNode& node) {
  std::vector<Job> jobs;
  std::set<std::string> ids;
  if (!reader.any_mapping(node, "jobs")) return jobs;
  if (node.members.empty() || node.members.size() > max_jobs) {
    reader.fault(node.position, fmt::format("jobs: found {} jobs, expected 1 to {}", node.members.size(), max_jobs));
    return jobs;
  }
  for (const YamlMember& member : node.members) {
    jobs.push_back(read_job(reader, member));
    if (!ids.insert(lower(member.key)).second) {
      reader.fault(member.position,
                   fmt::format("jobs: {} is the id of an earlier job, case does not count", quoted(member.key)));
    }
  }
  check_needs(reader, node, jobs);
  return jobs;
}

}  // namespace kaapi::actions::workflow
