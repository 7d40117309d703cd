#include "actions/runs/runner_api.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/protocol/runner_api.h"
#include "actions/runs/follow.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

using http::Response;

Response failure(int status, std::string_view message) {
  return Response::json(status, json::serialize(json::object{{"message", message}}));
}

Response failure(const Error& error) {
  const std::string_view code = error.code;
  if (code == errc::not_found) return failure(404, error.message);
  if (code == errc::conflict) return failure(409, error.message);
  if (code == errc::invalid) return failure(400, error.message);
  if (code == errc::too_large) return failure(413, error.message);
  if (code == errc::timed_out) return failure(408, error.message);
  if (code == errc::unavailable) return failure(503, error.message);
  if (code == aws::access_denied) return failure(403, error.message);
  return failure(500, error.message);
}

Response nothing() {
  Response response;
  response.status = 204;
  return response;
}

Response done(const Result<void>& result) {
  return result ? nothing() : failure(result.error());
}

Result<std::string> read_all(http::BodyReader& body, std::size_t max_bytes) {
  std::string text;
  std::vector<char> buffer(64UL * 1024);
  while (true) {
    const Result<std::size_t> got = body.read(buffer);
    if (!got) return got.error();
    if (*got == 0) return text;
    if (text.size() + *got > max_bytes) {
      return make_error(errc::too_large, fmt::format("the body is longer than {} bytes", max_bytes));
    }
    text.append(buffer.data(), *got);
  }
}

Result<json::value> read_json(http::BodyReader& body) {
  const Result<std::string> text = read_all(body, max_runner_body_bytes);
  if (!text) return text.error();
  return parse_json(*text);
}

// All query parameters of that name, percent-decoded.
std::vector<std::string> parameters(const http::RequestHead& head, std::string_view name) {
  std::vector<std::string> values;
  for (const std::string& pair : split(head.query, '&')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || pair.substr(0, equals) != name) continue;
    if (auto value = percent_decode(std::string_view(pair).substr(equals + 1), true))
      values.push_back(std::move(*value));
  }
  return values;
}

json::object to_json(const Artifact& artifact) {
  return {{"id", artifact.id}, {"name", artifact.name}, {"size", artifact.size}, {"digest", artifact.digest}};
}

// Counts a held request of its kind.
class Hold {
 public:
  Hold(std::atomic<int>& held, int limit) : held_(held), granted_(held.fetch_add(1) < limit) {}
  ~Hold() { held_.fetch_sub(1); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  bool granted() const { return granted_; }

 private:
  std::atomic<int>& held_;
  bool granted_;
};

// The only one of a job's tokens that this path of it takes.
TokenKind kind_for(std::string_view what) {
  return what == "id-token" ? TokenKind::id_request : TokenKind::runner;
}

std::string_view said(TokenKind kind) {
  if (kind == TokenKind::git) return "the job's GITHUB_TOKEN, which is for git only";
  if (kind == TokenKind::runner) return "the runner's own for the job, which no step has";
  return "ACTIONS_ID_TOKEN_REQUEST_TOKEN, for id tokens only, which a job has with `permissions: id-token: write`";
}

Response too_many(std::string_view what) {
  Response response = failure(503, what);
  response.headers.add("Retry-After", "5");
  return response;
}

}  // namespace

// One request, taken apart.
struct RunnerApi::Call {
  const http::RequestHead& head;
  http::BodyReader& body;
  std::vector<std::string> path;  // below /runner/v1/, percent-decoded
  std::string token;

  bool is(std::string_view method, std::size_t parts) const { return head.method == method && path.size() == parts; }
  std::string parameter(std::string_view name) const { return head.query_parameter(name).value_or(""); }
};

Response RunnerApi::operator()(const http::RequestHead& head, http::BodyReader& body) {
  Call call{head, body, {}, {}};
  for (const std::string& part : split(std::string_view(head.path).substr(runner_api_path.size()), '/')) {
    auto decoded = percent_decode(part);
    if (!decoded) return failure(400, "the path has a broken escape");
    call.path.push_back(std::move(*decoded));
  }
  constexpr std::string_view scheme = "bearer ";  // in any case: RFC 9110, section 11.1
  const std::string_view authorization = head.headers.find("Authorization").value_or("");
  if (lower(authorization.substr(0, scheme.size())) == scheme) call.token = trim(authorization.substr(scheme.size()));
  if (call.token.empty()) return failure(401, "a token is missing: send it as Authorization: Bearer TOKEN");
  return route(call);
}

