#include "logs/collector.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "logs/errors.h"

namespace kaapi::logs {
namespace {

using containers::OutputLine;
using containers::OutputStream;
using std::chrono::milliseconds;

constexpr milliseconds first_backoff{100};
constexpr milliseconds last_backoff{5000};
constexpr std::size_t item_overhead_bytes = 128;

}  // namespace

struct Collector::Source {
  explicit Source(AttachRequest wanted) : request(std::move(wanted)) {
    if (request.source_key.empty()) request.source_key = request.container_id;
  }

  AttachRequest request;

  // Guarded by the collector's mutex.
  bool closed = false;  // takes no lines any more
  bool heard = false;   // a line came since the last attempt to follow
  std::size_t queued_bytes = 0;
  std::unique_ptr<containers::Subscription> subscription;

  // The following thread's, while nothing is followed; the committing thread's, from the first line to the end.
  LineJoiner out;
  LineJoiner err;
  Result<void> outcome = ok();

  // The following thread's alone.
  milliseconds backoff = first_backoff;

  // The committing thread's alone.
  bool drop_reported = false;

  // Adds to the events where they go and what they cover.
  OutputBatch complete(OutputBatch batch) {
    batch.group = {request.region, request.group};
    batch.stream = request.stream;
    batch.create_group = request.create_group;
    batch.source = request.source_key;
    for (const OutputStream stream : {OutputStream::out, OutputStream::err}) {
      const OutputCursor& cursor = joiner(stream).cursor();
      if (cursor != OutputCursor()) batch.cursors.emplace(stream, cursor);
    }
    return batch;
  }

  LineJoiner& joiner(OutputStream stream) { return stream == OutputStream::out ? out : err; }
  // Gone containers have ended, too.
  static bool is_final(const Result<void>& outcome) { return outcome || outcome.error().code == errc::not_found; }
};

Collector::Collector(containers::Engine& engine, LogStore& store, const Clock& clock)
    : engine_(engine), store_(store), clock_(clock) {
  following_ = std::thread([this] { run_following(); });
  committing_ = std::thread([this] { run_committing(); });
}

Collector::~Collector() {
  std::vector<std::unique_ptr<containers::Subscription>> subscriptions;
  {
    const std::lock_guard lock(mutex_);
    stopping_following_ = true;
    for (auto& [container, source] : sources_) source->closed = true;
  }
  following_changed_.notify_all();
  room_.notify_all();
  following_.join();
  {
    const std::lock_guard lock(mutex_);
    subscriptions = std::exchange(discarded_, {});
    for (auto& [container, source] : sources_) subscriptions.push_back(std::move(source->subscription));
  }
  subscriptions.clear();  // outside the lock: waits for callbacks, and they take it
  {
    const std::lock_guard lock(mutex_);
    stopping_committing_ = true;
  }
  queue_changed_.notify_all();
  committing_.join();
}

Result<void> Collector::prepare(const LogTarget& target) {
  const GroupName group{target.region, target.group};
  const auto tolerate_existing = [](const Result<void>& made) -> Result<void> {
    if (!made && made.error().code == group_exists().code) return ok();
    return made;
  };
  if (target.create_group) {
    const Result<void> made = tolerate_existing(store_.create_group(group, "STANDARD", {}, clock_.now()));
    if (!made) return made;
  }
  return tolerate_existing(store_.create_stream(group, target.stream, clock_.now()));
}

void Collector::attach(AttachRequest request) {
  const std::lock_guard lock(mutex_);
  const std::string container = request.container_id;
  if (stopping_following_ || sources_.contains(container)) return;
  const auto source = std::make_shared<Source>(std::move(request));
  sources_.emplace(container, source);
  to_follow_.emplace(std::chrono::steady_clock::now(), source);
  following_changed_.notify_all();
}

void Collector::detach(const std::string& container_id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = sources_.find(container_id);
    if (found == sources_.end()) return;
    found->second->closed = true;
    // Destroying it waits for a callback, which may be that of another container waiting for the disk: not on the
    // caller's time.
    if (found->second->subscription) discarded_.push_back(std::move(found->second->subscription));
    sources_.erase(found);
    following_changed_.notify_all();
  }
  room_.notify_all();
}

