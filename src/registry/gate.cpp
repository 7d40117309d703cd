#include "registry/gate.h"

#include <fmt/format.h>

#include "base/text.h"
#include "registry/names.h"
#include "registry/rights.h"

namespace kaapi::registry {
namespace {

constexpr std::size_t max_user_agent_bytes = 512;

Error unauthorized(std::string_view why, std::string_view region, std::string_view host) {
  return make_error(
      "UNAUTHORIZED",
      fmt::format("{}. Run: aws ecr get-login-password --region {} | docker login --username AWS --password-stdin {}",
                  why, region, host),
      401);
}

}  // namespace

Result<Token> Gate::token_of(const http::RequestHead& head) const {
  const std::optional<std::string_view> header = head.headers.find("Authorization");
  if (!header) return make_error(errc::invalid, "no basic auth credentials");
  if (lower(header->substr(0, 6)) != "basic ") {
    return make_error(errc::invalid, "only Basic authorization is understood");
  }
  const std::optional<std::string> credentials = base64_decode(trim(header->substr(6)));
  const std::size_t colon = credentials ? credentials->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return make_error(errc::invalid, "the Authorization header holds no user and password");
  }
  if (credentials->substr(0, colon) != "AWS") return make_error(errc::invalid, "the user name must be AWS");
  Result<Token> token = tokens_.verify(std::string_view(*credentials).substr(colon + 1), registry_.now());
  if (token && token->account_id != registry_.config().account_id) {
    return make_error(errc::invalid, "the authorization token belongs to another account");
  }
  return token;
}

Result<void> Gate::identify(const Token& token, Caller& caller) const {
  caller.context.region = token.region;
  caller.context.principal_arn = token.principal;
  caller.context.access_key_id = token.access_key_id;
  caller.pull_only = token.pull_only;
  const bool platform = token.pull_only && token.access_key_id.empty();
  caller.asked = registry_.config().auth && !platform && authorizer_ != nullptr;
  if (platform || !registry_.config().auth || keys_ == nullptr) return ok();
  if (token.access_key_id.empty()) {
    return make_error(errc::invalid,
                      "the authorization token was issued by an earlier version, which did not note whose it is");
  }
  std::optional<aws::AccessKey> key = keys_->find(token.access_key_id);
  if (!key || key->account_id != token.account_id) {
    return make_error(
        errc::invalid,
        fmt::format("access key {}, which asked for the authorization token, is no longer valid", token.access_key_id));
  }
  if (key->expires_at && *key->expires_at <= registry_.now()) {
    return make_error(errc::timed_out, fmt::format("the session that asked for the authorization token expired at {}",
                                                   format_time(*key->expires_at)));
  }
  caller.context.principal_arn = std::move(key->principal_arn);
  caller.context.user_id = std::move(key->user_id);
  caller.context.is_root = key->is_root;
  if (key->is_root) caller.asked = false;
  return ok();
}

Caller Gate::anonymous(const http::RequestHead& head) const {
  Caller caller;
  caller.context.account_id = registry_.config().account_id;
  caller.context.region = registry_.config().default_region;
  caller.context.now = registry_.now();
  caller.context.source_ip = head.remote_address.substr(0, head.remote_address.rfind(':'));
  caller.context.user_agent = head.headers.find("User-Agent").value_or("").substr(0, max_user_agent_bytes);
  caller.context.request_id = registry_.new_id();
  return caller;
}

Result<Caller> Gate::authenticate(const http::RequestHead& head) const {
  const Config& config = registry_.config();
  Caller caller = anonymous(head);
  const Result<Token> token = token_of(head);
  Result<void> known = token ? identify(*token, caller) : Result<void>(token.error());
  if (known) return caller;
  if (!config.auth) {
    // Without authentication everybody is the account's root; a valid token still says which region is meant.
    caller.context.principal_arn = fmt::format("arn:aws:iam::{}:root", config.account_id);
    caller.context.is_root = true;
    caller.asked = false;
    return caller;
  }
  const std::string_view host = head.headers.find("Host").value_or(config.host);
  Error refused = unauthorized(known.error().message, config.default_region, host);
  // A request without credentials is how every client begins.
  if (records() && head.headers.find("Authorization")) {
    aws::CallRecord told;
    told.service = "ecr";
    told.operation = "GetAuthorizationToken";
    told.context = &caller.context;
    told.error = refused;
    record(told);
  }
  return refused;
}

Result<std::string> Gate::authorize(const Caller& caller, std::span<const std::string_view> actions,
                                    std::string_view repository, bool any_of) const {
  if (caller.context.is_root) return std::string("the account's root");
  if (!caller.asked || actions.empty()) return std::string();
  const std::string arn = arn_of(caller, repository);
  Result<std::string> decided =
      authorizer_->authorize(caller.context, accesses_of(any_of ? actions.first(1) : actions, arn));
  if (!decided && any_of) {
    for (std::size_t i = 1; i < actions.size() && !decided; ++i) {
      // The refusal that is shown is that of the first action.
      Result<std::string> other = authorizer_->authorize(caller.context, accesses_of(actions.subspan(i, 1), arn));
      if (other) decided = std::move(other);
    }
  }
  if (!decided) return make_error("DENIED", decided.error().message, 403);
  return decided;
}

std::string Gate::arn_of(const Caller& caller, std::string_view repository) const {
  return repository_arn(caller.context.region, registry_.config().account_id, repository);
}

}  // namespace kaapi::registry
