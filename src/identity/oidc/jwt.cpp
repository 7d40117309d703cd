#include "identity/oidc/jwt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "identity/oidc/strict_json.h"

namespace kaapi::identity::oidc {
namespace {

// The year 9999: later times are nonsense, and sums with them stay far from overflow.
constexpr std::int64_t max_time_s = 253'402'300'799;

Error bad(std::string message) {
  return make_error(errc::invalid, std::move(message));
}

// Texts that become names in policies and logs.
bool is_plain(std::string_view text, std::size_t max_bytes) {
  return !text.empty() && text.size() <= max_bytes && std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
}

Result<json::object> decode_part(std::string_view part, std::string_view what) {
  const std::optional<std::string> text = base64url_decode(part);
  if (!text) return bad(fmt::format("the token's {} is no base64url without padding", what));
  Result<json::object> object = parse_strict_object(*text);
  if (!object) return bad(fmt::format("the token's {} {}", what, object.error().message));
  return object;
}

Result<std::string> text_member(const json::object& from, std::string_view name, std::size_t max_bytes) {
  const json::value* value = from.if_contains(name);
  if (value == nullptr) return bad(fmt::format("Missing a required claim: {}", name));
  const json::string* text = value->if_string();
  if (text == nullptr || !is_plain({text->data(), text->size()}, max_bytes)) {
    return bad(fmt::format("the token's {} is no text of 1 to {} bytes", name, max_bytes));
  }
  return std::string(text->data(), text->size());
}

Result<void> read_header(const json::object& header, Jwt& token) {
  // Whoever believes a key that the token brings believes everybody.
  constexpr std::array<std::string_view, 4> own_keys = {"jwk", "jku", "x5u", "x5c"};
  for (const std::string_view name : own_keys) {
    if (header.contains(name)) {
      return bad(
          fmt::format("the token's header brings its own key ({}); only keys that the issuer publishes count", name));
    }
  }
  if (header.contains("crit")) return bad("the token's header demands an extension (crit), and none is supported");
  if (header.contains("b64")) return bad("the token's header changes how it is signed (b64), which is not supported");
  const json::value* algorithm = header.if_contains("alg");
  if (algorithm == nullptr || !algorithm->is_string()) return bad("the token's header names no algorithm (alg)");
  if (algorithm->get_string() == "RS256") {
    token.algorithm = Algorithm::rs256;
  } else if (algorithm->get_string() == "ES256") {
    token.algorithm = Algorithm::es256;
  } else {
    return bad("the token's algorithm (alg) is none of RS256 and ES256");
  }
  const json::value* kid = header.if_contains("kid");
  const json::string* text = kid == nullptr ? nullptr : kid->if_string();
  if (text == nullptr || !is_plain({text->data(), text->size()}, max_kid_bytes)) {
    return bad("the token's header names no key (kid)");
  }
  token.kid.assign(text->data(), text->size());
  return ok();
}

Result<void> read_audiences(const json::object& claims, Jwt& token) {
  const json::value* value = claims.if_contains("aud");
  if (value == nullptr) return bad("Missing a required claim: aud");
  const auto add = [&token](const json::value& item) {
    const json::string* text = item.if_string();
    if (text == nullptr || !is_plain({text->data(), text->size()}, max_issuer_bytes)) return false;
    token.audiences.emplace_back(text->data(), text->size());
    return true;
  };
  if (const json::array* list = value->if_array()) {
    if (!list->empty() && list->size() <= max_audiences && std::all_of(list->begin(), list->end(), add)) return ok();
  } else if (add(*value)) {
    return ok();
  }
  return bad("the token's aud is neither a text nor a list of texts");
}

Result<std::optional<std::int64_t>> time_member(const json::object& claims, std::string_view name) {
  const json::value* value = claims.if_contains(name);
  if (value == nullptr) return std::optional<std::int64_t>();
  // As AWS: "Timestamps in the token must be formatted as either an integer or a long integer."
  const std::int64_t* seconds = value->if_int64();
  if (seconds == nullptr || *seconds < 0 || *seconds > max_time_s) {
    return bad(fmt::format("the token's {} is no whole number of seconds since 1970", name));
  }
  return std::optional<std::int64_t>(*seconds);
}

Result<void> read_times(const json::object& claims, Jwt& token) {
  const Result<std::optional<std::int64_t>> expires = time_member(claims, "exp");
  if (!expires) return expires.error();
  if (!*expires) return bad("Missing a required claim: exp");
  token.expires_at_s = **expires;
  const Result<std::optional<std::int64_t>> not_before = time_member(claims, "nbf");
  if (!not_before) return not_before.error();
  token.not_before_s = *not_before;
  const Result<std::optional<std::int64_t>> issued = time_member(claims, "iat");
  if (!issued) return issued.error();
  token.issued_at_s = *issued;
  return ok();
}

Result<void> read_claims(Jwt& token) {
  const json::object& claims = token.claims;
  Result<std::string> issuer = text_member(claims, "iss", max_issuer_bytes);
  if (!issuer) return issuer.error();
  token.issuer = std::move(*issuer);
  Result<std::string> subject = text_member(claims, "sub", max_subject_bytes);
  if (!subject) return subject.error();
  token.subject = std::move(*subject);
  if (const Result<void> read = read_audiences(claims, token); !read) return read.error();
  if (claims.contains("azp")) {
    Result<std::string> party = text_member(claims, "azp", max_issuer_bytes);
    if (!party) return party.error();
    token.authorized_party = std::move(*party);
  }
  return read_times(claims, token);
}

std::string in_words(std::int64_t seconds) {
  return format_time(from_millis(seconds * 1000));
}

}  // namespace

std::optional<std::string> base64url_decode(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string padded;
  padded.reserve(text.size() + 3);
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!plain && c != '-' && c != '_') return std::nullopt;
    padded += c == '-' ? '+' : c == '_' ? '/' : c;
  }
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::optional<std::string> bytes = base64_decode(padded);
  // Bits behind the last byte must be zero, or one token would have several spellings.
  if (bytes && base64_encode(*bytes) != padded) return std::nullopt;
  return bytes;
}