Result<void> Collector::forget(const std::string& source_key) {
  return store_.forget_output(source_key);
}

void Collector::take_line(const SourcePtr& source, OutputLine line) {
  const std::size_t bytes = line.text.size() + item_overhead_bytes;
  std::unique_lock lock(mutex_);
  // An empty share takes a line of any size, so that one line cannot wait for ever.
  room_.wait(lock, [&] {
    const bool fits = source->queued_bytes == 0 || source->queued_bytes + bytes <= max_queued_bytes_per_container;
    return source->closed || (fits && (queued_bytes_ == 0 || queued_bytes_ + bytes <= max_queued_bytes));
  });
  // Once a line was left out, all later ones must be: the cursor may not pass it.
  if (source->closed) return;
  source->heard = true;
  source->queued_bytes += bytes;
  queued_bytes_ += bytes;
  const bool was_empty = queue_.empty();
  if (was_empty) oldest_ = std::chrono::steady_clock::now();
  queue_.push_back({source, std::move(line), std::nullopt, bytes});
  ++uncommitted_[source->request.source_key];
  if (was_empty || queued_bytes_ >= flush_bytes) queue_changed_.notify_one();
}

void Collector::take_end(const SourcePtr& source, Result<void> outcome) {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) oldest_ = std::chrono::steady_clock::now();
  queue_.push_back({source, {}, std::move(outcome), 0});
  ++uncommitted_[source->request.source_key];
  flush_now_ = true;
  queue_changed_.notify_one();
}

void Collector::run_following() {
  std::unique_lock lock(mutex_);
  while (!stopping_following_) {
    if (!discarded_.empty()) {
      auto discarded = std::exchange(discarded_, {});
      lock.unlock();
      discarded.clear();
      lock.lock();
    } else if (!ended_.empty()) {
      const SourcePtr source = std::move(ended_.front());
      ended_.pop_front();
      lock.unlock();
      end_following(source);
      lock.lock();
    } else if (to_follow_.empty()) {
      following_changed_.wait(lock);
    } else if (const SteadyTime due = to_follow_.begin()->first; due > std::chrono::steady_clock::now()) {
      following_changed_.wait_until(lock, due);
    } else {
      const SourcePtr source = to_follow_.begin()->second;
      to_follow_.erase(to_follow_.begin());
      if (source->closed) continue;
      if (uncommitted_.contains(source->request.source_key)) {
        // Lines from before a detach() are on their way: the stored cursor is not the last word yet.
        to_follow_.emplace(std::chrono::steady_clock::now() + flush_delay, source);
        continue;
      }
      lock.unlock();
      follow(source);
      lock.lock();
    }
  }
}

void Collector::follow(const SourcePtr& source) {
  const Result<OutputCursors> cursors = store_.output_cursors(source->request.source_key);
  if (!cursors) {
    log::warn("logs", "cannot read how far the output of {} is stored, trying again: {}", source->request.container_id,
              cursors.error().message);
    const std::lock_guard lock(mutex_);
    to_follow_.emplace(std::chrono::steady_clock::now() + last_backoff, source);
    return;
  }
  for (const OutputStream stream : {OutputStream::out, OutputStream::err}) {
    const auto cursor = cursors->find(stream);
    source->joiner(stream) = LineJoiner(cursor == cursors->end() ? OutputCursor() : cursor->second);
  }
  std::unique_ptr<containers::Subscription> subscription = engine_.follow_output(
      source->request.container_id, follow_from_nanos(*cursors),
      [this, source](OutputLine line) { take_line(source, std::move(line)); },
      [this, source](Result<void> outcome) { take_end(source, std::move(outcome)); });
  const std::lock_guard lock(mutex_);
  // Left to the local variable when it was detached meanwhile. Declared before the lock, so it is destroyed outside of
  // it.
  if (!source->closed) source->subscription = std::move(subscription);
}

