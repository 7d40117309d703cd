#include "actions/protocol/job_message.h"

#include "actions/protocol/fields.h"

namespace kaapi::actions {

json::value to_json(const JobMessage& message) {
  return json::object{{"run_id", message.run_id},
                      {"job_id", message.job_id},
                      {"attempt", message.attempt},
                      {"token", message.token},
                      {"git_token", message.git_token},
                      {"id_request_token", message.id_request_token},
                      {"name", message.name},
                      {"repository", message.repository},
                      {"clone_path", message.clone_path},
                      {"workflow_path", message.workflow_path},
                      {"workflow_text", message.workflow_text},
                      {"job", message.job},
                      {"labels", json::value_from(message.labels)},
                      {"timeout_s", message.timeout_s},
                      {"environment", message.environment},
                      {"may_ask_token", message.may_ask_token},
                      {"may_write_code", message.may_write_code},
                      {"runner_environment", message.runner_environment},
                      {"contexts", message.contexts},
                      {"event", message.event},
                      {"masks", json::value_from(message.masks)},
                      {"warnings", json::value_from(message.warnings)}};
}

Result<JobMessage> job_message_from(const json::value& value) {
  JobMessage message;
  Fields fields(value, "job");
  fields.read("run_id", message.run_id);
  fields.read("job_id", message.job_id);
  fields.read("attempt", message.attempt);
  fields.read("token", message.token);
  fields.read("git_token", message.git_token);
  fields.read("id_request_token", message.id_request_token);
  fields.read("name", message.name);
  fields.read("repository", message.repository);
  fields.read("clone_path", message.clone_path);
  fields.read("workflow_path", message.workflow_path);
  fields.read("workflow_text", message.workflow_text);
  fields.read("job", message.job);
  fields.read("labels", message.labels);
  fields.read("timeout_s", message.timeout_s);
  fields.read("environment", message.environment);
  fields.read("may_ask_token", message.may_ask_token);
  fields.read("may_write_code", message.may_write_code);
  fields.read("runner_environment", message.runner_environment);
  fields.read("contexts", message.contexts);
  fields.read("masks", message.masks);
  fields.read("warnings", message.warnings);
  if (const json::value* event = find_member(value, "event"); event != nullptr) message.event = *event;
  if (const Result<void> done = fields.done(); !done) return done.error();
  return message;
}

}  // namespace kaapi::actions
