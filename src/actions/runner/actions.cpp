// `uses:`: which action it names, with which inputs, and running it.

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "actions/runner/containers.h"
#include "actions/runner/steps.h"
#include "actions/workflow/yaml.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

using expression::Object;
using expression::Value;
using workflow::Action;
using workflow::ActionKind;
using workflow::ActionReference;

bool exists(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0;
}

Result<void> read_action(ResolvedAction& resolved, std::string_view named) {
  for (const char* file : {"action.yml", "action.yaml"}) {
    const std::string path = fmt::format("{}/{}", resolved.folder, file);
    if (!exists(path)) continue;
    const Result<std::string> text = read_file(path, workflow::max_file_bytes);
    if (!text) return text.error();
    workflow::ParsedAction parsed = workflow::parse_action(*text);
    if (!parsed.action) {
      std::string message = fmt::format("{} cannot be used", named);
      for (const auto& fault : parsed.faults) {
        message += fmt::format("\n{}", workflow::format_fault(fmt::format("{}/{}", named, file), fault));
      }
      return make_error(errc::invalid, message);
    }
    resolved.action = std::move(*parsed.action);
    return ok();
  }
  if (exists(resolved.folder + "/Dockerfile")) {
    resolved.action.kind = ActionKind::docker;
    resolved.action.image = "Dockerfile";
    return ok();
  }
  return make_error(errc::not_found,
                    fmt::format("{}: there is no action.yml, action.yaml or Dockerfile{}", named,
                                named.starts_with("./") ? "; did actions/checkout run before this step?" : ""));
}

bool is_original(const JobState& job, std::string_view name) {
  return std::any_of(job.place.originals.begin(), job.place.originals.end(), [&](const std::string& original) {
    return original == "all" || expression::equal_ignoring_case(original, name);
  });
}

Texts defaults_of(const ResolvedAction& resolved) {
  Texts defaults;
  if (resolved.builtin == nullptr) return defaults;
  for (const BuiltIn::Input& input : resolved.builtin->inputs) {
    defaults[std::string(input.name)] = std::string(input.default_value);
  }
  return defaults;
}

// Warns of inputs that the action does not have, as GitHub does.
void warn_of_unknown(JobState& job, const Texts& known, const Texts& given, const ResolvedAction& resolved) {
  if (known.empty() && resolved.builtin == nullptr) return;
  std::string unknown;
  for (const auto& [name, value] : given) {
    const bool special = resolved.action.kind == ActionKind::docker && (name == "entrypoint" || name == "args");
    const bool found = std::any_of(known.begin(), known.end(), [&name = name](const auto& one) {
      return expression::equal_ignoring_case(one.first, name);
    });
    if (!found && !special) unknown += fmt::format("{}'{}'", unknown.empty() ? "" : ", ", name);
  }
  if (unknown.empty()) return;
  std::string valid;
  for (const auto& [name, value] : known) valid += fmt::format("{}'{}'", valid.empty() ? "" : ", ", name);
  job.log.warning(fmt::format("Unexpected input(s) {}, valid inputs are [{}]", unknown, valid));
}

