#pragma once
// Expected failures are values. An operation that can fail returns Result<T>; exceptions stop at module edges.

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace kaapi {

// One expected failure. `code` is the name a client branches on: AWS's error type where the failure is answered on the
// wire ("ClusterNotFoundException"), or one of the names in `errc` where it stays inside. `message` is one sentence for
// a person: what failed, why, and what to do; it never holds a secret.
struct Error {
  Error() = default;
  // A constructor, because as an aggregate it would be constructible from one string and make Result<std::string>
  // ambiguous.
  Error(std::string error_code, std::string text, int http_status = 400)
      : code(std::move(error_code)), message(std::move(text)), status(http_status) {}

  std::string code;
  std::string message;
  // The HTTP status that the wire answers with; 400 unless the service's model says otherwise.
  int status = 400;
};

// Codes of failures that are not part of an AWS model.
namespace errc {
inline constexpr std::string_view not_found = "NotFound";
inline constexpr std::string_view conflict = "Conflict";
inline constexpr std::string_view invalid = "Invalid";
inline constexpr std::string_view unavailable = "Unavailable";  // the other side did not answer
inline constexpr std::string_view timed_out = "TimedOut";
inline constexpr std::string_view too_large = "TooLarge";
inline constexpr std::string_view cancelled = "Cancelled";
inline constexpr std::string_view damaged = "Damaged";  // stored data is not what was written
inline constexpr std::string_view internal = "InternalError";
}  // namespace errc

template <class T>
using Result = boost::system::result<T, Error>;

// Success of an operation that yields nothing.
inline Result<void> ok() {
  return {};
}

// A failure of our own making or of the machine, answered as 500.
Error internal_error(std::string message);

inline Error make_error(std::string_view code, std::string message, int status = 400) {
  return Error{std::string(code), std::move(message), status};
}

// Called by Result::value() when it holds an error: a mistake of ours, so it throws std::logic_error with the message.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace kaapi
