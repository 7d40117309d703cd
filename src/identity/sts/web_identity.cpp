#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "identity/oidc/jwt.h"
#include "identity/request_context.h"
#include "identity/sts/assume.h"
#include "identity/sts/session_rules.h"

namespace kaapi::identity {
namespace {

namespace wire = aws::sts;

constexpr std::string_view action = "sts:AssumeRoleWithWebIdentity";
constexpr std::string_view https = "https://";
// Claims with which an issuer tags the session and says who is behind it.
constexpr std::string_view tags_claim = "https://aws.amazon.com/tags";
constexpr std::string_view source_identity_claim = "https://aws.amazon.com/source_identity";
constexpr std::size_t max_claim_name_bytes = 128;

Error bad_token(std::string message) {
  return make_error("InvalidIdentityToken", std::move(message));
}

// A token whose issuer is registered here for one of its audiences.
struct KnownToken {
  oidc::Jwt token;
  const OidcProvider* provider = nullptr;
  std::string audience;  // the one that counts
};

const OidcProvider* provider_of(const IamState& state, std::string_view issuer) {
  if (!issuer.starts_with(https)) return nullptr;
  issuer.remove_prefix(https.size());
  const auto find = [&](std::string_view url) {
    return state.oidc_provider(fmt::format("arn:aws:iam::{}:oidc-provider/{}", state.account_id, url));
  };
  if (const OidcProvider* exact = find(issuer)) return exact;
  return issuer.ends_with('/') ? find(issuer.substr(0, issuer.size() - 1)) : nullptr;
}

Result<std::string> audience_of(const oidc::Jwt& token, const OidcProvider& provider) {
  const auto is_registered = [&](const std::string& audience) {
    return std::find(provider.client_ids.begin(), provider.client_ids.end(), audience) != provider.client_ids.end();
  };
  // The authorized party goes before the audiences: it is the client that the token was made for.
  if (token.authorized_party) {
    if (is_registered(*token.authorized_party)) return *token.authorized_party;
  } else if (const auto found = std::find_if(token.audiences.begin(), token.audiences.end(), is_registered);
             found != token.audiences.end()) {
    return *found;
  }
  return bad_token(fmt::format("Incorrect token audience: '{}' is no client id of the provider {}",
                               token.authorized_party.value_or(token.audiences.front()), provider.arn));
}

Result<KnownToken> read_token(const StsRooms& rooms, const IamState& state, std::string_view text, Time now) {
  Result<oidc::Jwt> token = oidc::parse_jwt(text);
  if (!token) return bad_token(token.error().message);
  KnownToken known;
  known.token = std::move(*token);
  known.provider = provider_of(state, known.token.issuer);
  if (known.provider == nullptr) {
    return bad_token(fmt::format("No OpenIDConnect provider found in your account for {}", known.token.issuer));
  }
  if (const Result<void> checked = oidc::check_time(known.token, now); !checked) return checked.error();
  Result<std::string> audience = audience_of(known.token, *known.provider);
  if (!audience) return audience.error();
  known.audience = std::move(*audience);
  // Last, because it may take a while: the signature.
  if (const Result<void> verified = rooms.issuers.verify(known.token); !verified) return verified.error();
  return known;
}

std::optional<std::string> scalar_text(const json::value& value) {
  if (const json::string* text = value.if_string()) return std::string(text->data(), text->size());
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  return std::nullopt;
}

// The claims as condition keys: "token.actions.githubusercontent.com:repository". Numbers and flags are texts there,
// lists have several values, objects have none. Condition keys are not told apart by case, so claims must not differ by
// it alone: which one a policy looks at would be chance.
Result<aws::ConditionValues> claims_of(const KnownToken& known) {
  aws::ConditionValues claims;
  const std::string issuer = lower(known.provider->url);
  for (const auto& [name, value] : known.token.claims) {
    if (name.size() > max_claim_name_bytes) continue;
    std::vector<std::string> values;
    if (const json::array* list = value.if_array()) {
      for (const json::value& item : *list) {
        if (std::optional<std::string> text = scalar_text(item)) values.push_back(std::move(*text));
      }
    } else if (std::optional<std::string> text = scalar_text(value)) {
      values.push_back(std::move(*text));
    }
    const std::string key = fmt::format("{}:{}", issuer, lower(std::string_view(name.data(), name.size())));
    if (!claims.try_emplace(key, std::move(values)).second) {
      return bad_token(fmt::format("the token holds two claims that differ from '{}' by case at most",
                                   std::string_view(name.data(), name.size())));
    }
  }
  std::erase_if(claims, [](const auto& claim) { return claim.second.empty(); });
  // "aud" is the audience that was checked, "oaud" all that the token names.
  claims[issuer + ":oaud"] = known.token.audiences;
  claims[issuer + ":aud"] = {known.audience};
  return claims;
}

struct TokenTags {
  std::vector<std::pair<std::string, std::string>> tags;
  std::vector<std::string> transitive;
};

Result<TokenTags> tags_of(const oidc::Jwt& token) {
  TokenTags tags;
  const json::value* claim = token.claims.if_contains(tags_claim);
  if (claim == nullptr) return tags;
  const auto malformed = [] {
    return bad_token(
        fmt::format("the claim {} is not of the form {{\"principal_tags\": {{\"key\": [\"value\"]}}, "
                    "\"transitive_tag_keys\": [\"key\"]}}",
                    tags_claim));
  };
  const json::value* principal_tags = find_member(*claim, "principal_tags");
  if (principal_tags == nullptr || !principal_tags->is_object()) return malformed();
  for (const auto& [key, value] : principal_tags->get_object()) {
    const json::value* text = &value;
    if (const json::array* list = value.if_array()) text = list->size() == 1 ? list->data() : nullptr;
    if (text == nullptr || !text->is_string()) return malformed();
    tags.tags.emplace_back(std::string(key), std::string(text->get_string()));
  }
  if (const json::value* transitive = find_member(*claim, "transitive_tag_keys")) {
    if (!transitive->is_array()) return malformed();
    for (const json::value& key : transitive->get_array()) {
      if (!key.is_string()) return malformed();
      tags.transitive.emplace_back(key.get_string());
    }
  }
  return tags;
}

Result<void> check_rights(const aws::CallContext& context, const KnownToken& known, const Role& role,
                          const TokenTags& tags, const Session& session) {
  policy::Subject subject;
  subject.principal.federated = known.provider->arn;
  aws::Access access{std::string(action), role.arn, session.claims};
  for (auto& [key, values] :
       session_conditions(session.session_name, tags.tags, tags.transitive, session.source_identity)) {
    access.conditions[key] = values;
  }
  access.conditions["aws:federatedprovider"] = {known.provider->arn};
  const Tags none;
  const RequestContext conditions(context, access, subject.principal, none, nullptr, nullptr);
  const auto check = [&](std::string_view what) -> Result<void> {
    Result<void> allowed = may_assume(subject, role, what, conditions);
    if (allowed) return allowed;
    // Whose token it is may know what it says; that is what a pipeline's owner compares with the trust policy.
    return make_error(allowed.error().code,
                      fmt::format("{}. The token is of {} for audience {}; its subject is {}", allowed.error().message,
                                  known.token.issuer, known.audience, known.token.subject),
                      allowed.error().status);
  };
  if (const Result<void> allowed = check(action); !allowed) return allowed.error();
  if (!session.tags.empty()) {
    if (const Result<void> allowed = check("sts:TagSession"); !allowed) return allowed.error();
  }
  return session.source_identity.empty() ? ok() : check("sts:SetSourceIdentity");
}

Result<Session> prepare(const IamState& state, const KnownToken& known, const TokenTags& tags, const Role& role,
                        const wire::AssumeRoleWithWebIdentityRequest& request, Time now) {
  Session session;
  session.kind = SessionKind::web_identity;
  session.role_name = role.name;
  session.role_id = role.id;
  session.session_name = request.RoleSessionName;
  session.federated_provider = known.provider->arn;
  Result<aws::ConditionValues> claims = claims_of(known);
  if (!claims) return claims.error();
  session.claims = std::move(*claims);
  if (const json::value* identity = known.token.claims.if_contains(source_identity_claim)) {
    session.source_identity = scalar_text(*identity).value_or("");
    if (const Result<void> fits = check_source_identity(session.source_identity); !fits) return fits.error();
  }
  Result<SessionTags> checked = session_tags(tags.tags, tags.transitive, nullptr);
  if (!checked) return checked.error();
  session.tags = std::move(checked->tags);
  session.transitive_tag_keys = std::move(checked->transitive);
  const Result<Duration> duration = role_session_duration(role, request.DurationSeconds, false);
  if (!duration) return duration.error();
  session.expires_at = now + *duration;
  Result<std::vector<SessionPolicy>> policies = session_policies(state, request.Policy, request.PolicyArns);
  if (!policies) return policies.error();
  session.policies = std::move(*policies);
  return session;
}

}  // namespace

Result<wire::AssumeRoleWithWebIdentityResponse> assume_role_with_web_identity(
    const StsRooms& rooms, const aws::CallContext& context, const wire::AssumeRoleWithWebIdentityRequest& request) {
  if (request.ProviderId) {
    return make_error("ValidationError",
                      "ProviderId is for OAuth 2.0 access tokens, which are not supported; leave it "
                      "out and pass an OpenID Connect token");
  }
  if (const Result<void> checked = check_role_arn(request.RoleArn); !checked) return checked.error();
  const std::shared_ptr<const IamState> state = rooms.directory.state();
  const Result<KnownToken> known = read_token(rooms, *state, request.WebIdentityToken, context.now);
  if (!known) return known.error();
  const Result<TokenTags> tags = tags_of(known->token);
  if (!tags) return tags.error();
  const Role* role = state->role_by_arn(request.RoleArn);
  if (role == nullptr) {
    policy::Principal who;
    who.federated = known->provider->arn;
    return no_such_role(who, request.RoleArn, action);
  }
  Result<Session> session = prepare(*state, *known, *tags, *role, request, context.now);
  if (!session) return session.error();
  if (const Result<void> allowed = check_rights(context, *known, *role, *tags, *session); !allowed) {
    return allowed.error();
  }
  const Result<std::optional<std::int32_t>> packed = packed_percent(*session);
  if (!packed) return packed.error();
  const Result<std::shared_ptr<const Session>> made = rooms.sessions.create(std::move(*session));
  if (!made) return made.error();
  wire::AssumeRoleWithWebIdentityResponse response;
  response.Credentials = credentials_of(**made);
  response.AssumedRoleUser = assumed_role_user(**made, state->account_id);
  response.PackedPolicySize = *packed;
  response.SubjectFromWebIdentityToken = known->token.subject;
  response.Provider = known->provider->arn;
  response.Audience = known->audience;
  if (!(*made)->source_identity.empty()) response.SourceIdentity = (*made)->source_identity;
  return response;
}

}  // namespace kaapi::identity
