// Telling of pushes, at least once: what cannot be told, or dealt with, now stays in table `pushes`.

#include <fmt/format.h>

#include <algorithm>

#include "actions/git/git.h"
#include "actions/git/pushes.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::int64_t max_told_at_once = 1'000;  // rows

std::string refs_of(const std::vector<RefUpdate>& updates) {
  std::string out;
  for (const RefUpdate& update : updates) out += (out.empty() ? "" : ", ") + update.ref;
  return out;
}

std::string place_of(std::string_view repository, std::string_view ref) {
  return fmt::format("{} {}", repository, ref);
}

// What a row of table pushes has of its updates.
std::string row_text(const std::vector<RefUpdate>& updates) {
  return json::serialize(json::object{{"updates", updates_json(updates)}});
}

Result<std::vector<RefUpdate>> row_updates(std::string_view text) {
  const Result<json::value> value = parse_json(text);
  return value ? updates_from(*value) : Result<std::vector<RefUpdate>>(value.error());
}

}  // namespace

void log_report(std::string_view repository, const PushReport& report) {
  for (const std::string& line : report.lines) log::info("git", "{}: {}", repository, line);
}

void Pushes::remove_if_empty(const std::string& repository) {
  // Nobody begins to push meanwhile.
  const std::lock_guard lock(mutex_);
  const auto same = [&](const auto& entry) { return entry.second->repository == repository; };
  if (std::any_of(by_token_.begin(), by_token_.end(), same)) return;
  const auto refs = repositories_.refs(repository);
  if (!refs || !refs->empty()) return;
  const Result<void> gone = repositories_.remove(repository);
  if (!gone) log::warn("git", "the empty repository {} stays: {}", repository, gone.error().message);
}

Result<Repository> Pushes::set_default_branch(const std::string& repository, const std::string& branch) {
  Result<Repository> changed = repositories_.set_default_branch(repository, branch);
  if (changed) default_branch_changed(repository);
  return changed;
}

void Pushes::default_branch_changed(const std::string& repository) {
  if (listener_ != nullptr) listener_->default_branch_changed(repository);
}

PushReport Pushes::tell(const PushEvent& event) {
  repositories_.adopt_default_branch(event.repository, event.updates);
  for (const RefUpdate& update : event.updates) {
    log::info("git", "{} of {} is now {}, pushed by {}", update.ref, event.repository, update.after.substr(0, 12),
              event.actor);
  }
  return listener_ == nullptr ? PushReport() : listener_->pushed(event);
}

std::vector<RefUpdate> Pushes::take_waiting(std::int64_t row, PushEvent& event) const {
  std::vector<RefUpdate> behind;
  const Time long_ago = repositories_.now() - longest_push_retry;
  const std::lock_guard lock(mutex_);
  std::erase_if(event.updates, [&](const RefUpdate& update) {
    const std::string place = place_of(event.repository, update.ref);
    const bool waits = std::any_of(put_off_.begin(), put_off_.lower_bound(row), [&](const auto& earlier) {
      return earlier.second.since > long_ago && earlier.second.places.contains(place);
    });
    if (waits) behind.push_back(update);
    return waits;
  });
  return behind;
}

void Pushes::drop_overtaken(std::int64_t row, const PushEvent& event) {
  std::vector<std::pair<std::int64_t, std::string>> overtaken;
  {
    const std::lock_guard lock(mutex_);
    for (const RefUpdate& update : event.updates) {
      for (auto earlier = put_off_.begin(); earlier != put_off_.lower_bound(row); ++earlier) {
        if (earlier->second.places.erase(place_of(event.repository, update.ref)) > 0) {
          overtaken.emplace_back(earlier->first, update.ref);
        }
      }
    }
  }
  for (const auto& [earlier, ref] : overtaken) {
    log::warn("git", "{} of {}: what an earlier push of it should have started is given up, as a later one was faster",
              ref, event.repository);
    drop(earlier, ref);
  }
}

void Pushes::drop(std::int64_t row, const std::string& ref) {
  const auto without = [&](std::string_view text) {
    Result<std::vector<RefUpdate>> updates = row_updates(text);
    if (!updates) return std::string(text);
    std::erase_if(*updates, [&](const RefUpdate& update) { return update.ref == ref; });
    return row_text(*updates);
  };
  const Result<void> dropped = repositories_.database().write([&](store::Session& session) -> Result<void> {
    store::Statement kept = session.query("SELECT updates FROM pushes WHERE id = ?", row);
    if (kept.step()) session.run("UPDATE pushes SET updates = ? WHERE id = ?", without(kept.text(0)), row);
    return ok();
  });
  if (!dropped) log::error("git", "{} may be started by an old push: {}", ref, dropped.error().message);
  const std::lock_guard lock(mutex_);
  if (const auto newer = unkept_.find(row); newer != unkept_.end())
    newer->second.updates = without(newer->second.updates);
}

