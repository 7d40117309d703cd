#include "aws/model.h"

#include <algorithm>

namespace kaapi::aws {

const OperationInfo* find_operation(const ServiceInfo& service, std::string_view name) {
  const auto found = std::find_if(service.operations.begin(), service.operations.end(),
                                  [&](const OperationInfo& operation) { return operation.name == name; });
  return found == service.operations.end() ? nullptr : &*found;
}

bool is_operation(const ServiceInfo& service, std::string_view name) {
  return std::binary_search(service.all_names.begin(), service.all_names.end(), name);
}

int error_status(const ServiceInfo& service, std::string_view code) {
  const auto found =
      std::lower_bound(service.errors.begin(), service.errors.end(), code,
                       [](const ErrorInfo& error, std::string_view wanted) { return error.code < wanted; });
  return found == service.errors.end() || found->code != code ? 0 : found->status;
}

}  // namespace kaapi::aws
