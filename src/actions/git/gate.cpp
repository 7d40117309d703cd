#include "actions/git/gate.h"

#include <fmt/format.h>

#include "actions/protocol/actor.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::size_t max_user_agent_bytes = 512;
constexpr int unauthorized = 401;
constexpr std::string_view expected =
    "log in with an AWS access key as the user name and its secret key as the password (of temporary keys: the secret "
    "key, '/' and the session token), or with any user name and an access token from: kaapi token create NAME";

Error refused(std::string_view why) {
  return make_error("Unauthorized", fmt::format("{}; {}", why, expected), unauthorized);
}

}  // namespace

std::string repository_arn(const GateConfig& config, std::string_view repository) {
  return fmt::format("arn:aws:kaapi:{}:{}:repository/{}", config.region, config.account_id, repository);
}

Caller Gate::somebody(const http::RequestHead& head) const {
  Caller caller;
  caller.context.account_id = config_.account_id;
  caller.context.region = config_.region;
  caller.context.now = clock_.now();
  caller.context.source_ip = head.remote_address.substr(0, head.remote_address.rfind(':'));
  caller.context.user_agent = head.headers.find("User-Agent").value_or("").substr(0, max_user_agent_bytes);
  caller.context.request_id = ids_.uuid();
  return caller;
}

Result<Caller> Gate::authenticate(const http::RequestHead& head) const {
  Caller caller = somebody(head);
  const std::optional<std::string_view> header = head.headers.find("Authorization");
  Result<void> known = refused("no credentials were sent");
  if (header && lower(header->substr(0, 6)) == "basic ") {
    const std::optional<std::string> credentials = base64_decode(trim(header->substr(6)));
    const std::size_t colon = credentials ? credentials->find(':') : std::string::npos;
    known = colon == std::string::npos ? Result<void>(refused("the Authorization header holds no user and password"))
                                       : identify(std::string_view(*credentials).substr(0, colon),
                                                  std::string_view(*credentials).substr(colon + 1), caller);
  } else if (header) {
    known = refused("only Basic authorization is understood");
  }
  if (known) return caller;
  if (config_.auth) return known.error();
  caller = somebody(head);
  caller.context.principal_arn = fmt::format("arn:aws:iam::{}:root", config_.account_id);
  caller.context.is_root = true;
  caller.actor = "root";
  caller.asked = false;
  return caller;
}

Result<void> Gate::identify(std::string_view user, std::string_view password, Caller& caller) const {
  if (user == "x-access-token" && jobs_) {
    if (std::optional<GitCaller> job = jobs_(user, password)) {
      caller.actor = job->actor;
      caller.context.principal_arn = job->arn;
      caller.job = std::move(job);
      caller.asked = false;
      return ok();
    }
  }
  if (keys_ == nullptr) return refused("no access keys are known");
  if (const std::optional<AccessToken> token = tokens_.find(password)) return identify_token(*token, caller);
  return identify_key(user, caller, password);
}

Result<void> Gate::identify_key(std::string_view access_key_id, Caller& caller, std::string_view password) const {
  const std::optional<aws::AccessKey> key = keys_->find(access_key_id);
  // Who guesses learns nothing of which half was wrong.
  const std::string secret = key ? key->secret + (key->session_token.empty() ? "" : "/" + key->session_token) : "";
  if (!key || !equal_constant_time(sha256(secret), sha256(password))) {
    return refused("the user name or the password is wrong, or the access token has expired or was deleted");
  }
  if (key->expires_at && *key->expires_at <= clock_.now()) return refused("the temporary keys have expired");
  take(*key, access_key_id, caller);
  return ok();
}

Result<void> Gate::identify_token(const AccessToken& token, Caller& caller) const {
  const std::optional<aws::AccessKey> key = keys_->find(token.access_key_id);
  if (!key || (key->expires_at && *key->expires_at <= clock_.now())) {
    return refused(
        fmt::format("the access key {} that made this access token is no longer valid", token.access_key_id));
  }
  take(*key, token.access_key_id, caller);
  return ok();
}

void Gate::take(const aws::AccessKey& key, std::string_view access_key_id, Caller& caller) const {
  keys_->used(access_key_id, "kaapi", config_.region);
  caller.context.principal_arn = key.principal_arn;
  caller.context.user_id = key.user_id;
  caller.context.access_key_id = access_key_id;
  caller.context.is_root = key.is_root;
  caller.actor = actor_name(key.principal_arn);
  caller.asked = config_.auth && !key.is_root && authorizer_ != nullptr;
}

Result<std::string> Gate::authorize(const Caller& caller, std::string_view action, std::string_view repository,
                                    std::string_view ref) const {
  if (caller.job) {
    const bool own = caller.job->repository == repository;
    const bool pulls = action == pull_action;
    if (own && ((pulls && caller.job->may_read) || (action == push_action && caller.job->may_write))) {
      return fmt::format("the token of a job of {}", repository);
    }
    return make_error(aws::access_denied,
                      own ? fmt::format("the job has no right to {}: give it `permissions: contents: {}` in the "
                                        "workflow file",
                                        pulls ? "fetch" : "push", pulls ? "read" : "write")
                          : fmt::format("the job may see {} only", caller.job->repository));
  }
  if (!caller.asked) return std::string(config_.auth ? "the account's root" : "authentication is off");
  aws::Access access{std::string(action), repository_arn(config_, repository), {}};
  if (!ref.empty()) access.conditions["kaapi:ref"] = {std::string(ref)};
  return authorizer_->authorize(caller.context, {access});
}

Result<std::string> Gate::authorize(const aws::CallContext& context, std::string_view action,
                                    std::string_view repository) const {
  Caller caller;
  caller.context = context;
  caller.asked = config_.auth && !context.is_root && authorizer_ != nullptr;
  return authorize(caller, action, repository);
}

void Gate::record(const Caller& caller, std::string_view action, std::string_view repository,
                  const Result<std::string>& decided) const {
  if (audit_ == nullptr) return;
  aws::CallRecord told;
  told.service = "kaapi";
  told.operation = action.substr(action.find(':') + 1);
  told.context = &caller.context;
  told.accesses = {{std::string(action), repository_arn(config_, repository), {}}};
  if (decided) {
    told.reason = *decided;
  } else {
    told.error = decided.error();
  }
  audit_->record(told);
}

}  // namespace kaapi::actions::git