Response RunnerApi::route(Call& call) {
  if (call.path[0] == "acquire" && call.is("POST", 1)) return acquire(call);
  if (call.path[0] == "jobs" && call.path.size() >= 3) return job(call);
  if (call.path[0] == "runs" && call.is("GET", 3) && call.path[2] == "follow") return follow(call);
  return failure(404, fmt::format("there is no {} {}", call.head.method, call.head.path));
}

Response RunnerApi::acquire(Call& call) {
  const std::optional<RunnerToken> token = conductor_.runner_token(call.token);
  if (!token) {
    constexpr std::string_view why = "the runner token is not known, or was taken back: make one with kaapi run token";
    if (audit_ != nullptr) audit_->refused(call.head, acquire_operation, why);
    return failure(401, why);
  }
  const Result<json::value> body = read_json(call.body);
  if (!body) return failure(body.error());
  const Result<Acquire> runner = acquire_from(*body);
  if (!runner) return failure(runner.error());
  if (runner->name.empty()) return failure(400, "a runner has a name");
  const Hold hold(acquires_, max_held_acquires);
  // Who cannot wait is heard all the same, and gets what is there.
  const auto message = conductor_.acquire(*token, *runner, hold.granted() ? held_for_ : std::chrono::milliseconds(0));
  if (!message) return failure(message.error());
  if (!*message && !hold.granted()) {
    return too_many(fmt::format("{} runners wait for jobs already: try again in a few seconds", max_held_acquires));
  }
  if (!*message) return nothing();
  if (audit_ != nullptr) audit_->acquired(call.head, *token, runner->name, **message);
  return Response::json(200, json::serialize(actions::to_json(**message)));
}

Response RunnerApi::follow(Call& call) {
  const auto run_id = parse_number(call.path[1]);
  const auto allowed = conductor_.watched_run(call.token);
  if (!run_id || allowed != run_id) return failure(401, "the token is for no such run, or too old: watch it again");
  auto hold = std::make_shared<const Hold>(followers_, max_followers);
  if (!hold->granted()) {
    return too_many(
        fmt::format("{0} people and pushes follow runs already, which is the most; the run goes on: look at "
                    "it with kaapi run show {1}, or follow it later with kaapi run watch {1}",
                    max_followers, *run_id));
  }
  Response response;
  response.headers.add("Content-Type", "application/x-ndjson");
  response.body = http::ProducedBody{[this, id = *run_id, hold = std::move(hold)](http::BodyWriter& out) mutable {
    const std::shared_ptr<const Hold> until_told = std::move(hold);
    return follow_run(conductor_, id, out);
  }};
  return response;
}

Response RunnerApi::job(Call& call) {
  const auto job_id = parse_number(call.path[1]);
  const auto access = conductor_.job_access(call.token);
  if (job_id && access && access->job_id == *job_id) {
    return access->kind == kind_for(call.path[2]) ? job_call(call, *access) : wrong_token(call, &*access, access->kind);
  }
  const auto was = job_id ? conductor_.was_token_of(*job_id, call.token) : std::nullopt;
  if (!was) return unknown_job_token(call);
  if (*was != kind_for(call.path[2])) return wrong_token(call, nullptr, *was);
  if (call.is("POST", 3) && call.path[2] == "complete") return complete_again(call, *job_id);
  return failure(410, fmt::format("job {} is over", *job_id));
}

Response RunnerApi::unknown_job_token(const Call& call) {
  constexpr std::string_view why = "the token is none of that job";
  const bool id_token = kind_for(call.path[2]) == TokenKind::id_request;
  if (audit_ != nullptr && id_token) audit_->refused(call.head, id_token_operation, why);
  return failure(401, why);
}

// `access`: of a job that runs.
Response RunnerApi::wrong_token(const Call& call, const JobAccess* access, TokenKind shown) {
  const TokenKind wanted = kind_for(call.path[2]);
  const std::string why = fmt::format("the token is {}, and this asks for {}", said(shown), said(wanted));
  if (audit_ != nullptr && access != nullptr && wanted == TokenKind::id_request) {
    audit_->issued(call.head, *access, make_error(aws::access_denied, why, 403));
  }
  return failure(403, why);
}

