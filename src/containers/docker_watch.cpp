// Container events, across restarts of the engine.

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <thread>

#include "base/log.h"
#include "containers/docker_api.h"
#include "containers/docker_events.h"
#include "containers/docker_json.h"

namespace kaapi::containers {
namespace {

// Docker repeats at most its last 256 events, so that many are enough to recognise the ones already delivered.
constexpr std::size_t remembered_events = 256;
// Events are stamped before they are queued: asked again from a little earlier, none slips between.
constexpr std::int64_t overlap_nanos = 1'000'000'000;
constexpr std::string_view who = "containers";

std::int64_t now_nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class Watcher final : public Subscription {
 public:
  Watcher(std::shared_ptr<DockerApi> api, const std::map<std::string, std::string>& labels,
          std::function<void(const Event&)> on_event)
      : api_(std::move(api)),
        filters_(encode_filters(labels, {{"type", {"container"}}, {"event", {"start", "die", "oom", "destroy"}}})),
        on_event_(std::move(on_event)),
        thread_([this] { run(); }) {}

  ~Watcher() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

 private:
  void run() {
    auto delay = api_->config().first_retry;
    for (bool first = true;; first = false) {
      const bool connected = listen(first);
      std::unique_lock lock(mutex_);
      delay = connected ? api_->config().first_retry : delay;
      if (changed_.wait_for(lock, delay, [this] { return stopping_; })) {
        return;
      }
      delay = std::min(delay * 2, api_->config().longest_retry);
    }
  }

  // One connection, from request to end. True when the engine had accepted it.
  bool listen(bool first) {
    const std::int64_t since = last_nanos_ == 0 ? start_nanos_ : std::max(start_nanos_, last_nanos_ - overlap_nanos);
    http::ClientRequest request;
    request.target = api_->versioned(
        fmt::format("/events?since={}.{:09}&filters={}", since / 1'000'000'000, since % 1'000'000'000, filters_));
    accepted_ = false;
    ended_ = false;
    splitter_ = LineSplitter();
    http::Client::StreamCallbacks callbacks;
    callbacks.on_head = [this, first](int status, const http::Headers&) { accept(status, first); };
    callbacks.on_bytes = [this](std::string_view bytes) { take(bytes); };
    callbacks.on_end = [this](Result<void> result) { end(std::move(result)); };
    const std::unique_ptr<http::Client::Stream> stream = api_->client().stream(request, std::move(callbacks));
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || ended_; });
    return accepted_;
  }

  void accept(int status, bool first) {
    {
      const std::lock_guard lock(mutex_);
      accepted_ = status == 200;
    }
    if (status == 200 && !first) {
      log::info(who, "the Docker Engine's event stream is back");
      warned_ = false;
      Event event;
      event.kind = EventKind::reconnected;
      event.at = from_millis(now_nanos() / 1'000'000);
      on_event_(event);
    }
  }

  void take(std::string_view bytes) {
    const Result<void> split = splitter_.feed(bytes, [this](std::string_view line) {
      const auto object = parse_json(line);
      auto event = object ? parse_event(*object) : std::nullopt;
      if (event && is_new(*event)) {
        on_event_(event->event);
      }
    });
    if (!split) {
      end(split.error());
    }
  }

  bool is_new(const DockerEvent& event) {
    std::string key = fmt::format("{} {} {}", event.at_nanos, event.action, event.event.container);
    if (std::find(seen_.begin(), seen_.end(), key) != seen_.end()) {
      return false;
    }
    seen_.push_back(std::move(key));
    if (seen_.size() > remembered_events) {
      seen_.pop_front();
    }
    last_nanos_ = std::max(last_nanos_, event.at_nanos);
    return true;
  }

  void end(Result<void> result) {
    api_->forget_version();  // what answers next may be a newer engine
    if (!std::exchange(warned_, true)) {
      log::warn(who, "the Docker Engine's event stream is interrupted ({}); connecting again",
                result ? std::string("ended by the engine") : result.error().message);
    }
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
  }

  const std::shared_ptr<DockerApi> api_;
  const std::string filters_;
  const std::function<void(const Event&)> on_event_;
  const std::int64_t start_nanos_ = now_nanos();

  // Of the stream: touched on the io thread while one is open, on thread_ in between.
  LineSplitter splitter_;
  std::deque<std::string> seen_;
  std::int64_t last_nanos_ = 0;
  bool warned_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool accepted_ = false;
  bool ended_ = false;

  std::thread thread_;  // last: it uses the others
};

}  // namespace

std::unique_ptr<Subscription> watch_docker(std::shared_ptr<DockerApi> api,
                                           const std::map<std::string, std::string>& labels,
                                           std::function<void(const Event&)> on_event) {
  return std::make_unique<Watcher>(std::move(api), labels, std::move(on_event));
}

}  // namespace kaapi::containers
