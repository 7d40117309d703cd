#pragma once
// POST /git-hook/…: what the hooks of a push (`kaapi git-hook`) ask and tell. Bearer: the push's own token, which git
// hands to its hooks in KAAPI_GIT_HOOK_TOKEN; the platform's address is in KAAPI_GIT_HOOK_URL.
//
//   POST /git-hook/pre-receive   {"updates": [{"ref","before","after","forced"}]}  → {"refusals": [{"ref","why"}]}
//   POST /git-hook/post-receive  {"updates": [...]}  → {"lines": [".."], "runs":
//   [{"run_id","name","path","token","ref"}]} POST /git-hook/failed        {"refs": [{"ref","why"}]}  → 204. Runs that
//   the push waited for ended badly: git push
//                                shall fail, and say so of these refs.
//
// Errors: {"message": ".."} with 400, 401 (no push of that token) or 413.

#include "actions/git/pushes.h"
#include "http/message.h"

namespace kaapi::actions::git {

inline constexpr std::string_view hook_path = "/git-hook/";
inline constexpr std::size_t max_hook_body_bytes = 1024UL * 1024;
inline constexpr const char* hook_url_variable = "KAAPI_GIT_HOOK_URL";
inline constexpr const char* hook_token_variable = "KAAPI_GIT_HOOK_TOKEN";
// Set when a job pushes: only then it is looked whether workflow files change.
inline constexpr const char* hook_job_variable = "KAAPI_GIT_HOOK_JOB";

// The handler for Server::route_stream("/git-hook/", …, true): git may take a minute to tell what a push has changed.
// Thread-safe. `pushes` must outlive it.
class HookApi {
 public:
  explicit HookApi(Pushes& pushes) : pushes_(pushes) {}
  http::Response operator()(const http::RequestHead& head, http::BodyReader& body) const;

 private:
  Result<json::value> answer(std::string_view path, std::string_view token, const json::value& body) const;

  Pushes& pushes_;
};

json::value to_json(const PushReport& report);
Result<PushReport> push_report_from(const json::value& value);
json::value to_json(const std::vector<RefFailure>& failures);

}  // namespace kaapi::actions::git
