#include "cli/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ostream>

#include "aws/gen/runs.h"
#include "base/text.h"
#include "cli/follow.h"
#include "cli/render.h"
#include "cli/repository_name.h"
#include "cli/table.h"
#include "cli/target.h"

namespace kaapi::cli {
namespace {

namespace wire = aws::runs;
using Texts = std::vector<std::string>;

// Whom and about what is asked.
struct Asked {
  const Target& target;
  aws::Client& client;
  std::string repository;
  const Surroundings& surroundings;
  std::ostream& out;
  std::ostream& err;
};

// Finds that, then calls `ask(Asked&) -> Result<int>`, whose number is the exit code.
template <class Ask>
int with_repository(const RunOptions& options, const Surroundings& surroundings, std::ostream& out, std::ostream& err,
                    const Ask& ask) {
  const Result<Target> target = find_target(options, surroundings);
  if (!target) return fail(target.error().message, err);
  aws::Client client = client_of(*target);
  const Result<std::string> repository = repository_of(options.repository, *target, client);
  if (!repository) {
    fail(repository.error().message, err);
    return repository.error().code == errc::invalid ? exit_usage : exit_failure;
  }
  Asked asked{*target, client, *repository, surroundings, out, err};
  const Result<int> outcome = ask(asked);
  if (!outcome) return fail(explained(outcome.error(), *target), err);
  return *outcome;
}

std::string of(const std::optional<std::string>& text) {
  return text.value_or(std::string());
}

std::optional<std::string> given(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

Tone tone_of(const std::string& state) {
  if (state == "success") return Tone::good;
  if (state == "failure" || state == "cancelled") return Tone::bad;
  if (state == "skipped" || state == "pending") return Tone::faint;
  return Tone::busy;
}

// "success", or while it is not over "in_progress".
template <class Entry>
std::string state_of(const Entry& entry) {
  return entry.conclusion.value_or(of(entry.status));
}

std::string short_ref(const std::string& ref) {
  for (const std::string_view prefix : {"refs/heads/", "refs/tags/"}) {
    if (ref.starts_with(prefix)) return ref.substr(prefix.size());
  }
  return ref;
}

// How long it took, or has been going on.
std::string took(const std::optional<Time>& from, const std::optional<Time>& to) {
  if (!from) return "";
  return age(*from, to ? *to : SystemClock().now());
}

// The run that is meant: the one given, else the newest.
Result<std::string> run_id_of(Asked& asked, const std::string& run_id) {
  if (!run_id.empty()) return run_id;
  wire::ListRunsRequest request;
  request.repository = asked.repository;
  request.maxResults = 1;
  const auto runs = asked.client.call<wire::ListRuns>(request);
  if (!runs) return runs.error();
  if (!runs->runs || runs->runs->empty()) {
    return make_error(errc::not_found,
                      fmt::format("{} has no runs yet; push something, or: kaapi run start FILE", asked.repository));
  }
  return of(runs->runs->front().runId);
}

Result<int> follow(Asked& asked, const wire::StartedRun& run) {
  FollowPrinter printer(asked.out, asked.surroundings.is_terminal);
  const Result<void> seen =
      follow_through_restarts(asked.target.endpoint, of(run.path), of(run.token), printer, asked.err);
  if (!seen) {
    fail(explained(seen.error(), asked.target), asked.err);
    return exit_unseen;
  }
  return printer.conclusion() == "cancelled" ? exit_cancelled : printer.exit_code();
}

Result<wire::DescribeRunResponse> describe(Asked& asked, const std::string& run_id) {
  return asked.client.call<wire::DescribeRun>({asked.repository, run_id});
}

// " a.c:12"; a command that tells of a whole file names no line.
std::string place_of(const wire::Annotation& annotation) {
  if (!annotation.file || annotation.file->empty()) return "";
  const auto line = annotation.line.value_or(0);
  return line > 0 ? fmt::format(" {}:{}", *annotation.file, line) : " " + *annotation.file;
}

void print_job(const wire::Job& job, const Asked& asked) {
  const bool colors = asked.surroundings.is_terminal;
  const std::string state = state_of(job);
  asked.out << fmt::format("\n{}  {}  {}\n", painted(harmless(of(job.name)), Tone::strong, colors),
                           painted(state, tone_of(state), colors), took(job.startedAt, job.endedAt));
  asked.out << fmt::format("  job {}: {}\n", of(job.jobId), harmless(of(job.reason)));
  if (job.environment) {
    asked.out << fmt::format("  environment {} {}\n", harmless(*job.environment), harmless(of(job.environmentUrl)));
  }
  std::vector<Row> rows;
  for (const wire::Step& step : job.steps.value_or(std::vector<wire::Step>())) {
    const std::string step_state = state_of(step);
    rows.push_back({Cell(step_state, tone_of(step_state)), Cell(of(step.name)),
                    Cell(took(step.startedAt, step.endedAt), Tone::faint, true)});
  }
  asked.out << table(rows, 2, colors);
  for (const wire::Annotation& one : job.annotations.value_or(std::vector<wire::Annotation>())) {
    asked.out << fmt::format("  {}{}: {}\n", of(one.level), harmless(place_of(one)), harmless(of(one.message)));
  }
}

void print_run(const wire::DescribeRunResponse& answer, const Asked& asked) {
  const wire::Run run = answer.run.value_or(wire::Run());
  const bool colors = asked.surroundings.is_terminal;
  const std::string state = state_of(run);
  const std::string attempt = run.attempt.value_or(1) > 1 ? fmt::format(", attempt {}", *run.attempt) : "";
  asked.out << fmt::format("{}: {} #{}{}  {}\n", of(run.runId),
                           painted(harmless(of(run.workflow)), Tone::strong, colors), run.number.value_or(0), attempt,
                           painted(state, tone_of(state), colors));
  asked.out << fmt::format("  {}\n  {} of {} at {} by {}\n  {}\n", harmless(of(run.title)), of(run.event),
                           harmless(short_ref(of(run.ref))), of(run.sha).substr(0, 7), harmless(of(run.actor)),
                           harmless(of(run.reason)));
  for (const wire::Review& review : answer.reviews.value_or(std::vector<wire::Review>())) {
    asked.out << fmt::format("  {} by {} for {}{}\n", of(review.verdict), harmless(of(review.reviewer)),
                             harmless(of(review.environment)),
                             review.comment ? ": " + harmless(*review.comment) : std::string());
  }
  for (const wire::Job& job : answer.jobs.value_or(std::vector<wire::Job>())) {
    if (!job.superseded.value_or(false)) print_job(job, asked);
  }
}

Result<void> print_log(Asked& asked, const std::string& run_id, const wire::Job& job, bool with_name) {
  const bool colors = asked.surroundings.is_terminal;
  const char* const reset = colors ? "\x1b[0m" : "";
  std::string unfinished;
  if (with_name) asked.out << painted(fmt::format("== {} ==", harmless(of(job.name))), Tone::strong, colors) << "\n";
  wire::GetJobLogRequest request;
  request.repository = asked.repository;
  request.runId = run_id;
  request.jobId = of(job.jobId);
  request.offset = 0;
  while (true) {
    const auto part = asked.client.call<wire::GetJobLog>(request);
    if (!part) return part.error();
    if (of(part->text).empty()) break;
    // A part may end within a line.
    unfinished += *part->text;
    std::size_t begin = 0;
    for (std::size_t end = unfinished.find('\n'); end != std::string::npos; end = unfinished.find('\n', begin)) {
      asked.out << terminal_line(std::string_view(unfinished).substr(begin, end - begin), colors) << reset << "\n";
      begin = end + 1;
    }
    unfinished.erase(0, begin);
    request.offset = part->nextOffset;
  }
  asked.out << terminal_line(unfinished, colors) << (unfinished.empty() ? "" : reset);
  return ok();
}

}  // namespace

int run_start_run(const StartRunCommand& command, const Surroundings& surroundings, std::ostream& out,
                  std::ostream& err) {
  std::map<std::string, std::string> inputs;
  for (const std::string& field : command.fields) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail(fmt::format("-f '{}' must be NAME=VALUE, like -f version=1.2", field), err);
      return exit_usage;
    }
    inputs[field.substr(0, equals)] = field.substr(equals + 1);
  }
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    wire::StartRunRequest request;
    request.repository = asked.repository;
    request.workflow = command.workflow;
    request.ref = given(command.ref);
    for (const auto& [name, value] : inputs) {
      if (!request.inputs) request.inputs.emplace();
      (*request.inputs)[name] = value;
    }
    const auto answer = asked.client.call<wire::StartRun>(request);
    if (!answer) return answer.error();
    const wire::StartedRun run = answer->run.value_or(wire::StartedRun());
    if (command.json) {
      out << aws::to_json(*answer) << "\n";
    } else {
      out << fmt::format("{} started: kaapi run watch {}\n", harmless(of(run.name)), of(run.runId));
    }
    return command.watch ? follow(asked, run) : Result<int>(exit_success);
  });
}

