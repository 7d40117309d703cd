#pragma once
// Containers that write what a test tells them to. Only follow_output() works; for the collector's tests.

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "containers/engine.h"

namespace kaapi::logs {

class OutputEngine final : public containers::Engine {
 public:
  using OutputLine = containers::OutputLine;

  // A container exists from add() or its first line on.
  void add(const std::string& container) {
    change([&] { outputs_.try_emplace(container); });
  }
  void write(const std::string& container, OutputLine line) {
    change([&] { outputs_[container].lines.push_back(std::move(line)); });
  }
  void end(const std::string& container) {
    change([&] { outputs_[container].ended = true; });
  }
  // Whoever follows now is told that the engine was lost.
  void lose() {
    change([&] { ++losses_; });
  }
  void remove_output(const std::string& container) {
    change([&] { outputs_.erase(container); });
  }
  // The `since_nanos` of every follow_output() so far.
  std::vector<std::int64_t> follows() {
    const std::lock_guard lock(mutex_);
    return follows_;
  }

  // Lines whose callback has returned.
  int delivered() {
    const std::lock_guard lock(mutex_);
    return delivered_;
  }
  void wait_delivered(int lines) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return delivered_ >= lines; });
  }

  std::unique_ptr<containers::Subscription> follow_output(const std::string& container, std::int64_t since_nanos,
                                                          std::function<void(OutputLine)> on_line,
                                                          std::function<void(Result<void>)> on_end) override {
    {
      const std::lock_guard lock(mutex_);
      follows_.push_back(since_nanos);
    }
    return std::make_unique<Follower>(*this, container, since_nanos, std::move(on_line), std::move(on_end));
  }
  Result<containers::EngineInfo> info() override { return unused(); }
  Result<void> ping() override { return unused(); }
  Result<containers::Image> pull(const std::string&, const std::optional<containers::RegistryLogin>&) override {
    return unused();
  }
  Result<containers::Image> inspect_image(const std::string&) override { return unused(); }
  Result<containers::Image> import_image(const std::string&, std::string, const std::vector<std::string>&) override {
    return unused();
  }
  Result<std::string> create(const containers::ContainerSpec&) override { return unused(); }
  Result<void> start(const std::string&) override { return unused(); }
  Result<void> signal(const std::string&, std::string_view) override { return unused(); }
  Result<void> remove(const std::string&) override { return unused(); }
  Result<containers::Container> inspect(const std::string&) override { return unused(); }
  Result<std::vector<containers::Container>> list(const std::map<std::string, std::string>&) override {
    return unused();
  }
  Result<containers::ExecResult> exec(const std::string&, const std::vector<std::string>&,
                                      std::chrono::milliseconds) override {
    return unused();
  }
  Result<void> ensure_network(const containers::NetworkSpec&) override { return unused(); }
  Result<void> connect(const std::string&, const std::string&) override { return unused(); }
  Result<void> remove_network(const std::string&) override { return unused(); }
  std::unique_ptr<containers::Subscription> watch(const std::map<std::string, std::string>&,
                                                  std::function<void(const containers::Event&)>) override {
    return nullptr;
  }

 private:
  struct Output {
    std::vector<OutputLine> lines;
    bool ended = false;
  };

  // Delivers on a thread of its own.
  class Follower final : public containers::Subscription {
   public:
    Follower(OutputEngine& engine, std::string container, std::int64_t since_nanos,
             std::function<void(OutputLine)> on_line, std::function<void(Result<void>)> on_end)
        : engine_(engine), container_(std::move(container)), losses_(engine.losses()) {
      thread_ = std::thread([this, since_nanos, on_line = std::move(on_line), on_end = std::move(on_end)] {
        run(since_nanos, on_line, on_end);
      });
    }
    ~Follower() override {
      engine_.change([this] { stopping_ = true; });
      thread_.join();
    }

   private:
    void run(std::int64_t since_nanos, const std::function<void(OutputLine)>& on_line,
             const std::function<void(Result<void>)>& on_end) {
      std::size_t next = 0;
      std::unique_lock lock(engine_.mutex_);
      while (!stopping_) {
        const auto found = engine_.outputs_.find(container_);
        if (found == engine_.outputs_.end() || engine_.losses_ != losses_) {
          const bool gone = found == engine_.outputs_.end();
          lock.unlock();
          return on_end(gone ? make_error(errc::not_found, "no such container")
                             : make_error(errc::unavailable, "engine lost"));
        }
        if (next < found->second.lines.size()) {
          OutputLine line = found->second.lines[next++];
          if (line.at_nanos < since_nanos) continue;
          lock.unlock();
          on_line(std::move(line));
          lock.lock();
          ++engine_.delivered_;
          engine_.changed_.notify_all();
        } else if (found->second.ended) {
          lock.unlock();
          return on_end(ok());
        } else {
          engine_.changed_.wait(lock);
        }
      }
    }

    OutputEngine& engine_;
    std::string container_;
    int losses_;
    bool stopping_ = false;
    std::thread thread_;
  };

  template <class F>
  void change(F f) {
    const std::lock_guard lock(mutex_);
    f();
    changed_.notify_all();
  }
  int losses() {
    const std::lock_guard lock(mutex_);
    return losses_;
  }
  static Error unused() { return make_error(errc::internal, "not part of this test"); }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Output> outputs_;
  std::vector<std::int64_t> follows_;
  int losses_ = 0;
  int delivered_ = 0;
};

}  // namespace kaapi::logs