// `with` on top of the action's defaults. Names without case.
Result<Texts> evaluate_inputs(JobState& job, const StepFrame& frame, const ResolvedAction& resolved) {
  const StepEnvironment environment(job, frame.scope, frame.env, frame.action);
  Texts inputs = defaults_of(resolved);
  for (const workflow::ActionInput& input : resolved.action.inputs) {
    std::string text;
    if (input.default_value) {
      const auto value = input.default_value->value.evaluate_text(environment);
      if (!value) return make_error(errc::invalid, fmt::format("inputs.{}: {}", input.name, value.error().message));
      text = *value;
    }
    inputs[input.name] = std::move(text);
  }
  Texts given;
  if (frame.step->with.expression) {
    const auto value = frame.step->with.expression->value.evaluate(environment);
    if (!value) return value.error();
    if (!value->is(expression::Kind::object))
      return make_error(errc::invalid, "with: the expression yields no mapping");
    for (const auto& [name, member] : value->object().members()) given[name] = expression::to_text(member);
  }
  for (const workflow::Variable& variable : frame.step->with.list) {
    const auto value = variable.value.value.evaluate_text(environment);
    if (!value) return make_error(errc::invalid, fmt::format("with.{}: {}", variable.name, value.error().message));
    given[variable.name] = *value;
  }
  warn_of_unknown(job, inputs, given, resolved);
  for (const auto& [name, value] : given) {
    const auto known = std::find_if(inputs.begin(), inputs.end(), [&name = name](const auto& one) {
      return expression::equal_ignoring_case(one.first, name);
    });
    inputs[known == inputs.end() ? name : known->first] = value;
  }
  return inputs;
}

void show(JobState& job, const StepFrame& frame, const Texts& inputs) {
  std::string text = fmt::format("##[group]Run {}\n", frame.step->uses->text);
  if (!frame.step->with.empty()) text += "with:\n";
  for (const auto& [name, value] : inputs) {
    if (!value.empty()) text += fmt::format("  {}: {}\n", name, value);
  }
  if (!frame.env.empty()) text += "env:\n";
  for (const auto& [name, value] : frame.env) text += fmt::format("  {}: {}\n", name, value);
  job.log.line(text + "##[endgroup]");
}

// What a step of the action before or after its main one needs: a frame of its own with the same inputs and state.
struct Kept {
  Scope scope;
  Texts env, own_env;
  std::shared_ptr<Texts> state;
  std::string action;
  const workflow::Step* step = nullptr;
  std::shared_ptr<const ResolvedAction> resolved;
  Texts inputs;

  StepFrame frame(JobState& job) {
    StepFrame made{scope, step, action};
    made.env = env;
    for (const auto& [name, value] : job.env) {
      if (!own_env.contains(name)) made.env[name] = value;
    }
    made.own_env = own_env;
    made.state = state;
    made.since = job.stop.level();
    return made;
  }
};

std::shared_ptr<Kept> keep(const StepFrame& frame, std::shared_ptr<const ResolvedAction> resolved, Texts inputs) {
  auto kept = std::make_shared<Kept>();
  kept->scope = frame.scope;
  kept->scope.above = nullptr;  // it may be gone by then
  kept->scope.action_repository = resolved->repository;
  kept->scope.action_ref = resolved->ref;
  kept->env = frame.env;
  kept->own_env = frame.own_env;
  kept->state = frame.state;
  kept->action = frame.action;
  kept->step = frame.step;
  kept->resolved = std::move(resolved);
  kept->inputs = std::move(inputs);
  return kept;
}

// Whether a post step runs is a question to the job as it is then.
std::function<Result<bool>()> wanted_if(JobState& job, const std::shared_ptr<Kept>& kept, const workflow::If* condition,
                                        bool always) {
  return [&job, kept, condition, always]() -> Result<bool> {
    if (always) return true;
    const StepEnvironment environment(job, job.scope, kept->env, kept->action);
    const auto wanted = condition->condition.evaluate(environment);
    if (!wanted) return wanted.error();
    return *wanted;
  };
}

