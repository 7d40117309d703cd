#include "base/error.h"

#include <fmt/format.h>

#include <stdexcept>

namespace kaapi {

Error internal_error(std::string message) {
  return Error{std::string(errc::internal), std::move(message), 500};
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::logic_error(
      fmt::format("unchecked error at {}:{}: {}: {}", where.file_name(), where.line(), error.code, error.message));
}

}  // namespace kaapi