// Everything that the subscription delivered is committed.
void Collector::end_following(const SourcePtr& source) {
  std::unique_ptr<containers::Subscription> subscription;
  const bool drained = Source::is_final(source->outcome);
  {
    const std::lock_guard lock(mutex_);
    if (source->closed) return;
    subscription = std::move(source->subscription);
    if (!drained) {
      if (std::exchange(source->heard, false)) source->backoff = first_backoff;
      to_follow_.emplace(std::chrono::steady_clock::now() + source->backoff, source);
      source->backoff = std::min(source->backoff * 2, last_backoff);
    }
  }
  subscription.reset();
  if (!drained && source->backoff <= 2 * first_backoff) {
    log::warn("logs", "lost the output of container {}, following it again: {}", source->request.container_id,
              source->outcome.error().message);
  }
  if (drained && drained_) {
    drained_(source->request.container_id);
  }
}

void Collector::run_committing() {
  while (true) {
    std::deque<Item> items = next_items();
    if (items.empty()) return;
    commit(std::move(items));
  }
}

// Waits for something to commit, and then a little for more of it. Empty: stop.
std::deque<Collector::Item> Collector::next_items() {
  std::unique_lock lock(mutex_);
  queue_changed_.wait(lock, [&] { return !queue_.empty() || stopping_committing_; });
  if (!queue_.empty()) {
    queue_changed_.wait_until(lock, oldest_ + flush_delay,
                              [&] { return flush_now_ || stopping_committing_ || queued_bytes_ >= flush_bytes; });
  }
  flush_now_ = false;
  return std::exchange(queue_, {});
}

void Collector::commit(std::deque<Item> items) {
  std::map<SourcePtr, OutputBatch> batches;
  std::vector<SourcePtr> ended;
  for (Item& item : items) {
    Source& source = *item.source;
    OutputBatch& batch = batches[item.source];
    if (item.end) {
      source.outcome = std::move(*item.end);
      batch.drained = Source::is_final(source.outcome);
      if (batch.drained) {
        source.out.finish(batch.events);
        source.err.finish(batch.events);
      }
      ended.push_back(item.source);
    } else {
      const OutputStream stream = item.line.stream;
      source.joiner(stream).add(std::move(item.line), batch.events);
    }
  }
  std::vector<OutputBatch> ready;
  for (auto& [source, batch] : batches) ready.push_back(source->complete(std::move(batch)));
  const std::optional<std::vector<std::string>> dropped = store_until_stopped(ready);
  for (auto& [source, batch] : batches) {
    const std::string& key = source->request.source_key;
    if (!dropped || std::find(dropped->begin(), dropped->end(), key) == dropped->end()) continue;
    if (std::exchange(source->drop_reported, true)) continue;
    log::warn("logs", "output of {} is dropped: its log group {} was deleted; create it again to go on", key,
              source->request.group);
  }
  release(items);
  if (dropped && !ended.empty()) {
    const std::lock_guard lock(mutex_);
    ended_.insert(ended_.end(), ended.begin(), ended.end());
    following_changed_.notify_all();
  }
}

// Makes room in the queue for as much as was committed.
void Collector::release(const std::deque<Item>& items) {
  {
    const std::lock_guard lock(mutex_);
    for (const Item& item : items) {
      item.source->queued_bytes -= item.bytes;
      queued_bytes_ -= item.bytes;
      const auto uncommitted = uncommitted_.find(item.source->request.source_key);
      if (--uncommitted->second == 0) uncommitted_.erase(uncommitted);
    }
  }
  room_.notify_all();
}

// A disk that refuses is asked again until it takes the lines: they are in nobody else's hands.
std::optional<std::vector<std::string>> Collector::store_until_stopped(const std::vector<OutputBatch>& batches) {
  milliseconds backoff = first_backoff;
  while (true) {
    Result<std::vector<std::string>> stored = store_.store_output(batches, clock_.now());
    if (stored) return std::move(*stored);
    log::error("logs", "cannot store container output, trying again in {} ms: {}", backoff.count(),
               stored.error().message);
    std::unique_lock lock(mutex_);
    if (queue_changed_.wait_for(lock, backoff, [&] { return stopping_committing_; })) return std::nullopt;
    backoff = std::min(backoff * 2, last_backoff);
  }
}

}  // namespace kaapi::logs
