#include <fmt/format.h>

#include <algorithm>

#include "aws/sigv4.h"
#include "aws/wire_time.h"
#include "base/text.h"

namespace kaapi::aws {
namespace {

// The same refusal has another name and status in each protocol.
Error refusal(Protocol protocol, std::string_view json_code, std::string_view query_code, int query_status,
              std::string message) {
  return protocol == Protocol::json ? make_error(json_code, std::move(message), 400)
                                    : make_error(query_code, std::move(message), query_status);
}

Error missing_token(Protocol protocol) {
  return refusal(protocol, "MissingAuthenticationTokenException", "MissingAuthenticationToken", 403,
                 "Missing Authentication Token");
}

Error incomplete_signature(Protocol protocol, std::string message) {
  return refusal(protocol, "IncompleteSignatureException", "IncompleteSignature", 400, std::move(message));
}

Error unknown_client(Protocol protocol) {
  return refusal(protocol, "UnrecognizedClientException", "InvalidClientTokenId", 403,
                 "The security token included in the request is invalid.");
}

Error expired_token(Protocol protocol) {
  return refusal(protocol, "ExpiredTokenException", "ExpiredToken", 403,
                 "The security token included in the request is expired");
}

Error wrong_signature(Protocol protocol, std::string message) {
  return refusal(protocol, "InvalidSignatureException", "SignatureDoesNotMatch", 403, std::move(message));
}

constexpr std::string_view mismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and "
    "signing method. Consult the service documentation for details.";

bool is_listed(std::string_view signed_headers, std::string_view lower_name) {
  while (!signed_headers.empty()) {
    const std::string_view name = signed_headers.substr(0, signed_headers.find(';'));
    if (name == lower_name) return true;
    signed_headers.remove_prefix(std::min(signed_headers.size(), name.size() + 1));
  }
  return false;
}

// Host and every X-Amz-* header must be under the signature: otherwise whoever replays a request could change what it
// asks for.
std::optional<std::string> unsigned_header(const http::Headers& headers, std::string_view signed_headers) {
  if (!is_listed(signed_headers, "host")) return "host";
  for (const auto& [name, value] : headers) {
    if (name.size() < 6 || (name[0] | 0x20) != 'x' || name[5] != '-') continue;
    std::string lower_name = lower(name);
    if (lower_name.starts_with("x-amz-") && !is_listed(signed_headers, lower_name)) return lower_name;
  }
  return std::nullopt;
}

struct SignedTime {
  std::string text;
  Time time;
};

Result<SignedTime> signed_time(const http::RequestHead& head, const Authorization& authorization, Protocol protocol) {
  const auto header = head.headers.find("X-Amz-Date");
  if (!header && !authorization.presigned) {
    return incomplete_signature(protocol, "Authorization header requires existence of the 'X-Amz-Date' header");
  }
  const std::string_view text = authorization.presigned ? std::string_view(authorization.basic_time) : trim(*header);
  const std::optional<Time> time = parse_basic_time(text);
  if (!time) return incomplete_signature(protocol, "Date must be in ISO-8601 'basic format'");
  if (text.substr(0, 8) != authorization.date) {
    return wrong_signature(protocol,
                           fmt::format("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                                       "date from HTTP: '{}' != '{}'",
                                       authorization.date, text));
  }
  return SignedTime{std::string(text), *time};
}

// A presigned URL is good from its date (a clock may be ahead) until its lifetime is over; a signed header only around
// now.
Result<void> check_clock(const SignedTime& sent, const Authorization& authorization, Time now, Protocol protocol) {
  if (authorization.presigned && sent.time + authorization.lifetime < now) {
    return make_error("RequestExpired",
                      fmt::format("Request has expired: it was good for {} s from {} on, and now is {}",
                                  authorization.lifetime.count(), sent.text, format_basic_time(now)));
  }
  if (!authorization.presigned && sent.time < now - max_clock_skew) {
    return wrong_signature(
        protocol, fmt::format("Signature expired: {} is now earlier than {} ({} - {} min.)", sent.text,
                              format_basic_time(now - max_clock_skew), format_basic_time(now), max_clock_skew.count()));
  }
  if (sent.time > now + max_clock_skew) {
    return wrong_signature(
        protocol, fmt::format("Signature not yet current: {} is still later than {} ({} + {} min.)", sent.text,
                              format_basic_time(now + max_clock_skew), format_basic_time(now), max_clock_skew.count()));
  }
  return ok();
}

// The query without the signature itself, as it was signed.
std::string query_as_signed(const http::RequestHead& head, const Authorization& authorization) {
  if (!authorization.presigned) return head.query;
  constexpr std::string_view name = "X-Amz-Signature=";
  std::string out;
  std::string_view rest = head.query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.starts_with(name)) continue;
    if (!out.empty()) out += '&';
    out += pair;
  }
  return out;
}

