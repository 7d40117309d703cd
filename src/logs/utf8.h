#pragma once
// Containers write bytes; CloudWatch events are UTF-8.

#include <cstddef>
#include <string>
#include <string_view>

namespace kaapi::logs {

// `bytes` with every maximal ill-formed part replaced by U+FFFD, as Unicode recommends (Unicode 15, section 3.9).
std::string to_valid_utf8(std::string bytes);

// How many bytes at the end (0 to 3) begin a character that the text does not finish.
std::size_t unfinished_utf8_tail(std::string_view bytes);

}  // namespace kaapi::logs
