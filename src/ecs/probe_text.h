#pragma once
// What a failed health check said, as one line for people.

#include <optional>
#include <string>
#include <string_view>

namespace kaapi::ecs {

inline constexpr std::size_t max_probe_text_bytes = 200;

// "exit code 1: cannot connect": the code, and the first line of the output that is not empty, cut to
// max_probe_text_bytes. Always UTF-8, whatever the check wrote: the text is stored and answered as JSON.
std::string probe_text(std::optional<int> exit_code, std::string_view output);

}  // namespace kaapi::ecs
