#include "actions/runner/job_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "actions/runner/action_line.h"
#include "actions/runner/channel.h"
#include "actions/runner/job_runner.h"
#include "actions/runner/process.h"
#include "base/log.h"

namespace kaapi::actions::runner {
namespace {

Result<std::string> read_all(int descriptor, std::size_t limit) {
  std::string text;
  std::string buffer(64UL * 1024, '\0');
  while (true) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return make_error(errc::unavailable, "the job cannot be read from standard input");
    if (got == 0) return text;
    text.append(buffer, 0, static_cast<std::size_t>(got));
    if (text.size() > limit) return make_error(errc::too_large, fmt::format("the job has more than {} bytes", limit));
  }
}

// Sent by the kernel when the runner dies: nobody looks after the job any more.
constexpr int runner_died = SIGHUP;

// Turns SIGTERM and SIGINT into a cancellation, and a second one, or the runner's death, into the end.
class SignalWatch {
 public:
  explicit SignalWatch(StopSource& stop) {
    ::sigemptyset(&signals_);
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, runner_died}) ::sigaddset(&signals_, number);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    thread_ = std::thread([this, &stop] {
      for (int number = 0; ::sigwait(&signals_, &number) == 0 && number != SIGUSR1;) {
        const bool again = stop.level() != StopLevel::none;
        if (number == runner_died) orphaned_ = true;
        const bool at_once = again || orphaned_;
        stop.raise(at_once ? StopLevel::kill : StopLevel::cancel,
                   orphaned_ ? "the runner died" : "the runner was stopped");
      }
    });
  }
  ~SignalWatch() {
    ::pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }
  // The runner has died.
  bool orphaned() const { return orphaned_; }

  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  sigset_t signals_{};
  std::atomic<bool> orphaned_ = false;
  std::thread thread_;
};

class ChannelReports final : public JobReports {
 public:
  explicit ChannelReports(Channel& channel) : channel_(channel) {}
  LogSink& log() override { return channel_; }
  void step(StepUpdate update) override { channel_.step(std::move(update)); }

 private:
  Channel& channel_;
};

struct Input {
  JobMessage message;
  JobPlace place;
};

Result<Input> read_input() {
  const Result<std::string> text = read_all(STDIN_FILENO, max_job_message_bytes + 1024UL * 1024);
  if (!text) return text.error();
  const Result<json::value> value = parse_json(*text);
  if (!value) return value.error();
  const json::value* message = find_member(*value, "message");
  const json::value* place = find_member(*value, "place");
  if (message == nullptr || place == nullptr) {
    return make_error(errc::invalid, "kaapi run-job is started by `kaapi runner`, with the job on standard input");
  }
  Result<JobMessage> job = job_message_from(*message);
  if (!job) return job.error();
  Result<JobPlace> where = job_place_from(*place);
  if (!where) return where.error();
  return Input{std::move(*job), std::move(*where)};
}

int broken(const Error& error) {
  log::error("runner", "the job cannot begin: {}", error.message);
  return job_broken;
}

}  // namespace

int run_job_process(BuiltInFinder find_builtin) {
  // Steps run as the same user: they shall not look into this process, which knows the runner's own token.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // No step may hold the line to the runner.
  ::fcntl(action_socket, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_PDEATHSIG, runner_died, 0, 0, 0);
  adopt_orphans();
  const Result<Input> input = read_input();
  if (!input) return broken(input.error());
  StopSource stop;
  const SignalWatch signals(stop);
  const Result<ServerAddress> server = parse_server_address(input->place.server_url);
  if (!server) return broken(server.error());
  ChannelConfig config;
  config.server = *server;
  config.job_id = input->message.job_id;
  config.token = input->message.token;
  config.spool_path = input->place.folder + "/log";
  config.lost_after = std::chrono::milliseconds(input->place.lost_after_ms);
  Result<std::unique_ptr<Channel>> channel = Channel::open(std::move(config), stop);
  if (!channel) return broken(channel.error());
  AskedActions actions(action_socket, stop);
  ChannelReports reports(**channel);
  JobTools tools{actions, find_builtin, stop};
  if (const char* path = std::getenv("PATH"); path != nullptr && *path != '\0') tools.base_path = path;
  const Completion completion = run_job(input->message, input->place, tools, reports);
  end_descendants();
  // The platform misses the runner, and starts the job again elsewhere: it was not cancelled.
  if (signals.orphaned()) return job_lost;
  const Result<void> delivered = (*channel)->finish(completion);
  return delivered ? job_delivered : job_lost;
}

}  // namespace kaapi::actions::runner
