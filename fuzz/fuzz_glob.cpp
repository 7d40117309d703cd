// Filter patterns: the first line is the pattern, the rest the text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "actions/workflow/glob.h"

using namespace kaapi::actions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string_view pattern = input.substr(0, line);
  const std::string_view text = line == std::string_view::npos ? std::string_view() : input.substr(line + 1);
  if (const auto other = workflow::Glob::prepare_fnmatch(pattern)) (void)other->matches(text);
  const auto glob = workflow::Glob::prepare(pattern);
  if (!glob) return 0;
  const bool matched = glob->matches(text);
  // A text without anything special matches itself only.
  if (pattern.find_first_of("*?+[]!\\") == std::string_view::npos && matched != (pattern == text)) std::abort();
  return 0;
}
