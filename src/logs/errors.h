#pragma once
// CloudWatch Logs' errors in its own words (taken from the answers of the real service).

#include "base/error.h"

namespace kaapi::logs {

inline Error no_such_group() {
  return make_error("ResourceNotFoundException", "The specified log group does not exist.");
}
inline Error no_such_stream() {
  return make_error("ResourceNotFoundException", "The specified log stream does not exist.");
}
inline Error group_exists() {
  return make_error("ResourceAlreadyExistsException", "The specified log group already exists");
}
inline Error stream_exists() {
  return make_error("ResourceAlreadyExistsException", "The specified log stream already exists");
}
inline Error invalid_parameter(std::string message) {
  return make_error("InvalidParameterException", std::move(message));
}

}  // namespace kaapi::logs