Response RunnerApi::job_call(Call& call, const JobAccess& access) {
  const std::string& what = call.path[2];
  if (what == "steps" && call.is("POST", 3)) return steps(call, access);
  if (what == "log" && call.is("POST", 3)) return log(call, access);
  if (what == "commands" && call.is("GET", 3)) return commands(access);
  if (what == "deployments" && call.is("GET", 3)) return deployments(call, access);
  if (what == "complete" && call.is("POST", 3)) return complete(call, access);
  if (what == "id-token" && call.is("GET", 3)) return id_token(call, access);
  if (what == "artifacts") return artifacts(call, access);
  if (what == "caches" && call.path.size() == 3) return caches(call, access);
  return failure(404, fmt::format("there is no {} {}", call.head.method, call.head.path));
}

Response RunnerApi::deployments(Call& call, const JobAccess& access) {
  DeploymentNews news;
  news.over = true;
  if (deployments_ != nullptr) {
    news = deployments_->news(access.job_id, call.head.query_parameter("known").value_or(""), held_for_);
  }
  return Response::json(200, json::serialize(json::object{{"lines", json::value_from(news.lines)},
                                                          {"over", news.over},
                                                          {"failure", news.failure},
                                                          {"known", news.known}}));
}

Response RunnerApi::steps(Call& call, const JobAccess& access) {
  const Result<json::value> body = read_json(call.body);
  if (!body) return failure(body.error());
  // The list itself, or as a member, whichever way a runner has of it.
  const json::value* list = body->is_array() ? &*body : find_member(*body, "steps");
  if (list == nullptr || !list->is_array()) return failure(400, "expected a list of steps");
  std::vector<StepUpdate> updates;
  for (const json::value& item : list->as_array()) {
    Result<StepUpdate> step = step_update_from(item);
    if (!step) return failure(step.error());
    // A name is made of a line of a script, or of what an action says: cut rather than refused.
    for (std::string* text : {&step->name, &step->status, &step->conclusion}) {
      if (text->size() > max_step_name_bytes) text->resize(whole_characters(text->substr(0, max_step_name_bytes)));
    }
    updates.push_back(std::move(*step));
  }
  return done(conductor_.steps(access, updates));
}

Response RunnerApi::log(Call& call, const JobAccess& access) {
  const auto offset = parse_number(call.parameter("offset"));
  if (!offset) return failure(400, "offset must be a number of bytes");
  const Result<std::string> text = read_all(call.body, max_log_chunk_bytes);
  if (!text) return failure(text.error());
  const Result<std::int64_t> size = conductor_.log(access, *offset, *text);
  if (!size) return failure(size.error());
  if (*size >= *offset) return nothing();
  return Response::json(
      409, json::serialize(json::object{{"size", *size}, {"message", fmt::format("the log has {} bytes", *size)}}));
}

Response RunnerApi::commands(const JobAccess& access) {
  const auto reason = conductor_.cancellation(access, held_for_);
  if (!reason) return nothing();
  return Response::json(200, json::serialize(json::object{{"cancel", true}, {"reason", *reason}}));
}

Response RunnerApi::complete(Call& call, const JobAccess& access) {
  const Result<json::value> body = read_json(call.body);
  if (!body) return failure(body.error());
  const Result<Completion> completion = completion_from(*body);
  if (!completion) return failure(completion.error());
  return done(conductor_.complete(access, *completion));
}

// The answer to the first one was lost. A job that ended differently for the platform is over.
Response RunnerApi::complete_again(Call& call, std::int64_t job_id) {
  const Result<json::value> body = read_json(call.body);
  if (!body) return failure(body.error());
  const Result<Completion> completion = completion_from(*body);
  if (!completion) return failure(completion.error());
  const Result<bool> same = conductor_.ended_so(job_id, completion->conclusion);
  if (!same) return failure(same.error());
  return *same ? nothing() : failure(410, fmt::format("job {} is over", job_id));
}

Response RunnerApi::id_token(Call& call, const JobAccess& access) {
  const Result<IssuedToken> token =
      access.may_ask_token ? issuer_.issue(access.facts, call.parameter("audience"))
                           : make_error(aws::access_denied, "the job has no `permissions: id-token: write`", 403);
  if (audit_ != nullptr) audit_->issued(call.head, access, token);
  if (!token) return failure(token.error());
  return Response::json(200, json::serialize(json::object{{"value", token->text}}));
}

