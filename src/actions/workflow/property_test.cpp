// Properties that hold for any workflow file; the generator is seeded, so a failure repeats.

#include <chrono>
#include <random>

#include "actions/workflow/test_support.h"

namespace kaapi::actions::workflow {
namespace {

constexpr unsigned seed = 20'260'701;
constexpr int rounds = 500;
constexpr int changes = 20;                       // of each file
constexpr std::chrono::seconds longest_parse{5};  // also under a sanitizer, on a busy machine
using Texts = std::vector<std::string>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

// What a file says, in a form that both its writer and the parser's model can be brought to.
struct StepModel {
  std::string id, name, run, uses;
  Pairs env;
};

struct JobModel {
  std::string id, timeout;
  Texts needs, labels;
  Pairs env;
  std::vector<StepModel> steps;
};

struct Model {
  std::string name;
  Texts branches, tags, crons;
  Pairs inputs;  // of workflow_dispatch: their types
  Pairs env;
  std::vector<JobModel> jobs;
};

std::string shown(const Texts& texts) {
  std::string out;
  for (const std::string& text : texts) out += fmt::format("[{}]", text);
  return out;
}

std::string shown(const Pairs& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) out += fmt::format("[{}={}]", name, value);
  return out;
}

std::string shown(const Model& model) {
  std::string out =
      fmt::format("{}\nbranches {} tags {} crons {} inputs {} env {}\n", model.name, shown(model.branches),
                  shown(model.tags), shown(model.crons), shown(model.inputs), shown(model.env));
  for (const JobModel& job : model.jobs) {
    out += fmt::format("job {} needs {} on {} timeout {} env {}\n", job.id, shown(job.needs), shown(job.labels),
                       job.timeout, shown(job.env));
    for (const StepModel& step : job.steps) {
      out += fmt::format("  {} {} run {} uses {} env {}\n", step.id, step.name, step.run, step.uses, shown(step.env));
    }
  }
  return out;
}

std::string source_of(const std::optional<Text>& text) {
  return text ? text->value.source() : std::string();
}

Pairs pairs_of(const Variables& variables) {
  Pairs out;
  for (const Variable& one : variables.list) out.emplace_back(one.name, one.value.value.source());
  return out;
}

Texts texts_of(const std::optional<PatternList>& list) {
  Texts out;
  for (std::size_t i = 0; list && i < list->patterns.size(); ++i) out.push_back(list->patterns[i].text());
  return out;
}

StepModel model_of(const Step& step) {
  return {step.id, source_of(step.name), source_of(step.run), step.uses ? step.uses->text : "", pairs_of(step.env)};
}

JobModel model_of(const Job& job) {
  JobModel model{job.id, source_of(job.timeout_minutes), job.needs, {}, pairs_of(job.env), {}};
  if (job.runs_on->kind == Data::Kind::scalar) model.labels = {expression::to_text(job.runs_on->literal)};
  for (const Data& label : job.runs_on->items) model.labels.push_back(expression::to_text(label.literal));
  for (const Step& step : job.steps) model.steps.push_back(model_of(step));
  return model;
}

std::string_view name_of(InputType type) {
  switch (type) {
    case InputType::boolean:
      return "boolean";
    case InputType::number:
      return "number";
    default:
      return "string";
  }
}

Model model_of(const Workflow& workflow) {
  Model model{workflow.name, {}, {}, {}, {}, pairs_of(workflow.env), {}};
  if (const Event* push = workflow.event("push")) {
    model.branches = texts_of(push->branches);
    model.tags = texts_of(push->tags);
  }
  if (const Event* schedule = workflow.event("schedule")) {
    for (const Schedule& one : schedule->schedules) model.crons.push_back(one.cron.text());
  }
  if (const Event* dispatch = workflow.event("workflow_dispatch")) {
    for (const Input& input : dispatch->inputs) model.inputs.emplace_back(input.name, name_of(input.type));
  }
  for (const Job& job : workflow.jobs) model.jobs.push_back(model_of(job));
  return model;
}

class Chance {
 public:
  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_); }
  bool coin() { return below(2) == 0; }
  const std::string& pick(const Texts& from) { return from[below(from.size())]; }
  Texts some(const Texts& from, std::size_t most) {
    Texts out;
    for (std::size_t i = below(most + 1); i > 0; --i) out.push_back(pick(from));
    return out;
  }

 private:
  std::mt19937 engine_{seed};
};

