#include "actions/runs/follow.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

FollowEvent job_event(const Job& job) {
  FollowEvent event;
  event.kind = "job";
  event.job_id = job.id;
  event.name = job.name;
  event.status = status_name(job.status);
  if (job.conclusion) event.conclusion = workflow::outcome_name(*job.conclusion);
  event.text = job.reason;
  return event;
}

FollowEvent began_event(const Job& job) {
  FollowEvent event = job_event(job);
  event.status = status_name(Status::in_progress);
  event.conclusion.clear();
  event.text = job.runner.empty() ? std::string() : fmt::format("runs on {}", job.runner);
  return event;
}

FollowEvent step_event(const Job& job, const StepUpdate& step, bool completed) {
  FollowEvent event;
  event.kind = "step";
  event.job_id = job.id;
  event.name = step.name;
  event.status = completed ? "completed" : "in_progress";
  if (completed) event.conclusion = step.conclusion;
  return event;
}

}  // namespace

bool Teller::tell(const RunView& view) {
  const Run& run = view.run;
  const std::string state = fmt::format("{} {}", status_name(run.status), run.reason);
  if (!run.over() && state != run_state_) {
    run_state_ = state;
    FollowEvent event;
    event.kind = "run";
    event.name = fmt::format("{} #{}", run.workflow_name, run.number);
    event.status = status_name(run.status);
    event.text = run.reason;
    if (!tell_(event)) return false;
  }
  for (const Job& job : run.jobs) {
    // What an earlier attempt did is history; a job that was lost under our eyes is told to its end.
    if (job.superseded && jobs_.count(job.id) == 0) continue;
    if (job.is_call) continue;  // its jobs tell
    const auto steps = view.steps.find(job.id);
    static const std::vector<StepUpdate> none;
    if (!tell_job(job, steps == view.steps.end() ? none : steps->second)) return false;
  }
  if (!run.over()) return true;
  FollowEvent event;
  event.kind = "end";
  event.name = fmt::format("{} #{}", run.workflow_name, run.number);
  event.status = "completed";
  event.conclusion = workflow::outcome_name(run.conclusion.value_or(Outcome::failure));
  event.text = run.reason;
  ended_ = true;
  return tell_(event);
}

bool Teller::tell_job(const Job& job, const std::vector<StepUpdate>& steps) {
  Told& told = jobs_[job.id];
  const std::string state = fmt::format("{} {}", status_name(job.status), job.reason);
  if (told.state == state) return tell_steps(job, steps, told);
  // Who begins to follow later shall know whose steps these are.
  if (job.over() && told.state.empty() && !steps.empty() && !tell_(began_event(job))) return false;
  // Its steps and its log come before its end.
  if (job.over() && !tell_steps(job, steps, told)) return false;
  told.state = state;
  if (!tell_(job_event(job))) return false;
  return job.over() || tell_steps(job, steps, told);
}

bool Teller::tell_steps(const Job& job, const std::vector<StepUpdate>& steps, Told& told) {
  std::int64_t to = 0;  // how far the log is known to belong to steps that were told
  bool open = steps.empty();
  for (const StepUpdate& step : steps) {
    if (step.status != "in_progress" && step.status != "completed") continue;
    if (told.completed.count(step.number) > 0) {
      to = std::max(to, step.log_to);
      continue;
    }
    if (told.begun.count(step.number) == 0) {
      if (!tell_log(job, told, step.log_from, job.over())) return false;
      // Its predecessor's log is still on the way.
      if (told.log < step.log_from && !job.over()) return true;
      told.begun.insert(step.number);
      if (step.conclusion != "skipped" && !tell_(step_event(job, step, false))) return false;
    }
    if (step.status != "completed") {
      open = true;
      continue;
    }
    if (!tell_log(job, told, step.log_to, true)) return false;
    if (told.log < step.log_to && !job.over()) return true;
    told.completed.insert(step.number);
    to = std::max(to, step.log_to);
    if (!tell_(step_event(job, step, true))) return false;
  }
  const bool all = open || job.over();
  return tell_log(job, told, all ? max_job_log_bytes : to, job.over());
}

// Whole lines up to byte `to`; the rest of a line, too, when that is `all` there will be.
bool Teller::tell_log(const Job& job, Told& told, std::int64_t to, bool all) {
  while (told.log < to) {
    const std::int64_t wanted = std::min<std::int64_t>(to - told.log, max_follow_text_bytes);
    std::string text = log_(job, told.log, wanted);
    const bool full = static_cast<std::int64_t>(text.size()) == wanted;
    const std::size_t line_end = text.rfind('\n');
    // A line longer than one event is cut.
    const bool cut =
        line_end == std::string::npos && full && wanted == static_cast<std::int64_t>(max_follow_text_bytes);
    const bool at_end = all && (!full || told.log + wanted == to);
    if (!cut && !at_end) text.resize(line_end == std::string::npos ? 0 : line_end + 1);
    if (cut) text.resize(whole_characters(text));
    if (text.empty()) return true;
    told.log += static_cast<std::int64_t>(text.size());
    FollowEvent event;
    event.kind = "log";
    event.job_id = job.id;
    event.text = as_utf8(text);
    if (!tell_(event)) return false;
  }
  return true;
}

bool follow_run(Conductor& conductor, std::int64_t run_id, http::BodyWriter& out) {
  const FileDescriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return false;
  conductor.add_follower(run_id, wake.get());
  struct Leave {
    Conductor& conductor;
    std::int64_t run_id;
    int event_fd;
    ~Leave() { conductor.remove_follower(run_id, event_fd); }
  } leave{conductor, run_id, wake.get()};

  Teller teller(
      [&](const Job& job, std::int64_t offset, std::int64_t max_bytes) {
        Result<std::string> text = conductor.logs().read(run_id, job.id, offset, max_bytes);
        return text ? std::move(*text) : std::string();
      },
      [&](const FollowEvent& event) { return static_cast<bool>(out.write(json::serialize(to_json(event)) + "\n")); });
  while (true) {
    // Before looking, so that what comes meanwhile wakes us again.
    eventfd_t ignored = 0;
    ::eventfd_read(wake.get(), &ignored);
    const Result<RunView> view = conductor.view(run_id);
    if (!view || !teller.tell(*view)) return false;
    if (teller.ended()) return true;
    pollfd waits[] = {{out.descriptor(), POLLRDHUP, 0}, {wake.get(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return false;
    if (waits[0].revents != 0) return false;
  }
}

}  // namespace kaapi::actions::runs
