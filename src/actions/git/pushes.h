#pragma once
// Pushes in progress: what their hooks ask and tell. A push is judged before its refs change, and told of afterwards,
// also when the client, the hook or this process dies in between.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "actions/git/gate.h"
#include "actions/git/repositories.h"
#include "actions/protocol/push.h"
#include "base/error.h"
#include "base/ids.h"

namespace kaapi::actions::git {

inline constexpr std::size_t max_push_refs = 1'000;  // of one push

// Shared by who runs git and the hooks' calls; guarded by Pushes.
struct Push {
  Caller caller;
  std::string repository;
  std::string token;  // what its hooks show; worth nothing once the push is over. Never logged.
  bool judged = false;
  std::vector<RefUpdate> approved;
  std::int64_t row = 0;  // in table pushes, until it is told; 0: none
  std::string failure;   // of a run that the push waited for
};

struct Refusal {
  std::string ref, why;
};

// Thread-safe. Everything must outlive it; `listener` may be null.
class Pushes {
 public:
  Pushes(Repositories& repositories, const Gate& gate, PushListener* listener, IdSource& ids)
      : repositories_(repositories), gate_(gate), listener_(listener), ids_(ids) {}

  std::shared_ptr<Push> begin(Caller caller, std::string repository);
  // git has ended: the token is void, and what became of the refs without being told is told now.
  void end(const std::shared_ptr<Push>& push);

  // The hooks' calls. Errors: `NotFound` (no such push, or asked twice), `TooLarge` (max_push_refs), `Invalid` (no
  // ref). Why refs must stay as they are; empty: all may change, which is on disk when this returns.
  Result<std::vector<Refusal>> judge(std::string_view token, const std::vector<RefUpdate>& updates);
  // Tells the listener of those that did change.
  Result<PushReport> report(std::string_view token, const std::vector<RefUpdate>& updates);
  // A run that the push waited for ended badly; `why` is what the client is told.
  Result<void> fail(std::string_view token, std::string why);

  // What a push ended with, for who answers the client.
  std::string failure_of(const Push& push) const;

  // After a start: tells of pushes that were cut off by this process's end.
  void recover();
  // Tells the listener, after HEAD has followed the first branch. Also for changes that are no push: mirrors.
  PushReport tell(const PushEvent& event);

 private:
  Result<std::shared_ptr<Push>> find(std::string_view token) const;
  std::vector<Refusal> refusals(const Push& push, const std::vector<RefUpdate>& updates) const;
  // Of the approved changes those that the repository shows.
  std::vector<RefUpdate> applied(const std::string& repository, const std::vector<RefUpdate>& approved) const;
  Result<std::int64_t> remember(const Push& push, const std::vector<RefUpdate>& updates);
  void forget(std::int64_t row);

  Repositories& repositories_;
  const Gate& gate_;
  PushListener* listener_;
  IdSource& ids_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Push>, std::less<>> by_token_;  // by its SHA-256
};

// [{"ref","before","after","forced"}] and back. Errors: `Invalid`.
json::array updates_json(const std::vector<RefUpdate>& updates);
Result<std::vector<RefUpdate>> updates_from(const json::value& value);

}  // namespace kaapi::actions::git
