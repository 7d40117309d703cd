#pragma once
// The github context and the payloads of events, as GitHub documents them: "Contexts reference", "Webhook events and
// payloads". Pure.

#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/job_facts.h"
#include "actions/protocol/push.h"
#include "actions/protocol/source.h"
#include "actions/runs/model.h"

namespace kaapi::actions::runs {

// Whether the message of a pushed commit asks for no runs: "[skip ci]" and its like, or a "skip-checks: true" trailer.
bool asks_to_skip(std::string_view message);
// The first line.
std::string subject(std::string_view message);
// "main" of "refs/heads/main".
std::string ref_name(std::string_view ref);
bool is_commit_id(std::string_view ref);
// Numbers where payloads have numbers of people: the same name always has the same one. Nothing to trust in.
std::string stable_id(std::string_view name);

// Where people and clients reach the platform: "http://127.0.0.1:4566". A member of the payloads of all events.
json::object repository_payload(const std::string& repository, const RepositoryIds& ids,
                                const std::string& default_branch, const std::string& server_url);
json::object person_payload(const std::string& name);
// Without `repository` and `sender`.
json::object push_payload(const PushEvent& event, const RefUpdate& update, const std::vector<Commit>& commits,
                          const Commit& head, const std::string& server_url);
// `head`: the run's commit, if it can be read; `repository`: its payload.
json::object workflow_run_payload(const Run& run, std::string_view action, const std::optional<Commit>& head,
                                  const json::object& repository, const std::string& server_url);

// Everything that is known when the run is made.
json::object github_context(const Run& run, const RepositoryIds& ids, const std::string& actor_id, json::object event,
                            const std::string& server_url);

// What the OIDC token of a job says.
JobFacts job_facts(const Run& run, const RunFiles& files, const Job& job);

}  // namespace kaapi::actions::runs