Result<Jwt> parse_jwt(std::string_view text) {
  if (text.size() > max_jwt_bytes) return bad(fmt::format("the token is longer than {} bytes", max_jwt_bytes));
  const std::size_t first = text.find('.');
  const std::size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) {
    return bad("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
  }
  Jwt token;
  const Result<json::object> header = decode_part(text.substr(0, first), "header");
  if (!header) return header.error();
  if (const Result<void> read = read_header(*header, token); !read) return read.error();
  Result<json::object> claims = decode_part(text.substr(first + 1, second - first - 1), "payload");
  if (!claims) return claims.error();
  token.claims = std::move(*claims);
  if (const Result<void> read = read_claims(token); !read) return read.error();
  std::optional<std::string> signature = base64url_decode(text.substr(second + 1));
  if (!signature || signature->empty()) return bad("the token's signature is no base64url without padding");
  token.signature = std::move(*signature);
  token.signed_text = text.substr(0, second);
  return token;
}

Result<void> check_time(const Jwt& token, Time now) {
  const std::int64_t now_s = to_millis(now) / 1000;
  const std::int64_t leeway_s = token_leeway.count() / 1000;
  if (now_s >= token.expires_at_s + leeway_s) {
    return make_error("ExpiredTokenException",
                      fmt::format("Token expired: current date/time {} must be before the expiration date/time {}",
                                  now_s, token.expires_at_s));
  }
  if (token.not_before_s && *token.not_before_s > now_s + leeway_s) {
    return make_error("InvalidIdentityToken", fmt::format("The token is not valid before {} (nbf), and it is {} now",
                                                          in_words(*token.not_before_s), format_time(now)));
  }
  if (token.issued_at_s && *token.issued_at_s > now_s + leeway_s) {
    return make_error("InvalidIdentityToken",
                      fmt::format("The token was issued in the future, at {} (iat); it is {} now",
                                  in_words(*token.issued_at_s), format_time(now)));
  }
  return ok();
}

}  // namespace kaapi::identity::oidc
