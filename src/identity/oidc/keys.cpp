#include "identity/oidc/keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "identity/oidc/strict_json.h"

namespace kaapi::identity::oidc {
namespace {

constexpr std::string_view https = "https://";

Error unreachable(const std::string& issuer, std::string_view why) {
  return make_error("IDPCommunicationError",
                    fmt::format("The keys of {} cannot be had: {}. Check that the issuer publishes its "
                                ".well-known/openid-configuration and key set over HTTPS, and try again",
                                issuer, why));
}

Error bad_signature(const Jwt& token, bool known_key) {
  if (!known_key) {
    return make_error(
        "InvalidIdentityToken",
        fmt::format("{} publishes no key '{}' that the token could be signed with", token.issuer, token.kid));
  }
  return make_error("InvalidIdentityToken",
                    fmt::format("The token's signature is not that of key '{}' of {}", token.kid, token.issuer));
}

std::string text_of(const json::object& from, std::string_view name) {
  const json::value* value = from.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

}  // namespace

void IssuerKeys::add_local(std::string issuer_url, std::function<std::string()> jwks) {
  const std::lock_guard lock(mutex_);
  local_.insert_or_assign(std::move(issuer_url), std::move(jwks));
}

Result<void> IssuerKeys::verify(const Jwt& token) {
  const std::optional<Keys> local = local_keys(token.issuer);
  const Keys keys = local ? *local : remote_keys(token);
  if (!keys) return keys.error();
  if ((*keys)->verifies(token)) return ok();
  return bad_signature(token, (*keys)->contains(token.kid, token.algorithm));
}

std::optional<IssuerKeys::Keys> IssuerKeys::local_keys(const std::string& issuer) const {
  std::function<std::string()> jwks;
  {
    const std::lock_guard lock(mutex_);
    const auto found = local_.find(issuer);
    if (found == local_.end()) return std::nullopt;
    jwks = found->second;
  }
  Result<KeySet> keys = KeySet::parse(jwks());
  if (!keys) return Keys(unreachable(issuer, keys.error().message));
  return Keys(std::make_shared<const KeySet>(std::move(*keys)));
}

// What is known of the issuer, when that answers for this token, be it with a refusal.
std::optional<IssuerKeys::Keys> IssuerKeys::known(const Jwt& token) const {
  const auto found = entries_.find(token.issuer);
  if (found == entries_.end()) return std::nullopt;
  const Entry& entry = found->second;
  // Absolute: a clock that was set back must not make anything last longer.
  const Duration seen_ago = std::chrono::abs(clock_.now() - entry.seen_at);
  const Duration asked_ago = std::chrono::abs(clock_.now() - entry.asked_at);
  if (entry.keys != nullptr && seen_ago < max_keys_age) {
    if (entry.keys->contains(token.kid, token.algorithm) || asked_ago < unknown_key_interval) return Keys(entry.keys);
    return std::nullopt;
  }
  if (!entry.failure.empty() && asked_ago < failure_kept) return Keys(unreachable(token.issuer, entry.failure));
  return std::nullopt;
}

IssuerKeys::Keys IssuerKeys::remote_keys(const Jwt& token) {
  std::unique_lock lock(mutex_);
  if (std::optional<Keys> answer = known(token)) return std::move(*answer);
  if (waiting_ >= max_waiting_for_issuers) {
    return unreachable(token.issuer, "too many requests wait for answers of issuers already");
  }
  ++waiting_;
  // One asks, the others wait for what he hears.
  while (entry(token.issuer).fetching) {
    fetched_.wait(lock);
    if (std::optional<Keys> answer = known(token)) {
      --waiting_;
      return std::move(*answer);
    }
  }
  entry(token.issuer).fetching = true;
  lock.unlock();
  Keys keys = fetch_shared(token.issuer);
  lock.lock();
  --waiting_;
  return keys;
}

IssuerKeys::Keys IssuerKeys::fetch_shared(const std::string& issuer) {
  Result<KeySet> fetched = fetch(issuer);
  Keys keys = fetched ? Keys(std::make_shared<const KeySet>(std::move(*fetched)))
                      : Keys(unreachable(issuer, fetched.error().message));
  const std::lock_guard lock(mutex_);
  Entry& mine = entry(issuer);
  mine.fetching = false;
  mine.asked_at = clock_.now();
  mine.failure = keys ? std::string() : fetched.error().message;
  if (keys) {
    mine.keys = *keys;
    mine.seen_at = mine.asked_at;
  }
  fetched_.notify_all();
  return keys;
}

Result<KeySet> IssuerKeys::fetch(const std::string& issuer) {
  if (!issuer.starts_with(https)) return make_error(errc::invalid, "the issuer is no https URL");
  std::string base = issuer;
  if (base.ends_with('/')) base.pop_back();
  const Result<std::string> discovered = fetcher_.get(base + "/.well-known/openid-configuration");
  if (!discovered) return discovered.error();
  if (discovered->size() > max_jwks_bytes) return make_error(errc::too_large, "its configuration is too large");
  const Result<json::object> configuration = parse_strict_object(*discovered);
  if (!configuration) {
    return make_error(errc::invalid, fmt::format("its configuration {}", configuration.error().message));
  }
  // Else one issuer could speak for another (Discovery, section 4.3).
  if (text_of(*configuration, "issuer") != issuer) {
    return make_error(errc::invalid, "its configuration is that of another issuer");
  }
  const std::string jwks_uri = text_of(*configuration, "jwks_uri");
  if (!jwks_uri.starts_with(https)) {
    return make_error(errc::invalid, "its configuration names no https URL of a key set (jwks_uri)");
  }
  const Result<std::string> keys = fetcher_.get(jwks_uri);
  if (!keys) return keys.error();
  return KeySet::parse(*keys);
}

IssuerKeys::Entry& IssuerKeys::entry(const std::string& issuer) {
  const auto found = entries_.find(issuer);
  if (found != entries_.end()) return found->second;
  if (entries_.size() >= max_issuers) {
    // The one that was asked longest ago; those that are being asked stay.
    auto oldest = entries_.end();
    for (auto candidate = entries_.begin(); candidate != entries_.end(); ++candidate) {
      if (candidate->second.fetching) continue;
      if (oldest == entries_.end() || candidate->second.asked_at < oldest->second.asked_at) oldest = candidate;
    }
    if (oldest != entries_.end()) entries_.erase(oldest);
  }
  return entries_[issuer];
}

}  // namespace kaapi::identity::oidc
