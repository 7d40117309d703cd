// Measures what the check of one signed request costs (src/aws/sigv4.h): what `bench/run signature` runs.
// signature_verification [SECONDS] prints one JSON object: microseconds for each case, the least of many looks.

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "aws/sigv4.h"

namespace kaapi::aws {
namespace {

constexpr int checks_per_look = 200;

class OneKey final : public KeyStore {
 public:
  std::optional<AccessKey> find(std::string_view) const override {
    AccessKey key;
    key.secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    key.account_id = "123456789012";
    key.principal_arn = "arn:aws:iam::123456789012:user/deploy";
    key.user_id = "AIDAIOSFODNN7EXAMPLE";
    return key;
  }
};

http::RequestHead signed_head(std::string_view body, Time now) {
  http::RequestHead head;
  head.method = "POST";
  head.target = head.path = "/";
  head.headers.add("Host", "127.0.0.1:4566");
  head.headers.add("User-Agent",
                   "aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0 source/x86_64.debian.12 prompt/off command/ecs");
  head.headers.add("Content-Type", "application/x-amz-json-1.1");
  head.headers.add("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.DescribeServices");
  sign(head.headers, "POST", "/", body, {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""},
       "us-east-1", "ecs", now);
  return head;
}

double least_microseconds(std::size_t body_bytes, double seconds) {
  using Clock = std::chrono::steady_clock;
  const OneKey keys;
  Verifier verifier(keys);
  const Time now = SystemClock().now();
  const std::string body(body_bytes, 'x');
  const http::RequestHead head = signed_head(body, now);
  const VerifyOptions options{Protocol::json, "ecs", false};
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  double least = 1e9;
  do {
    const auto begin = Clock::now();
    for (int i = 0; i < checks_per_look; ++i) {
      if (verifier.verify(head, body, now, options)) continue;
      std::fprintf(stderr, "error: a good signature was refused\n");
      std::exit(1);
    }
    const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
    least = std::min(least, took.count() / checks_per_look);
  } while (Clock::now() < end);
  return least;
}

}  // namespace
}  // namespace kaapi::aws

int main(int count, char** arguments) {
  using kaapi::aws::least_microseconds;
  const double seconds = count > 1 ? std::strtod(arguments[1], nullptr) : 1.0;
  std::printf("{\"DescribeServices, 70 bytes\": %.2f, \"body of 4 KiB\": %.2f}\n", least_microseconds(70, seconds),
              least_microseconds(4096, seconds));
  return 0;
}
