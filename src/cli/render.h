#pragma once
// A snapshot as text for people, or as JSON for programs. Pure.

#include <string>

#include "base/clock.h"
#include "cli/snapshot.h"

namespace kaapi::cli {

struct RenderOptions {
  bool colors = false;
  Time now{};
};

std::string render_text(const Snapshot& snapshot, const RenderOptions& options);
// One document: {"endpoint","region","clusters":[{…,"services":[…],"tasks":[…]}]}, objects as the APIs answer them.
std::string render_json(const Snapshot& snapshot);

// "12s", "5m", "3h", "2d".
std::string age(Time since, Time now);

}  // namespace kaapi::cli
