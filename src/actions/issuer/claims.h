#pragma once
// What a job's OIDC token says. Pure. Source of the rules: GitHub Docs, "OpenID Connect reference".

#include <chrono>
#include <string>
#include <string_view>

#include "actions/protocol/job_facts.h"
#include "base/clock.h"
#include "base/json.h"

namespace kaapi::actions {

// Trust policies name it, so it stays GitHub's whoever signs.
inline constexpr std::string_view github_issuer = "https://token.actions.githubusercontent.com";
inline constexpr std::chrono::seconds token_lifetime{600};
// So far a token's time begins before it was made, as GitHub's do: clocks differ.
inline constexpr std::chrono::seconds token_backdated{600};

// "repo:OWNER/NAME:environment:E", else "…:pull_request", else "…:ref:REF". A colon in an environment's name is "%3A".
std::string subject_of(const JobFacts& job);

// All claims, in the order in which GitHub's documentation shows them; all but the times are texts. `audience` empty:
// "https://github.com/OWNER".
json::object claims_of(const JobFacts& job, std::string_view audience, std::string_view token_id, Time now);

// The names of the claims above, for the discovery document.
json::array claim_names();

}  // namespace kaapi::actions
