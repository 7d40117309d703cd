#include "actions/issuer/issuer.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "actions/issuer/claims.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

constexpr std::size_t max_key_file_bytes = 1024UL * 1024;
constexpr std::string_view sealed_place = "actions/issuer-keys";
constexpr std::string_view who = "issuer";

Error damaged(const std::string& path, std::string_view why) {
  return make_error(errc::damaged,
                    fmt::format("the keys for the tokens of jobs in {} cannot be read: {}. Restore the file from a "
                                "backup, or move it away: new keys are made then, and tokens of the last minutes no "
                                "longer hold",
                                path, why),
                    500);
}

http::Response not_allowed() {
  http::Response response = http::Response::text(405, "only GET is served here\n");
  response.headers.add("Allow", "GET, HEAD");
  return response;
}

bool is_read(const http::Request& request) {
  return request.head.method == "GET" || request.head.method == "HEAD";
}

http::Response none_issued() {
  return http::Response::text(404, fmt::format("no tokens are issued here: the platform was started with "
                                               "--trust-github, so ask {}\n",
                                               github_issuer));
}

http::Response document(const http::Request& request, std::string body) {
  if (!is_read(request)) return not_allowed();
  http::Response response = http::Response::json(200, request.head.method == "HEAD" ? std::string() : body);
  if (request.head.method == "HEAD") response.announced_length = body.size();
  return response;
}

}  // namespace

Result<IssuedToken> Issuer::issue(const JobFacts& job, const std::string& audience) {
  if (audience.size() > max_audience_bytes) {
    return make_error(errc::invalid, fmt::format("an audience has at most {} bytes", max_audience_bytes));
  }
  if (!config_.issues) {
    return make_error(
        errc::conflict,
        fmt::format("jobs of this platform get no tokens: it was started with --trust-github, so that those "
                    "of {} are GitHub's own",
                    github_issuer));
  }
  const Time now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (const Result<void> loaded = load(); !loaded) return loaded.error();
  if (keys_.empty() || now - keys_.back().made_at >= config_.rotate_after) {
    if (const Result<void> rotated = rotate(); !rotated) return rotated.error();
  }
  const json::value claims(claims_of(job, audience, ids_.uuid(), now));
  Result<std::string> text = keys_.back().key.sign(json::serialize(claims));
  if (!text) return text.error();
  return IssuedToken{std::move(*text), string_member(claims, "sub"), string_member(claims, "aud")};
}

std::string Issuer::jwks() {
  const std::lock_guard lock(mutex_);
  if (const Result<void> loaded = load(); !loaded) log::error(who, "{}", loaded.error().message);
  std::string text = R"({"keys":[)";
  for (const Kept& kept : keys_) {
    if (!is_published(kept)) continue;
    if (!text.ends_with('[')) text += ',';
    text += kept.key.jwk();
  }
  return text + "]}";
}

http::Response Issuer::serve_discovery(const http::Request& request) const {
  if (!config_.issues) return none_issued();
  const json::object found = {{"issuer", github_issuer},
                              {"jwks_uri", fmt::format("{}/.well-known/jwks", config_.published_url)},
                              {"subject_types_supported", json::array{"public", "pairwise"}},
                              {"response_types_supported", json::array{"id_token"}},
                              {"claims_supported", claim_names()},
                              {"id_token_signing_alg_values_supported", json::array{"RS256"}},
                              {"scopes_supported", json::array{"openid"}}};
  return document(request, json::serialize(found));
}

http::Response Issuer::serve_jwks(const http::Request& request) {
  if (!config_.issues) return none_issued();
  return document(request, jwks());
}

bool Issuer::is_published(const Kept& kept) const {
  return kept.replaced_at == Time{} || clock_.now() < kept.replaced_at + token_lifetime + verifier_leeway;
}

Result<void> Issuer::load() {
  if (loaded_) return ok();
  const Result<std::string> sealed = read_file(config_.key_file, max_key_file_bytes);
  if (!sealed && sealed.error().code == errc::not_found) {
    loaded_ = true;
    return ok();
  }
  if (!sealed) return sealed.error();
  Result<std::string> plain = sealer_.unseal(*sealed, sealed_place);
  if (!plain) return damaged(config_.key_file, "they were sealed with another key, or changed");
  const Result<json::value> tree = parse_json(*plain);
  OPENSSL_cleanse(plain->data(), plain->size());
  const json::value* list = tree ? find_member(*tree, "keys") : nullptr;
  if (list == nullptr || !list->is_array()) return damaged(config_.key_file, "they are of another kind");
  std::vector<Kept> keys;
  for (const json::value& each : list->as_array()) {
    Result<SigningKey> key = SigningKey::from_der(base64_decode(string_member(each, "der")).value_or(""));
    if (!key) return damaged(config_.key_file, key.error().message);
    keys.push_back(
        {std::move(*key), from_millis(int_member(each, "madeAt")), from_millis(int_member(each, "replacedAt"))});
  }
  keys_ = std::move(keys);
  loaded_ = true;
  return ok();
}

Result<void> Issuer::save() const {
  std::string plain;
  JsonWriter out(plain);
  out.begin_object();
  out.key("keys");
  out.begin_array();
  for (const Kept& kept : keys_) {
    out.begin_object();
    out.key("der");
    out.value(base64_encode(kept.key.der()));
    out.key("madeAt");
    out.value(to_millis(kept.made_at));
    out.key("replacedAt");
    out.value(to_millis(kept.replaced_at));
    out.end_object();
  }
  out.end_array();
  out.end_object();
  const std::string sealed = sealer_.seal(plain, sealed_place);
  OPENSSL_cleanse(plain.data(), plain.size());
  return write_file_atomically(config_.key_file, sealed, 0600);
}

Result<void> Issuer::rotate() {
  Result<SigningKey> made = SigningKey::make();
  if (!made) return made.error();
  const std::vector<Kept> before = keys_;
  const Time now = clock_.now();
  if (!keys_.empty()) keys_.back().replaced_at = now;
  std::erase_if(keys_, [&](const Kept& kept) { return !is_published(kept); });
  keys_.push_back({std::move(*made), now});
  const Result<void> saved = save();
  if (!saved) keys_ = before;
  return saved;
}

}  // namespace kaapi::actions
