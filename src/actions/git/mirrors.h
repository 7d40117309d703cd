#pragma once
// Mirroring: repositories whose branches and tags are fetched from elsewhere, by a schedule or when the other side says
// so (GitHub's push webhook). What has changed is told as a push by "mirror"; the first fetch is not, or every tag that
// there ever was would be deployed.
// Source of the webhook's rules: "Validating webhook deliveries" in GitHub's documentation.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "actions/git/process.h"
#include "actions/git/pushes.h"
#include "actions/git/repositories.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "http/message.h"
#include "store/sealer.h"

namespace kaapi::actions::git {

inline constexpr std::string_view webhook_path = "/git-webhook/";
inline constexpr std::size_t max_webhook_body_bytes = 25UL * 1024 * 1024;  // GitHub's own limit of a payload
inline constexpr std::size_t max_mirrors = 1'000;
inline constexpr std::chrono::seconds min_mirror_interval{30};
inline constexpr std::chrono::seconds max_mirror_interval{30 * 24 * 3600};
inline constexpr std::chrono::minutes fetch_timeout{30};
inline constexpr std::size_t mirror_threads = 4;  // so that one slow remote does not hold up the others
// How long a request waits for the outcome of a fetch, and how many do: they hold up other requests.
inline constexpr std::chrono::seconds max_outcome_wait{3};
inline constexpr int max_outcome_waits = 2;
// After a fetch that failed: doubled with each failure.
inline constexpr std::chrono::seconds first_mirror_retry{10}, longest_mirror_retry{3600};

struct MirrorSpec {
  std::string repository;         // "OWNER/NAME"
  std::string url;                // http:// or https://, without user and password
  std::chrono::seconds every{0};  // 0: by webhook only
  bool webhook = false;
  std::string username, password;  // for the other side; empty: none. Never logged
};

struct Mirror {
  std::string url;
  std::chrono::seconds every{0};
  bool webhook = false;
  std::optional<Time> fetched_at;     // when that went well last
  std::optional<Time> tried_at;       // last, with or without success; nullopt: not since it was set
  std::string error;                  // of that; empty: it went well
  std::vector<std::string> report{};  // what the last change started, and what not and why
};

// Why the URL cannot be mirrored. Error: `Invalid`.
Result<void> check_mirror(const MirrorSpec& spec);

// What "REF SHA" in two listings tells: branches and tags that differ. Pure. Forced ones are not marked.
std::vector<RefUpdate> changed_refs(const std::map<std::string, std::string>& before,
                                    const std::map<std::string, std::string>& after);

// Whether the header "sha256=HEX" is the HMAC of the body under the secret; takes the same time whatever differs.
bool is_signed(std::string_view header, std::string_view secret, std::string_view body);

// A few threads fetch, each one repository at a time, and sleep until the next is due. Thread-safe; start() and stop()
// once, from one thread. Everything must outlive it. `sealer` keeps the passwords and secrets.
class Mirrors {
 public:
  Mirrors(Repositories& repositories, Pushes& pushes, const store::Sealer& sealer, const Clock& clock, IdSource& ids)
      : repositories_(repositories), pushes_(pushes), sealer_(sealer), clock_(clock), ids_(ids) {}
  ~Mirrors() { stop(); }

  void start();
  // Ends a fetch in progress.
  void stop();

  // Makes the repository when there is none, and fetches soon, in place of a fetch in progress. One that has branches
  // or tags and is no mirror is refused, as mirroring would replace them, unless it was a mirror of this URL and is as
  // that left it. The webhook's secret when one was asked for, which is shown once; a mirror that is set again gets a
  // new one. Errors: `Invalid`, `Conflict`, `TooLarge` (max_mirrors), those of Repositories::create().
  Result<std::string> set(const MirrorSpec& spec);
  // Ends a fetch in progress. Error: `NotFound`.
  Result<void> remove(const std::string& repository);
  std::optional<Mirror> find(std::string_view repository) const;
  // Until it has been tried since it was set, or for max_outcome_wait; not at all when max_outcome_waits do, or nobody
  // fetches.
  void wait_for_outcome(const std::string& repository);

  // Fetches now and tells of what has changed. Error: `NotFound`, `Unavailable` (in git's words).
  Result<std::vector<RefUpdate>> fetch(const std::string& repository);

  // POST /git-webhook/OWNER/NAME, for Server::route("/git-webhook/", max_webhook_body_bytes, …): 202 when a fetch will
  // follow, 401 for a wrong signature and for what is no mirror.
  http::Response webhook(const http::Request& request);

 private:
  class Turn;
  struct Row {
    std::string url, username, password, secret;
    std::chrono::seconds every{0};
    bool synced = false;
    std::map<std::string, std::string> told;  // commits by ref, as the runs know them; empty: as they are
    std::string head;                         // the default branch there, when it was looked at last
  };
  Result<Row> row(std::string_view repository) const;
  struct Former {
    std::string url;                          // of what it was a mirror last; empty: of nothing
    std::map<std::string, std::string> refs;  // that it was left with
  };
  Result<Former> former(const std::string& repository) const;
  // Error: `Conflict`, with what to do.
  Result<void> check_replaceable(const MirrorSpec& spec) const;
  void run();
  // The next that is due; waits for it. nullopt: the end.
  std::optional<std::string> next();
  void plan_all();
  Result<Finished> ask(const Turn& turn, const Row& row, std::vector<std::string> arguments) const;
  Result<void> fetch_into(const Turn& turn, const Row& row) const;
  Result<std::vector<RefUpdate>> fetch_in(const Turn& turn);
  // The default branch there is the one here, too, until somebody sets another one here.
  void follow_head(const Turn& turn, const Row& row);
  void note(const std::string& repository, const std::string& error);
  // Error: nobody was told.
  Result<void> tell(const std::string& repository, const std::vector<RefUpdate>& updates, bool first);
  void note_report(const std::string& repository, const std::vector<std::string>& lines);
  void note_told(const std::string& repository, const std::map<std::string, std::string>& refs);
  // When the next fetch is due after one that ended so; nullopt: not by itself.
  std::optional<std::chrono::seconds> pause_after(const std::string& repository, bool good);

  Repositories& repositories_;
  Pushes& pushes_;
  const store::Sealer& sealer_;
  const Clock& clock_;
  IdSource& ids_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool started_ = false;
  bool stopping_ = false;
  int waiting_ = 0;  // for an outcome
  std::map<std::string, std::chrono::steady_clock::time_point> due_;
  std::map<std::string, int> failures_;  // in a row
  std::map<std::string, Turn*> turns_;   // by repository
  std::vector<std::thread> threads_;
};

}  // namespace kaapi::actions::git
