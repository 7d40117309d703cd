#include "aws/sigv4.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace kaapi::aws {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view asymmetric_algorithm = "AWS4-ECDSA-P256-SHA256";
constexpr std::string_view terminator = "aws4_request";

bool is_scope_name(std::string_view text) {
  constexpr std::size_t max_bytes = 64;
  return !text.empty() && text.size() <= max_bytes && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_hex_digest(std::string_view text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Takes what stands before `separator` off the front; false when it is not there.
bool take(std::string_view& rest, char separator, std::string_view& part) {
  const std::size_t at = rest.find(separator);
  if (at == std::string_view::npos) return false;
  part = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return true;
}

Error incomplete(std::string text) {
  return make_error(errc::invalid, std::move(text));
}

Error unknown_algorithm(std::string_view given) {
  if (given.starts_with(asymmetric_algorithm)) {
    return incomplete(fmt::format("SigV4A ({}) is not supported here: sign with {}", asymmetric_algorithm, algorithm));
  }
  return incomplete(fmt::format("Authorization header requires the algorithm '{}'", algorithm));
}

Result<void> parse_credential(std::string_view credential, Authorization& out) {
  constexpr std::string_view shape =
      "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term";
  std::string_view rest = credential;
  std::string_view part;
  if (!take(rest, '/', part) || part.empty()) return incomplete(std::string(shape));
  out.access_key_id = part;
  out.scope = rest;
  for (std::string* each : {&out.date, &out.region, &out.service}) {
    if (!take(rest, '/', part)) return incomplete(std::string(shape));
    *each = part;
  }
  if (rest != terminator) return incomplete(std::string(shape));
  if (out.date.size() != 8 || !parse_number(out.date) || !is_scope_name(out.region) || !is_scope_name(out.service)) {
    return incomplete("Credential must hold a date (YYYYMMDD), a region and a service");
  }
  return ok();
}

Result<Authorization> checked(Authorization out, std::string_view credential) {
  if (!is_hex_digest(out.signature)) return incomplete("Signature must be 64 lower-case hex digits");
  if (const Result<void> parsed = parse_credential(credential, out); !parsed) return parsed.error();
  return out;
}

// The decoded value of a parameter of a presigned URL; nullopt when it is missing, given twice or badly encoded.
std::optional<std::string> sole_parameter(std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name || equals == std::string_view::npos) continue;
    if (found) return std::nullopt;
    found = percent_decode(pair.substr(equals + 1));
    if (!found) return std::nullopt;
  }
  return found;
}

}  // namespace

Result<Authorization> parse_authorization(std::string_view header) {
  if (header.size() > max_authorization_bytes) return incomplete("Authorization header is too long");
  if (!header.starts_with(algorithm) || header.size() == algorithm.size() || header[algorithm.size()] != ' ') {
    return unknown_algorithm(header);
  }
  Authorization out;
  std::string_view credential;
  std::string_view rest = header.substr(algorithm.size() + 1);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = trim(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    if (name == "Credential") credential = value;
    if (name == "SignedHeaders") out.signed_headers = value;
    if (name == "Signature") out.signature = value;
  }
  for (const auto& [name, value] :
       {std::pair("Credential", credential), std::pair("SignedHeaders", std::string_view(out.signed_headers)),
        std::pair("Signature", std::string_view(out.signature))}) {
    if (value.empty()) return incomplete(fmt::format("Authorization header requires '{}' parameter", name));
  }
  return checked(std::move(out), credential);
}

Result<Authorization> parse_presigned(std::string_view query) {
  if (query.size() > max_presigned_query_bytes) return incomplete("The presigned query is too long");
  const std::optional<std::string> given = sole_parameter(query, "X-Amz-Algorithm");
  if (given != algorithm) return unknown_algorithm(given.value_or(""));
  Authorization out;
  out.presigned = true;
  std::string credential;
  std::string lifetime;
  for (const auto& [name, member] :
       {std::pair("X-Amz-Credential", &credential), std::pair("X-Amz-Date", &out.basic_time),
        std::pair("X-Amz-Expires", &lifetime), std::pair("X-Amz-SignedHeaders", &out.signed_headers),
        std::pair("X-Amz-Signature", &out.signature)}) {
    std::optional<std::string> value = sole_parameter(query, name);
    if (!value || value->empty()) {
      return incomplete(fmt::format("A presigned URL requires exactly one '{}' parameter", name));
    }
    *member = std::move(*value);
  }
  out.session_token = sole_parameter(query, "X-Amz-Security-Token").value_or("");
  const std::optional<std::int64_t> seconds = parse_number(lifetime);
  if (!seconds || *seconds < 1 || *seconds > max_presigned_lifetime.count()) {
    return incomplete(fmt::format("X-Amz-Expires must be between 1 and {} seconds", max_presigned_lifetime.count()));
  }
  out.lifetime = std::chrono::seconds(*seconds);
  return checked(std::move(out), credential);
}

