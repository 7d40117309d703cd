// A container's output, from its first line to its last, without a thread of its own.

#include <fmt/format.h>

#include "base/text.h"
#include "containers/docker_api.h"
#include "containers/docker_json.h"
#include "containers/docker_output.h"

namespace kaapi::containers {
namespace {

constexpr std::size_t max_inspect_bytes = 4 * 1024 * 1024;
constexpr std::size_t max_refusal_bytes = 4 * 1024;
// A followed answer that ends while its container runs is asked for again; this often without a line in between is a
// broken engine.
constexpr int max_idle_rounds = 100;

// Inspects, then reads: following while the container runs, and once more without following after it has ended, because
// a followed answer may end before the last lines. Everything but the constructor's caller and stop() is on the io
// thread.
class Follower : public std::enable_shared_from_this<Follower> {
 public:
  Follower(std::shared_ptr<DockerApi> api, std::string container, std::int64_t since_nanos,
           std::function<void(OutputLine)> on_line, std::function<void(Result<void>)> on_end)
      : api_(std::move(api)),
        path_("/containers/" + percent_encode(container)),
        prefix_(api_->versioned("")),
        container_(std::move(container)),
        since_nanos_(since_nanos),
        on_line_(std::move(on_line)),
        on_end_(std::move(on_end)) {}

  void inspect() {
    body_.clear();
    run(path_ + "/json", &Follower::take_inspect, &Follower::inspected);
  }

  void stop() {
    std::unique_ptr<http::Client::Stream> stream;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      stream = std::move(stream_);
    }
    stream.reset();  // waits for a callback in progress
  }

 private:
  // Replaces the stream. The last thing a callback does: from then on stop() waits for the new one only.
  void run(const std::string& target, void (Follower::*take)(std::string_view), void (Follower::*ended)()) {
    http::ClientRequest request;
    request.target = prefix_ + target;
    http::Client::StreamCallbacks callbacks;
    callbacks.on_head = [self = shared_from_this()](int status, const http::Headers&) { self->status_ = status; };
    callbacks.on_bytes = [self = shared_from_this(), take](std::string_view bytes) { ((*self).*take)(bytes); };
    callbacks.on_end = [self = shared_from_this(), ended](Result<void> result) {
      if (!result) {
        self->finish(self->api_->explain(result.error(), "send output", {}));
        return;
      }
      ((*self).*ended)();
    };
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      stream_ = api_->client().stream(request, std::move(callbacks));
    }
  }

  void take_inspect(std::string_view bytes) {
    if (body_.size() < max_inspect_bytes) {
      body_ += bytes;
    }
  }

  void inspected() {
    const bool first = rounds_++ == 0;
    if (status_ == 404 && !first) {
      finish(ok());  // removed: there is nothing left to read
      return;
    }
    if (status_ != 200) {
      finish(engine_error(status_, body_));
      return;
    }
    const auto parsed = parse_json(body_);
    if (!parsed) {
      finish(internal_error("the Docker Engine's answer to inspect container " + container_ + " is no JSON"));
      return;
    }
    const Container state = parse_container(*parsed);
    if (state.status == ContainerStatus::created) {
      finish(make_error(errc::conflict, "container " + container_ + " has no output yet: it was never started", 409));
      return;
    }
    following_ = state.status == ContainerStatus::running || state.status == ContainerStatus::paused;
    idle_rounds_ = got_line_ ? 0 : idle_rounds_ + 1;
    got_line_ = false;
    if (idle_rounds_ > max_idle_rounds) {
      finish(make_error(errc::unavailable,
                        "the Docker Engine ends the output of container " + container_ + " though it runs"));
      return;
    }
    const json::value* config = find_member(*parsed, "Config");
    read(config != nullptr && bool_member(*config, "Tty"));
  }

