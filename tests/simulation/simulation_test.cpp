#include <gtest/gtest.h>

#include <cstdlib>

#include "base/text.h"
#include "world.h"

namespace kaapi::simulation {
namespace {

constexpr std::uint64_t seeds = 500;
constexpr std::uint64_t block = 25;

// KAAPI_FIRST_SEED moves the whole range, for a longer soak.
std::uint64_t first_seed() {
  const char* text = std::getenv("KAAPI_FIRST_SEED");
  return text == nullptr ? 0 : static_cast<std::uint64_t>(parse_number(text).value_or(0));
}

class Simulation : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Simulation, BoundsHoldAndTheServiceConvergesOrRollsBack) {
  const char* wanted = std::getenv("KAAPI_SEED");
  for (std::uint64_t seed = first_seed() + GetParam(); seed < first_seed() + GetParam() + block; ++seed) {
    if (wanted != nullptr && parse_number(wanted) != static_cast<std::int64_t>(seed)) continue;
    World world({seed, wanted != nullptr});
    const std::string fault = world.run();
    EXPECT_EQ(fault, "") << "seed " << seed << "; replay with: KAAPI_SEED=" << seed << " ./test simulate";
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, testing::Range<std::uint64_t>(0, seeds, block));

}  // namespace
}  // namespace kaapi::simulation
