#include "identity/sts/sessions.h"

#include <fmt/format.h>

#include <mutex>
#include <optional>

#include "base/text.h"
#include "identity/iam/database.h"
#include "identity/sts/session_json.h"
#include "store/database.h"
#include "store/sealer.h"

namespace kaapi::identity {
namespace {

constexpr std::string_view row_kind = "session";
constexpr std::size_t secret_bytes = 30;  // 40 characters of base64
constexpr std::size_t token_bytes = 96;

std::string random_bytes(IdSource& ids, std::size_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    const std::uint64_t bits = ids.next();
    bytes.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  }
  bytes.resize(count);
  return bytes;
}

// The role or user whose share of the sessions it takes; "" is root.
const std::string& principal_of(const Session& session) {
  return session.role_id.empty() ? session.user_id : session.role_id;
}

Error too_many(std::size_t limit, std::string_view whose) {
  return make_error(
      "LimitExceeded",
      fmt::format("{} temporary credentials are in use {}; wait until some have expired, ask for a shorter "
                  "DurationSeconds, or use the same credentials until they end",
                  limit, whose),
      409);
}

}  // namespace

Sessions::Sessions(store::Database& database, const store::Sealer& sealer, const Clock& clock, IdSource& ids)
    : database_(database), sealer_(sealer), clock_(clock), ids_(ids) {}

Result<std::unique_ptr<Sessions>> Sessions::open(store::Database& database, const store::Sealer& sealer,
                                                 const Clock& clock, IdSource& ids) {
  std::unique_ptr<Sessions> sessions(new Sessions(database, sealer, clock, ids));
  if (const Result<void> loaded = sessions->load(); !loaded) return loaded.error();
  return sessions;
}

Result<void> Sessions::load() {
  return database_.read([this](store::Session& session) -> Result<void> {
    return for_each_row(session, row_kind, [this](std::string_view key, std::string_view document) -> Result<void> {
      Result<Session> read = read_stored_session(key, document, sealer_);
      if (!read) return read.error();
      ++of_principal_[principal_of(*read)];
      // Also what has expired: the next create() takes it away, in the database too.
      insert(std::make_shared<const Session>(std::move(*read)));
      return ok();
    });
  });
}

Result<std::shared_ptr<const Session>> Sessions::create(Session session) {
  session.access_key_id = "ASIA" + ids_.letters(16);
  session.secret_access_key = base64_encode(random_bytes(ids_, secret_bytes));
  session.token = base64_encode(random_bytes(ids_, token_bytes));
  session.issued_at = clock_.now();
  std::vector<std::string> forgotten;
  if (const Result<void> room = reserve(session, forgotten); !room) return room.error();
  const auto made = std::make_shared<const Session>(std::move(session));
  Result<void> saved = save(*made, forgotten);
  const std::unique_lock lock(mutex_);
  --being_made_;
  if (!saved) {
    release(principal_of(*made));
    return saved.error();
  }
  insert(made);
  return made;
}

Result<void> Sessions::reserve(const Session& session, std::vector<std::string>& forgotten) {
  const std::unique_lock lock(mutex_);
  forgotten = forget_before(session.issued_at - expired_session_kept);
  const auto full = [&] {
    const auto of_one = of_principal_.find(principal_of(session));
    return sessions_.size() + being_made_ >= max_sessions ||
           (of_one != of_principal_.end() && of_one->second >= max_sessions_of_one);
  };
  if (full()) {
    // Those that are remembered for a clear answer only.
    const std::vector<std::string> expired = forget_before(session.issued_at);
    forgotten.insert(forgotten.end(), expired.begin(), expired.end());
  }
  if (sessions_.size() + being_made_ >= max_sessions) return too_many(max_sessions, "in this account");
  std::size_t& of_one = of_principal_[principal_of(session)];
  if (of_one >= max_sessions_of_one) return too_many(max_sessions_of_one, "of this role or user");
  ++of_one;
  ++being_made_;
  return ok();
}

void Sessions::release(const std::string& principal) {
  const auto found = of_principal_.find(principal);
  if (found != of_principal_.end() && --found->second == 0) of_principal_.erase(found);
}

Result<void> Sessions::save(const Session& session, const std::vector<std::string>& forgotten) {
  const std::string document = stored_session(session, sealer_);
  return database_.write([&](store::Session& rows) -> Result<void> {
    for (const std::string& key : forgotten) erase_row(rows, row_kind, key);
    save_row(rows, row_kind, session.access_key_id, document);
    return ok();
  });
}

std::shared_ptr<const Session> Sessions::find(std::string_view access_key_id) const {
  const std::shared_lock lock(mutex_);
  const auto found = sessions_.find(access_key_id);
  return found == sessions_.end() ? nullptr : found->second;
}

Result<void> Sessions::revoke(std::string_view access_key_id) {
  if (find(access_key_id) == nullptr) return ok();
  return revoke_all({std::string(access_key_id)});
}

Result<void> Sessions::revoke_owner(std::string_view owner) {
  std::vector<std::string> keys;
  {
    const std::shared_lock lock(mutex_);
    const auto found = by_owner_.find(owner);
    if (found == by_owner_.end()) return ok();
    keys.assign(found->second.begin(), found->second.end());
  }
  return revoke_all(keys);
}

// First in memory: whatever becomes of the disk, nobody uses them from now on.
Result<void> Sessions::revoke_all(const std::vector<std::string>& access_key_ids) {
  {
    const std::unique_lock lock(mutex_);
    for (const std::string& key : access_key_ids) erase(key);
  }
  return database_.write([&](store::Session& rows) -> Result<void> {
    for (const std::string& key : access_key_ids) erase_row(rows, row_kind, key);
    return ok();
  });
}

std::set<std::string> Sessions::owners(SessionKind kind) const {
  const std::shared_lock lock(mutex_);
  std::set<std::string> owners;
  for (const auto& [key, session] : sessions_) {
    if (session->kind == kind && !session->owner.empty()) owners.insert(session->owner);
  }
  return owners;
}

std::size_t Sessions::size() const {
  const std::shared_lock lock(mutex_);
  return sessions_.size();
}

void Sessions::insert(std::shared_ptr<const Session> session) {
  by_expiry_.emplace(session->expires_at, session->access_key_id);
  if (!session->owner.empty()) by_owner_[session->owner].insert(session->access_key_id);
  std::string key = session->access_key_id;
  sessions_.insert_or_assign(std::move(key), std::move(session));
}

void Sessions::erase(const std::string& access_key_id) {
  const auto found = sessions_.find(access_key_id);
  if (found == sessions_.end()) return;
  const std::shared_ptr<const Session> session = found->second;
  sessions_.erase(found);
  by_expiry_.erase({session->expires_at, access_key_id});
  release(principal_of(*session));
  const auto owned = by_owner_.find(session->owner);
  if (owned == by_owner_.end()) return;
  owned->second.erase(access_key_id);
  if (owned->second.empty()) by_owner_.erase(owned);
}

std::vector<std::string> Sessions::forget_before(Time time) {
  std::vector<std::string> forgotten;
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= time) {
    forgotten.push_back(by_expiry_.begin()->second);
    erase(forgotten.back());
  }
  return forgotten;
}

}  // namespace kaapi::identity