PushReport Pushes::deliver(std::int64_t row, PushEvent event) {
  std::vector<RefUpdate> behind = take_waiting(row, event);
  PushReport report;
  if (!event.updates.empty()) report = tell(event);
  if (report.again.empty()) drop_overtaken(row, event);
  for (RefUpdate& update : behind) {
    report.lines.push_back(
        fmt::format("{}: what an earlier push of it starts comes first; it is tried again by itself", update.ref));
    report.again.push_back(std::move(update));
  }
  if (report.again.empty()) {
    {
      const std::lock_guard lock(mutex_);
      put_off_.erase(row);
    }
    // A row that cannot go is not told of again by this process.
    if (!forget(row)) return report;
    const std::lock_guard lock(mutex_);
    busy_.erase(row);
    unkept_.erase(row);
  } else {
    for (RefUpdate& update : report.again) {
      // What else was pushed with it, which tells what is new, will not be known any more.
      if (update.before == no_commit) update.all_paths = true;
    }
    keep(row, report.again);
    put_off(row, event.repository, report.again);
  }
  return report;
}

void Pushes::put_off(std::int64_t row, const std::string& repository, const std::vector<RefUpdate>& updates) {
  const Time now = repositories_.now();
  const std::lock_guard lock(mutex_);
  busy_.erase(row);
  PutOff& entry = put_off_.try_emplace(row, PutOff{now, {}}).first->second;
  entry.places.clear();
  for (const RefUpdate& update : updates) entry.places.insert(place_of(repository, update.ref));
  again_ = true;
  wake_.notify_all();
}

Result<PushReport> Pushes::publish(const PushEvent& event) {
  Result<std::int64_t> row = 0;
  {
    const std::lock_guard lock(mutex_);
    row = remember(event, true);
  }
  if (!row) return row.error();
  return deliver(*row, event);
}

Result<PushReport> Pushes::replay(PushEvent event, std::string_view ref) {
  const Result<Source::Resolved> at = repositories_.resolve(event.repository, ref);
  if (!at) return at.error();
  if (at->ref.empty()) {
    return make_error(errc::invalid, fmt::format("{} is a commit: name a branch or a tag", ref));
  }
  // What was there before is not known any more: what the commit itself changed is as near as can be.
  const Result<Finished> parent =
      run(git_command(repositories_.directory(event.repository), {"rev-parse", "--verify", "--quiet", at->sha + "^1"}));
  if (!parent) return parent.error();
  RefUpdate update{at->ref, std::string(no_commit), at->sha};
  if (parent->exit_code == 0) update.before = trim(parent->output);
  update.all_paths = true;
  event.updates = {std::move(update)};
  return publish(event);
}

Result<std::vector<RefUpdate>> Pushes::applied(const std::string& repository,
                                               const std::vector<RefUpdate>& approved) const {
  const auto refs = repositories_.refs(repository);
  if (!refs && refs.error().code == errc::not_found) return std::vector<RefUpdate>();
  if (!refs) {
    log::error("git", "the refs of {} cannot be read, so what was pushed is told later: {}", repository,
               refs.error().message);
    return refs.error();
  }
  std::vector<RefUpdate> out;
  for (const RefUpdate& update : approved) {
    const auto now = refs->find(update.ref);
    if ((now == refs->end() ? no_commit : std::string_view(now->second)) == update.after) out.push_back(update);
  }
  return out;
}

Result<std::int64_t> Pushes::remember(const PushEvent& event, bool told) {
  const std::string text = row_text(event.updates);
  const std::int64_t now = to_millis(repositories_.now());
  auto row = repositories_.database().write([&](store::Session& session) -> Result<std::int64_t> {
    session.run(
        "INSERT INTO pushes (repository, actor, actor_arn, by_job, actor_id, updates, told_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, nullif(?, 0))",
        event.repository, event.actor, event.actor_arn, event.by_job ? 1 : 0, event.actor_id, text, told ? now : 0);
    return session.last_insert_id();
  });
  if (row) busy_.insert(*row);
  return row;
}

