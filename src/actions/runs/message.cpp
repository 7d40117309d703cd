#include "actions/runs/message.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/protocol/job_facts.h"
#include "actions/runs/scope.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

using expression::Contexts;
using expression::Object;
using expression::Value;
using Texts = std::map<std::string, std::string>;

Value object_of(const Texts& texts) {
  Object object;
  for (const auto& [name, text] : texts) object.set(name, text);
  return object;
}

json::object json_of(const Texts& texts) {
  json::object object;
  for (const auto& [name, text] : texts) object[name] = text;
  return object;
}

class Message {
 public:
  Message(const Run& run, const RunFiles& files, const Job& job, const JobSettings& settings, const JobTokens& tokens)
      : run_(run), files_(files), job_(job), settings_(settings), tokens_(tokens) {}

  Result<JobMessage> make() const {
    const auto file = workflow_of(run_, files_, job_.scope);
    const workflow::Job* written = file ? file->job(job_.key) : nullptr;
    if (written == nullptr) return make_error(errc::invalid, "its workflow file is gone");
    JobMessage message;
    describe(message);
    message.workflow_path = file->path;
    const auto text = files_.texts.find(file->path);
    if (text != files_.texts.end()) message.workflow_text = text->second;
    const Result<json::object> contexts = contexts_of(*file, *written);
    if (!contexts) return contexts.error();
    message.contexts = *contexts;
    if (!job_.environment.empty()) {
      const Result<Protection> rules = settings_.protection(run_.repository, job_.environment);
      if (rules && !rules->exists) message.warnings.push_back(missing_environment(run_.repository, job_.environment));
    }
    const json::value* event = run_.github.if_contains("event");
    if (event != nullptr) message.event = *event;
    const std::size_t bytes = json::serialize(to_json(message)).size();
    if (bytes <= max_job_message_bytes) return message;
    return make_error(errc::too_large, fmt::format("the job with its contexts has {} bytes, expected at most {}", bytes,
                                                   max_job_message_bytes));
  }

 private:
  void describe(JobMessage& message) const {
    message.run_id = run_.id;
    message.job_id = job_.id;
    message.attempt = run_.attempt;
    message.token = tokens_.runner;
    message.git_token = tokens_.git;
    message.name = job_.name;
    message.repository = run_.repository;
    message.clone_path = fmt::format("/git/{}.git", run_.repository);
    message.job = job_.key;
    message.labels = job_.labels;
    message.timeout_s = job_.timeout_s;
    message.environment = job_.environment;
    message.may_ask_token = access_of(run_, files_, job_, "id-token") == workflow::Access::write;
    if (message.may_ask_token) message.id_request_token = tokens_.id_request;
    message.may_write_code = access_of(run_, files_, job_, "contents") == workflow::Access::write;
    message.runner_environment = job_.own_runner ? platform_hosted : self_hosted;
  }

  Result<json::object> contexts_of(const workflow::Workflow& file, const workflow::Job& written) const {
    const auto vars = settings_.variables(run_.repository, job_.environment);
    if (!vars) return vars.error();
    Result<Texts> secrets = secrets_of(job_);
    if (!secrets) return secrets.error();
    (*secrets)["GITHUB_TOKEN"] = tokens_.git;
    const Value needs = workflow::needs_context(file, written, run_state(run_, file, job_.scope));
    Result<json::value> needs_json = to_json_value(needs);
    if (!needs_json) return needs_json.error();
    json::object github = run_.github;
    github["token"] = tokens_.git;
    github["job"] = job_.key;
    const Job* caller = caller_of(run_, job_.scope);
    return json::object{{"github", std::move(github)},
                        {"vars", json_of(*vars)},
                        {"secrets", json_of(*secrets)},
                        {"needs", std::move(*needs_json)},
                        {"strategy", job_.strategy},
                        {"matrix", job_.matrix},
                        {"inputs", caller == nullptr ? json::value(run_.inputs) : caller->inputs}};
  }

  // A called workflow has what its caller hands on; an environment's own secrets go to its jobs alone.
  Result<Texts> secrets_of(const Job& job) const {
    if (job.scope.empty()) return settings_.secrets(run_.repository, job.environment);
    Result<Texts> handed = handed_to(*caller_of(run_, job.scope));
    if (!handed || job.environment.empty()) return handed;
    const Result<Texts> own = settings_.environment_secrets(run_.repository, job.environment);
    if (!own) return own;
    for (const auto& [name, value] : *own) (*handed)[name] = value;
    return handed;
  }

  Result<Texts> handed_to(const Job& caller) const {
    const Result<Texts> own = secrets_of(caller);
    if (!own) return own;
    const auto file = workflow_of(run_, files_, caller.scope);
    const workflow::Job* written = file ? file->job(caller.key) : nullptr;
    if (written == nullptr || !written->call) return Texts{};
    if (written->call->inherit_secrets) return own;
    const auto vars = settings_.variables(run_.repository, "");
    if (!vars) return vars.error();
    Contexts contexts = scope_contexts(run_, caller.scope, object_of(*vars));
    contexts.set("needs", workflow::needs_context(*file, *written, run_state(run_, *file, caller.scope)));
    contexts.set("matrix", expression::from_json_value(caller.matrix));
    contexts.set("strategy", expression::from_json_value(caller.strategy));
    contexts.set("secrets", object_of(*own));
    return evaluate(written->call->secrets, contexts);
  }

  static Result<Texts> evaluate(const workflow::Variables& secrets, const Contexts& contexts) {
    Texts texts;
    if (secrets.expression) {
      const auto value = secrets.expression->value.evaluate(contexts);
      if (!value) return value.error();
      if (!value->is(expression::Kind::object)) return texts;
      for (const auto& [name, member] : value->object().members()) texts[name] = to_text(member);
    }
    for (const workflow::Variable& variable : secrets.list) {
      auto text = variable.value.value.evaluate_text(contexts);
      if (!text) return text.error();
      texts[variable.name] = std::move(*text);
    }
    return texts;
  }

  const Run& run_;
  const RunFiles& files_;
  const Job& job_;
  const JobSettings& settings_;
  const JobTokens& tokens_;
};

}  // namespace

Result<JobMessage> make_message(const Run& run, const RunFiles& files, const Job& job, const JobSettings& settings,
                                const JobTokens& tokens) {
  return Message(run, files, job, settings, tokens).make();
}

}  // namespace kaapi::actions::runs
