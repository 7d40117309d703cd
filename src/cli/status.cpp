#include "cli/status.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <ostream>

#include "cli/render.h"
#include "cli/target.h"

namespace kaapi::cli {
namespace {

constexpr long refresh_interval_s = 1;

// The terminal while a picture is kept live: another screen, so that the shell's own comes back afterwards, and the
// signals that end it as values.
class LiveScreen {
 public:
  LiveScreen(std::ostream& out, bool terminal) : out_(out), terminal_(terminal) {
    sigemptyset(&ending_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending_, signal);
    pthread_sigmask(SIG_BLOCK, &ending_, &before_);
    if (terminal_) out_ << "\x1b[?1049h\x1b[?25l";
  }
  ~LiveScreen() {
    if (terminal_) out_ << "\x1b[?25h\x1b[?1049l" << std::flush;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  void show(const std::string& text) {
    if (!terminal_) {
      if (text != shown_) out_ << text << "\n" << std::flush;
    } else {
      out_ << "\x1b[H" << fitted(text) << "\x1b[J" << std::flush;
    }
    shown_ = text;
  }
  // False when somebody wants it to end.
  bool wait() const {
    const timespec interval{refresh_interval_s, 0};
    return sigtimedwait(&ending_, nullptr, &interval) < 0;
  }

 private:
  // As many lines as there is room for, each cleared to its end.
  static std::string fitted(const std::string& text) {
    winsize size{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1;
    const unsigned rows = known ? size.ws_row - 1U : 1'000'000U;
    std::string fitting;
    std::size_t from = 0;
    for (unsigned row = 0; row < rows && from < text.size(); ++row) {
      const std::size_t end = std::min(text.find('\n', from), text.size());
      fitting += text.substr(from, end - from) + "\x1b[K\n";
      from = end + 1;
    }
    return fitting;
  }

  std::ostream& out_;
  bool terminal_;
  sigset_t ending_{};
  sigset_t before_{};
  std::string shown_;
};

Result<Snapshot> look(aws::Client& client, const Target& target, const StatusCommand& command) {
  const Ask ask = [&](std::string_view operation, const json::value& request) {
    return client.call("ecs", operation, request);
  };
  Result<Snapshot> snapshot = take_snapshot(ask, command.cluster);
  if (snapshot) {
    snapshot->where = target.endpoint.empty() ? "AWS" : target.endpoint;
    snapshot->region = target.region;
  }
  return snapshot;
}

int watch(aws::Client& client, const Target& target, const StatusCommand& command, bool terminal, std::ostream& out) {
  LiveScreen screen(out, terminal);
  do {
    const Result<Snapshot> snapshot = look(client, target, command);
    screen.show(snapshot ? render_text(*snapshot, {terminal, SystemClock().now()})
                         : fmt::format("kaapi: {}\n", explained(snapshot.error(), target)));
  } while (screen.wait());
  return exit_success;
}

}  // namespace

int run_status(const StatusCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  const Result<Target> target = find_target(command, surroundings);
  if (!target) return fail(target.error().message, err);
  aws::Client client = client_of(*target);
  if (command.watch) return watch(client, *target, command, surroundings.is_terminal, out);
  const Result<Snapshot> snapshot = look(client, *target, command);
  if (!snapshot) return fail(explained(snapshot.error(), *target), err);
  out << (command.json ? render_json(*snapshot)
                       : render_text(*snapshot, {surroundings.is_terminal, SystemClock().now()}));
  return exit_success;
}

}  // namespace kaapi::cli