class Generator {
 public:
  explicit Generator(Chance& chance) : chance_(chance) {}

  Model model() {
    Model made{"The " + chance_.pick(texts_), {}, {}, {}, {}, pairs(), {}};
    made.branches = patterns();
    made.tags = patterns();
    made.crons = chance_.some(crons_, 2);
    for (std::size_t i = chance_.below(3); i > 0; --i) made.inputs.emplace_back(fmt::format("in-{}", i), type());
    const std::size_t count = 1 + chance_.below(4);
    for (std::size_t i = 0; i < count; ++i) made.jobs.push_back(job(i));
    return made;
  }

 private:
  // A list of nothing but ! is a fault.
  Texts patterns() {
    Texts made = chance_.some(patterns_, 3);
    if (!made.empty() && made[0].starts_with('!')) made[0] = "main";
    return made;
  }

  std::string type() { return chance_.pick({"string", "boolean", "number"}); }

  Pairs pairs() {
    Pairs made;
    for (std::size_t i = chance_.below(3); i > 0; --i)
      made.emplace_back(fmt::format("NAME_{}", i), chance_.pick(texts_));
    return made;
  }

  JobModel job(std::size_t number) {
    JobModel made{fmt::format("job{}", number), chance_.coin() ? "" : "30", {}, {}, pairs(), {}};
    for (std::size_t i = 0; i < number; ++i) {
      if (chance_.coin()) made.needs.push_back(fmt::format("job{}", i));
    }
    made.labels = chance_.some(labels_, 2);
    if (made.labels.empty()) made.labels = {"ubuntu-latest"};
    for (std::size_t i = 1 + chance_.below(3); i > 0; --i) made.steps.push_back(step(i));
    return made;
  }

  StepModel step(std::size_t number) {
    StepModel made{chance_.coin() ? "" : fmt::format("step{}", number), "", "", "", pairs()};
    if (chance_.coin()) made.name = "Do " + chance_.pick(texts_);
    if (chance_.coin()) {
      made.run = "make " + chance_.pick(texts_);
      if (chance_.coin()) made.run += "\necho " + chance_.pick(texts_);
    } else {
      made.uses = chance_.pick(actions_);
    }
    return made;
  }

  Chance& chance_;
  const Texts texts_ = {"",  "a",      "b c",   "x: y",  "# no comment", "it's", "\"q\"", "\xC3\xA9", "true", "null",
                        "~", "- item", "[a, b", "{a: 1", "*anchor",      "&a",   "!tag",  "|",        ">",    "%",
                        "@", "1.20",   "0x1F",  "a\\b",  "tab\tbed",     "?",    ": ",    "<<"};
  const Texts patterns_ = {"main", "releases/**", "v[0-9]+", "!dev", "a?", "feature/*"};
  const Texts crons_ = {"0 0 * * *", "*/5 1-3 * JAN MON", "30 5 29 2 *"};
  const Texts labels_ = {"ubuntu-latest", "self-hosted", "a b", "gpu: yes"};
  const Texts actions_ = {"actions/checkout@v6", "./ci/action", "docker://alpine:3", "a/b/c/d@main"};
};

// The same in any of the ways in which YAML says it.
class Writer {
 public:
  explicit Writer(Chance& chance) : chance_(chance) {}

  std::string file(const Model& model) {
    out_.clear();
    line(0, "name: " + text(model.name));
    triggers(model);
    pairs(0, "env", model.env);
    line(0, "jobs:");
    for (const JobModel& one : model.jobs) job(one);
    return out_;
  }

 private:
  void line(std::size_t indent, const std::string& what) {
    if (chance_.below(8) == 0) out_ += std::string(indent, ' ') + "# a comment: with 'marks\n";
    if (chance_.below(8) == 0) out_ += "\n";
    out_ += std::string(indent, ' ') + what + (chance_.below(8) == 0 ? "  # and another\n" : "\n");
  }

  static bool plain(const std::string& value) {
    return !value.empty() && value != "true" && value != "null" && std::isalpha(static_cast<unsigned char>(value[0])) &&
           value.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_/@.") ==
               std::string::npos &&
           value.back() != ' ';
  }

