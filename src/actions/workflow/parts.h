#pragma once
// The parts of a workflow file, each read from its YAML node; internal to this folder. Faults go into the reader.

#include <optional>
#include <string_view>
#include <vector>

#include "actions/workflow/model.h"
#include "actions/workflow/reader.h"
#include "actions/workflow/yaml.h"

namespace kaapi::actions::workflow {

std::vector<Event> read_triggers(Reader& reader, const YamlNode& node);

std::optional<Concurrency> read_concurrency(Reader& reader, const YamlNode& node, std::string_view what, Place place);
Defaults read_defaults(Reader& reader, const YamlNode& node, std::string_view what, Place place);
std::optional<Permissions> read_permissions(Reader& reader, const YamlNode& node, std::string_view what);

std::optional<Container> read_container(Reader& reader, const YamlNode& node, std::string_view what, bool service);
std::vector<Container> read_services(Reader& reader, const YamlNode& node, std::string_view what);
Strategy read_strategy(Reader& reader, const YamlNode& node, std::string_view what);

// Where steps stand decides what their expressions may name. In an action a `run` step needs a `shell`.
struct StepPlaces {
  Place step = Place::step;
  Place condition = Place::step_if;
  bool in_action = false;
};
std::vector<Step> read_steps(Reader& reader, const YamlNode& node, std::string_view what, const StepPlaces& places);

std::vector<Job> read_jobs(Reader& reader, const YamlNode& node);

}  // namespace kaapi::actions::workflow
