// Filter patterns come from the network. The input is a pattern, a zero byte, and a message.
// Properties: no crash; an accepted pattern without '-' matches a message that is made of its own terms.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "logs/filter_pattern.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = input.find('\0');
  const std::string_view text = input.substr(0, zero);
  const kaapi::Result<kaapi::logs::FilterPattern> pattern = kaapi::logs::FilterPattern::parse(text);
  if (!pattern) {
    if (pattern.error().code != "InvalidParameterException") std::abort();
    return 0;
  }
  if (zero != std::string_view::npos) static_cast<void>(pattern->matches(input.substr(zero + 1)));
  // Without quotes and minus signs, every term of the pattern occurs in the pattern itself.
  if (text.find_first_of("\"-") == std::string_view::npos && !pattern->matches(text)) std::abort();
  if (pattern->matches_everything() && !pattern->matches("")) std::abort();
  return 0;
}
