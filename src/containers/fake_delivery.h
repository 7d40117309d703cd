#pragma once
// The queue between FakeEngine and its subscribers. Private to FakeEngine.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "containers/engine.h"

namespace kaapi::containers {

// One subscriber: calls come one at a time, and none starts after stop(). Thread-safe; a call may stop its own
// subscriber.
class FakeSubscriber {
 public:
  // False when it was stopped before.
  bool call(const std::function<void()>& callback) {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return false;
    }
    callback();
    return true;
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  // Without waiting for a call in progress.
  bool stopped() const { return stopped_; }

 private:
  std::recursive_mutex mutex_;
  std::atomic<bool> stopped_{false};
};

class FakeSubscription final : public Subscription {
 public:
  explicit FakeSubscription(std::shared_ptr<FakeSubscriber> subscriber) : subscriber_(std::move(subscriber)) {}
  ~FakeSubscription() override { subscriber_->stop(); }
  FakeSubscription(const FakeSubscription&) = delete;
  FakeSubscription& operator=(const FakeSubscription&) = delete;

 private:
  std::shared_ptr<FakeSubscriber> subscriber_;
};

// Calls in the order they were pushed, on a thread of its own or by deliver(). Thread-safe.
class FakeDelivery {
 public:
  explicit FakeDelivery(bool with_thread);
  ~FakeDelivery();
  FakeDelivery(const FakeDelivery&) = delete;
  FakeDelivery& operator=(const FakeDelivery&) = delete;

  void push(std::shared_ptr<FakeSubscriber> to, bool is_event, std::function<void()> callback);
  void drop_events();
  std::size_t deliver(std::size_t limit);
  std::size_t size() const;

 private:
  struct Item {
    std::shared_ptr<FakeSubscriber> to;
    bool is_event;
    std::function<void()> callback;
  };
  void run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace kaapi::containers
