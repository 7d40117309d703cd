#pragma once
// What makes a run, gathered from an event. Inside of the conductor only.

#include "actions/runs/conductor.h"

namespace kaapi::actions::runs {

struct Conductor::Trigger {
  std::string event_name;  // "push"
  json::object payload;    // github.event
  std::string repository;
  std::string ref, sha;
  std::string title;  // when there is no run-name; empty: the workflow's name
  std::string why;
  Actor actor;
  std::string default_branch;
  json::object inputs;
  std::int64_t chain = 0;
};

struct Conductor::Head {
  std::string branch, ref, sha;
  std::shared_ptr<const CommitWorkflows> workflows;

  // An event of the default branch itself.
  Trigger trigger(const std::string& repository, const std::string& event_name, const std::string& why,
                  const Actor& actor) const {
    Trigger made;
    made.event_name = event_name;
    made.repository = repository;
    made.ref = ref;
    made.sha = sha;
    made.why = why;
    made.actor = actor;
    made.default_branch = branch;
    return made;
  }
};

}  // namespace kaapi::actions::runs
