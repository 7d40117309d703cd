#pragma once
// The line on which a job's process asks its runner for actions of other repositories: a socket with one JSON text a
// line. Requests have numbers, because the job stops waiting for one when it is cancelled, and may ask again.

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>

#include "actions/runner/action_cache.h"
#include "actions/runner/place.h"
#include "actions/runner/stop.h"
#include "base/file_descriptor.h"

namespace kaapi::actions::runner {

inline constexpr std::size_t max_requests = 4;  // of one job at once; it waits for each, but it may withdraw some
inline constexpr std::size_t max_request_bytes = 4096;
inline constexpr std::size_t max_action_answer_bytes = 64UL * 1024;

// The job's end. One thread.
class AskedActions final : public ActionSource {
 public:
  // `line` stays the caller's.
  AskedActions(int line, StopSource& stop) : line_(line), stop_(stop) {}

  // `Cancelled` when the job is stopped meanwhile: beyond where it was when it asked.
  Result<FetchedAction> fetch(std::string_view owner, std::string_view name, std::string_view ref) override;

 private:
  Result<std::string> next_line(StopLevel since);

  const int line_;
  StopSource& stop_;
  std::int64_t last_ = 0;
  std::string read_;  // of lines that are not whole yet
};

// The runner's end. Each request has a thread of its own: who watches the job never waits for a git host. One thread.
class ActionDesk {
 public:
  ActionDesk(FileDescriptor line, ActionCache& actions);
  ~ActionDesk();  // ends what is being fetched
  ActionDesk(const ActionDesk&) = delete;
  ActionDesk& operator=(const ActionDesk&) = delete;

  // read() when there is something to be read here; -1: the job says no more.
  int descriptor() const { return over_ ? -1 : line_.get(); }
  void read();

 private:
  struct Fetch;
  void take(std::string_view line);
  void forget_done();
  void answer(std::int64_t number, const Result<FetchedAction>& fetched);

  FileDescriptor line_;
  ActionCache& actions_;
  bool over_ = false;
  std::string read_;
  std::mutex writing_;
  std::list<Fetch> fetches_;
};

}  // namespace kaapi::actions::runner
