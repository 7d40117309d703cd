// What an unknown caller writes into Authorization, path, query and headers. The first line is the header, the second
// the target, the rest are header lines. Properties: no crash; canonical forms are stable and well-formed; nobody is
// let in.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "aws/sigv4.h"
#include "aws/wire_time.h"

namespace {

using namespace kaapi;

class OneKey final : public aws::KeyStore {
 public:
  std::optional<aws::AccessKey> find(std::string_view access_key_id) const override {
    if (access_key_id != "AKID") return std::nullopt;
    return aws::AccessKey{"a secret that the fuzzer cannot sign with", "", "123456789012", "arn", "user"};
  }
};

std::string_view next_line(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  return line;
}

void check_canonical_forms(const http::RequestHead& head) {
  const std::string path = aws::canonical_path(head.path);
  if (path.empty() || path[0] != '/' || path.find("//") != std::string::npos ||
      path.find("/../") != std::string::npos) {
    std::abort();
  }
  const std::string query = aws::canonical_query(head.query);
  if (aws::canonical_query(query) != query) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  http::RequestHead head;
  head.method = "POST";
  head.headers.add("Authorization", std::string(next_line(rest)));
  head.target = next_line(rest);
  head.path = head.target.substr(0, head.target.find('?'));
  head.query = head.path.size() < head.target.size() ? head.target.substr(head.path.size() + 1) : "";
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos)
      head.headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 1)));
  }
  check_canonical_forms(head);

  static const OneKey keys;
  static aws::Verifier verifier(keys);
  aws::VerifyOptions options;
  options.allow_unsigned_payload = size % 2 == 0;
  if (verifier.verify(head, "{}", *aws::parse_basic_time("20150830T123600Z"), options)) std::abort();
  return 0;
}
