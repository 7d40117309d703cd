// action.yml: parsed or refused with faults, never both.
#include <cstdint>
#include <cstdlib>

#include "actions/workflow/action.h"

using namespace kaapi::actions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const workflow::ParsedAction parsed = workflow::parse_action({reinterpret_cast<const char*>(data), size});
  if (parsed.action.has_value() == !parsed.faults.empty()) std::abort();
  return 0;
}
