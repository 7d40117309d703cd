#pragma once
// Inside this folder: what the ECR operations share.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "aws/dispatch.h"
#include "aws/gen/ecr.h"
#include "registry/operations.h"
#include "registry/registry.h"

namespace kaapi::registry {

// The ones about images, in operations_images.cpp.
void add_image_operations(aws::Dispatcher& dispatcher, Registry& registry);

// Those about tags, policies, scanning and mutability, in operations_settings.cpp.
void add_settings_operations(aws::Dispatcher& dispatcher, Registry& registry, PolicyValidator validate);
// Those with which an image is pushed through the API, in operations_layers.cpp.
void add_layer_operations(aws::Dispatcher& dispatcher, Registry& registry);

// Errors: InvalidTagParameterException.
Result<ResourceTags> tags_of(const std::vector<aws::ecr::Tag>& wanted);
// Error: InvalidParameterException for what is not served.
Result<void> check_mutability(std::string_view mutability, bool has_filters);

Error invalid_parameter(std::string_view parameter, std::string_view constraint);

// Every operation names the one registry there is, or none.
Result<RepositoryKey> key_of(const Registry& registry, const aws::CallContext& context, const std::string& name,
                             const std::optional<std::string>& registry_id);

struct Paging {
  std::int64_t limit = 100;
  std::string after;  // empty: from the start
  std::string scope;
};
// `scope` names the listing, so that no token works on another. Error: InvalidParameterException.
Result<Paging> paging_of(std::string scope, const std::optional<std::string>& next_token,
                         std::optional<std::int32_t> max_results);
// The token after `last`, or nullopt when `more` is false.
std::optional<std::string> next_token(const Paging& paging, bool more, std::string_view last);

// A failure of the machine has one name in ECR.
inline Error wire_error(const Error& error) {
  if (error.status < 500) return error;
  return make_error(aws::ecr::error::ServerException, error.message, 500);
}

// Registers `operation`, a function of context and request.
template <class Op, class F>
void serve(aws::Dispatcher& dispatcher, F operation) {
  dispatcher.handle<Op>(
      [operation = std::move(operation)](const aws::CallContext& context, const typename Op::Request& request) {
        Result<typename Op::Response> response = operation(context, request);
        if (!response) return Result<typename Op::Response>(wire_error(response.error()));
        return response;
      });
}

}  // namespace kaapi::registry
