#pragma once
// Pushes in progress: what their hooks ask and tell. A push is judged before its refs change, and told of afterwards,
// also when the client, the hook or this process dies in between.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "actions/git/gate.h"
#include "actions/git/packet_tail.h"
#include "actions/git/repositories.h"
#include "actions/protocol/push.h"
#include "base/error.h"
#include "base/ids.h"

namespace kaapi::actions::git {

inline constexpr std::size_t max_push_refs = 1'000;  // of one push
// What cannot be started now is tried again, after pauses that double, and given up at last. For the time of the
// longest pause later pushes of the same ref wait for it; after that they take its place.
inline constexpr std::chrono::seconds first_push_retry{10}, longest_push_retry{600};
inline constexpr std::chrono::hours push_retry_limit{24};

// Shared by who runs git and the hooks' calls; guarded by Pushes.
struct Push {
  Caller caller;
  std::string repository;
  std::string token;  // what its hooks show; worth nothing once the push is over. Never logged.
  bool judged = false;
  std::vector<RefUpdate> approved;
  std::int64_t row = 0;              // in table pushes, until it is told; 0: none
  std::vector<RefFailure> failures;  // of runs that the push waited for
};

struct Refusal {
  std::string ref, why;
};

// `TooLarge`, with what to do.
Error too_many_refs();
// For when no terminal listens.
void log_report(std::string_view repository, const PushReport& report);

// Thread-safe, but for start() and stop(): once, from one thread. Everything must outlive it; `listener` may be null.
class Pushes {
 public:
  Pushes(Repositories& repositories, const Gate& gate, PushListener* listener, IdSource& ids,
         std::chrono::milliseconds first_retry = first_push_retry)
      : repositories_(repositories), gate_(gate), listener_(listener), ids_(ids), first_retry_(first_retry) {}
  ~Pushes() { stop(); }
  Pushes(const Pushes&) = delete;
  Pushes& operator=(const Pushes&) = delete;

  // recover(), and a thread that calls it again while anything is left.
  void start();
  void stop();

  std::shared_ptr<Push> begin(Caller caller, std::string repository);
  // git has ended: the token is void, and what became of the refs without being told is told now.
  void end(const std::shared_ptr<Push>& push);

  // The hooks' calls. Errors: `NotFound` (no such push, or asked twice), `TooLarge` (max_push_refs), `Invalid` (no
  // ref). Why refs must stay as they are; empty: all may change, which is on disk when this returns.
  Result<std::vector<Refusal>> judge(std::string_view token, const std::vector<RefUpdate>& updates);
  // Tells the listener of those that did change.
  Result<PushReport> report(std::string_view token, const std::vector<RefUpdate>& updates);
  // Runs that the push waited for ended badly: what the client is told of their refs.
  Result<void> fail(std::string_view token, std::vector<RefFailure> failures);

  // Removes a repository that a push has made, when it has stayed empty and nobody else pushes to it now.
  void remove_if_empty(const std::string& repository);
  // And tells the listener. Errors: those of Repositories::set_default_branch().
  Result<Repository> set_default_branch(const std::string& repository, const std::string& branch);
  // The listener shall look at the schedules of the default branch.
  void default_branch_changed(const std::string& repository);

  // What a push ended with, for who answers the client.
  std::vector<RefFailure> failures_of(const Push& push) const;

  // Tells of pushes that were cut off, and of what the listener could not deal with. How many of them are left.
  std::size_t recover();
  // Of changes that are no push, such as a mirror's. Error: nothing was told, as nothing can be written.
  Result<PushReport> publish(const PushEvent& event);
  // Tells of a branch or tag as if it was pushed just now: `event` without its updates. Filters of paths are not looked
  // at. Errors: `NotFound`, `Invalid` (a commit), those of publish().
  Result<PushReport> replay(PushEvent event, std::string_view ref);

 private:
  Result<std::shared_ptr<Push>> find(std::string_view token) const;
  std::vector<Refusal> refusals(const Push& push, const std::vector<RefUpdate>& updates) const;
  // Of the approved changes those that the repository shows.
  Result<std::vector<RefUpdate>> applied(const std::string& repository, const std::vector<RefUpdate>& approved) const;

  // A row of table pushes that nobody is busy with.
  struct Left {
    std::int64_t row;
    PushEvent event;  // without its updates
    std::string updates;
    std::optional<Time> told_at;  // first
  };
  // Tells the listener, after HEAD has followed the first branch.
  PushReport tell(const PushEvent& event);
  // The same, and forgets the row, or keeps what is to be told again. What an earlier row has of the same ref comes
  // first: otherwise an old commit would be deployed over a new one.
  PushReport deliver(std::int64_t row, PushEvent event);
  // Later pushes waited for it long enough, and one has been told of: what earlier rows have of its refs is dropped.
  void drop_overtaken(std::int64_t row, const PushEvent& event);
  void drop(std::int64_t row, const std::string& ref);
  // Takes those updates out of the event that must wait for earlier rows.
  std::vector<RefUpdate> take_waiting(std::int64_t row, PushEvent& event) const;
  Result<std::int64_t> remember(const PushEvent& event, bool told);  // with mutex_ held
  void keep(std::int64_t row, const std::vector<RefUpdate>& updates);
  void put_off(std::int64_t row, const std::string& repository, const std::vector<RefUpdate>& updates);
  bool forget(std::int64_t row);  // false: the row is still there
  bool stops();
  Result<std::vector<Left>> left();
  bool tell_again(Left one);  // false: it is left
  void loop();

  Repositories& repositories_;
  const Gate& gate_;
  PushListener* listener_;
  IdSource& ids_;
  const std::chrono::milliseconds first_retry_;
  std::mutex recovering_;  // locked before mutex_
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Push>, std::less<>> by_token_;  // by its SHA-256
  std::set<std::int64_t> busy_;                                         // rows of pushes that go on
  // What could not be written to the rows: it counts, not they.
  struct Unkept {
    std::string updates;
    Time told_at;
  };
  std::map<std::int64_t, Unkept> unkept_;
  // Rows that were put off: since when, and what later ones of the same ref wait for, as "OWNER/NAME REF".
  struct PutOff {
    Time since;
    std::set<std::string> places;
  };
  std::map<std::int64_t, PutOff> put_off_;
  bool again_ = false, stopping_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

// [{"ref","before","after","forced"}] and back. Errors: `Invalid`.
json::array updates_json(const std::vector<RefUpdate>& updates);
Result<std::vector<RefUpdate>> updates_from(const json::value& value);

}  // namespace kaapi::actions::git
