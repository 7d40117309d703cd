#pragma once
// AWS Signature Version 4, both sides. Source of the rules: "Signature Version 4 for API requests" in the AWS General
// Reference; checked against AWS's published test suite. The canonical forms are pure functions, so that presigned URLs
// can use them too.

#include <chrono>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aws/model.h"
#include "aws/sha256.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/message.h"

namespace kaapi::aws {

inline constexpr std::chrono::minutes max_clock_skew{5};
inline constexpr std::chrono::seconds max_presigned_lifetime{7 * 24 * 3600};
inline constexpr std::size_t max_signed_headers = 64;
inline constexpr std::size_t max_authorization_bytes = 4096;
inline constexpr std::size_t max_presigned_query_bytes = 16UL * 1024;
inline constexpr std::size_t max_cached_signing_keys = 1024;
inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

// ---- What a request says about its signature.

// Where a signature's parts stand: in the header
// "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/iam/aws4_request, SignedHeaders=host;x-amz-date,
// Signature=5d67…", or in the query of a presigned URL (X-Amz-Algorithm, X-Amz-Credential, …).
struct Authorization {
  std::string access_key_id;
  std::string date;            // "20150830"
  std::string region;          // [a-z0-9-]
  std::string service;         // [a-z0-9-]
  std::string scope;           // "20150830/us-east-1/iam/aws4_request"
  std::string signed_headers;  // "host;x-amz-date"
  std::string signature;       // 64 lower-case hex digits

  // Of a presigned URL only.
  bool presigned = false;
  std::string basic_time;           // "20150830T123600Z"
  std::chrono::seconds lifetime{};  // 1 second to 7 days, from basic_time on
  std::string session_token;
};

// Error: `Invalid`; the message says what is missing or broken, in AWS's words where they are known. SigV4A
// (AWS4-ECDSA-P256-SHA256) is refused by name.
Result<Authorization> parse_authorization(std::string_view header);
// The same for a query with X-Amz-Algorithm.
Result<Authorization> parse_presigned(std::string_view query);
// What the request says, wherever it says it. Errors: `NotFound` when it says nothing, `Invalid` as above.
Result<Authorization> authorization_of(const http::RequestHead& head);

// ---- Canonical forms (pure).

// The path as sent ("/a%20b/../c"), with dot segments and doubled slashes resolved and each segment encoded once more.
std::string canonical_path(std::string_view path);
// Parameters re-encoded and sorted by name, then value.
std::string canonical_query(std::string_view query);
// Names in the list's order. nullopt when a listed header is not in the request.
std::optional<std::string> canonical_headers(const http::Headers& headers, std::string_view signed_headers);
std::string canonical_request(std::string_view method, std::string_view path, std::string_view query,
                              std::string_view canonical_header_lines, std::string_view signed_headers,
                              std::string_view payload_hash);
std::string string_to_sign(std::string_view basic_time, std::string_view scope, std::string_view canonical);
HmacKey signing_key(std::string_view secret, std::string_view date, std::string_view region, std::string_view service);

// ---- Verifying.

// Who owns an access key. Given out by value: keys may go while a request runs.
struct AccessKey {
  std::string secret;
  std::string session_token;  // empty: a long-lived key
  std::string account_id;
  std::string principal_arn;
  std::string user_id;
  bool is_root = false;              // of the account itself
  std::optional<Time> expires_at{};  // of a session; nullopt: a long-lived key
};

// Implemented by identity/. Thread-safe; quick (memory only), it is asked for every request.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  virtual std::optional<AccessKey> find(std::string_view access_key_id) const = 0;
  // Told of each request that was signed with the key, whatever becomes of it: what "last used" says. `service` and
  // `region` are those that it was signed for.
  virtual void used(std::string_view /*access_key_id*/, std::string_view /*service*/,
                    std::string_view /*region*/) const {}
};

struct VerifyOptions {
  Protocol protocol = Protocol::json;  // names and statuses of errors differ
  std::string_view service;            // the signing name that the scope must hold; empty: any
  bool allow_unsigned_payload = false;
};

struct Caller {
  AccessKey key;
  std::string access_key_id;
  std::string region;
};

// Thread-safe.
class Verifier {
 public:
  explicit Verifier(const KeyStore& keys) : keys_(keys) {}

  // Checks the signature of one request, in its header or its presigned URL. Errors (json / query):
  // MissingAuthenticationTokenException / MissingAuthenticationToken, IncompleteSignatureException /
  // IncompleteSignature, UnrecognizedClientException / InvalidClientTokenId, ExpiredTokenException / ExpiredToken (a
  // session that is over), InvalidSignatureException / SignatureDoesNotMatch (wrong, too old, or of another service),
  // RequestExpired (a presigned URL past its time).
  Result<Caller> verify(const http::RequestHead& head, std::string_view body, Time now, const VerifyOptions& options);

 private:
  struct CachedKey {
    std::string secret;
    HmacKey key;
  };
  std::shared_ptr<const CachedKey> cached_signing_key(const std::string& secret, const Authorization& authorization);

  const KeyStore& keys_;
  std::shared_mutex mutex_;
  // By "AKID/date/region/service".
  std::unordered_map<std::string, std::shared_ptr<const CachedKey>> cache_;
};

// ---- Signing.

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty: none
};

// Adds X-Amz-Date, X-Amz-Security-Token (with a session) and Authorization. Signs Host, Content-Type and every X-Amz-*
// header present; Host must be there.
void sign(http::Headers& headers, std::string_view method, std::string_view target, std::string_view body,
          const Credentials& credentials, std::string_view region, std::string_view service, Time now);

}  // namespace kaapi::aws
