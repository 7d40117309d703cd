#pragma once
// The generic client of AWS's APIs: of a platform by its endpoint, or of AWS itself. Signs every request, unless
// it has no access key (AssumeRoleWithWebIdentity needs none). Its own library (kaapi_aws_client), so that the server
// does not link libcurl.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "aws/codec.h"
#include "aws/model.h"
#include "aws/sigv4.h"
#include "aws/xml_codec.h"
#include "base/error.h"
#include "base/json.h"

namespace kaapi::aws {

struct ClientConfig {
  std::string endpoint_url;  // "http://127.0.0.1:4566"; empty: AWS's own endpoint of each service in the region
  Credentials credentials;
  std::string region = "us-east-1";
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{70'000};  // of one whole exchange
  std::size_t max_body_bytes = 64UL * 1024U * 1024U;
};

// Thread-safe; keeps connections alive.
class Client {
 public:
  explicit Client(ClientConfig config);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Calls `operation` ("ListClusters") of `service` ("ecs") with a JSON object and returns the answer's. For query
  // services (sts) lists in `request` become member.N, and every scalar of the answer is a text. Errors: the service's
  // own code, message and status; `Unavailable` (cannot connect), `TimedOut`, `TooLarge`, `Invalid` (an unknown
  // service, or an answer that cannot be read).
  Result<json::value> call(std::string_view service, std::string_view operation, const json::value& request);

  // The same with generated types: client.call<ecs::ListClusters>(request).
  template <class Op>
  Result<typename Op::Response> call(const typename Op::Request& request) {
    std::string body;
    if constexpr (Op::protocol == Protocol::json) {
      JsonWriter out(body);
      encode(out, request);
    } else {
      FormWriter out(body);
      encode(out, request);
    }
    const Result<json::value> answer = exchange(Op::info(), Op::name, std::move(body));
    if (!answer) return answer.error();
    Reader reader(Op::protocol == Protocol::json ? Wire::json : Wire::xml, Strictness::stored);
    typename Op::Response response;
    read(reader, *answer, response);
    if (const Result<void> checked = reader.finish(Op::info()); !checked) return checked.error();
    return response;
  }

 private:
  // Sends one encoded request; the tree of the answer's inside.
  Result<json::value> exchange(const ServiceInfo& service, std::string_view operation, std::string body);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kaapi::aws