int run_list_runs(const ListRunsCommand& command, const Surroundings& surroundings, std::ostream& out,
                  std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    wire::ListRunsRequest request;
    request.repository = asked.repository;
    request.workflow = given(command.workflow);
    request.ref = given(command.ref);
    request.status = given(command.status);
    request.maxResults = command.limit;
    const auto answer = asked.client.call<wire::ListRuns>(request);
    if (!answer) return answer.error();
    if (command.json) {
      out << aws::to_json(*answer) << "\n";
      return exit_success;
    }
    std::vector<Row> rows;
    for (const wire::Run& run : answer->runs.value_or(std::vector<wire::Run>())) {
      const std::string state = state_of(run);
      rows.push_back({Cell(of(run.runId), Tone::strong, true), Cell(state, tone_of(state)),
                      Cell(fmt::format("{} #{}", of(run.workflow), run.number.value_or(0))), Cell(of(run.title)),
                      Cell(short_ref(of(run.ref))), Cell(of(run.event)), Cell(of(run.actor)),
                      Cell(took(run.createdAt, std::nullopt), Tone::faint, true)});
    }
    if (rows.empty()) out << fmt::format("{} has no such runs\n", asked.repository);
    out << table(rows, 0, surroundings.is_terminal);
    return exit_success;
  });
}