  void read(bool tty) {
    parser_.emplace(tty);
    failure_.reset();
    body_.clear();
    // Asked again from the last line's time on: the lines of that time that were delivered come first.
    repeated_ = last_nanos_ == 0 ? 0 : delivered_at_last_;
    const std::int64_t since = std::max(since_nanos_, last_nanos_);
    std::string target = path_ + fmt::format("/logs?follow={:d}&stdout=1&stderr=1&timestamps=1", following_);
    if (since > 0) {
      target += fmt::format("&since={}.{:09}", since / 1'000'000'000, since % 1'000'000'000);
    }
    run(target, &Follower::take_output, &Follower::output_ended);
  }

  void take_output(std::string_view bytes) {
    if (status_ != 200) {
      body_.append(bytes.substr(0, max_refusal_bytes - std::min(max_refusal_bytes, body_.size())));
    } else if (!failure_) {
      keep(parser_->feed(bytes, [this](OutputLine line) { deliver(std::move(line)); }));
    }
  }

  void output_ended() {
    if (status_ == 404 || status_ == 409) {
      finish(ok());  // removed since it was inspected, or about to be
      return;
    }
    if (status_ != 200) {
      finish(engine_error(status_, body_));
      return;
    }
    if (!failure_) {
      keep(parser_->finish([this](OutputLine line) { deliver(std::move(line)); }));
    }
    if (failure_) {
      finish(*failure_);
    } else if (following_) {
      inspect();
    } else {
      finish(ok());
    }
  }

  void keep(const Result<void>& result) {
    if (!result) {
      failure_ = result.error();
    }
  }

  void deliver(OutputLine line) {
    if (line.at_nanos < since_nanos_) {
      return;
    }
    if (repeated_ > 0 && line.at_nanos == last_nanos_) {
      --repeated_;
      return;
    }
    if (line.at_nanos > last_nanos_) {
      last_nanos_ = line.at_nanos;
      delivered_at_last_ = 0;
    }
    if (line.at_nanos == last_nanos_) {
      ++delivered_at_last_;
    }
    got_line_ = true;
    on_line_(std::move(line));
  }

  void finish(Result<void> result) { on_end_(std::move(result)); }

  const std::shared_ptr<DockerApi> api_;
  const std::string path_;
  const std::string prefix_;
  const std::string container_;
  const std::int64_t since_nanos_;
  const std::function<void(OutputLine)> on_line_;
  const std::function<void(Result<void>)> on_end_;

  int status_ = 0;
  std::string body_;
  int rounds_ = 0;
  int idle_rounds_ = 0;
  bool following_ = false;
  bool got_line_ = false;
  std::optional<OutputParser> parser_;
  std::optional<Error> failure_;
  std::int64_t last_nanos_ = 0;         // the newest time delivered
  std::int64_t delivered_at_last_ = 0;  // lines of that time
  std::int64_t repeated_ = 0;           // of these, how many the running answer brings again

  std::mutex mutex_;
  bool stopped_ = false;
  std::unique_ptr<http::Client::Stream> stream_;
};

class FollowHandle final : public Subscription {
 public:
  explicit FollowHandle(std::shared_ptr<Follower> follower) : follower_(std::move(follower)) {}
  ~FollowHandle() override { follower_->stop(); }
  FollowHandle(const FollowHandle&) = delete;
  FollowHandle& operator=(const FollowHandle&) = delete;

 private:
  std::shared_ptr<Follower> follower_;
};

}  // namespace

std::unique_ptr<Subscription> follow_docker(std::shared_ptr<DockerApi> api, const std::string& container,
                                            std::int64_t since_nanos, std::function<void(OutputLine)> on_line,
                                            std::function<void(Result<void>)> on_end) {
  auto follower =
      std::make_shared<Follower>(std::move(api), container, since_nanos, std::move(on_line), std::move(on_end));
  auto handle = std::make_unique<FollowHandle>(follower);
  follower->inspect();
  return handle;
}

}  // namespace kaapi::containers
