#include "actions/git/pushes.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/git/git.h"
#include "actions/protocol/fields.h"
#include "base/log.h"
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
  if (const Result<void> done = fields.done(); !done) return done.error();
  if (!is_ref(update.ref) || !is_commit(update.before) || !is_commit(update.after)) {
    return make_error(errc::invalid, "a ref and two commits");
  }
  return update;
}

}  // namespace

json::array updates_json(const std::vector<RefUpdate>& updates) {
  json::array list;
  for (const RefUpdate& update : updates) {
    list.push_back(json::object{{"ref", update.ref},
                                {"before", update.before},
                                {"after", update.after},
                                {"forced", update.forced},
                                {"changes_workflows", update.changes_workflows}});
  }
  return list;
}

Result<std::vector<RefUpdate>> updates_from(const json::value& value) {
  std::vector<RefUpdate> updates;
  Fields fields(value, "push");
  fields.read_list("updates", updates, update_from);
  if (const Result<void> done = fields.done(); !done) return done.error();
  if (updates.size() > max_push_refs) {
    return make_error(errc::too_large,
                      fmt::format("a push changes at most {} refs, not {}", max_push_refs, updates.size()));
  }
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
  const std::vector<RefUpdate> updates = applied(push->repository, push->approved);
  if (!updates.empty()) {
    tell({push->repository, push->caller.actor, push->caller.context.principal_arn, updates,
          push->caller.job.has_value()});
  }
  forget(row);
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
  const Result<std::int64_t> row = remember(*push, updates);
  if (!row) return row.error();
  const std::lock_guard lock(mutex_);
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
    event = {push.repository, push.caller.actor, push.caller.context.principal_arn, {}, push.caller.job.has_value()};
    // What was approved counts, not what a hook says of it.
    for (const RefUpdate& approved : push.approved) {
      const auto same = [&](const RefUpdate& update) {
        return update.ref == approved.ref && update.after == approved.after;
      };
      if (std::any_of(updates.begin(), updates.end(), same)) event.updates.push_back(approved);
    }
  }
  PushReport report;
  if (!event.updates.empty()) report = tell(event);
  forget(row);
  return report;
}

Result<void> Pushes::fail(std::string_view token, std::string why) {
  const std::lock_guard lock(mutex_);
  const Result<std::shared_ptr<Push>> found = find(token);
  if (!found) return found.error();
  (*found)->failure = std::move(why);
  return ok();
}

std::string Pushes::failure_of(const Push& push) const {
  const std::lock_guard lock(mutex_);
  return push.failure;
}

PushReport Pushes::tell(const PushEvent& event) {
  repositories_.adopt_default_branch(event.repository, event.updates);
  for (const RefUpdate& update : event.updates) {
    log::info("git", "{} of {} is now {}, pushed by {}", update.ref, event.repository, update.after.substr(0, 12),
              event.actor);
  }
  return listener_ == nullptr ? PushReport() : listener_->pushed(event);
}

std::vector<RefUpdate> Pushes::applied(const std::string& repository, const std::vector<RefUpdate>& approved) const {
  const auto refs = repositories_.refs(repository);
  if (!refs) {
    log::error("git", "the refs of {} cannot be read: {}", repository, refs.error().message);
    return {};
  }
  std::vector<RefUpdate> out;
  for (const RefUpdate& update : approved) {
    const auto now = refs->find(update.ref);
    if ((now == refs->end() ? no_commit : std::string_view(now->second)) == update.after) out.push_back(update);
  }
  return out;
}

Result<std::int64_t> Pushes::remember(const Push& push, const std::vector<RefUpdate>& updates) {
  const std::string text = json::serialize(json::object{{"updates", updates_json(updates)}});
  return repositories_.database().write([&](store::Session& session) -> Result<std::int64_t> {
    session.run("INSERT INTO pushes (repository, actor, actor_arn, by_job, updates) VALUES (?, ?, ?, ?, ?)",
                push.repository, push.caller.actor, push.caller.context.principal_arn, push.caller.job ? 1 : 0, text);
    return session.last_insert_id();
  });
}

void Pushes::forget(std::int64_t row) {
  const Result<void> gone = repositories_.database().write([&](store::Session& session) -> Result<void> {
    session.run("DELETE FROM pushes WHERE id = ?", row);
    return ok();
  });
  if (!gone) log::error("git", "a push may be told of twice: {}", gone.error().message);
}

void Pushes::recover() {
  struct Left {
    std::int64_t row;
    PushEvent event;
    std::string updates;
  };
  const auto left = repositories_.database().read([](store::Session& session) -> Result<std::vector<Left>> {
    std::vector<Left> out;
    store::Statement rows =
        session.query("SELECT id, repository, actor, actor_arn, by_job, updates FROM pushes ORDER BY id");
    while (rows.step()) {
      out.push_back(
          {rows.number(0),
           {std::string(rows.text(1)), std::string(rows.text(2)), std::string(rows.text(3)), {}, rows.number(4) != 0},
           std::string(rows.text(5))});
    }
    return out;
  });
  if (!left) return log::error("git", "pushes that were cut off are not known: {}", left.error().message);
  for (Left one : *left) {
    const Result<json::value> value = parse_json(one.updates);
    const auto updates = value ? updates_from(*value) : Result<std::vector<RefUpdate>>(value.error());
    if (updates) one.event.updates = applied(one.event.repository, *updates);
    if (!one.event.updates.empty()) tell(one.event);
    forget(one.row);
  }
}

}  // namespace kaapi::actions::git