// The payload's hash as it stands in the canonical request.
Result<std::string> payload_hash(const http::RequestHead& head, std::string_view body, const VerifyOptions& options) {
  const auto sent = head.headers.find("x-amz-content-sha256");
  if (sent && *sent == unsigned_payload && options.allow_unsigned_payload) return std::string(unsigned_payload);
  std::string computed = hex(sha256_digest(body));
  if (sent && *sent != computed) {
    return wrong_signature(options.protocol,
                           "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  return computed;
}

}  // namespace

std::shared_ptr<const Verifier::CachedKey> Verifier::cached_signing_key(const std::string& secret,
                                                                        const Authorization& authorization) {
  thread_local std::string name;
  name.assign(authorization.access_key_id);
  // The scope holds date, region and service.
  name.append("/").append(authorization.scope);
  {
    const std::shared_lock lock(mutex_);
    const auto found = cache_.find(name);
    if (found != cache_.end() && equal_constant_time(found->second->secret, secret)) return found->second;
  }
  auto made = std::make_shared<const CachedKey>(
      CachedKey{secret, signing_key(secret, authorization.date, authorization.region, authorization.service)});
  const std::unique_lock lock(mutex_);
  // Dates pass and regions are few: when it is full, most of it is of no use any more.
  if (cache_.size() >= max_cached_signing_keys) cache_.clear();
  cache_.insert_or_assign(name, made);
  return made;
}

Result<Caller> Verifier::verify(const http::RequestHead& head, std::string_view body, Time now,
                                const VerifyOptions& options) {
  const Result<Authorization> parsed = authorization_of(head);
  if (!parsed && parsed.error().code == errc::not_found) return missing_token(options.protocol);
  if (!parsed) return incomplete_signature(options.protocol, parsed.error().message);
  const Authorization& authorization = *parsed;

  std::optional<AccessKey> key = keys_.find(authorization.access_key_id);
  if (!key) return unknown_client(options.protocol);
  const std::string_view token = authorization.presigned ? std::string_view(authorization.session_token)
                                                         : head.headers.find("X-Amz-Security-Token").value_or("");
  if (!equal_constant_time(token, key->session_token)) return unknown_client(options.protocol);

  if (!options.service.empty() && authorization.service != options.service) {
    return wrong_signature(options.protocol,
                           fmt::format("Credential should be scoped to correct service: '{}'.", options.service));
  }
  const Result<SignedTime> sent = signed_time(head, authorization, options.protocol);
  if (!sent) return sent.error();
  if (const Result<void> fresh = check_clock(*sent, authorization, now, options.protocol); !fresh) return fresh.error();

  const auto lines = canonical_headers(head.headers, authorization.signed_headers);
  if (!lines) return wrong_signature(options.protocol, "A header listed in SignedHeaders is not in the request.");
  if (const auto name = unsigned_header(head.headers, authorization.signed_headers)) {
    return wrong_signature(options.protocol,
                           fmt::format("'{}' must be a 'SignedHeader' in the AWS Authorization.", *name));
  }
  const Result<std::string> hash = payload_hash(head, body, options);
  if (!hash) return hash.error();

  const std::string text =
      string_to_sign(sent->text, authorization.scope,
                     canonical_request(head.method, head.path, query_as_signed(head, authorization), *lines,
                                       authorization.signed_headers, *hash));
  const std::string expected = hex(cached_signing_key(key->secret, authorization)->key.sign(text));
  if (!equal_constant_time(expected, authorization.signature)) {
    return wrong_signature(options.protocol, std::string(mismatch));
  }
  // Only who knows the secret is told that the session is over.
  if (key->expires_at && now >= *key->expires_at) return expired_token(options.protocol);
  keys_.used(authorization.access_key_id, authorization.service, authorization.region);
  return Caller{std::move(*key), authorization.access_key_id, authorization.region};
}

void sign(http::Headers& headers, std::string_view method, std::string_view target, std::string_view body,
          const Credentials& credentials, std::string_view region, std::string_view service, Time now) {
  const std::string basic_time = format_basic_time(now);
  headers.set("X-Amz-Date", basic_time);
  if (!credentials.session_token.empty()) headers.set("X-Amz-Security-Token", credentials.session_token);

  std::vector<std::string> names;
  for (const auto& [name, value] : headers) {
    std::string lower_name = lower(name);
    if (lower_name == "host" || lower_name == "content-type" || lower_name.starts_with("x-amz-")) {
      names.push_back(std::move(lower_name));
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const std::string signed_headers = fmt::format("{}", fmt::join(names, ";"));

  const std::size_t question = target.find('?');
  const std::string_view query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  const std::string canonical = canonical_request(method, target.substr(0, question), query,
                                                  canonical_headers(headers, signed_headers).value_or(""),
                                                  signed_headers, hex(sha256_digest(body)));
  const std::string date = basic_time.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, region, service);
  const std::string signature = hex(signing_key(credentials.secret_access_key, date, region, service)
                                        .sign(string_to_sign(basic_time, scope, canonical)));
  headers.set("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                                           credentials.access_key_id, scope, signed_headers, signature));
}

}  // namespace kaapi::aws
