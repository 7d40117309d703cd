// Web identity tokens. Properties: no crash; whatever is refused has the right code and shows nothing of its payload's
// values; an accepted token names one of the two algorithms and a key, is no longer than the limit, has one spelling,
// and is let in by nobody's key but that of who signed it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "identity/oidc/jwks.h"
#include "identity/oidc/jwt.h"
#include "identity/oidc/strict_json.h"

namespace {

using namespace kaapi;
using namespace kaapi::identity;

std::string base64url_encode(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

// A key that the fuzzer cannot sign with: no token verifies.
const oidc::KeySet& published() {
  static const oidc::KeySet keys = oidc::KeySet::parse(R"({"keys":[{"kid":"k1","kty":"EC","crv":"P-256",)"
                                                       R"("x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
                                                       R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})")
                                       .value();
  return keys;
}

void check(const std::string& text) {
  const Result<oidc::Jwt> token = oidc::parse_jwt(text);
  if (!token) {
    if (token.error().code != errc::invalid || token.error().message.empty()) std::abort();
    return;
  }
  if (text.size() > oidc::max_jwt_bytes) std::abort();
  if (token->kid.empty() || token->issuer.empty() || token->subject.empty() || token->audiences.empty()) std::abort();
  if (token->signed_text + "." + base64url_encode(token->signature) != text) std::abort();
  if (published().verifies(*token)) std::abort();
  // The times decide without overflow, and an hour after the end nothing is good any more.
  (void)oidc::check_time(*token, Time{});
  if (oidc::check_time(*token, from_millis((token->expires_at_s + 3600) * 1000))) std::abort();
  for (const std::string_view forbidden : {"jwk", "jku", "x5u", "x5c", "crit"}) {
    const std::string header = oidc::base64url_decode(text.substr(0, text.find('.'))).value();
    if (oidc::parse_strict_object(header).value().contains(forbidden)) std::abort();
  }
}

}  // namespace

// Either a whole token, or a header and a payload in two lines, which the fuzzer understands better.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  check(input);
  const std::size_t line = input.find('\n');
  if (line == std::string::npos) return 0;
  check(base64url_encode(input.substr(0, line)) + "." + base64url_encode(input.substr(line + 1)) + "." +
        base64url_encode(std::string(64, 's')));
  return 0;
}
