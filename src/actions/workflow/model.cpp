#include "actions/workflow/model.h"

#include <algorithm>
#include <utility>

namespace kaapi::actions::workflow {

using expression::Checked;
using expression::Value;

Checked<Value> Data::evaluate(const expression::Environment& environment) const {
  if (kind == Kind::scalar) return expression ? expression->evaluate(environment) : Checked<Value>(literal);
  if (kind == Kind::list) {
    expression::Array array;
    array.items.reserve(items.size());
    for (const Data& item : items) {
      Checked<Value> value = item.evaluate(environment);
      if (!value) return value;
      array.items.push_back(std::move(*value));
    }
    return Value(std::move(array));
  }
  expression::Object object;
  for (const auto& [key, item] : members) {
    Checked<Value> value = item.evaluate(environment);
    if (!value) return value;
    object.set(key, std::move(*value));
  }
  return Value(std::move(object));
}

const Text* Variables::find(std::string_view name) const {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Variable& variable) {
    return expression::equal_ignoring_case(variable.name, name);
  });
  return found == list.end() ? nullptr : &found->value;
}

Access Permissions::of(std::string_view scope) const {
  if (const auto found = scopes.find(scope); found != scopes.end()) return found->second;
  return all.value_or(Access::none);
}

const Event* Workflow::event(std::string_view event_name) const {
  const auto found = std::find_if(on.begin(), on.end(), [&](const Event& event) { return event.name == event_name; });
  return found == on.end() ? nullptr : &*found;
}

const Job* Workflow::job(std::string_view id) const {
  const auto found = std::find_if(jobs.begin(), jobs.end(),
                                  [&](const Job& job) { return expression::equal_ignoring_case(job.id, id); });
  return found == jobs.end() ? nullptr : &*found;
}

std::vector<std::string> Workflow::silent_events() const {
  std::vector<std::string> names;
  for (const Event& event : on) {
    if (!event.fires) names.push_back(event.name);
  }
  return names;
}

}  // namespace kaapi::actions::workflow
