#pragma once
// A workflow file as typed values. Names are those of GitHub's "Workflow syntax"; what may hold expressions is a Text
// or a Data, evaluated when its contexts exist. Everything here is immutable once parsed and may be shared by threads.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/expression/template.h"
#include "actions/expression/value.h"
#include "actions/workflow/cron.h"
#include "actions/workflow/fault.h"
#include "actions/workflow/glob.h"

namespace kaapi::actions::workflow {

// A scalar, perhaps with expressions. Numbers and booleans that were written plainly are texts as GitHub makes them:
// 1.20 is "1.2", True is "true".
struct Text {
  expression::Template value;
  Position position;
};

struct DataMember;

// Any YAML value with expressions in its scalars; plain scalars keep their type.
struct Data {
  enum class Kind { scalar, list, mapping };
  Kind kind = Kind::scalar;
  Position position;
  expression::Value literal;                       // of a scalar without expressions
  std::optional<expression::Template> expression;  // of a scalar with
  std::vector<Data> items;                         // of a list
  std::vector<DataMember> members;                 // of a mapping

  expression::Checked<expression::Value> evaluate(const expression::Environment& environment) const;
};

struct DataMember {
  std::string key;
  Data value;
};

struct Variable {
  std::string name;
  Text value;
};

// env, with, ...: a mapping of names to texts, or one expression that yields such a mapping.
struct Variables {
  std::vector<Variable> list;
  std::optional<Text> expression;
  bool empty() const { return list.empty() && !expression; }
  const Text* find(std::string_view name) const;  // case does not count; nullptr when there is none
};

struct If {
  expression::Condition condition;
  Position position;
};

struct Concurrency {
  Text group;
  std::optional<Text> cancel_in_progress;
};

struct Defaults {
  std::optional<Text> shell;
  std::optional<Text> working_directory;
};

enum class Access { none, read, write };

// Scopes as GitHub names them: "contents", "id-token", ... What is not named has no access once `permissions` is given.
struct Permissions {
  std::optional<Access> all;  // read-all, write-all
  std::map<std::string, Access, std::less<>> scopes;
  Access of(std::string_view scope) const;
};

struct DeploymentEnvironment {
  Text name;
  std::optional<Text> url;  // evaluated when the job's steps are over
};

struct Credentials {
  Text username;
  Text password;
};

// A job's container, or one of its services. `image` may yield '': then there is no container.
struct Container {
  std::string id;  // of a service
  Text image;
  Variables env;
  std::vector<Text> ports;
  std::vector<Text> volumes;
  std::optional<Text> options;
  std::optional<Text> entrypoint;
  std::optional<Text> command;
  std::optional<Credentials> credentials;
};

struct Matrix {
  Position position;
  std::optional<Text> expression;  // the whole matrix: ${{ fromJSON(...) }}
  std::vector<DataMember> axes;
  std::optional<Data> include;
  std::optional<Data> exclude;
};

struct Strategy {
  std::optional<Matrix> matrix;
  std::optional<Text> fail_fast;  // a boolean; true when absent
  std::optional<Text> max_parallel;
};

// What `uses` of a step names.
struct ActionReference {
  enum class Kind { local, repository, docker };
  Kind kind = Kind::local;
  std::string text;   // as written
  std::string owner;  // of a repository
  std::string name;
  std::string path;  // of a local action ("./ci/build"), or within the repository ("sub/action"); may be empty
  std::string ref;   // "v4", a branch or a commit
  std::string image;
};

struct Step {
  Position position;
  std::string id;  // empty when it has none
  std::optional<Text> name;
  If condition;
  std::optional<Text> run;
  std::optional<Text> shell;
  std::optional<Text> working_directory;
  std::optional<ActionReference> uses;
  Variables with;
  Variables env;
  std::optional<Text> continue_on_error;
  std::optional<Text> timeout_minutes;
};

// `uses` of a job: another workflow.
struct WorkflowReference {
  std::string text;
  std::string path;  // ".github/workflows/build.yml" of the same repository
};

struct Call {
  WorkflowReference workflow;
  Position position;
  std::vector<DataMember> with;
  bool inherit_secrets = false;
  Variables secrets;
};

struct Job {
  std::string id;
  Position position;
  std::optional<Text> name;
  std::vector<std::string> needs;
  If condition;
  std::optional<Data> runs_on;  // a label, a list of labels, or {group, labels}
  Strategy strategy;
  std::vector<Variable> outputs;
  Variables env;
  Defaults defaults;
  std::optional<Text> timeout_minutes;
  std::optional<Text> continue_on_error;
  std::optional<Concurrency> concurrency;
  std::optional<Permissions> permissions;
  std::optional<DeploymentEnvironment> environment;
  std::optional<Container> container;
  std::vector<Container> services;
  std::vector<Step> steps;
  std::optional<Call> call;  // instead of steps
};

enum class InputType { text, boolean, number, choice, environment };

struct Input {
  std::string name;
  Position position;
  std::string description;
  bool required = false;
  InputType type = InputType::text;
  std::optional<Data> default_value;
  std::vector<std::string> options;  // of a choice
};

struct CallOutput {
  std::string name;
  std::string description;
  Text value;
};

struct CallSecret {
  std::string name;
  std::string description;
  bool required = false;
};

struct Schedule {
  Cron cron;
  Position position;
};

// One event below `on`, with its filters.
struct Event {
  std::string name;
  Position position;
  bool fires = true;  // false: GitHub knows it, but nothing here makes it happen
  std::vector<std::string> types;
  std::optional<PatternList> branches, branches_ignore;
  std::optional<PatternList> tags, tags_ignore;
  std::optional<PatternList> paths, paths_ignore;
  std::vector<std::string> workflows;  // of workflow_run
  std::vector<Schedule> schedules;     // of schedule
  std::vector<Input> inputs;           // of workflow_dispatch and workflow_call
  std::vector<CallOutput> outputs;     // of workflow_call
  std::vector<CallSecret> secrets;     // of workflow_call
};

struct Workflow {
  std::string path;  // ".github/workflows/cd.yml"
  std::string name;  // `path` when the file gives none
  std::optional<Text> run_name;
  std::vector<Event> on;
  Variables env;
  Defaults defaults;
  std::optional<Concurrency> concurrency;
  std::optional<Permissions> permissions;
  std::vector<Job> jobs;  // in the order of the file

  const Event* event(std::string_view name) const;  // nullptr when it is not listened to
  const Job* job(std::string_view id) const;
  // Events that never fire here.
  std::vector<std::string> silent_events() const;
};

}  // namespace kaapi::actions::workflow
