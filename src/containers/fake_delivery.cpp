#include "containers/fake_delivery.h"

namespace kaapi::containers {

FakeDelivery::FakeDelivery(bool with_thread) {
  if (with_thread) {
    thread_ = std::thread([this] { run(); });
  }
}

FakeDelivery::~FakeDelivery() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void FakeDelivery::push(std::shared_ptr<FakeSubscriber> to, bool is_event, std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    items_.push_back(Item{std::move(to), is_event, std::move(callback)});
  }
  changed_.notify_one();
}

void FakeDelivery::drop_events() {
  const std::lock_guard lock(mutex_);
  std::erase_if(items_, [](const Item& item) { return item.is_event; });
}

std::size_t FakeDelivery::deliver(std::size_t limit) {
  std::size_t made = 0;
  while (made < limit) {
    Item item;
    {
      const std::lock_guard lock(mutex_);
      if (items_.empty()) {
        break;
      }
      item = std::move(items_.front());
      items_.pop_front();
    }
    made += item.to->call(item.callback) ? 1 : 0;
  }
  return made;
}

std::size_t FakeDelivery::size() const {
  const std::lock_guard lock(mutex_);
  return items_.size();
}

void FakeDelivery::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !items_.empty(); });
    if (stopping_) {
      return;
    }
    lock.unlock();
    deliver(1);
    lock.lock();
  }
}

}  // namespace kaapi::containers
