// The test program is also the program that git's hooks run.

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "cli/git_hook.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "git-hook") {
    kaapi::cli::Surroundings surroundings;
    surroundings.variable = [](const char* name) -> std::optional<std::string> {
      const char* value = std::getenv(name);
      return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
    };
    return kaapi::cli::run_git_hook(argc > 2 ? argv[2] : "", surroundings, std::cin, std::cout, std::cerr);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
