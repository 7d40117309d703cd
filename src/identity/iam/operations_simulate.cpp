// What would policies say: SimulatePrincipalPolicy, SimulateCustomPolicy and the keys that policies ask for.
#include <set>

#include "identity/iam/operations_internal.h"
#include "identity/policy/evaluate.h"

namespace kaapi::identity {
namespace {

// Of one request; actions times resources.
constexpr std::size_t max_simulated = 5'000;
constexpr std::string_view input_name = "PolicyInputList.";
constexpr std::string_view boundary_name = "PermissionsBoundaryPolicyInputList.1";
constexpr std::string_view resource_policy_name = "ResourcePolicy";

// What is to be simulated, ready for evaluate().
struct Simulation {
  policy::Subject subject;
  std::optional<policy::NamedPolicy> resource_policy;
  policy::MapContext context;
  std::vector<std::string> actions;
  std::vector<std::string> resources;
};

Result<std::shared_ptr<const policy::Document>> parse_input(const std::string& text, policy::Kind kind,
                                                            std::string_view where) {
  Result<std::shared_ptr<const policy::Document>> document = policy::parse(text, kind);
  if (document) return document;
  return invalid_input(fmt::format("{}: {}", where, document.error().message));
}

// Adds the policies of a request to those that the subject has.
Result<void> add_inputs(const std::vector<std::string>& texts, policy::Subject& subject) {
  for (std::size_t at = 0; at < texts.size(); ++at) {
    const std::string name = fmt::format("{}{}", input_name, at + 1);
    const auto document = parse_input(texts[at], policy::Kind::identity, name);
    if (!document) return document.error();
    subject.identity.push_back({name, *document});
  }
  return ok();
}

// "s3:GetObject"; "*" and patterns are no actions.
Result<void> check_action(const std::string& action) {
  const std::size_t colon = action.find(':');
  const bool good = colon != std::string::npos && colon > 0 && colon + 1 < action.size() &&
                    action.find_first_of("*? \t\r\n") == std::string::npos &&
                    action.find(':', colon + 1) == std::string::npos;
  if (good) return ok();
  return invalid_input(fmt::format("Invalid Action: '{}'. An action is SERVICE:NAME, without wildcards.", action));
}

Result<policy::Principal> caller_of(const IamState& state, const std::string& arn) {
  if (const User* user = state.user_by_arn(arn)) return subject_of_user(state, user->name)->principal;
  return invalid_input(fmt::format("Invalid CallerArn: {} is no user of this account", arn));
}

// The members that both operations have.
template <class Request>
Result<void> read_request(const IamState& state, const Request& request, Simulation& simulation) {
  for (const std::string& action : request.ActionNames) {
    if (const Result<void> checked = check_action(action); !checked) return checked.error();
  }
  simulation.actions = request.ActionNames;
  simulation.resources = request.ResourceArns.value_or(std::vector<std::string>{"*"});
  if (simulation.resources.empty()) simulation.resources.emplace_back("*");
  if (simulation.actions.size() * simulation.resources.size() > max_simulated) {
    return invalid_input(fmt::format("Too many combinations of actions and resources: at most {}", max_simulated));
  }
  for (const wire::ContextEntry& entry : request.ContextEntries.value_or(std::vector<wire::ContextEntry>())) {
    if (!entry.ContextKeyName || !entry.ContextKeyValues)
      return invalid_input("A context entry takes a name and values");
    simulation.context.set(*entry.ContextKeyName, *entry.ContextKeyValues);
  }
  const auto boundaries = request.PermissionsBoundaryPolicyInputList.value_or(std::vector<std::string>());
  if (boundaries.size() > 1) return invalid_input("At most one permissions boundary can be simulated");
  if (!boundaries.empty()) {
    const auto document = parse_input(boundaries.front(), policy::Kind::identity, boundary_name);
    if (!document) return document.error();
    simulation.subject.boundary = policy::NamedPolicy{std::string(boundary_name), *document};
  }
  if (request.ResourcePolicy) {
    const auto document = parse_input(*request.ResourcePolicy, policy::Kind::resource, resource_policy_name);
    if (!document) return document.error();
    simulation.resource_policy = policy::NamedPolicy{std::string(resource_policy_name), *document};
  }
  if (request.CallerArn) {
    const Result<policy::Principal> caller = caller_of(state, *request.CallerArn);
    if (!caller) return caller.error();
    simulation.subject.principal = *caller;
  } else if (request.ResourcePolicy && simulation.subject.principal.type != "User") {
    return invalid_input("CallerArn is required when ResourcePolicy is given and the policies are not a user's");
  }
  return ok();
}

std::string_view decision_name(policy::Effect effect) {
  switch (effect) {
    case policy::Effect::allowed:
      return wire::PolicyEvaluationDecisionType::allowed;
    case policy::Effect::explicit_deny:
      return wire::PolicyEvaluationDecisionType::explicitDeny;
    case policy::Effect::implicit_deny:
      break;
  }
  return wire::PolicyEvaluationDecisionType::implicitDeny;
}

// "role_NAME_POLICY" of "inline policy POLICY of role NAME", the name in an ARN, and the kind in AWS's words.
void show_source(const std::string& name, wire::Statement& shown) {
  constexpr std::string_view inline_start = "inline policy ";
  constexpr std::string_view of = " of ";
  if (name.starts_with("arn:")) {
    shown.SourcePolicyId = name_in_arn(name);
    shown.SourcePolicyType = is_aws_managed(name) ? "aws-managed" : "user-managed";
  } else if (const std::size_t at = name.rfind(of); name.starts_with(inline_start) && at != std::string::npos) {
    const std::string policy = name.substr(inline_start.size(), at - inline_start.size());
    const std::string owner = name.substr(at + of.size());  // "role NAME": names have no spaces
    const std::size_t space = owner.find(' ');
    shown.SourcePolicyType = owner.substr(0, space);
    shown.SourcePolicyId = fmt::format("{}_{}_{}", *shown.SourcePolicyType, owner.substr(space + 1), policy);
  } else {
    shown.SourcePolicyId = name;
    if (name == resource_policy_name) shown.SourcePolicyType = "resource";
  }
}

wire::Position shown_position(const policy::Position& position) {
  return {position.line, position.column};
}

// Whether the boundary by itself lets the action pass.
bool within_boundary(const Simulation& simulation, const policy::Request& request) {
  policy::Subject bounded;
  bounded.principal = simulation.subject.principal;
  bounded.identity.push_back(*simulation.subject.boundary);
  return policy::evaluate(bounded, request).effect == policy::Effect::allowed;
}

wire::EvaluationResult simulate_one(const Simulation& simulation, const std::string& action,
                                    const std::string& resource) {
  const policy::Request request{action, resource, simulation.context};
  const policy::NamedPolicy* resource_policy = simulation.resource_policy ? &*simulation.resource_policy : nullptr;
  const policy::Decision decision = policy::evaluate(simulation.subject, request, resource_policy);
  wire::EvaluationResult result;
  result.EvalActionName = action;
  result.EvalResourceName = resource;
  result.EvalDecision = decision_name(decision.effect);
  result.MissingContextValues = decision.missing_context_keys;
  result.MatchedStatements.emplace();
  for (const policy::Matched& matched : decision.matched) {
    wire::Statement& shown = result.MatchedStatements->emplace_back();
    show_source(matched.policy, shown);
    shown.StartPosition = shown_position(matched.begin);
    shown.EndPosition = shown_position(matched.end);
  }
  if (simulation.subject.boundary) {
    result.PermissionsBoundaryDecisionDetail.emplace().AllowedByPermissionsBoundary =
        within_boundary(simulation, request);
  }
  return result;
}

template <class Request>
Result<wire::SimulatePolicyResponse> simulate(const Simulation& simulation, const Request& request) {
  struct Pair {
    const std::string* action;
    const std::string* resource;
  };
  Rows<Pair> pairs;
  for (const std::string& action : simulation.actions) {
    for (const std::string& resource : simulation.resources) {
      pairs.emplace_back(fmt::format("{:06}", pairs.size()), Pair{&action, &resource});
    }
  }
  wire::SimulatePolicyResponse response;
  const std::string scope =
      fmt::format("simulation/{}/{}", fmt::join(simulation.actions, ","), fmt::join(simulation.resources, ","));
  const auto rows = cut(std::move(pairs), scope, request, response);
  if (!rows) return rows.error();
  response.EvaluationResults.emplace();
  for (const auto& [key, pair] : *rows) {
    response.EvaluationResults->push_back(simulate_one(simulation, *pair.action, *pair.resource));
  }
  return response;
}

// Of a user (with groups), a group or a role.
Result<policy::Subject> subject_of(const IamState& state, const std::string& arn) {
  if (const User* user = state.user_by_arn(arn)) return subject_of_user(state, user->name);
  if (const Role* role = state.role_by_arn(arn)) return subject_of_role(state, role->name);
  if (const Group* group = state.group_by_arn(arn)) return subject_of_group(state, group->name);
  return no_such_entity(fmt::format("The entity with ARN {} cannot be found.", arn));
}

Result<wire::SimulatePolicyResponse> simulate_principal(Directory& directory, const CallContext&,
                                                        const wire::SimulatePrincipalPolicyRequest& request) {
  const auto state = directory.state();
  Simulation simulation;
  Result<policy::Subject> subject = subject_of(*state, request.PolicySourceArn);
  if (!subject) return subject.error();
  simulation.subject = std::move(*subject);
  const Result<void> added =
      add_inputs(request.PolicyInputList.value_or(std::vector<std::string>()), simulation.subject);
  if (!added) return added.error();
  if (const Result<void> read = read_request(*state, request, simulation); !read) return read.error();
  return simulate(simulation, request);
}

Result<wire::SimulatePolicyResponse> simulate_custom(Directory& directory, const CallContext&,
                                                     const wire::SimulateCustomPolicyRequest& request) {
  const auto state = directory.state();
  Simulation simulation;
  simulation.subject.principal.account_id = directory.account_id();
  if (const Result<void> added = add_inputs(request.PolicyInputList, simulation.subject); !added) return added.error();
  if (const Result<void> read = read_request(*state, request, simulation); !read) return read.error();
  return simulate(simulation, request);
}

wire::GetContextKeysForPolicyResponse keys_of(const std::vector<policy::NamedPolicy>& policies) {
  std::set<std::string> keys;
  for (const policy::NamedPolicy& policy : policies) {
    for (std::string& key : policy::context_keys(*policy.document)) keys.insert(std::move(key));
  }
  wire::GetContextKeysForPolicyResponse response;
  response.ContextKeyNames.emplace(keys.begin(), keys.end());
  return response;
}

Result<wire::GetContextKeysForPolicyResponse> keys_for_principal(
    Directory& directory, const CallContext&, const wire::GetContextKeysForPrincipalPolicyRequest& request) {
  const auto state = directory.state();
  Result<policy::Subject> subject = subject_of(*state, request.PolicySourceArn);
  if (!subject) return subject.error();
  const Result<void> added = add_inputs(request.PolicyInputList.value_or(std::vector<std::string>()), *subject);
  if (!added) return added.error();
  return keys_of(subject->identity);
}

Result<wire::GetContextKeysForPolicyResponse> keys_for_custom(
    Directory&, const CallContext&, const wire::GetContextKeysForCustomPolicyRequest& request) {
  policy::Subject subject;
  if (const Result<void> added = add_inputs(request.PolicyInputList, subject); !added) return added.error();
  return keys_of(subject.identity);
}

}  // namespace

void add_simulation(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::SimulatePrincipalPolicy>(dispatcher, directory, simulate_principal);
  serve<wire::SimulateCustomPolicy>(dispatcher, directory, simulate_custom);
  serve<wire::GetContextKeysForPrincipalPolicy>(dispatcher, directory, keys_for_principal);
  serve<wire::GetContextKeysForCustomPolicy>(dispatcher, directory, keys_for_custom);
}

}  // namespace kaapi::identity