  std::string text(const std::string& value) {
    if (plain(value) && chance_.coin()) return value;
    if (value.find_first_of("\n") == std::string::npos && chance_.coin()) {
      std::string quoted = "'";
      for (const char c : value) quoted += c == '\'' ? "''" : std::string(1, c);
      return quoted + "'";
    }
    std::string quoted = "\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c == '\n' ? "\\n" : std::string(1, c);
    }
    return quoted + "\"";
  }

  std::string flow(const Texts& values) {
    std::string made = "[";
    for (const std::string& value : values) made += (made.size() > 1 ? ", " : "") + text(value);
    return made + "]";
  }

  void list(std::size_t indent, const std::string& key, const Texts& values) {
    if (values.size() == 1 && chance_.coin()) return line(indent, key + ": " + text(values[0]));
    if (chance_.coin()) return line(indent, key + ": " + flow(values));
    line(indent, key + ":");
    for (const std::string& value : values) line(indent + 2, "- " + text(value));
  }

  void pairs(std::size_t indent, const std::string& key, const Pairs& values) {
    if (values.empty()) return;
    if (chance_.coin()) {
      std::string made = key + ": {";
      for (const auto& [name, value] : values) made += (made.ends_with('{') ? "" : ", ") + name + ": " + text(value);
      return line(indent, made + "}");
    }
    line(indent, key + ":");
    for (const auto& [name, value] : values) line(indent + 2, name + ": " + text(value));
  }

  void triggers(const Model& model) {
    line(0, chance_.coin() ? "on:" : "'on':");
    line(2, "push:");
    if (!model.branches.empty()) list(4, "branches", model.branches);
    if (!model.tags.empty()) list(4, "tags", model.tags);
    if (!model.crons.empty()) line(2, "schedule:");
    for (const std::string& cron : model.crons) line(4, "- cron: '" + cron + "'");
    if (model.inputs.empty()) return;
    line(2, "workflow_dispatch:");
    line(4, "inputs:");
    for (const auto& [name, type] : model.inputs) line(6, name + ": {type: " + type + "}");
  }

  void job(const JobModel& model) {
    line(2, model.id + ":");
    if (!model.needs.empty()) list(4, "needs", model.needs);
    list(4, "runs-on", model.labels);
    if (!model.timeout.empty()) line(4, "timeout-minutes: " + model.timeout);
    pairs(4, "env", model.env);
    line(4, "steps:");
    for (const StepModel& one : model.steps) step(one);
  }

  void step(const StepModel& model) {
    out_ += "      " + (model.run.empty() ? "- uses: " + text(model.uses) + "\n" : "- run: " + script(model.run));
    if (!model.id.empty()) line(8, "id: " + model.id);
    if (!model.name.empty()) line(8, "name: " + text(model.name));
    pairs(8, "env", model.env);
  }

  // A literal block keeps all but what its first line begins with.
  std::string script(const std::string& value) {
    if (chance_.coin()) return text(value) + "\n";
    std::string made = "|-\n          ";
    for (const char c : value) made += c == '\n' ? "\n          " : std::string(1, c);
    return made + "\n";
  }

  Chance& chance_;
  std::string out_;
};

TEST(WorkflowProperties, WhatIsWrittenIsRead) {
  Chance chance;
  Generator generator(chance);
  Writer writer(chance);
  for (int i = 0; i < rounds; ++i) {
    const Model model = generator.model();
    const std::string text = writer.file(model);
    const ParsedWorkflow parsed = parse_workflow("a.yml", text);
    ASSERT_TRUE(parsed.workflow) << faults_of(text) << text;
    ASSERT_EQ(shown(model_of(*parsed.workflow)), shown(model)) << text;
  }
}

TEST(WorkflowProperties, OneChangedByteGivesAWorkflowOrFaultsInBoundedTime) {
  Chance chance;
  Generator generator(chance);
  Writer writer(chance);
  for (int i = 0; i < rounds; ++i) {
    const std::string whole = writer.file(generator.model());
    for (int change = 0; change < changes; ++change) {
      std::string text = whole;
      text[chance.below(text.size())] = static_cast<char>(chance.below(256));
      const auto begin = std::chrono::steady_clock::now();
      const ParsedWorkflow parsed = parse_workflow("a.yml", text);
      EXPECT_LT(std::chrono::steady_clock::now() - begin, longest_parse) << text;
      ASSERT_EQ(parsed.workflow.has_value(), parsed.faults.empty()) << text;
      for (const Fault& fault : parsed.faults) EXPECT_FALSE(format_fault("a.yml", fault).empty());
    }
  }
}

}  // namespace
}  // namespace kaapi::actions::workflow
