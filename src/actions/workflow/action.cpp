#include "actions/workflow/action.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "actions/workflow/parts.h"
#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

// Unknown keys of the file and of its inputs are no faults: published actions have them, and GitHub reads past them.
class ActionReader {
 public:
  explicit ActionReader(Reader& reader) : reader_(reader) {}

  Action read(const YamlNode& root) {
    if (!reader_.any_mapping(root, "the action")) return std::move(action_);
    if (const YamlMember* m = root.find("name")) action_.name = reader_.plain(m->value, "name");
    if (const YamlMember* m = root.find("description")) action_.description = reader_.plain(m->value, "description");
    if (const YamlMember* m = root.find("inputs")) read_inputs(m->value);
    const YamlMember* runs = root.find("runs");
    if (runs == nullptr) {
      reader_.fault(root.position, "the action: runs is missing, expected using and what belongs to it");
      return std::move(action_);
    }
    read_runs(runs->value);
    if (const YamlMember* m = root.find("outputs")) read_outputs(m->value);
    return std::move(action_);
  }

 private:
  void read_inputs(const YamlNode& node) {
    if (node.kind == YamlKind::null || !reader_.any_mapping(node, "inputs")) return;
    for (const YamlMember& member : node.members) {
      const std::string what = fmt::format("inputs.{}", member.key);
      ActionInput input;
      input.name = member.key;
      if (member.value.kind != YamlKind::null && reader_.any_mapping(member.value, what)) {
        const YamlNode& value = member.value;
        if (const YamlMember* m = value.find("description")) input.description = m->value.text;
        if (const YamlMember* m = value.find("required")) input.required = lower(m->value.text) == "true";
        if (const YamlMember* m = value.find("deprecationMessage")) input.deprecation = reader_.plain(m->value, what);
        if (const YamlMember* m = value.find("default")) {
          input.default_value = reader_.text(m->value, what + ".default", Place::action_input_default);
        }
      }
      action_.inputs.push_back(std::move(input));
    }
  }

  void read_outputs(const YamlNode& node) {
    static constexpr std::array<std::string_view, 2> keys = {"description", "value"};
    if (node.kind == YamlKind::null || !reader_.any_mapping(node, "outputs")) return;
    for (const YamlMember& member : node.members) {
      const std::string what = fmt::format("outputs.{}", member.key);
      ActionOutput output;
      output.name = member.key;
      if (member.value.kind != YamlKind::null && reader_.mapping(member.value, what, keys)) {
        if (const YamlMember* m = member.value.find("description")) output.description = reader_.plain(m->value, what);
        if (const YamlMember* m = member.value.find("value")) {
          output.value = reader_.text(m->value, what + ".value", Place::action_output_value);
        }
      }
      if (action_.kind == ActionKind::composite && !output.value) {
        reader_.fault(member.position,
                      fmt::format("{}: value is missing: in a composite action an output needs one, such "
                                  "as ${{{{ steps.ID.outputs.NAME }}}}",
                                  what));
      }
      action_.outputs.push_back(std::move(output));
    }
  }

  void read_runs(const YamlNode& node) {
    if (!reader_.any_mapping(node, "runs")) return;
    const YamlMember* member = node.find("using");
    if (member == nullptr) {
      reader_.fault(node.position, "runs: using is missing, expected composite, docker or node20");
      return;
    }
    action_.using_ = reader_.plain(member->value, "runs.using");
    if (action_.using_ == "composite") {
      read_composite(node);
    } else if (action_.using_ == "docker") {
      read_docker(node);
    } else if (is_node(action_.using_)) {
      read_javascript(node);
    } else {
      reader_.unexpected(member->value, "runs.using", "composite, docker, node20 or another node version");
    }
  }

  static bool is_node(std::string_view text) {
    return text.size() > 4 && text.size() <= 6 && text.starts_with("node") &&
           text.find_first_not_of("0123456789", 4) == std::string_view::npos;
  }

  void read_composite(const YamlNode& node) {
    static constexpr std::array<std::string_view, 2> keys = {"using", "steps"};
    reader_.mapping(node, "runs", keys);
    const YamlMember* steps = node.find("steps");
    if (steps == nullptr) {
      reader_.fault(node.position, "runs: steps is missing, expected a list of steps");
      return;
    }
    action_.steps = read_steps(reader_, steps->value, "runs.steps", {Place::action_step, Place::action_step_if, true});
  }

  std::string file(const YamlNode& node, std::string_view key) {
    const YamlMember* member = node.find(key);
    return member == nullptr ? std::string() : reader_.plain(member->value, fmt::format("runs.{}", key));
  }

  void read_conditions(const YamlNode& node) {
    if (const YamlMember* m = node.find("pre-if")) {
      action_.pre_if = reader_.condition(m->value, "runs.pre-if", Place::action_step_if);
      action_.has_pre_if = true;
    }
    if (const YamlMember* m = node.find("post-if")) {
      action_.post_if = reader_.condition(m->value, "runs.post-if", Place::action_step_if);
      action_.has_post_if = true;
    }
  }

  void read_javascript(const YamlNode& node) {
    static constexpr std::array<std::string_view, 6> keys = {"using", "main", "pre", "pre-if", "post", "post-if"};
    action_.kind = ActionKind::javascript;
    reader_.mapping(node, "runs", keys);
    action_.main = file(node, "main");
    action_.pre = file(node, "pre");
    action_.post = file(node, "post");
    read_conditions(node);
    if (action_.main.empty()) {
      reader_.fault(node.position, "runs: main is missing, expected a JavaScript file such as dist/index.js");
    }
  }

  void read_docker(const YamlNode& node) {
    static constexpr std::array<std::string_view, 9> keys = {
        "using", "image", "entrypoint", "args", "env", "pre-entrypoint", "pre-if", "post-entrypoint", "post-if"};
    action_.kind = ActionKind::docker;
    reader_.mapping(node, "runs", keys);
    action_.image = file(node, "image");
    action_.pre_entrypoint = file(node, "pre-entrypoint");
    action_.post_entrypoint = file(node, "post-entrypoint");
    read_conditions(node);
    if (const YamlMember* m = node.find("entrypoint")) {
      action_.entrypoint = reader_.text(m->value, "runs.entrypoint", Place::action_step);
    }
    if (const YamlMember* m = node.find("env")) {
      action_.env = reader_.variables(m->value, "runs.env", Place::action_step);
    }
    if (const YamlMember* m = node.find("args"); m != nullptr && reader_.list(m->value, "runs.args")) {
      for (const YamlNode& item : m->value.items) {
        if (std::optional<Text> text = reader_.text(item, "runs.args", Place::action_step)) {
          action_.args.push_back(*std::move(text));
        }
      }
    }
    if (action_.image.empty()) {
      reader_.fault(node.position, "runs: image is missing, expected Dockerfile or docker://IMAGE");
    }
  }

  Reader& reader_;
  Action action_;
};

}  // namespace

ParsedAction parse_action(std::string_view text) {
  ParsedAction result;
  Faults faults;
  const YamlNode root = read_yaml(text, faults);
  if (faults.empty() || root.kind != YamlKind::null) {
    Reader reader(faults);
    Action action = ActionReader(reader).read(root);
    if (faults.empty()) result.action = std::move(action);
  }
  result.faults = faults.take();
  return result;
}

}  // namespace kaapi::actions::workflow
