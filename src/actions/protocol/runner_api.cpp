#include "actions/protocol/runner_api.h"

#include "actions/protocol/fields.h"

namespace kaapi::actions {
namespace {

json::value annotation_json(const Annotation& annotation) {
  return json::object{{"level", annotation.level}, {"message", annotation.message}, {"title", annotation.title},
                      {"file", annotation.file},   {"line", annotation.line},       {"column", annotation.column}};
}

Result<Annotation> annotation_from(const json::value& value) {
  Annotation annotation;
  Fields fields(value, "annotation");
  fields.read("level", annotation.level);
  fields.read("message", annotation.message);
  fields.read("title", annotation.title);
  fields.read("file", annotation.file);
  fields.read("line", annotation.line);
  fields.read("column", annotation.column);
  if (const Result<void> done = fields.done(); !done) return done.error();
  return annotation;
}

}  // namespace

json::value to_json(const Acquire& acquire) {
  return json::object{{"name", acquire.name},
                      {"labels", json::value_from(acquire.labels)},
                      {"running", json::value_from(acquire.running)},
                      {"id", acquire.id}};
}

Result<Acquire> acquire_from(const json::value& value) {
  Acquire acquire;
  Fields fields(value, "runner");
  fields.read("name", acquire.name);
  fields.read("labels", acquire.labels);
  fields.read("running", acquire.running);
  fields.read("id", acquire.id);
  if (const Result<void> done = fields.done(); !done) return done.error();
  return acquire;
}

json::value to_json(const StepUpdate& step) {
  return json::object{{"number", step.number},         {"name", step.name},
                      {"status", step.status},         {"conclusion", step.conclusion},
                      {"started_ms", step.started_ms}, {"ended_ms", step.ended_ms},
                      {"log_from", step.log_from},     {"log_to", step.log_to}};
}

Result<StepUpdate> step_update_from(const json::value& value) {
  StepUpdate step;
  Fields fields(value, "step");
  fields.read("number", step.number);
  fields.read("name", step.name);
  fields.read("status", step.status);
  fields.read("conclusion", step.conclusion);
  fields.read("started_ms", step.started_ms);
  fields.read("ended_ms", step.ended_ms);
  fields.read("log_from", step.log_from);
  fields.read("log_to", step.log_to);
  if (const Result<void> done = fields.done(); !done) return done.error();
  return step;
}

json::value to_json(const Completion& completion) {
  json::array annotations;
  for (const Annotation& annotation : completion.annotations) annotations.push_back(annotation_json(annotation));
  return json::object{{"conclusion", completion.conclusion}, {"reason", completion.reason},
                      {"outputs", completion.outputs},       {"environment_url", completion.environment_url},
                      {"summary", completion.summary},       {"annotations", std::move(annotations)}};
}

Result<Completion> completion_from(const json::value& value) {
  Completion completion;
  Fields fields(value, "completion");
  fields.read("conclusion", completion.conclusion);
  fields.read("reason", completion.reason);
  fields.read("outputs", completion.outputs);
  fields.read("environment_url", completion.environment_url);
  fields.read("summary", completion.summary);
  fields.read_list("annotations", completion.annotations, annotation_from);
  if (const Result<void> done = fields.done(); !done) return done.error();
  return completion;
}

json::value to_json(const FollowEvent& event) {
  return json::object{{"kind", event.kind},     {"job_id", event.job_id},         {"name", event.name},
                      {"status", event.status}, {"conclusion", event.conclusion}, {"text", event.text}};
}

Result<FollowEvent> follow_event_from(const json::value& value) {
  FollowEvent event;
  Fields fields(value, "event of a run");
  fields.read("kind", event.kind);
  fields.read("job_id", event.job_id);
  fields.read("name", event.name);
  fields.read("status", event.status);
  fields.read("conclusion", event.conclusion);
  fields.read("text", event.text);
  if (const Result<void> done = fields.done(); !done) return done.error();
  return event;
}

}  // namespace kaapi::actions
