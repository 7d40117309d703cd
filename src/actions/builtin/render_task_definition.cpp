// aws-actions/amazon-ecs-render-task-definition.

#include <fmt/format.h>

#include "actions/builtin/actions.h"
#include "actions/builtin/aws_session.h"
#include "actions/builtin/inputs.h"
#include "actions/builtin/task_definition.h"
#include "base/ids.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

// A revision that is registered already, by ARN or by family.
Result<json::value> registered_definition(ActionHost& host) {
  std::string name = host.input("task-definition-arn");
  if (name.empty()) {
    name = host.input("task-definition-family");
    const std::string revision = host.input("task-definition-revision");
    if (!name.empty() && !revision.empty()) name = fmt::format("{}:{}", name, revision);
  }
  if (name.empty()) {
    return make_error(errc::invalid,
                      "one of the inputs 'task-definition', 'task-definition-arn' and 'task-definition-family' says "
                      "which task definition is rendered; all are empty");
  }
  const Result<aws::ClientConfig> config = session_config(host, "ecs");
  if (!config) return config.error();
  aws::Client client(*config);
  const Result<json::value> answer = call_with_retries(host, {}, [&] {
    return client.call("ecs", "DescribeTaskDefinition",
                       json::object{{"taskDefinition", name}, {"include", json::array{"TAGS"}}});
  });
  if (!answer) {
    return make_error(errc::invalid,
                      fmt::format("could not read the task definition {}: {}", name, described(answer.error())));
  }
  const json::value* definition = find_member(*answer, "taskDefinition");
  if (definition == nullptr) return make_error(errc::unavailable, "DescribeTaskDefinition answered no task definition");
  std::vector<std::string> ignored;
  json::value made = without_answer_members(*definition, ignored);
  // The answer has them beside it, a registration in it.
  const json::value* tags = find_member(*answer, "tags");
  if (tags != nullptr && made.is_object()) made.as_object()["tags"] = *tags;
  return made;
}

Result<json::value> definition_of(ActionHost& host) {
  const std::string given = host.input("task-definition");
  if (given.empty()) return registered_definition(host);
  const Result<std::string> text = read_input_file(host, "task-definition", max_task_definition_bytes);
  if (!text) return text.error();
  Result<json::value> tree = parse_json(*text);
  if (!tree) return make_error(errc::invalid, fmt::format("{} is no JSON: {}", given, tree.error().message));
  return tree;
}

ActionResult run(ActionHost& host) {
  Result<json::value> definition = definition_of(host);
  if (!definition) return definition.error();
  RenderInputs inputs;
  inputs.container_name = host.input("container-name");
  inputs.image = host.input("image");
  inputs.environment_variables = host.input("environment-variables");
  inputs.env_files = host.input("env-files");
  inputs.secrets = host.input("secrets");
  inputs.log_driver = host.input("log-configuration-log-driver");
  inputs.log_options = host.input("log-configuration-options");
  inputs.docker_labels = host.input("docker-labels");
  inputs.command = host.input("command");
  const Result<json::value> rendered = render_task_definition(std::move(*definition), inputs);
  if (!rendered) return rendered.error();
  const std::string path = fmt::format("{}/task-definition-{}.json", host.temp(), SecureIds().hex(12));
  if (const Result<void> written = write_file_atomically(path, json::serialize(*rendered), 0600); !written) {
    return written;
  }
  host.set_output("task-definition", host.job_path(path));
  host.log(fmt::format("Rendered the container {} with the image {}", inputs.container_name, inputs.image));
  return ok();
}

}  // namespace

BuiltIn render_task_definition_action() {
  BuiltIn action;
  action.name = "aws-actions/amazon-ecs-render-task-definition";
  action.inputs = {{"task-definition", ""},
                   {"task-definition-arn", ""},
                   {"task-definition-family", ""},
                   {"task-definition-revision", ""},
                   {"container-name", "", true},
                   {"image", "", true},
                   {"environment-variables", ""},
                   {"env-files", ""},
                   {"secrets", ""},
                   {"log-configuration-log-driver", ""},
                   {"log-configuration-options", ""},
                   {"docker-labels", ""},
                   {"command", ""}};
  action.main = run;
  return action;
}

}  // namespace kaapi::actions
