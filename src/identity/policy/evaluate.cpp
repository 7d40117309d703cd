#include "identity/policy/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "identity/policy/match.h"

namespace kaapi::identity::policy {
namespace {

struct Found {
  const NamedPolicy* policy = nullptr;
  const Statement* statement = nullptr;
  Named named = Named::no;
};

// What one layer says.
struct Layer {
  std::string_view name;
  Found deny;
  Found allow;  // the one that names who asks most closely
};

class Evaluation {
 public:
  Evaluation(const Principal& who, const Request& request, Trace* trace)
      : asked_{lower(request.action), request.resource, request.context, who, {}}, trace_(trace) {
    if (trace_ == nullptr) return;
    say(fmt::format("{} asks for {} on {}", who.arn.empty() ? who.service + who.federated : who.arn, request.action,
                    request.resource));
  }

  void look_at(Layer& layer, const NamedPolicy& policy) {
    for (const Statement& statement : policy.document->statements) {
      std::string why;
      const Applies found = applies(statement, asked_, trace_ == nullptr ? nullptr : &why);
      if (trace_ != nullptr) {
        say(fmt::format("{} policy {}, {} ({}): {}: {}", layer.name, policy.name, statement.name(),
                        statement.allow ? "Allow" : "Deny", found.applies ? "applies" : "does not apply", why));
      }
      if (!found.applies) continue;
      decision_.matched.push_back(
          {std::string(layer.name), policy.name, statement.name(), statement.allow, statement.begin, statement.end});
      Found& best = statement.allow ? layer.allow : layer.deny;
      if (best.statement == nullptr || found.named > best.named) best = {&policy, &statement, found.named};
    }
  }

  void say(std::string step) {
    if (trace_ != nullptr) trace_->steps.push_back(std::move(step));
  }

  Decision deny(const Layer& layer) { return decide(Effect::explicit_deny, layer, layer.deny); }
  Decision allow(const Layer& layer) { return decide(Effect::allowed, layer, layer.allow); }
  Decision allow_root() {
    decision_.layer = "root";
    return finish(Effect::allowed, "allowed: the root user may do everything that nothing denies");
  }
  // `policy`: what should have allowed it; may be null.
  Decision refuse(std::string_view layer, const NamedPolicy* policy) {
    decision_.layer = layer;
    if (policy != nullptr) decision_.policy = policy->name;
    return finish(Effect::implicit_deny, fmt::format("refused: no {} policy allows it", layer));
  }
  void through_account() { decision_.through_account = true; }

 private:
  Decision decide(Effect effect, const Layer& layer, const Found& found) {
    decision_.layer = layer.name;
    decision_.policy = found.policy->name;
    decision_.statement = found.statement->name();
    return finish(effect, fmt::format("{} by {} policy {}, {}", effect == Effect::allowed ? "allowed" : "denied",
                                      layer.name, found.policy->name, decision_.statement));
  }

  Decision finish(Effect effect, std::string step) {
    decision_.effect = effect;
    std::vector<std::string>& missing = asked_.missing;
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    decision_.missing_context_keys = std::move(missing);
    say(std::move(step));
    return std::move(decision_);
  }

  Asked asked_;
  Trace* trace_;
  Decision decision_;
};

// The four layers of a subject.
struct Layers {
  Layer identity{"identity", {}, {}};
  Layer boundary{"boundary", {}, {}};
  Layer session{"session", {}, {}};
  Layer resource{"resource", {}, {}};
};

Layers look_at_all(Evaluation& evaluation, const Subject& subject, const NamedPolicy* resource_policy) {
  Layers layers;
  for (const NamedPolicy& policy : subject.identity) evaluation.look_at(layers.identity, policy);
  if (subject.boundary) evaluation.look_at(layers.boundary, *subject.boundary);
  for (const NamedPolicy& policy : subject.session) evaluation.look_at(layers.session, policy);
  if (resource_policy != nullptr) evaluation.look_at(layers.resource, *resource_policy);
  return layers;
}

// A resource policy that names a user or a session grants by itself: neither boundary nor session policies take it
// away. One that names the role behind a session grants to the role, within both of them; so does "*", for sessions.
bool grants_directly(const Found& allow, const Principal& who) {
  if (allow.statement == nullptr) return false;
  return allow.named == Named::itself || (allow.named == Named::anyone && who.role_arn.empty());
}

bool grants_to_role(const Found& allow) {
  return allow.statement != nullptr && allow.named >= Named::role;
}

std::string_view account_of(std::string_view arn) {
  constexpr int account_part = 4;
  for (int part = 0; part < account_part; ++part) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return arn.substr(0, arn.find(':'));
}

}  // namespace

Decision evaluate(const Subject& subject, const Request& request, const NamedPolicy* resource_policy, Trace* trace) {
  Evaluation evaluation(subject.principal, request, trace);
  const Layers layers = look_at_all(evaluation, subject, resource_policy);

  for (const Layer* layer : {&layers.identity, &layers.resource, &layers.boundary, &layers.session}) {
    if (layer->deny.statement != nullptr) return evaluation.deny(*layer);
  }
  const bool limited = subject.has_session_policies || !subject.session.empty();
  const bool session_allows = !limited || layers.session.allow.statement != nullptr;
  if (subject.root && session_allows) return evaluation.allow_root();
  if (grants_directly(layers.resource.allow, subject.principal)) return evaluation.allow(layers.resource);

  const bool by_identity = subject.root || layers.identity.allow.statement != nullptr;
  if (!by_identity && !grants_to_role(layers.resource.allow)) {
    if (layers.resource.allow.statement != nullptr) {
      evaluation.say("the resource policy names only the account, so an identity policy must allow it too");
    }
    return evaluation.refuse("identity", nullptr);
  }
  if (!subject.root && subject.boundary && layers.boundary.allow.statement == nullptr) {
    return evaluation.refuse("boundary", &*subject.boundary);
  }
  if (!session_allows) return evaluation.refuse("session", subject.session.empty() ? nullptr : &subject.session[0]);
  return evaluation.allow(by_identity ? layers.identity : layers.resource);
}

Decision evaluate_trust(const Document& trust, const Principal& who, const Request& request, Trace* trace) {
  Evaluation evaluation(who, request, trace);
  // Borrowed for this call: the caller keeps the document.
  const NamedPolicy policy{"of the role", std::shared_ptr<const Document>(std::shared_ptr<void>(), &trust)};
  Layer layer{"trust", {}, {}};
  evaluation.look_at(layer, policy);
  if (layer.deny.statement != nullptr) return evaluation.deny(layer);
  if (layer.allow.statement == nullptr) return evaluation.refuse("trust", nullptr);
  const bool other_account = !who.account_id.empty() && who.account_id != account_of(request.resource);
  if (layer.allow.named == Named::account || other_account) {
    evaluation.through_account();
    evaluation.say("the trust policy leaves it to the account, so the caller's own policies must allow it too");
  }
  return evaluation.allow(layer);
}

}  // namespace kaapi::identity::policy
