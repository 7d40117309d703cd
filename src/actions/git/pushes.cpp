#include "actions/git/pushes.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/git/git.h"
#include "actions/protocol/actor.h"
#include "actions/protocol/fields.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::size_t token_digits = 64;

Result<RefUpdate> update_from(const json::value& value) {
  RefUpdate update;
  Fields fields(value, "change of a ref");
  fields.read("ref", update.ref);
  fields.read("before", update.before);
  fields.read("after", update.after);
  fields.read("forced", update.forced);
  fields.read("changes_workflows", update.changes_workflows);
  fields.read("started", update.started);
  fields.read("all_paths", update.all_paths);
  if (const Result<void> done = fields.done(); !done) return done.error();
  if (std::string fault = ref_fault(update.ref); !fault.empty()) return make_error(errc::invalid, std::move(fault));
  if (!is_commit(update.before) || !is_commit(update.after)) {
    return make_error(errc::invalid, fmt::format("{} and two commits of 40 hexadecimal digits", update.ref));
  }
  return update;
}

// Without the updates.
PushEvent event_of(const std::string& repository, const Caller& caller) {
  const aws::CallContext& who = caller.context;
  return {repository, caller.actor,           who.principal_arn,
          {},         caller.job.has_value(), actor_id(who.user_id, who.principal_arn)};
}

}  // namespace

Error too_many_refs() {
  return make_error(errc::too_large, fmt::format("a push changes at most {0} branches and tags, and this one changes "
                                                 "more, so nothing was changed: push at most {0} at once, naming them",
                                                 max_push_refs));
}

json::array updates_json(const std::vector<RefUpdate>& updates) {
  json::array list;
  for (const RefUpdate& update : updates) {
    json::object one{{"ref", update.ref},
                     {"before", update.before},
                     {"after", update.after},
                     {"forced", update.forced},
                     {"changes_workflows", update.changes_workflows}};
    if (!update.started.empty()) one["started"] = json::value_from(update.started);
    if (update.all_paths) one["all_paths"] = true;
    list.push_back(std::move(one));
  }
  return list;
}

Result<std::vector<RefUpdate>> updates_from(const json::value& value) {
  std::vector<RefUpdate> updates;
  Fields fields(value, "push");
  fields.read_list("updates", updates, update_from);
  if (const Result<void> done = fields.done(); !done) return done.error();
  return updates;
}

std::shared_ptr<Push> Pushes::begin(Caller caller, std::string repository) {
  auto push = std::make_shared<Push>();
  push->caller = std::move(caller);
  push->repository = std::move(repository);
  push->token = ids_.hex(token_digits);
  const std::lock_guard lock(mutex_);
  by_token_[sha256(push->token)] = push;
  return push;
}

void Pushes::end(const std::shared_ptr<Push>& push) {
  std::int64_t row = 0;
  {
    const std::lock_guard lock(mutex_);
    by_token_.erase(sha256(push->token));
    row = std::exchange(push->row, 0);
  }
  if (row == 0) return;
  Result<std::vector<RefUpdate>> updates = applied(push->repository, push->approved);
  if (!updates) return put_off(row, push->repository, push->approved);
  PushEvent event = event_of(push->repository, push->caller);
  event.updates = std::move(*updates);
  log_report(push->repository, deliver(row, event));
}

Result<std::shared_ptr<Push>> Pushes::find(std::string_view token) const {
  const auto found = by_token_.find(sha256(token));
  if (found != by_token_.end()) return found->second;
  return make_error(errc::not_found, "this push is over, or was never begun");
}

std::vector<Refusal> Pushes::refusals(const Push& push, const std::vector<RefUpdate>& updates) const {
  std::vector<Refusal> out;
  const Result<Repository> repository = repositories_.find(push.repository);
  const Pusher pusher{push.caller.context.principal_arn, push.caller.job.has_value()};
  for (const RefUpdate& update : updates) {
    if (!repository) {
      out.push_back({update.ref, repository.error().message});
      continue;
    }
    if (!repository->mirror_of.empty()) {
      out.push_back(
          {update.ref, fmt::format("{} is a mirror; push to {} instead", push.repository, repository->mirror_of)});
      continue;
    }
    const Result<std::string> right = gate_.authorize(push.caller, push_action, push.repository, update.ref);
    if (!right) {
      gate_.record(push.caller, push_action, push.repository, right);
      out.push_back({update.ref, right.error().message});
    } else if (auto why = refusal(repository->rules, update, pusher)) {
      out.push_back({update.ref, std::move(*why)});
    } else if (branch_of(update.ref).empty() && tag_of(update.ref).empty()) {
      out.push_back({update.ref, "only branches and tags (refs/heads/, refs/tags/) are taken"});
    }
  }
  return out;
}

Result<std::vector<Refusal>> Pushes::judge(std::string_view token, const std::vector<RefUpdate>& updates) {
  std::shared_ptr<Push> push;
  {
    const std::lock_guard lock(mutex_);
    const Result<std::shared_ptr<Push>> found = find(token);
    if (!found) return found.error();
    if ((*found)->judged) return make_error(errc::not_found, "this push was judged already");
    (*found)->judged = true;
    push = *found;
  }
  std::vector<Refusal> out = refusals(*push, updates);
  if (!out.empty()) return out;
  PushEvent event = event_of(push->repository, push->caller);
  event.updates = updates;
  const std::lock_guard lock(mutex_);
  // git may have ended meanwhile, and its hook with it: then no ref changes, and nobody would tell of this row.
  if (const Result<std::shared_ptr<Push>> still = find(token); !still) return still.error();
  const Result<std::int64_t> row = remember(event, false);
  if (!row) return row.error();
  push->approved = updates;
  push->row = *row;
  return out;
}

Result<PushReport> Pushes::report(std::string_view token, const std::vector<RefUpdate>& updates) {
  PushEvent event;
  std::int64_t row = 0;
  {
    const std::lock_guard lock(mutex_);
    const Result<std::shared_ptr<Push>> found = find(token);
    if (!found) return found.error();
    Push& push = **found;
    row = std::exchange(push.row, 0);
    if (row == 0) return make_error(errc::not_found, "this push was told already, or never allowed");
    event = event_of(push.repository, push.caller);
    // What was approved counts, not what a hook says of it.
    for (const RefUpdate& approved : push.approved) {
      const auto same = [&](const RefUpdate& update) {
        return update.ref == approved.ref && update.after == approved.after;
      };
      if (std::any_of(updates.begin(), updates.end(), same)) event.updates.push_back(approved);
    }
  }
  return deliver(row, event);
}

Result<void> Pushes::fail(std::string_view token, std::vector<RefFailure> failures) {
  const std::lock_guard lock(mutex_);
  const Result<std::shared_ptr<Push>> found = find(token);
  if (!found) return found.error();
  (*found)->failures = std::move(failures);
  return ok();
}

std::vector<RefFailure> Pushes::failures_of(const Push& push) const {
  const std::lock_guard lock(mutex_);
  return push.failures;
}

}  // namespace kaapi::actions::git
