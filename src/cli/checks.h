#pragma once
// Checks of options' texts while they are parsed. What they say follows the option's name.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdint>
#include <optional>

#include "base/error.h"

namespace kaapi::cli {

// What `parse` takes, and what it says of the rest.
template <class Parse>
CLI::Validator checked_by(Parse parse) {
  return CLI::Validator(
      [parse](std::string& text) {
        const auto parsed = parse(text);
        return parsed ? std::string() : parsed.error().message;
      },
      "");
}

// A number without sign; nullopt: however many.
CLI::Validator whole_number(std::int64_t lowest, std::optional<std::int64_t> highest = std::nullopt);

CLI::Validator run_id();

}  // namespace kaapi::cli
