// Schedules: the next time lies ahead.
#include <cstdint>
#include <cstdlib>

#include "actions/workflow/cron.h"

using namespace kaapi::actions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto cron = workflow::Cron::parse({reinterpret_cast<const char*>(data), size});
  if (!cron) return 0;
  const kaapi::Time after = kaapi::from_millis(1'750'000'000'123);
  const auto next = cron->next(after);
  if (next && *next <= after) std::abort();
  return 0;
}
