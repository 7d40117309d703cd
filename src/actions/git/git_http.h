#pragma once
// /git/OWNER/NAME.git/…: what git clone, fetch and push speak (the smart protocol of gitprotocol-http(5)), done by
// `git http-backend`. Here: who may, and that bytes flow both ways as they come.

#include <functional>
#include <memory>
#include <string>

#include "actions/git/gate.h"
#include "actions/git/process.h"
#include "actions/git/pushes.h"
#include "actions/git/repositories.h"
#include "http/message.h"

namespace kaapi::actions::git {

inline constexpr std::string_view git_path = "/git/";

// One request, taken apart.
struct GitRequest;

// The handler for Server::route_stream("/git/", …). Thread-safe. Everything must outlive it and the answers it gave.
class GitHttp {
 public:
  // `endpoint`: where this process's own server is reached from this machine ("http://127.0.0.1:4566"), for the hooks
  // of a push; asked for each.
  GitHttp(Repositories& repositories, const Gate& gate, Pushes& pushes, std::function<std::string()> endpoint)
      : repositories_(repositories), gate_(gate), pushes_(pushes), endpoint_(std::move(endpoint)) {}

  // Never fails: every error is an answer that says what is expected.
  http::Response operator()(const http::RequestHead& head, http::BodyReader& body);

 private:
  Result<http::Response> answer(const http::RequestHead& head, http::BodyReader& body);
  // Whether the caller may; for a push to a repository that does not exist, whether they may make it. Errors: 403, 404.
  Result<void> check(const Caller& caller, const GitRequest& request, bool exists) const;
  Result<void> check_push(const Caller& caller, const GitRequest& request, bool exists) const;
  Result<http::Response> serve(const http::RequestHead& head, http::BodyReader& body, const GitRequest& request,
                               const Caller& caller, bool exists);
  Command backend(const http::RequestHead& head, const GitRequest& request, const Caller& caller, bool shown_empty,
                  const Push* push) const;

  Repositories& repositories_;
  const Gate& gate_;
  Pushes& pushes_;
  std::function<std::string()> endpoint_;
};

}  // namespace kaapi::actions::git
