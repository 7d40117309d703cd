#include "identity/request_context.h"

#include <fmt/format.h>

#include "base/text.h"

namespace kaapi::identity {
namespace {

using Values = std::optional<std::vector<std::string>>;

Values text(std::string_view value) {
  return value.empty() ? Values() : Values({std::string(value)});
}

Values seconds_of(Time time) {
  return text(format_time(std::chrono::floor<std::chrono::seconds>(time)));
}

}  // namespace

Values RequestContext::find(std::string_view key) const {
  // What the request itself says goes first: a simulation may say more than any call.
  if (const auto found = access_.conditions.find(key); found != access_.conditions.end()) return found->second;
  constexpr std::string_view principal_tag_key = "aws:principaltag/";
  if (key.starts_with(principal_tag_key)) return principal_tag(key.substr(principal_tag_key.size()));
  constexpr std::string_view resource_tag_mark = ":resourcetag/";  // of aws, and of services as their own
  if (const std::size_t at = key.find(resource_tag_mark); at != std::string_view::npos) {
    return resource_tag(key.substr(at + resource_tag_mark.size()));
  }
  if (Values value = principal_key(key)) return value;
  if (Values value = request_key(key)) return value;
  return session_key(key);
}

Values RequestContext::principal_key(std::string_view key) const {
  if (key == "aws:principalarn") return text(principal_.role_arn.empty() ? principal_.arn : principal_.role_arn);
  if (key == "aws:principalaccount") return text(principal_.account_id);
  if (key == "aws:principaltype") return text(principal_.type);
  if (key == "aws:userid") return text(principal_.user_id);
  if (key == "aws:username") return text(principal_.user_name);
  if (key == "aws:principalservicename") return text(principal_.service);
  if (key == "aws:principalisawsservice") return text(principal_.service.empty() ? "false" : "true");
  return std::nullopt;
}

Values RequestContext::request_key(std::string_view key) const {
  if (key == "aws:sourceip") return text(call_.source_ip);
  if (key == "aws:useragent") return text(call_.user_agent);
  if (key == "aws:requestedregion") return text(call_.region);
  if (key == "aws:currenttime") return seconds_of(call_.now);
  if (key == "aws:epochtime") return text(std::to_string(to_millis(call_.now) / 1000));
  // The platform itself speaks plain HTTP; TLS ends before it.
  if (key == "aws:securetransport" || key == "aws:viaawsservice") return text("false");
  if (key == "aws:resourceaccount") return text(call_.account_id);
  return std::nullopt;
}

Values RequestContext::session_key(std::string_view key) const {
  if (session_ == nullptr) return std::nullopt;
  if (key == "aws:tokenissuetime") return seconds_of(session_->issued_at);
  if (key == "aws:multifactorauthpresent") return text("false");
  if (key == "aws:sourceidentity") return text(session_->source_identity);
  if (key == "aws:federatedprovider") return text(session_->federated_provider);
  if (key == "sts:rolesessionname") return text(session_->session_name);
  if (const auto claim = session_->claims.find(key); claim != session_->claims.end()) return claim->second;
  return std::nullopt;
}

Values RequestContext::principal_tag(std::string_view lower_tag) const {
  // A session's tag goes before the role's of the same key.
  if (session_ != nullptr) {
    for (const auto& [key, value] : session_->tags) {
      if (lower(key) == lower_tag) return {{value}};
    }
  }
  for (const Tag& tag : tags_) {
    if (lower(tag.Key) == lower_tag) return {{tag.Value}};
  }
  return std::nullopt;
}

Values RequestContext::resource_tag(std::string_view lower_tag) const {
  if (facts_ == nullptr) return std::nullopt;
  for (const auto& [key, value] : facts_->tags_of(access_.resource)) {
    if (lower(key) == lower_tag) return {{value}};
  }
  return std::nullopt;
}

}  // namespace kaapi::identity
