#pragma once
// action.yml: the metadata of an action, as GitHub's "Metadata syntax reference" has it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/workflow/fault.h"
#include "actions/workflow/model.h"

namespace kaapi::actions::workflow {

struct ActionInput {
  std::string name;
  std::string description;
  bool required = false;
  std::optional<Text> default_value;
  std::string deprecation;
};

struct ActionOutput {
  std::string name;
  std::string description;
  std::optional<Text> value;  // of composite actions
};

enum class ActionKind { composite, javascript, docker };

// Immutable once parsed; shared between threads.
struct Action {
  std::string name;
  std::string description;
  std::vector<ActionInput> inputs;
  std::vector<ActionOutput> outputs;
  ActionKind kind = ActionKind::composite;
  std::string using_;  // "composite", "node20", "docker"
  // JavaScript: files beside action.yml.
  std::string main, pre, post;
  If pre_if, post_if;
  bool has_pre_if = false, has_post_if = false;  // absent: always()
  // Docker.
  std::string image;  // "Dockerfile", a path or "docker://..."
  std::optional<Text> entrypoint;
  std::string pre_entrypoint, post_entrypoint;
  std::vector<Text> args;
  Variables env;
  // Composite.
  std::vector<Step> steps;
};

struct ParsedAction {
  std::optional<Action> action;
  std::vector<Fault> faults;
};
ParsedAction parse_action(std::string_view text);

}  // namespace kaapi::actions::workflow