int run_show_run(const RunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    const Result<std::string> run_id = run_id_of(asked, command.run_id);
    if (!run_id) return run_id.error();
    const auto answer = describe(asked, *run_id);
    if (!answer) return answer.error();
    if (command.json) {
      out << aws::to_json(*answer) << "\n";
    } else {
      print_run(*answer, asked);
    }
    return exit_success;
  });
}

int run_watch_run(const RunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    const Result<std::string> run_id = run_id_of(asked, command.run_id);
    if (!run_id) return run_id.error();
    const auto answer = asked.client.call<wire::WatchRun>({asked.repository, *run_id});
    if (!answer) return answer.error();
    return follow(asked, answer->run.value_or(wire::StartedRun()));
  });
}

int run_job_log(const JobLogCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    const Result<std::string> run_id = run_id_of(asked, command.run_id);
    if (!run_id) return run_id.error();
    const auto answer = describe(asked, *run_id);
    if (!answer) return answer.error();
    std::vector<wire::Job> jobs;
    Texts names;
    for (const wire::Job& job : answer->jobs.value_or(std::vector<wire::Job>())) {
      names.push_back(of(job.name));
      const bool named =
          command.job.empty() ? !job.superseded.value_or(false) : job.name == command.job || job.jobId == command.job;
      if (named && (!command.failed || job.conclusion == "failure")) jobs.push_back(job);
    }
    if (jobs.empty() && !command.job.empty()) {
      return make_error(errc::not_found, fmt::format("run {} has no such job \"{}\"; it has: {}", *run_id, command.job,
                                                     fmt::join(names, ", ")));
    }
    for (const wire::Job& job : jobs) {
      const Result<void> printed = print_log(asked, *run_id, job, jobs.size() > 1);
      if (!printed) return printed.error();
    }
    return exit_success;
  });
}