void plan_post(JobState& job, const StepFrame& frame, const std::string& name,
               const std::shared_ptr<const ResolvedAction>& resolved, const Texts& inputs) {
  const std::shared_ptr<Kept> kept = keep(frame, resolved, inputs);
  PostStep post;
  post.name = "Post " + name;
  const Action& action = resolved->action;
  if (resolved->builtin != nullptr) {
    if (!resolved->builtin->post) return;
    const bool on_success = resolved->builtin->post_on_success_only;
    post.wanted = [&job, on_success]() -> Result<bool> { return !on_success || job.status() == Outcome::success; };
    post.run = [&job, kept] {
      StepFrame own = kept->frame(job);
      return run_builtin(job, own, *kept->resolved, kept->inputs, true);
    };
  } else if (action.kind == ActionKind::javascript && !action.post.empty()) {
    post.wanted = wanted_if(job, kept, &action.post_if, !action.has_post_if);
    post.run = [&job, kept] {
      StepFrame own = kept->frame(job);
      return run_javascript(job, own, *kept->resolved, kept->resolved->action.post, kept->inputs);
    };
  } else if (action.kind == ActionKind::docker && !action.post_entrypoint.empty()) {
    post.wanted = wanted_if(job, kept, &action.post_if, !action.has_post_if);
    post.run = [&job, kept] {
      StepFrame own = kept->frame(job);
      return run_docker_action(job, own, *kept->resolved, kept->inputs, kept->resolved->action.post_entrypoint);
    };
  } else {
    return;
  }
  job.posts.push_back(std::move(post));
}

StepEnd failed(JobState& job, const Error& error) {
  if (error.code == errc::cancelled) return {Outcome::cancelled, error.message};
  job.log.error(error.message);
  return {Outcome::failure, error.message};
}

// What the steps of a composite action see.
Scope composite_scope(JobState& job, StepFrame& frame, const ResolvedAction& action, const Texts& inputs) {
  Scope scope;
  scope.above = &frame.scope;
  scope.began_cancelled = job.cancelled();
  scope.inputs = object_of(inputs, Object::Case::insensitive);
  scope.env = frame.scope.env;
  for (const auto& [name, value] : frame.own_env) scope.env[name] = value;
  scope.place = place_of(frame.scope, frame.action);
  scope.action_path = action.folder;
  scope.action_repository = action.repository;
  scope.action_ref = action.ref;
  return scope;
}

std::string name_within(const std::string& action, const workflow::Step& step, std::size_t number) {
  return step.id.empty() ? fmt::format("{}_{}", action, number) : step.id;
}

// Of an action that is no composite one, when it has one.
std::optional<PostStep> pre_step(JobState& job, const StepFrame& frame,
                                 const std::shared_ptr<const ResolvedAction>& resolved, Texts inputs) {
  const Action& about = resolved->action;
  const bool node = about.kind == ActionKind::javascript && !about.pre.empty();
  const bool docker = about.kind == ActionKind::docker && !about.pre_entrypoint.empty();
  if (!node && !docker) return std::nullopt;
  const std::shared_ptr<Kept> kept = keep(frame, resolved, std::move(inputs));
  // What it saves is for the steps to come of the same use.
  job.pre_states[place_of(frame.scope, frame.action)] = kept->state;
  PostStep pre;
  pre.name = "Pre Run " + frame.step->uses->text;
  pre.wanted = wanted_if(job, kept, &about.pre_if, !about.has_pre_if);
  pre.run = [&job, kept, node] {
    StepFrame own = kept->frame(job);
    const Action& it = kept->resolved->action;
    return node ? run_javascript(job, own, *kept->resolved, it.pre, kept->inputs)
                : run_docker_action(job, own, *kept->resolved, kept->inputs, it.pre_entrypoint);
  };
  return pre;
}

Result<FetchedAction> fetch_once(JobState& job, const ActionReference& reference) {
  const std::string key = fmt::format("{}/{}@{}", lower(reference.owner), lower(reference.name), reference.ref);
  if (const auto known = job.fetched.find(key); known != job.fetched.end()) return known->second;
  Result<FetchedAction> fetched = job.actions.fetch(reference.owner, reference.name, reference.ref);
  if (fetched) job.fetched.emplace(key, *fetched);
  return fetched;
}

}  // namespace

