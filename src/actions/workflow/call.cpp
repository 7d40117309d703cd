#include "actions/workflow/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "actions/expression/suggest.h"

namespace kaapi::actions::workflow {
namespace {

using expression::Kind;
using expression::Value;

bool right_type(const Input& input, const Data& data) {
  if (data.expression) return true;
  if (data.kind != Data::Kind::scalar) return false;
  if (input.type == InputType::boolean) return data.literal.is(Kind::boolean);
  return input.type != InputType::number || data.literal.is(Kind::number);
}

class Expander {
 public:
  explicit Expander(const WorkflowLookup& lookup) : lookup_(lookup) {}

  ExpandedCalls run(const Workflow& workflow) {
    result_.calls = expand(workflow);
    return std::move(result_);
  }

 private:
  std::vector<CalledWorkflow> expand(const Workflow& caller) {
    std::vector<CalledWorkflow> calls;
    path_.push_back(caller.path);
    for (const Job& job : caller.jobs) {
      if (!job.call || result_.faults.size() >= max_faults) continue;
      std::shared_ptr<const Workflow> called = find(caller, job);
      if (!called) continue;
      check_interface(caller, job, *called);
      CalledWorkflow call{job.id, called, {}};
      call.calls = expand(*called);
      calls.push_back(std::move(call));
    }
    path_.pop_back();
    return calls;
  }

  std::shared_ptr<const Workflow> find(const Workflow& caller, const Job& job) {
    const std::string& path = job.call->workflow.path;
    const auto refuse = [&](std::string message) -> std::shared_ptr<const Workflow> {
      fault(caller, job.call->position, fmt::format("jobs.{}.uses: {}", job.id, message));
      return nullptr;
    };
    if (std::find(path_.begin(), path_.end(), path) != path_.end()) {
      return refuse(fmt::format("workflows call each other in a circle: {} -> {}", fmt::join(path_, " -> "), path));
    }
    if (path_.size() >= max_call_depth) {
      return refuse(fmt::format("workflows are nested more than {} deep", max_call_depth));
    }
    if (++call_count_ > max_calls) return refuse(fmt::format("the run has more than {} calls", max_calls));
    distinct_.insert(path);
    if (distinct_.size() > max_called_workflows) {
      return refuse(fmt::format("the run calls more than {} workflows", max_called_workflows));
    }
    std::shared_ptr<const Workflow> called = lookup_(path);
    if (!called) return refuse(fmt::format("there is no valid workflow {} in this commit", path));
    if (called->event("workflow_call") == nullptr) {
      return refuse(fmt::format("{} cannot be called: add workflow_call to its `on`", path));
    }
    return called;
  }

  void check_interface(const Workflow& caller, const Job& job, const Workflow& called) {
    const Event& event = *called.event("workflow_call");
    check_inputs(caller, job, event);
    if (job.call->inherit_secrets || job.call->secrets.expression) return;
    std::vector<std::string_view> names;
    for (const CallSecret& secret : event.secrets) {
      names.push_back(secret.name);
      if (!secret.required || job.call->secrets.find(secret.name) != nullptr) continue;
      fault(caller, job.call->position,
            fmt::format("jobs.{}.secrets: {} is missing, {} requires it", job.id, secret.name, called.path));
    }
    for (const Variable& given : job.call->secrets.list) {
      check_known(caller, given.value.position, fmt::format("jobs.{}.secrets", job.id), given.name, names);
    }
  }

  void check_inputs(const Workflow& caller, const Job& job, const Event& event) {
    const std::string what = fmt::format("jobs.{}.with", job.id);
    const auto& given = job.call->with;
    std::vector<std::string_view> names;
    for (const Input& input : event.inputs) {
      names.push_back(input.name);
      const auto found = std::find_if(given.begin(), given.end(), [&](const auto& entry) {
        return expression::equal_ignoring_case(entry.key, input.name);
      });
      if (found == given.end()) {
        if (!input.required || input.default_value) continue;
        fault(caller, job.call->position, fmt::format("{}: {} is missing, it is required", what, input.name));
      } else if (!right_type(input, found->value)) {
        fault(caller, found->value.position,
              fmt::format("{}.{}: found another type, expected {}", what, input.name,
                          input.type == InputType::boolean  ? "true or false"
                          : input.type == InputType::number ? "a number"
                                                            : "a text"));
      }
    }
    for (const auto& [name, data] : given) check_known(caller, data.position, what, name, names);
  }

  void check_known(const Workflow& caller, Position position, std::string_view what, std::string_view name,
                   const std::vector<std::string_view>& names) {
    const bool known = std::any_of(names.begin(), names.end(), [&](std::string_view other) {
      return expression::equal_ignoring_case(other, name);
    });
    if (known) return;
    fault(caller, position,
          fmt::format("{}: the called workflow has no {}{}: expected {}", what, quoted(name),
                      expression::did_you_mean(name, names),
                      names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "))));
  }

  void fault(const Workflow& caller, Position position, std::string message) {
    if (result_.faults.size() < max_faults) result_.faults.push_back({caller.path, {position, std::move(message)}});
  }

  const WorkflowLookup& lookup_;
  ExpandedCalls result_;
  std::vector<std::string> path_;  // of the files that call each other down to here
  std::set<std::string> distinct_;
  std::size_t call_count_ = 0;
};

}  // namespace

ExpandedCalls expand_calls(const Workflow& workflow, const WorkflowLookup& lookup) {
  return Expander(lookup).run(workflow);
}

}  // namespace kaapi::actions::workflow