void Pushes::keep(std::int64_t row, const std::vector<RefUpdate>& updates) {
  const std::string text = row_text(updates);
  const Time now = repositories_.now();
  const Result<void> kept = repositories_.database().write([&](store::Session& session) -> Result<void> {
    session.run("UPDATE pushes SET updates = ?, told_ms = coalesce(told_ms, ?) WHERE id = ?", text, to_millis(now),
                row);
    return ok();
  });
  const std::lock_guard lock(mutex_);
  if (kept) {
    unkept_.erase(row);
    return;
  }
  log::error("git", "what was started by a push may start again after a restart: {}", kept.error().message);
  const Time first = unkept_.contains(row) ? unkept_[row].told_at : now;
  unkept_[row] = {text, first};
}

bool Pushes::forget(std::int64_t row) {
  const Result<void> gone = repositories_.database().write([&](store::Session& session) -> Result<void> {
    session.run("DELETE FROM pushes WHERE id = ?", row);
    return ok();
  });
  if (!gone) log::error("git", "a push may be told of twice: {}", gone.error().message);
  return gone.has_value();
}

Result<std::vector<Pushes::Left>> Pushes::left() {
  const std::lock_guard lock(mutex_);
  auto rows = repositories_.database().read([](store::Session& session) -> Result<std::vector<Left>> {
    std::vector<Left> out;
    store::Statement row = session.query(
        "SELECT id, repository, actor, actor_arn, by_job, actor_id, updates, told_ms FROM pushes ORDER BY id LIMIT ?",
        max_told_at_once);
    while (row.step()) {
      PushEvent event{std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3)), {},
                      row.number(4) != 0,       std::string(row.text(5))};
      out.push_back({row.number(0), std::move(event), std::string(row.text(6)), std::nullopt});
      if (!row.is_null(7)) out.back().told_at = from_millis(row.number(7));
    }
    return out;
  });
  if (!rows) return rows;
  // Those of deleted repositories are gone.
  if (static_cast<std::int64_t>(rows->size()) < max_told_at_once) {
    std::erase_if(put_off_, [&](const auto& entry) {
      return std::none_of(rows->begin(), rows->end(), [&](const Left& one) { return one.row == entry.first; });
    });
  }
  std::erase_if(*rows, [&](const Left& one) { return busy_.contains(one.row); });
  for (Left& one : *rows) {
    const auto newer = unkept_.find(one.row);
    if (newer == unkept_.end()) continue;
    one.updates = newer->second.updates;
    if (!one.told_at) one.told_at = newer->second.told_at;
  }
  return rows;
}

bool Pushes::tell_again(Left one) {
  Result<std::vector<RefUpdate>> updates = row_updates(one.updates);
  // Nobody was told of it yet, so perhaps no ref was changed.
  if (updates && !one.told_at) updates = applied(one.event.repository, *updates);
  if (!updates && updates.error().code != errc::invalid) return false;
  if (updates) one.event.updates = std::move(*updates);
  if (one.told_at && repositories_.now() - *one.told_at > push_retry_limit) {
    log::error("git", "{} of {}: what could not be started in {} h is given up; kaapi repo replay {} REF starts it",
               refs_of(one.event.updates), one.event.repository, push_retry_limit.count(), one.event.repository);
    forget(one.row);
    const std::lock_guard lock(mutex_);
    put_off_.erase(one.row);
    return true;
  }
  const PushReport report = deliver(one.row, one.event);
  log_report(one.event.repository, report);
  return report.again.empty();
}

std::size_t Pushes::recover() {
  const std::lock_guard one_at_a_time(recovering_);
  Result<std::vector<Left>> rows = left();
  if (!rows) {
    log::error("git", "pushes that were cut off are not known: {}", rows.error().message);
    return 1;
  }
  // A full page may not be all.
  std::size_t still = static_cast<std::int64_t>(rows->size()) >= max_told_at_once ? 1 : 0;
  for (Left& one : *rows) {
    if (stops()) return 1;
    if (!tell_again(std::move(one))) ++still;
  }
  return still;
}

bool Pushes::stops() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Pushes::start() {
  again_ = recover() > 0;
  thread_ = std::thread([this] { loop(); });
}

void Pushes::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Pushes::loop() {
  std::unique_lock lock(mutex_);
  std::chrono::milliseconds pause = first_retry_;
  while (!stopping_) {
    wake_.wait(lock, [&] { return stopping_ || again_; });
    if (wake_.wait_for(lock, pause, [&] { return stopping_; })) return;
    again_ = false;
    lock.unlock();
    const bool left_over = recover() > 0;
    lock.lock();
    again_ = again_ || left_over;
    pause = left_over ? std::min<std::chrono::milliseconds>(2 * pause, longest_push_retry) : first_retry_;
  }
}

}  // namespace kaapi::actions::git