Result<std::shared_ptr<const ResolvedAction>> resolve_action(JobState& job, const ActionReference& reference) {
  auto resolved = std::make_shared<ResolvedAction>();
  // What runs at the job's end points into its steps.
  job.used.push_back(resolved);
  if (reference.kind == ActionReference::Kind::docker) {
    resolved->action.kind = ActionKind::docker;
    resolved->action.image = resolved->image = reference.image;
    return std::shared_ptr<const ResolvedAction>(resolved);
  }
  if (reference.kind == ActionReference::Kind::local) {
    std::string_view path = reference.path;
    if (path.starts_with("./")) path.remove_prefix(2);
    resolved->folder = path.empty() ? job.paths.workspace : fmt::format("{}/{}", job.paths.workspace, path);
    if (const Result<void> read = read_action(*resolved, reference.text); !read) return read.error();
    return std::shared_ptr<const ResolvedAction>(resolved);
  }
  resolved->repository = fmt::format("{}/{}", reference.owner, reference.name);
  resolved->ref = reference.ref;
  std::string name = resolved->repository;
  if (!reference.path.empty()) name += "/" + reference.path;
  if (job.find_builtin != nullptr && !is_original(job, name) && !is_original(job, resolved->repository)) {
    resolved->builtin = job.find_builtin(name);
    if (resolved->builtin != nullptr) return std::shared_ptr<const ResolvedAction>(resolved);
  }
  const Result<FetchedAction> fetched = fetch_once(job, reference);
  if (!fetched) return fetched.error();
  resolved->folder = reference.path.empty() ? fetched->folder : fmt::format("{}/{}", fetched->folder, reference.path);
  if (const Result<void> read = read_action(*resolved, reference.text); !read) return read.error();
  return std::shared_ptr<const ResolvedAction>(resolved);
}

StepEnd run_action(JobState& job, StepFrame& frame, const std::string& name, std::size_t depth) {
  const auto resolved = resolve_action(job, *frame.step->uses);
  if (!resolved) return failed(job, resolved.error());
  const Result<Texts> inputs = evaluate_inputs(job, frame, **resolved);
  if (!inputs) return failed(job, inputs.error());
  show(job, frame, *inputs);
  const ResolvedAction& action = **resolved;
  if (action.builtin == nullptr && action.action.kind == ActionKind::composite) {
    return run_composite(job, frame, action, *inputs, depth);
  }
  plan_post(job, frame, name, *resolved, *inputs);
  if (action.builtin != nullptr) return run_builtin(job, frame, action, *inputs, false);
  // The process of an action knows where that came from; for the step itself this is nobody's.
  Scope own = frame.scope;
  own.action_repository = action.repository;
  own.action_ref = action.ref;
  StepFrame inner{own, frame.step, frame.action};
  inner.env = frame.env;
  inner.own_env = frame.own_env;
  inner.state = frame.state;
  inner.since = frame.since;
  inner.ends_by = frame.ends_by;
  StepEnd end = action.action.kind == ActionKind::javascript
                    ? run_javascript(job, inner, action, action.action.main, *inputs)
                    : run_docker_action(job, inner, action, *inputs, "");
  frame.outputs = std::move(inner.outputs);
  frame.timed_out = inner.timed_out;
  return end;
}

StepEnd run_composite(JobState& job, StepFrame& frame, const ResolvedAction& action, const Texts& inputs,
                      std::size_t depth) {
  if (depth + 1 >= max_composite_depth) {
    return failed(job, make_error(errc::invalid,
                                  fmt::format("composite actions are nested more than {} deep", max_composite_depth)));
  }
  Scope scope = composite_scope(job, frame, action, inputs);
  StepEnd end;
  std::size_t number = 0;
  for (const workflow::Step& step : action.action.steps) {
    ++number;
    if (frame.ends_by && std::chrono::steady_clock::now() >= *frame.ends_by) {
      frame.timed_out = true;
      return {Outcome::failure, "it ran out of time (timeout-minutes)"};
    }
    const std::string own = name_within(frame.action, step, number);
    const StepDone done = run_step(
        job, scope, step, own, [](const std::string&) {}, depth + 1, frame.ends_by);
    if (done.conclusion == Outcome::cancelled) end = {Outcome::cancelled, done.reason};
    if (done.conclusion == Outcome::failure && end.outcome == Outcome::success) {
      end = {Outcome::failure, fmt::format("{}: {}", done.name, done.reason)};
    }
  }
  const StepEnvironment environment(job, scope, frame.env, frame.action);
  for (const workflow::ActionOutput& output : action.action.outputs) {
    if (!output.value) continue;
    const auto value = output.value->value.evaluate_text(environment);
    if (!value)
      return failed(job, make_error(errc::invalid, fmt::format("outputs.{}: {}", output.name, value.error().message)));
    set_output(job, frame, output.name, *value);
  }
  return end;
}