Result<Authorization> authorization_of(const http::RequestHead& head) {
  if (const auto header = head.headers.find("Authorization")) return parse_authorization(*header);
  constexpr std::string_view mark = "X-Amz-Algorithm=";
  if (head.query.starts_with(mark) || head.query.find(fmt::format("&{}", mark)) != std::string::npos) {
    return parse_presigned(head.query);
  }
  return make_error(errc::not_found, "The request carries no signature");
}

std::string canonical_path(std::string_view path) {
  if (path == "/" || path.empty()) return "/";
  std::vector<std::string_view> segments;
  const bool ends_with_slash = path.back() == '/';
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), segment.size() + 1));
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
  }
  std::string out;
  for (const std::string_view segment : segments) out += "/" + percent_encode(segment);
  if (out.empty() || ends_with_slash) out += '/';
  return out;
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    const auto encoded_again = [](std::string_view text) {
      return percent_encode(percent_decode(text).value_or(std::string(text)));
    };
    parameters.emplace_back(encoded_again(pair.substr(0, equals)), encoded_again(value));
  }
  std::sort(parameters.begin(), parameters.end());
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += name + "=" + value;
  }
  return out;
}

namespace {

// Appends the value trimmed, with runs of spaces as one.
void append_value(std::string& out, std::string_view value) {
  value = trim(value);
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != ' ' || value[i - 1] != ' ') out += value[i];
  }
}

bool same_header(std::string_view lower_name, std::string_view name) {
  return lower_name.size() == name.size() &&
         std::equal(name.begin(), name.end(), lower_name.begin(), [](char sent, char wanted) {
           return (sent >= 'A' && sent <= 'Z' ? static_cast<char>(sent - 'A' + 'a') : sent) == wanted;
         });
}

}  // namespace

std::optional<std::string> canonical_headers(const http::Headers& headers, std::string_view signed_headers) {
  std::string out;
  out.reserve(512);
  std::size_t count = 0;
  while (!signed_headers.empty()) {
    const std::string_view name = signed_headers.substr(0, signed_headers.find(';'));
    signed_headers.remove_prefix(std::min(signed_headers.size(), name.size() + 1));
    if (name.empty() || ++count > max_signed_headers) return std::nullopt;
    out += name;
    out += ':';
    bool found = false;
    for (const auto& [field, value] : headers) {
      if (!same_header(name, field)) continue;
      if (found) out += ',';
      append_value(out, value);
      found = true;
    }
    if (!found) return std::nullopt;
    out += '\n';
  }
  return out;
}

std::string canonical_request(std::string_view method, std::string_view path, std::string_view query,
                              std::string_view canonical_header_lines, std::string_view signed_headers,
                              std::string_view payload_hash) {
  std::string out;
  out.reserve(method.size() + path.size() + query.size() + canonical_header_lines.size() + signed_headers.size() +
              payload_hash.size() + 16);
  out.append(method).append("\n");
  out.append(canonical_path(path)).append("\n");
  out.append(canonical_query(query)).append("\n");
  out.append(canonical_header_lines).append("\n");
  out.append(signed_headers).append("\n");
  out.append(payload_hash);
  return out;
}

std::string string_to_sign(std::string_view basic_time, std::string_view scope, std::string_view canonical) {
  std::string out;
  out.reserve(160);
  out.append(algorithm).append("\n");
  out.append(basic_time).append("\n");
  out.append(scope).append("\n");
  out.append(hex(sha256_digest(canonical)));
  return out;
}

HmacKey signing_key(std::string_view secret, std::string_view date, std::string_view region, std::string_view service) {
  const Digest of_date = HmacKey("AWS4" + std::string(secret)).sign(date);
  const Digest of_region = HmacKey(view(of_date)).sign(region);
  const Digest of_service = HmacKey(view(of_region)).sign(service);
  return HmacKey(view(HmacKey(view(of_service)).sign(terminator)));
}

}  // namespace kaapi::aws
