#include "actions/git/git_http.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/git/cgi.h"
#include "actions/git/git.h"
#include "actions/git/hook_api.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::git {

struct GitRequest {
  std::string repository;  // "OWNER/NAME"
  std::string rest;        // "info/refs", "git-upload-pack" or "git-receive-pack"
  bool push = false;
  bool advertisement = false;  // info/refs
  // git asks with an empty request whether its credentials are good before it sends a large one.
  bool probe = false;
};

namespace {

constexpr std::size_t probe_bytes = 4;
constexpr std::size_t max_protocol_bytes = 64;
constexpr std::string_view upload_pack = "git-upload-pack";
constexpr std::string_view receive_pack = "git-receive-pack";

Error answer_error(int status, std::string message) {
  return make_error(errc::invalid, std::move(message), status);
}

Error hidden(std::string_view repository) {
  return answer_error(404, fmt::format("there is no repository {}, or you may not see it; to see it you need "
                                       "kaapi:GitPull, to make it by pushing kaapi:CreateRepository",
                                       repository));
}

// "/git/OWNER/NAME.git/info/refs" and the like. Errors: 403, 404, 405.
Result<GitRequest> parse(const http::RequestHead& head) {
  GitRequest request;
  const std::string_view path = std::string_view(head.path).substr(git_path.size());
  for (const std::string_view rest : {std::string_view("info/refs"), upload_pack, receive_pack}) {
    const std::string ending = fmt::format(".git/{}", rest);
    if (!path.ends_with(ending)) continue;
    const Result<std::string> name = full_name(path.substr(0, path.size() - ending.size()));
    if (!name) return answer_error(404, name.error().message);
    request.repository = *name;
    request.rest = rest;
  }
  if (request.rest.empty()) {
    return answer_error(404, "only git speaks here: clone, fetch and push http://HOST:PORT/git/OWNER/NAME.git");
  }
  request.advertisement = request.rest == "info/refs";
  const std::string service = request.advertisement ? head.query_parameter("service").value_or("") : request.rest;
  if (service != upload_pack && service != receive_pack) {
    return answer_error(403, "only git's smart protocol is spoken here; use git 1.6.6 or newer");
  }
  request.push = service == receive_pack;
  request.probe = request.push && !request.advertisement && head.content_length == probe_bytes;
  if (head.method != (request.advertisement ? "GET" : "POST")) {
    return answer_error(405, fmt::format("{} is not asked with {}", request.rest, head.method));
  }
  return request;
}

// "version=2", as gitprotocol-v2(5) has it.
bool is_protocol(std::string_view text) {
  return text.size() <= max_protocol_bytes &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789=:-") == std::string_view::npos;
}

// git, and the push that it is; told of as over when git is.
struct Serving {
  Serving(Cgi running, Pushes& all, std::shared_ptr<Push> own)
      : cgi(std::move(running)), pushes(all), push(std::move(own)) {}
  ~Serving() {
    cgi.reset();
    end_push();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  void end_push() {
    if (!push) return;
    pushes.end(push);
    if (std::exchange(made, false)) pushes.remove_if_empty(push->repository);
  }

  std::optional<Cgi> cgi;
  Pushes& pushes;
  std::shared_ptr<Push> push;
  bool made = false;  // the repository, by this push
};

http::Response response_of(const Error& error, int status) {
  http::Response response = http::Response::text(status, error.message + "\n");
  if (status == 401) response.headers.set("WWW-Authenticate", "Basic realm=\"kaapi\"");
  return response;
}

}  // namespace

http::Response GitHttp::operator()(const http::RequestHead& head, http::BodyReader& body) {
  Result<http::Response> answered = answer(head, body);
  if (answered) return std::move(*answered);
  const Error& error = answered.error();
  if (error.status >= 500) log::error("git", "{}: {}", head.path, error.message);
  return response_of(error, error.status);
}

Result<http::Response> GitHttp::answer(const http::RequestHead& head, http::BodyReader& body) {
  const Result<GitRequest> request = parse(head);
  const Result<Caller> caller = gate_.authenticate(head);
  // Who is nobody is not told what there is.
  if (!caller) return caller.error();
  if (!request) return request.error();
  const bool exists = repositories_.find(request->repository).has_value();
  if (const Result<void> may = check(*caller, *request, exists); !may) return may.error();
  return serve(head, body, *request, *caller, exists);
}

Result<void> GitHttp::check(const Caller& caller, const GitRequest& request, bool exists) const {
  if (request.push) return check_push(caller, request, exists);
  const Result<std::string> decided = gate_.authorize(caller, pull_action, request.repository);
  if (!decided || !request.advertisement) gate_.record(caller, pull_action, request.repository, decided);
  if (!decided || !exists) return hidden(request.repository);
  return ok();
}

Result<void> GitHttp::check_push(const Caller& caller, const GitRequest& request, bool exists) const {
  const std::string_view action = exists ? push_action : create_action;
  Result<std::string> decided = gate_.authorize(caller, action, request.repository);
  if (!decided && exists && gate_.authorize(caller, pull_action, request.repository)) {
    // Who sees the repository may be told more. A right that depends on the ref is looked at when the refs are known,
    // before any of them changes.
    if (caller.job) {
      gate_.record(caller, action, request.repository, decided);
      return answer_error(403, decided.error().message);
    }
    decided = std::string("looked at for each ref");
  }
  if (!decided || !request.advertisement) gate_.record(caller, action, request.repository, decided);
  if (!decided) return hidden(request.repository);
  return ok();
}

Command GitHttp::backend(const http::RequestHead& head, const GitRequest& request, const Caller& caller,
                         bool shown_empty, const Push* push) const {
  Command command{{"git", "http-backend"}, environment(repositories_.serving_settings()), repositories_.root()};
  const auto set = [&](std::string_view name, std::string_view value) {
    command.environment.push_back(fmt::format("{}={}", name, value));
  };
  const auto header = [&](std::string_view name) { return head.headers.find(name).value_or(""); };
  set("GIT_HTTP_EXPORT_ALL", "1");
  set("GIT_PROJECT_ROOT", shown_empty ? repositories_.empty_root() : repositories_.root());
  set("PATH_INFO", fmt::format("/{}.git/{}", shown_empty ? "new" : request.repository, request.rest));
  set("REQUEST_METHOD", head.method);
  set("QUERY_STRING",
      request.advertisement ? (request.push ? "service=git-receive-pack" : "service=git-upload-pack") : "");
  set("CONTENT_TYPE", header("Content-Type").substr(0, 100));
  if (head.content_length) set("CONTENT_LENGTH", std::to_string(*head.content_length));
  if (lower(header("Content-Encoding")) == "gzip") set("HTTP_CONTENT_ENCODING", "gzip");
  if (const std::string_view protocol = header("Git-Protocol"); is_protocol(protocol)) set("GIT_PROTOCOL", protocol);
  set("REMOTE_USER", caller.actor);
  set("REMOTE_ADDR", caller.context.source_ip);
  if (push != nullptr) {
    set(hook_url_variable, endpoint_());
    set(hook_token_variable, push->token);
    if (caller.job) set(hook_job_variable, "1");
  }
  return command;
}

Result<http::Response> GitHttp::serve(const http::RequestHead& head, http::BodyReader& body, const GitRequest& request,
                                      const Caller& caller, bool exists) {
  const bool pushing = request.push && !request.advertisement && !request.probe;
  bool made_now = false;
  if (pushing && !exists) {
    const Result<Repository> made = repositories_.create(request.repository);
    // Somebody else may have been first.
    if (!made && made.error().code != errc::conflict) return answer_error(500, made.error().message);
    made_now = made.has_value();
    exists = exists || made_now;
  }
  std::shared_ptr<Push> push = pushing ? pushes_.begin(caller, request.repository) : nullptr;
  Result<Process> process = Process::start(backend(head, request, caller, !exists && !pushing, push.get()));
  if (!process) {
    if (push) pushes_.end(push);
    if (made_now) pushes_.remove_if_empty(request.repository);
    return answer_error(500, process.error().message);
  }
  auto serving = std::make_shared<Serving>(Cgi(std::move(*process)), pushes_, push);
  serving->made = made_now;
  if (const Result<void> fed = serving->cgi->feed(body); !fed) return answer_error(400, fed.error().message);
  const Result<CgiHead> answered = serving->cgi->read_head();
  if (!answered) return answer_error(500, answered.error().message);
  http::Response response;
  response.status = answered->status;
  for (const auto& [name, value] : answered->headers) response.headers.add(name, value);
  response.body = http::ProducedBody{[serving](http::BodyWriter& writer) {
    PacketTail tail;
    // Before the client sees the end, so that its next push finds everything as it stays.
    const auto failures = [&] {
      serving->end_push();
      return serving->pushes.failures_of(*serving->push);
    };
    return serving->cgi->stream(writer, serving->push ? &tail : nullptr, failures);
  }};
  return response;
}

}  // namespace kaapi::actions::git