Texts action_env(const StepFrame& frame, const Texts& inputs) {
  Texts env;
  const auto upper = [](std::string text) {
    for (char& c : text) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      if (c == ' ') c = '_';
    }
    return text;
  };
  for (const auto& [name, value] : inputs) env["INPUT_" + upper(name)] = value;
  for (const auto& [name, value] : *frame.state) env["STATE_" + name] = value;
  return env;
}

// The machine's, whatever steps have put into PATH since: setup-node is for the steps, not for actions. A container has
// only its own.
Result<std::string> node_of(const JobState& job) {
  if (job.containers->steps_inside()) return std::string("node");
  std::string node = find_program("node", job.base_path, "/");
  if (!node.empty()) return node;
  return make_error(errc::not_found,
                    fmt::format("JavaScript actions run with node, and this machine has none in PATH ({}): install "
                                "Node.js (on Debian: apt-get install nodejs) and start the runner again",
                                job.base_path));
}

StepEnd run_javascript(JobState& job, StepFrame& frame, const ResolvedAction& action, const std::string& file,
                       const Texts& inputs) {
  const std::string script = fmt::format("{}/{}", action.folder, file);
  Launch what;
  const Result<std::string> node = node_of(job);
  if (!node) return failed(job, node.error());
  what.argv = {*node, job.containers->to_inside(script)};
  what.env = action_env(frame, inputs);
  StepEnd end = run_program(job, frame, std::move(what));
  if (job.containers->steps_inside() && (end.reason == "exit code 126" || end.reason == "exit code 127")) {
    job.log.error("In a job container, JavaScript actions run with the image's own node: take an image that has one.");
  }
  return end;
}

std::vector<PostStep> pre_steps(JobState& job, Scope& scope, const workflow::Step& step, const std::string& action,
                                std::size_t depth) {
  if (!step.uses || step.uses->kind != ActionReference::Kind::repository || depth >= max_composite_depth) return {};
  const auto resolved = resolve_action(job, *step.uses);
  if (!resolved || (*resolved)->builtin != nullptr || job.stop.level() != StopLevel::none) return {};
  // One that uses itself fails when it runs.
  for (const Scope* above = &scope; above != nullptr; above = above->above) {
    if (!above->action_path.empty() && above->action_path == (*resolved)->folder) return {};
  }
  const Action& about = (*resolved)->action;
  StepFrame frame{scope, &step, action};
  frame.env = job.env;
  const Result<Texts> inputs = evaluate_inputs(job, frame, **resolved);
  std::vector<PostStep> all;
  if (about.kind != ActionKind::composite) {
    if (auto one = pre_step(job, frame, *resolved, inputs ? *inputs : Texts())) all.push_back(std::move(*one));
    return all;
  }
  Scope within = composite_scope(job, frame, **resolved, inputs ? *inputs : Texts());
  std::size_t number = 0;
  for (const workflow::Step& inner : about.steps) {
    for (PostStep& one : pre_steps(job, within, inner, name_within(action, inner, ++number), depth + 1)) {
      all.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace kaapi::actions::runner