Response RunnerApi::artifacts(Call& call, const JobAccess& access) {
  const Result<std::int64_t> run_id = run_of_artifacts(call, access);
  if (!run_id) return failure(run_id.error());
  if (call.is("GET", 3)) return artifact_list(*run_id);
  if (call.is("GET", 4)) return artifact(*run_id, call.path[3]);
  if (call.is("PUT", 4)) return put_artifact(call, access);
  if (call.is("DELETE", 4)) return done(storage_.remove_artifact(*run_id, call.path[3]));
  return failure(404, "artifacts are listed and fetched by GET, stored by PUT and deleted by DELETE");
}

// The job's own run, or the one that it names.
Result<std::int64_t> RunnerApi::run_of_artifacts(const Call& call, const JobAccess& access) {
  const auto given = call.head.query_parameter("run");
  if (!given) return access.run_id;
  const auto run_id = parse_number(*given);
  if (!run_id) return make_error(errc::invalid, "run must be the number of a run");
  if (*run_id == access.run_id) return *run_id;
  if (call.head.method != "GET") {
    return make_error(aws::access_denied, "a job stores and deletes artifacts of its own run only: leave run out");
  }
  // Before it is looked for: who may not read runs is not told either which there are.
  if (!access.may_read_actions) {
    return make_error(aws::access_denied,
                      fmt::format("the job has no permission for artifacts of another run ({}): add `permissions: "
                                  "actions: read` to it",
                                  *run_id));
  }
  const Result<void> there = conductor_.check_run(access.repository, *run_id);
  if (!there) return there.error();
  return *run_id;
}

Response RunnerApi::artifact_list(std::int64_t run_id) {
  const auto all = storage_.artifacts(run_id);
  if (!all) return failure(all.error());
  json::array list;
  for (const Artifact& artifact : *all) {
    json::object one = to_json(artifact);
    one["outdated"] = conductor_.is_superseded(artifact.job_id);
    list.push_back(std::move(one));
  }
  return Response::json(200, json::serialize(json::object{{"artifacts", std::move(list)}}));
}

Response RunnerApi::artifact(std::int64_t run_id, std::string_view name) {
  Result<http::FileBody> file = storage_.artifact(run_id, name);
  if (!file) return failure(file.error());
  Response response;
  response.headers.add("Content-Type", "application/zip");
  response.body = std::move(*file);
  return response;
}

// Of a job that was started again since: what it stores now takes that place, as on GitHub.
bool RunnerApi::is_outdated(std::int64_t run_id, std::string_view name) {
  const auto all = storage_.artifacts(run_id);
  return all && std::any_of(all->begin(), all->end(), [&](const Artifact& each) {
           return each.name == name && conductor_.is_superseded(each.job_id);
         });
}

Response RunnerApi::put_artifact(Call& call, const JobAccess& access) {
  std::optional<int> days;
  if (const auto given = call.head.query_parameter("retention_days")) {
    const auto number = parse_number(*given);
    if (!number || *number > 3650) return failure(400, "retention_days must be a number of days up to 3650");
    days = static_cast<int>(*number);
  }
  const bool overwrite = call.parameter("overwrite") == "true" || is_outdated(access.run_id, call.path[3]);
  const auto stored =
      storage_.put_artifact(access.repository, access.run_id, access.job_id, call.path[3], days, overwrite, call.body);
  if (!stored) return failure(stored.error());
  return Response::json(201, json::serialize(to_json(*stored)));
}

Response RunnerApi::caches(Call& call, const JobAccess& access) {
  const std::string key = call.parameter("key"), version = call.parameter("version");
  if (key.empty()) return failure(400, "a cache has a key");
  if (call.head.method == "PUT") {
    const Result<void> stored = storage_.put_cache(access.repository, access.ref, key, version, call.body);
    if (!stored) return failure(stored.error());
    return Response::json(201, "{}");
  }
  if (call.head.method != "GET") return failure(404, "caches are fetched by GET and stored by PUT");
  auto hit = storage_.cache(access.repository, access.ref, fmt::format("refs/heads/{}", access.default_branch), key,
                            parameters(call.head, "restore"), version);
  if (!hit) return failure(hit.error());
  if (!*hit) return nothing();
  Response response;
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("x-kaapi-cache-key", (*hit)->key);
  if (call.parameter("lookup") == "true") return response;
  response.body = std::move((*hit)->body);
  return response;
}

}  // namespace kaapi::actions::runs