int run_cancel_run(const RunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    const auto answer = asked.client.call<wire::CancelRun>({asked.repository, command.run_id});
    if (!answer) return answer.error();
    out << fmt::format("Run {} is being cancelled; jobs with always() still end in order\n", command.run_id);
    return exit_success;
  });
}

int run_delete_run(const RunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    const auto answer = asked.client.call<wire::DeleteRun>({asked.repository, command.run_id});
    if (!answer) return answer.error();
    out << fmt::format("Run {} with its logs and artifacts is gone\n", command.run_id);
    return exit_success;
  });
}

int run_rerun(const RerunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    wire::RerunRunRequest request{asked.repository, command.run_id, command.failed};
    const auto answer = asked.client.call<wire::RerunRun>(request);
    if (!answer) return answer.error();
    const wire::StartedRun run = answer->run.value_or(wire::StartedRun());
    out << fmt::format("{} starts again: kaapi run watch {}\n", harmless(of(run.name)), of(run.runId));
    return command.watch ? follow(asked, run) : Result<int>(exit_success);
  });
}

int run_review(const ReviewCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  if (!command.approve && trim(command.comment).empty()) {
    fail("a rejection takes a reason, and this one is empty; for example: -m 'the migration is missing'", err);
    return exit_usage;
  }
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    wire::ReviewDeploymentRequest request;
    request.repository = asked.repository;
    request.runId = command.run_id;
    request.environment = given(command.environment);
    request.verdict = command.approve ? "approve" : "reject";
    request.comment = given(command.comment);
    const auto answer = asked.client.call<wire::ReviewDeployment>(request);
    if (!answer) return answer.error();
    out << fmt::format("{} for {} of run {}\n", command.approve ? "Approved" : "Rejected",
                       answer->jobs.value_or(0) == 1 ? "one job" : fmt::format("{} jobs", answer->jobs.value_or(0)),
                       command.run_id);
    return exit_success;
  });
}

int run_list_artifacts(const RunCommand& command, const Surroundings& surroundings, std::ostream& out,
                       std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    const Result<std::string> run_id = run_id_of(asked, command.run_id);
    if (!run_id) return run_id.error();
    const auto answer = asked.client.call<wire::ListRunArtifacts>({asked.repository, *run_id});
    if (!answer) return answer.error();
    if (command.json) {
      out << aws::to_json(*answer) << "\n";
      return exit_success;
    }
    std::vector<Row> rows;
    for (const wire::Artifact& one : answer->artifacts.value_or(std::vector<wire::Artifact>())) {
      rows.push_back({Cell(of(one.name), Tone::strong),
                      Cell(fmt::format("{} bytes", one.size.value_or(0)), Tone::plain, true),
                      Cell(of(one.digest), Tone::faint)});
    }
    if (rows.empty()) out << fmt::format("Run {} has no artifacts\n", *run_id);
    out << table(rows, 0, surroundings.is_terminal);
    return exit_success;
  });
}

int run_dispatch(const DispatchCommand& command, const Surroundings& surroundings, std::ostream& out,
                 std::ostream& err) {
  return with_repository(command, surroundings, out, err, [&](Asked& asked) -> Result<int> {
    wire::DispatchRepositoryEventRequest request;
    request.repository = asked.repository;
    request.eventType = command.event_type;
    request.clientPayload = given(command.payload);
    const auto answer = asked.client.call<wire::DispatchRepositoryEvent>(request);
    if (!answer) return answer.error();
    if (command.json) {
      out << aws::to_json(*answer) << "\n";
      return exit_success;
    }
    for (const std::string& line : answer->messages.value_or(Texts())) out << harmless(line) << "\n";
    return exit_success;
  });
}

}  // namespace kaapi::cli
