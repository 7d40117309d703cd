#pragma once
// Facts from a repository's settings.

#include "actions/protocol/settings.h"
#include "actions/runs/advance.h"
#include "actions/runs/conductor.h"

namespace kaapi::actions::runs {

class Conductor::SettingsFacts final : public Facts {
 public:
  explicit SettingsFacts(const JobSettings& settings) : settings_(settings) {}

  Result<expression::Value> variables(std::string_view repository) const override {
    const auto variables = settings_.variables(repository, "");
    if (!variables) return variables.error();
    expression::Object object;
    for (const auto& [name, value] : *variables) object.set(name, value);
    return expression::Value(std::move(object));
  }
  Result<Protection> protection(std::string_view repository, std::string_view environment) const override {
    return settings_.protection(repository, environment);
  }
  std::optional<std::string> refusal(const Protection& protection, std::string_view environment, std::string_view ref,
                                     bool ref_protected) const override {
    return deployment_refusal(protection, environment, ref, ref_protected);
  }

 private:
  const JobSettings& settings_;
};

}  // namespace kaapi::actions::runs
