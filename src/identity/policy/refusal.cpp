// What a refused client reads. The sentences are those of the IAM user guide, "Troubleshoot access denied error
// messages".

#include <fmt/format.h>

#include <string>

#include "identity/policy/evaluate.h"

namespace kaapi::identity::policy {
namespace {

// With the article that the sentence "with an explicit deny in ..." needs, and without it for "because no ...".
struct Words {
  std::string_view denied_in;
  std::string_view missing;
};

Words words_of(std::string_view layer) {
  if (layer == "boundary") return {"a permissions boundary", "permissions boundary"};
  if (layer == "session") return {"a session policy", "session policy"};
  if (layer == "resource") return {"a resource-based policy", "resource-based policy"};
  if (layer == "trust") return {"the role trust policy", "role trust policy"};
  return {"an identity-based policy", "identity-based policy"};
}

std::string subject_of(const Principal& who, std::string_view action) {
  // A web identity has no ARN before it has assumed the role; AWS leaves out who.
  if (!who.federated.empty()) return fmt::format("Not authorized to perform {}", action);
  const std::string& name = who.arn.empty() ? who.service : who.arn;
  return fmt::format("User: {} is not authorized to perform: {}", name.empty() ? "anonymous" : name, action);
}

}  // namespace

std::string refusal(const Principal& who, const Request& request, const Decision& decision) {
  const Words words = words_of(decision.layer);
  std::string text = fmt::format("{} on resource: {}", subject_of(who, request.action), request.resource);
  // The trust policy has no name of its own: it is that of the resource.
  const bool named = !decision.policy.empty() && decision.layer != "trust";
  if (decision.effect == Effect::explicit_deny) {
    text += fmt::format(" with an explicit deny in {}", words.denied_in);
    if (named) text += fmt::format(": {}", decision.policy);
    if (!decision.statement.empty()) text += fmt::format(" ({})", decision.statement);
    return text;
  }
  text += fmt::format(" because no {} allows the {} action", words.missing, request.action);
  if (named) text += fmt::format(": {}", decision.policy);
  return text;
}

}  // namespace kaapi::identity::policy
