#pragma once
// What the generated tables say about a service: its names on the wire, its operations, the constraints of its shapes.
// The data comes from models/<service>.json through tools/apigen/generate.py and lives as long as the program.

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "aws/authorization.h"

namespace kaapi::aws {

// How a service speaks: awsJson 1.0/1.1 (X-Amz-Target names the operation), or a form with Action and an XML answer.
enum class Protocol { json, query };

// The constraints and wire names of one shape. A number's own range, a text's length in characters, a list's or map's
// size.
struct Rule {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view pattern{};                  // as the model says it, for messages; empty: none
  std::string_view regex{};                    // the same for bytes of UTF-8
  std::span<const std::string_view> values{};  // an enumeration's; empty: none
  const Rule* item = nullptr;                  // of a list's members or a map's values
  const Rule* key = nullptr;                   // of a map's keys
  // Query and XML only.
  std::string_view item_name = "member";
  std::string_view key_name = "key";
  std::string_view value_name = "value";
  bool flattened = false;
  bool sensitive = false;  // never shown in a message
};

struct OperationInfo {
  std::string_view name;
  std::string_view result_wrapper;             // query: the element inside the answer
  std::span<const std::string_view> errors{};  // codes that the model lists for it
  PermissionRow permission{};                  // models/permissions/<service>.json
};

struct ErrorInfo {
  std::string_view code;
  int status = 400;
};

struct ServiceInfo {
  std::string_view name;          // ours: "ecs"
  std::string_view signing_name;  // in the credential scope, and before the colon of its actions
  Protocol protocol = Protocol::json;
  std::string_view endpoint_prefix;  // of AWS's own host name: "api.ecr"
  std::string_view json_version;     // "1.1"
  std::string_view target_prefix;    // "AmazonEC2ContainerServiceV20141113"
  std::string_view api_version;      // "2011-06-15"
  std::string_view xml_namespace;
  std::string_view validation_error;              // the code for a violated constraint
  std::span<const OperationInfo> operations{};    // whose shapes are generated, by name
  std::span<const std::string_view> all_names{};  // every operation of the real service, sorted
  std::span<const ErrorInfo> errors{};            // sorted by code
};

// The services whose models are built in, by name; nullptr for any other.
const ServiceInfo* find_service(std::string_view name);
// The operation of that name, or nullptr when it is not in the model's list of generated ones.
const OperationInfo* find_operation(const ServiceInfo& service, std::string_view name);
// True when the real service has an operation of that name, generated or not.
bool is_operation(const ServiceInfo& service, std::string_view name);
// The HTTP status of an error of this service; 0 when the model does not know it.
int error_status(const ServiceInfo& service, std::string_view code);

}  // namespace kaapi::aws
