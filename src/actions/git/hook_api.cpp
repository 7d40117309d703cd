#include "actions/git/hook_api.h"

#include <array>

#include "actions/git/git.h"
#include "actions/protocol/fields.h"

namespace kaapi::actions::git {
namespace {

int status_of(const Error& error) {
  if (error.code == errc::not_found) return 401;
  if (error.code == errc::too_large) return 413;
  return error.code == errc::invalid ? 400 : 500;
}

Result<json::value> read_json(http::BodyReader& body) {
  std::string text;
  std::array<char, 16 * 1024> buffer;
  while (true) {
    const Result<std::size_t> count = body.read(buffer);
    if (!count) return count.error();
    if (*count == 0) break;
    text.append(buffer.data(), *count);
    if (text.size() > max_hook_body_bytes) return too_many_refs();
  }
  Result<json::value> value = parse_json(text);
  if (!value) return make_error(errc::invalid, value.error().message);
  return value;
}

Result<std::vector<RefFailure>> failures_from(const json::value& body) {
  std::vector<RefFailure> failures;
  Fields fields(body, "failure of a push");
  fields.read_list("refs", failures, [](const json::value& item) -> Result<RefFailure> {
    RefFailure failure;
    Fields one(item, "ref");
    one.read("ref", failure.ref);
    one.read("why", failure.why);
    if (const Result<void> done = one.done(); !done) return done.error();
    failure.why = said(failure.why);
    return failure;
  });
  if (const Result<void> done = fields.done(); !done) return done.error();
  if (failures.size() > max_push_refs) return too_many_refs();
  return failures;
}

}  // namespace

json::value to_json(const PushReport& report) {
  json::array runs;
  for (const WatchedRun& run : report.runs) {
    runs.push_back(json::object{
        {"run_id", run.run_id}, {"name", run.name}, {"path", run.path}, {"token", run.token}, {"ref", run.ref}});
  }
  return json::object{{"lines", json::value_from(report.lines)}, {"runs", std::move(runs)}};
}

Result<PushReport> push_report_from(const json::value& value) {
  PushReport report;
  Fields fields(value, "report of a push");
  fields.read("lines", report.lines);
  fields.read_list("runs", report.runs, [](const json::value& item) -> Result<WatchedRun> {
    WatchedRun run;
    Fields one(item, "run");
    one.read("run_id", run.run_id);
    one.read("name", run.name);
    one.read("path", run.path);
    one.read("token", run.token);
    one.read("ref", run.ref);
    if (const Result<void> done = one.done(); !done) return done.error();
    return run;
  });
  if (const Result<void> done = fields.done(); !done) return done.error();
  return report;
}

json::value to_json(const std::vector<RefFailure>& failures) {
  json::array refs;
  for (const RefFailure& one : failures) refs.push_back(json::object{{"ref", one.ref}, {"why", one.why}});
  return json::object{{"refs", std::move(refs)}};
}

http::Response HookApi::operator()(const http::RequestHead& head, http::BodyReader& body) const {
  constexpr std::string_view bearer = "Bearer ";
  const std::string_view header = head.headers.find("Authorization").value_or("");
  const std::string_view path = std::string_view(head.path).substr(hook_path.size() - 1);
  const auto failed = [](const Error& error) {
    return http::Response::json(status_of(error), json::serialize(json::object{{"message", error.message}}));
  };
  if (head.method != "POST" || !header.starts_with(bearer)) {
    return failed(make_error(errc::not_found, "only the hooks of a push call here"));
  }
  const Result<json::value> asked = read_json(body);
  if (!asked) return failed(asked.error());
  const Result<json::value> answered = answer(path, header.substr(bearer.size()), *asked);
  if (!answered) return failed(answered.error());
  if (answered->is_null()) return http::Response::text(204, "");
  return http::Response::json(200, json::serialize(*answered));
}

Result<json::value> HookApi::answer(std::string_view path, std::string_view token, const json::value& body) const {
  if (path == "/failed") {
    Result<std::vector<RefFailure>> failures = failures_from(body);
    if (!failures) return failures.error();
    if (const Result<void> told = pushes_.fail(token, std::move(*failures)); !told) return told.error();
    return json::value(nullptr);
  }
  const Result<std::vector<RefUpdate>> updates = updates_from(body);
  if (!updates) return updates.error();
  if (updates->size() > max_push_refs) return too_many_refs();
  if (path == "/pre-receive") {
    const auto refusals = pushes_.judge(token, *updates);
    if (!refusals) return refusals.error();
    json::array list;
    for (const Refusal& one : *refusals) list.push_back(json::object{{"ref", one.ref}, {"why", one.why}});
    return json::value(json::object{{"refusals", std::move(list)}});
  }
  if (path == "/post-receive") {
    const auto report = pushes_.report(token, *updates);
    if (!report) return report.error();
    return to_json(*report);
  }
  return make_error(errc::invalid, "there is no such hook");
}

}  // namespace kaapi::actions::git
