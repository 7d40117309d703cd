#include "http/threads.h"

#include <csignal>
#include <memory>

#include "http/limits.h"

namespace kaapi::http {
namespace {

void* thread_main(void* argument) {
  const std::unique_ptr<std::function<void()>> body(static_cast<std::function<void()>*>(argument));
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  (*body)();
  return nullptr;
}

}  // namespace

bool Thread::start(std::function<void()> body) {
  auto argument = std::make_unique<std::function<void()>>(std::move(body));
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, thread_stack_bytes);
  running_ = pthread_create(&handle_, &attributes, thread_main, argument.get()) == 0;
  pthread_attr_destroy(&attributes);
  if (running_) static_cast<void>(argument.release());  // the thread owns it now
  return running_;
}

void Thread::join() {
  if (std::exchange(running_, false)) pthread_join(handle_, nullptr);
}

bool ElasticPool::submit(std::function<void()> job) {
  std::list<Thread> to_join;
  const std::lock_guard lock(mutex_);
  to_join.swap(ended_);  // joined after the lock is gone
  if (idle_ <= jobs_.size() && threads_.size() < limit_ && !add_thread() && threads_.empty()) return false;
  jobs_.push_back(std::move(job));
  changed_.notify_one();
  return true;
}

bool ElasticPool::add_thread() {
  const auto self = threads_.emplace(threads_.end());
  // The new thread waits for mutex_ before it touches the list.
  if (self->start([this, self] { run(self); })) return true;
  threads_.erase(self);
  return false;
}

void ElasticPool::run(std::list<Thread>::iterator self) {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    const bool woken = changed_.wait_for(lock, stream_thread_idle, [&] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (!woken || jobs_.empty()) break;
    {
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
    }
    lock.lock();
  }
  if (!stopping_) ended_.splice(ended_.end(), threads_, self);
}

void ElasticPool::stop() {
  std::list<Thread> to_join;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    to_join.splice(to_join.end(), threads_);
    to_join.splice(to_join.end(), ended_);
    changed_.notify_all();
  }
}

}  // namespace kaapi::http
