#pragma once
// Takes what containers write into the log store, while they run: exactly once, whatever dies in between.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "containers/engine.h"
#include "logs/line_joiner.h"
#include "logs/store.h"

namespace kaapi::logs {

// A commit takes what came within this time of the first line, or this much of it if that is sooner.
inline constexpr std::chrono::milliseconds flush_delay{4};
inline constexpr std::size_t flush_bytes = 64 * 1024;
// What may wait for the disk. A container beyond its share is held back: its callback blocks until there is room.
inline constexpr std::size_t max_queued_bytes_per_container = 1024 * 1024;
inline constexpr std::size_t max_queued_bytes = 16 * 1024 * 1024;

struct LogTarget {
  std::string region;
  std::string group;
  std::string stream;
  bool create_group = false;
};

struct AttachRequest {
  std::string container_id;
  std::string region;
  std::string group;
  std::string stream;
  bool create_group = false;
  // Names the output in the stored cursors; the same for the same container in every run of the program. Empty: the
  // container's id.
  std::string source_key;
};

// Thread-safe. Two threads of its own: one follows containers (and again, with back-off, when the engine was lost), one
// commits. Lines reach it on the engine's threads, which only queue them. When the disk is slower than the containers
// the queue fills up, and the engine's thread waits in the callback of a container that exceeds its share. DockerEngine
// has one such thread, so then all output waits (nothing is lost, the engine keeps it); the share is small enough to be
// on disk within a few tens of milliseconds.
class Collector {
 public:
  // All three outlive the collector.
  Collector(containers::Engine& engine, LogStore& store, const Clock& clock);
  // Stops following, commits what is queued, and returns; a later run takes up every container where this one stopped.
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Called on a thread of the collector, once per attach(), and to be followed by a detach() some time, when the
  // container has ended (or is gone) and everything that it wrote is on disk. May call attach(), detach() and forget().
  // Set before the first attach().
  void on_drained(std::function<void(const std::string& container_id)> callback) { drained_ = std::move(callback); }

  // Makes sure that there is somewhere to write. Errors: `ResourceNotFoundException` when the group does not exist and
  // is not to be created, and the store's.
  Result<void> prepare(const LogTarget& target);

  // Starts following, from the stored cursor on. Harmless when it is attached already.
  void attach(AttachRequest request);
  // Stops following at once, without waiting for the engine; lines that are already queued are still stored. No
  // on_drained() for it any more, except one in progress.
  void detach(const std::string& container_id);
  // The container was removed: nobody will attach to it again, and its cursors may go. `source_key` as in attach().
  // Otherwise they go 30 days after it ended.
  Result<void> forget(const std::string& source_key);

 private:
  struct Source;
  using SourcePtr = std::shared_ptr<Source>;
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Item {
    SourcePtr source;
    containers::OutputLine line;
    std::optional<Result<void>> end;  // set: the subscription is over, and there is no line
    std::size_t bytes = 0;
  };

  // On the engine's threads.
  void take_line(const SourcePtr& source, containers::OutputLine line);
  void take_end(const SourcePtr& source, Result<void> outcome);

  // The following thread.
  void run_following();
  void follow(const SourcePtr& source);
  void end_following(const SourcePtr& source);

  // The committing thread.
  void run_committing();
  std::deque<Item> next_items();
  void commit(std::deque<Item> items);
  void release(const std::deque<Item>& items);
  // The sources whose lines had nowhere to go; none: the collector is being stopped.
  std::optional<std::vector<std::string>> store_until_stopped(const std::vector<OutputBatch>& batches);

  containers::Engine& engine_;
  LogStore& store_;
  const Clock& clock_;
  std::function<void(const std::string&)> drained_;

  std::mutex mutex_;
  std::map<std::string, SourcePtr> sources_;  // by container
  // To be followed at a time, or ended and committed.
  std::multimap<SteadyTime, SourcePtr> to_follow_;
  std::deque<SourcePtr> ended_;
  std::vector<std::unique_ptr<containers::Subscription>> discarded_;  // to be destroyed by the following thread
  std::condition_variable following_changed_;
  // Waiting for the disk.
  std::deque<Item> queue_;
  std::size_t queued_bytes_ = 0;                    // with what is being committed
  std::map<std::string, std::size_t> uncommitted_;  // items by source key
  SteadyTime oldest_;                               // of the queue
  bool flush_now_ = false;
  std::condition_variable queue_changed_;
  std::condition_variable room_;
  bool stopping_following_ = false;
  bool stopping_committing_ = false;

  std::thread following_;
  std::thread committing_;
};

}  // namespace kaapi::logs
