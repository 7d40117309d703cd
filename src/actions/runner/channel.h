#pragma once
// What a job tells the platform, and what the platform tells it: log, steps, end; cancellation. The job never waits for
// the network: the log goes to a file first, and a thread sends from there what the platform does not have yet.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "actions/protocol/runner_api.h"
#include "actions/runner/endpoint.h"
#include "actions/runner/patience.h"
#include "actions/runner/stop.h"
#include "base/file_descriptor.h"
#include "http/client.h"

namespace kaapi::actions::runner {

inline constexpr std::chrono::milliseconds report_interval{100};  // what happens within it is sent together
inline constexpr std::size_t report_now_bytes = 64UL * 1024;      // of log: is not waited for
inline constexpr std::chrono::milliseconds request_timeout{20'000};
inline constexpr std::int64_t max_job_log_bytes = 128LL * 1024 * 1024;

// Where the masked log of a job goes.
class LogSink {
 public:
  virtual ~LogSink() = default;
  // Whole lines. They are on the disk when it returns; beyond max_job_log_bytes they are dropped, which is told once.
  virtual void append(std::string_view lines) = 0;
  virtual std::int64_t size() const = 0;  // bytes so far
};

struct ChannelConfig {
  ServerAddress server;
  std::int64_t job_id = 0;
  std::string token;
  std::string spool_path;  // is made; only this user may read it
  std::chrono::milliseconds lost_after = runner_lost_after;
};

// Thread-safe. Raises `stop` when the platform cancels the job (cancel), when it has not answered for lost_after or
// does not know the job any more (kill).
class Channel final : public LogSink {
 public:
  // Errors: the spool file's.
  static Result<std::unique_ptr<Channel>> open(ChannelConfig config, StopSource& stop);
  ~Channel() override;  // what was not sent is lost: call finish() first
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void append(std::string_view lines) override;
  std::int64_t size() const override;
  // Sent with the next batch; a later update of the same step replaces one that was not sent yet.
  void step(StepUpdate update);
  // Sends everything that is left, then the completion; returns when the platform has it all. Error: `Unavailable`,
  // when the platform is lost; says why.
  Result<void> finish(const Completion& completion);

 private:
  Channel(ChannelConfig config, StopSource& stop, FileDescriptor spool);

  void work();
  // Sends what there is; false: the platform did not take it now.
  bool send_all(std::unique_lock<std::mutex>& lock);
  bool send_log(std::unique_lock<std::mutex>& lock);
  bool send_steps(std::unique_lock<std::mutex>& lock);
  bool send_completion(std::unique_lock<std::mutex>& lock);
  // One request without the lock; nullopt: no usable answer, or the job is over.
  std::optional<http::ClientResponse> post(std::unique_lock<std::mutex>& lock, std::string_view what, std::string body,
                                           std::string_view type);
  bool judge(const Result<http::ClientResponse>& answer);
  void lose(std::string reason);
  void listen(std::unique_lock<std::mutex>& lock);
  void heard(const Result<void>& end);
  bool anything_left() const;
  std::string path(std::string_view what) const;

  const ChannelConfig config_;
  StopSource& stop_;
  FileDescriptor spool_;
  http::Client client_;
  http::Client commands_client_;

  mutable std::mutex mutex_;
  std::condition_variable changed_, finished_;
  std::int64_t size_ = 0, sent_ = 0;
  bool full_ = false;
  std::map<std::int64_t, StepUpdate> steps_;  // not sent yet, by number
  std::optional<std::string> completion_;     // as JSON
  bool completed_ = false;
  bool ending_ = false;
  std::string lost_;  // why the platform is lost; empty: it is not
  std::chrono::steady_clock::time_point send_at_{};
  bool send_planned_ = false;
  Patience patience_;
  std::optional<std::chrono::steady_clock::time_point> retry_at_;
  // The held request for commands.
  std::unique_ptr<http::Client::Stream> commands_;
  enum class Listening { no, held, answered } listening_ = Listening::no;
  std::chrono::steady_clock::time_point listen_at_{};
  int command_status_ = 0;
  std::string command_body_;
  std::thread thread_;
};

}  // namespace kaapi::actions::runner
