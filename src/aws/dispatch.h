#pragma once
// From a verified request to an operation and back. One table of operations per service (generated from models/) drives
// decoding, encoding, names and the list of what is served.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

namespace kaapi::aws {

// Who calls and from where; filled in before an operation runs. Valid for the time of the call.
struct CallContext {
  std::string account_id;     // 12 digits
  std::string region;         // of the credential scope: resources are kept apart by it
  std::string principal_arn;  // "arn:aws:iam::123456789012:root"
  std::string user_id;
  std::string access_key_id;
  std::string request_id;  // a UUID, answered as x-amzn-RequestId
  Time now{};
};

// Generated for each operation, e.g. aws::ecs::CreateCluster:
//   struct CreateCluster {
//     using Request = CreateClusterRequest;
//     using Response = CreateClusterResponse;
//     static constexpr std::string_view service = "ecs";
//     static constexpr std::string_view name = "CreateCluster";
//   };
// Generated for each structure: a plain struct, members named as on the wire; required members bare, the others
// std::optional (lists are std::vector, maps std::map, timestamps kaapi::Time, enumerations std::string checked by the
// decoder, blobs std::string), with operator== defaulted, and
//   void encode(JsonWriter&, const T&);
//   Result<T> decode<T>(const json::value&)      // constraint violations in AWS's words, naming the member
//   std::string to_json(const T&);  Result<T> from_json<T>(std::string_view);

// Thread-safe after the last handle().
class Dispatcher {
 public:
  Dispatcher();
  ~Dispatcher();

  // Op is a generated operation type.
  template <class Op>
  void handle(std::function<Result<typename Op::Response>(const CallContext&, const typename Op::Request&)> operation);

  // ... raw entry points (see dispatch.cpp)
};

}  // namespace kaapi::aws
