#pragma once
// Reads the pieces that workflow files and action.yml share out of YAML nodes, and notes every fault; internal to this
// folder. A function that finds a fault answers with something empty, so that reading goes on and finds more.

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actions/expression/availability.h"
#include "actions/workflow/fault.h"
#include "actions/workflow/model.h"
#include "actions/workflow/yaml.h"

namespace kaapi::actions::workflow {

using expression::Names;
using expression::Place;
using Keys = std::span<const std::string_view>;

// Bounds of one file.
inline constexpr std::size_t max_jobs = 256;
inline constexpr std::size_t max_steps = 1'000;     // of one job
inline constexpr std::size_t max_name_bytes = 100;  // of a job's or step's id

// "jobs.build" and "env": "jobs.build.env". Made for every key that is read, so it formats nothing.
inline std::string below(std::string_view what, std::string_view key) {
  std::string path;
  path.reserve(what.size() + 1 + key.size());
  return path.append(what).append(1, '.').append(key);
}

class Reader {
 public:
  explicit Reader(Faults& faults) : faults_(faults) {}

  void fault(Position position, std::string message) { faults_.add(position, std::move(message)); }
  // "jobs.build.steps: found a list, expected ...".
  void unexpected(const YamlNode& node, std::string_view what, std::string_view expected);

  // Whether it is a mapping whose keys are all known; faults for those that are not, so the answer may still be true.
  bool mapping(const YamlNode& node, std::string_view what, Keys keys);
  // Whether it is a mapping, with any keys.
  bool any_mapping(const YamlNode& node, std::string_view what);
  bool list(const YamlNode& node, std::string_view what);

  // Scalars with expressions, where `place` lets them.
  std::optional<Text> text(const YamlNode& node, std::string_view what, Place place);
  std::optional<Text> required_text(const YamlNode& node, std::string_view what, Place place);  // not empty
  std::optional<Text> flag(const YamlNode& node, std::string_view what, Place place);
  // More than 0; with `zero` also 0, which then means no limit.
  std::optional<Text> number(const YamlNode& node, std::string_view what, Place place, bool zero = false);
  If condition(const YamlNode& node, std::string_view what, Place place);
  Variables variables(const YamlNode& node, std::string_view what, Place place);
  Data data(const YamlNode& node, std::string_view what, Place place);

  // Without expressions.
  std::string plain(const YamlNode& node, std::string_view what);
  bool plain_flag(const YamlNode& node, std::string_view what);
  std::vector<std::string> plain_list(const YamlNode& node, std::string_view what);  // one text, or a list of them
  std::optional<PatternList> patterns(const YamlNode& node, std::string_view what);

  // A name of letters, digits, - and _ that does not begin with a digit or -.
  bool check_id(const std::string& id, Position position, std::string_view what);

  std::optional<ActionReference> action_reference(const YamlNode& node, std::string_view what);

 private:
  void check_expressions(const YamlNode& node, const expression::Template& parsed, std::string_view what, Place place);
  std::optional<expression::Template> parse(const YamlNode& node, std::string_view what, Place place);

  Faults& faults_;
};

// A scalar's value: plain numbers, booleans and null are themselves, as YAML 1.2 and GitHub read them.
expression::Value scalar_value(const YamlNode& node);

}  // namespace kaapi::actions::workflow
