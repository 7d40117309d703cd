#include "actions/runs/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "actions/protocol/actor.h"
#include "aws/gen/runs.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

namespace wire = aws::runs;
using aws::CallContext;

constexpr std::size_t default_page = 20;

// What the room calls its errors, in the words of the wire; what is no caller's fault stays.
Error on_the_wire(const Error& error) {
  if (error.code == errc::invalid) return make_error(wire::error::ValidationException, error.message);
  if (error.code == errc::not_found) return make_error(wire::error::ResourceNotFoundException, error.message);
  if (error.code == errc::conflict) return make_error(wire::error::ConflictException, error.message);
  return error;
}

std::int64_t number(const std::string& id) {
  return parse_number(id).value_or(0);  // the model lets only digits through
}

std::optional<std::string> unless_empty(std::string text) {
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

wire::StartedRun shown(const WatchedRun& run) {
  return {fmt::format("{}", run.run_id), run.name, run.path, run.token};
}

wire::Run shown(const Run& run) {
  wire::Run out;
  out.runId = fmt::format("{}", run.id);
  out.repository = run.repository;
  out.number = run.number;
  out.attempt = run.attempt;
  out.workflow = run.workflow_name;
  out.workflowPath = run.workflow_path;
  out.title = run.title;
  out.event = run.event_name;
  out.ref = run.ref;
  out.sha = run.sha;
  out.actor = run.actor;
  out.triggeringActor = run.triggering_actor;
  out.status = status_name(run.status);
  if (run.conclusion) out.conclusion = workflow::outcome_name(*run.conclusion);
  out.reason = run.reason;
  out.createdAt = run.created;
  out.startedAt = run.started;
  out.endedAt = run.ended;
  return out;
}

wire::Step shown(const StepUpdate& step) {
  wire::Step out;
  out.number = step.number;
  out.name = step.name;
  out.status = step.status;
  out.conclusion = unless_empty(step.conclusion);
  if (step.started_ms > 0) out.startedAt = from_millis(step.started_ms);
  if (step.ended_ms > 0) out.endedAt = from_millis(step.ended_ms);
  return out;
}

// A step whose runner was lost: nobody told of its end.
void end(wire::Step& step, const Job& job) {
  step.status = status_name(Status::completed);
  step.conclusion = workflow::outcome_name(job.conclusion.value_or(Outcome::failure));
  step.endedAt = job.ended;
}

wire::Job shown(const Job& job, const std::vector<StepUpdate>& steps) {
  wire::Job out;
  out.jobId = fmt::format("{}", job.id);
  out.attempt = job.attempt;
  out.name = job.name;
  out.status = status_name(job.status);
  if (job.conclusion) out.conclusion = workflow::outcome_name(*job.conclusion);
  out.reason = job.cancel_requested && !job.over() ? "is being cancelled: " + job.cancel_reason : job.reason;
  out.environment = unless_empty(job.environment);
  out.environmentUrl = unless_empty(job.environment_url);
  if (!job.reviewers.empty()) out.reviewers = job.reviewers;
  if (!job.labels.empty()) out.labels = job.labels;
  out.runner = unless_empty(job.runner);
  out.superseded = job.superseded;
  out.createdAt = job.created;
  out.startedAt = job.started;
  out.endedAt = job.ended;
  out.waitUntil = job.wait_until;
  out.summary = unless_empty(job.summary);
  if (!steps.empty()) {
    out.steps.emplace();
    for (const StepUpdate& step : steps) {
      out.steps->push_back(shown(step));
      if (job.over() && step.status == "in_progress") end(out.steps->back(), job);
    }
  }
  if (!job.annotations.empty()) {
    out.annotations.emplace();
    for (const Annotation& one : job.annotations) {
      out.annotations->push_back(
          {one.level, one.message, unless_empty(one.title), unless_empty(one.file), one.line, one.column});
    }
  }
  return out;
}

// Handlers share one configuration. `operation(context, request) -> Result<Response>` in the room's own errors.
class Table {
 public:
  Table(aws::Dispatcher& dispatcher, OperationsConfig config)
      : dispatcher_(dispatcher), config_(std::make_shared<const OperationsConfig>(std::move(config))) {}

  template <class Op, class Operation>
  void serve(Operation operation) {
    using Request = typename Op::Request;
    using Response = typename Op::Response;
    dispatcher_.handle<Op>([config = config_, operation = std::move(operation)](
                               const CallContext& context, const Request& request) -> Result<Response> {
      if (const Result<void> there = check(*config, context); !there) return there.error();
      if constexpr (requires { request.repository; }) {
        if (config->exists && !config->exists(request.repository)) {
          return make_error(wire::error::ResourceNotFoundException,
                            fmt::format("There is no repository {}; make it with: kaapi repo create {}",
                                        request.repository, request.repository));
        }
      }
      Result<Response> response = operation(context, request);
      if (!response) return on_the_wire(response.error());
      return response;
    });
  }

 private:
  static Result<void> check(const OperationsConfig& config, const CallContext& context) {
    if (config.region.empty() || context.region == config.region) return ok();
    return make_error(
        wire::error::ValidationException,
        fmt::format("Runs of this platform are in the region {}, not in {}; ask there", config.region, context.region));
  }

  aws::Dispatcher& dispatcher_;
  std::shared_ptr<const OperationsConfig> config_;
};

Result<wire::ListRunsResponse> list(Conductor& conductor, const wire::ListRunsRequest& request) {
  RunFilter filter;
  filter.repository = request.repository;
  filter.workflow = request.workflow.value_or(std::string());
  filter.ref = request.ref.value_or(std::string());
  filter.status = request.status.value_or(std::string());
  filter.limit = request.maxResults ? static_cast<std::size_t>(*request.maxResults) : default_page;
  const std::string scope =
      fmt::format("ListRuns {} {} {} {}", filter.repository, filter.workflow, filter.ref, filter.status);
  if (request.nextToken) {
    const auto position = decode_page_token(scope, *request.nextToken);
    const auto before = position ? parse_number(*position) : std::nullopt;
    if (!before) return make_error(errc::invalid, "The nextToken is not of this listing");
    filter.before = *before;
  }
  ++filter.limit;  // one more tells whether there is another page
  Result<std::vector<Run>> runs = conductor.list(filter);
  if (!runs) return runs.error();
  wire::ListRunsResponse response;
  if (runs->size() == filter.limit) {
    runs->pop_back();
    response.nextToken = encode_page_token(scope, fmt::format("{}", runs->back().id));
  }
  response.runs.emplace();
  for (const Run& run : *runs) response.runs->push_back(shown(run));
  return response;
}

Result<wire::DescribeRunResponse> describe(Conductor& conductor, const wire::DescribeRunRequest& request) {
  const Result<RunView> view = conductor.describe(request.repository, number(request.runId));
  if (!view) return view.error();
  wire::DescribeRunResponse response;
  response.run = shown(view->run);
  response.jobs.emplace();
  static const std::vector<StepUpdate> none;
  for (const Job& job : view->run.jobs) {
    const auto steps = view->steps.find(job.id);
    response.jobs->push_back(shown(job, steps == view->steps.end() ? none : steps->second));
  }
  response.reviews.emplace();
  for (const Review& review : view->run.reviews) {
    response.reviews->push_back({review.environment, review.reviewer, review.approved ? "approve" : "reject",
                                 unless_empty(review.comment), review.time});
  }
  return response;
}

Result<wire::GetJobLogResponse> job_log(Conductor& conductor, const wire::GetJobLogRequest& request) {
  const Result<RunView> view = conductor.describe(request.repository, number(request.runId));
  if (!view) return view.error();
  const Job* job = view->run.job(number(request.jobId));
  if (job == nullptr) {
    return make_error(errc::not_found, fmt::format("run {} has no job {}", request.runId, request.jobId));
  }
  const std::int64_t offset = request.offset.value_or(0);
  const std::int64_t wanted = request.maxBytes.value_or(256 * 1024);
  Result<std::string> text = conductor.logs().read(view->run.id, job->id, offset, wanted);
  if (!text) return text.error();
  wire::GetJobLogResponse response;
  response.complete = job->over() && static_cast<std::int64_t>(text->size()) < wanted;
  // A page ends with a character, but for one that is shorter than that.
  if (const std::size_t whole = whole_characters(*text); !response.complete.value() && whole > 0) text->resize(whole);
  response.nextOffset = offset + static_cast<std::int64_t>(text->size());
  response.text = as_utf8(*text);
  return response;
}

void add_starting(Table& table, Conductor& conductor) {
  table.serve<wire::StartRun>(
      [&conductor](const CallContext& context, const wire::StartRunRequest& request) -> Result<wire::StartRunResponse> {
        StartRequest start{
            request.repository, request.workflow, request.ref.value_or(std::string()), {}, actor_of(context)};
        if (request.inputs) start.inputs.insert(request.inputs->begin(), request.inputs->end());
        const Result<WatchedRun> run = conductor.start_run(start);
        if (!run) return run.error();
        return wire::StartRunResponse{shown(*run)};
      });
  table.serve<wire::DispatchRepositoryEvent>(
      [&conductor](
          const CallContext& context,
          const wire::DispatchRepositoryEventRequest& request) -> Result<wire::DispatchRepositoryEventResponse> {
        Result<json::value> payload = json::value(json::object());
        if (request.clientPayload && !request.clientPayload->empty()) payload = parse_json(*request.clientPayload);
        if (!payload || !payload->is_object()) return make_error(errc::invalid, "clientPayload must be a JSON object");
        const auto report =
            conductor.dispatch_event(request.repository, request.eventType, std::move(*payload), actor_of(context));
        if (!report) return report.error();
        wire::DispatchRepositoryEventResponse response;
        response.runs.emplace();
        for (const WatchedRun& run : report->runs) response.runs->push_back(shown(run));
        response.messages = report->lines;
        return response;
      });
  table.serve<wire::RerunRun>(
      [&conductor](const CallContext& context, const wire::RerunRunRequest& request) -> Result<wire::RerunRunResponse> {
        const auto run = conductor.rerun(request.repository, number(request.runId), request.failedOnly.value_or(false),
                                         actor_of(context));
        if (!run) return run.error();
        return wire::RerunRunResponse{shown(*run)};
      });
}

void add_reading(Table& table, Conductor& conductor, const JobStorage& storage) {
  table.serve<wire::ListRuns>(
      [&conductor](const CallContext&, const wire::ListRunsRequest& request) { return list(conductor, request); });
  table.serve<wire::DescribeRun>([&conductor](const CallContext&, const wire::DescribeRunRequest& request) {
    return describe(conductor, request);
  });
  table.serve<wire::GetJobLog>(
      [&conductor](const CallContext&, const wire::GetJobLogRequest& request) { return job_log(conductor, request); });
  table.serve<wire::WatchRun>(
      [&conductor](const CallContext&, const wire::WatchRunRequest& request) -> Result<wire::WatchRunResponse> {
        const Result<WatchedRun> run = conductor.watch(request.repository, number(request.runId));
        if (!run) return run.error();
        return wire::WatchRunResponse{shown(*run)};
      });
  table.serve<wire::ListRunArtifacts>(
      [&conductor, &storage](const CallContext&,
                             const wire::ListRunArtifactsRequest& request) -> Result<wire::ListRunArtifactsResponse> {
        const std::int64_t run_id = number(request.runId);
        if (const auto run = conductor.describe(request.repository, run_id); !run) return run.error();
        const auto all = storage.artifacts(run_id);
        if (!all) return all.error();
        wire::ListRunArtifactsResponse response;
        response.artifacts.emplace();
        for (const Artifact& one : *all) {
          response.artifacts->push_back(
              {fmt::format("{}", one.id), one.name, static_cast<std::int64_t>(one.size), one.digest});
        }
        return response;
      });
}

void add_deciding(Table& table, Conductor& conductor) {
  table.serve<wire::CancelRun>([&conductor](const CallContext& context,
                                            const wire::CancelRunRequest& request) -> Result<wire::CancelRunResponse> {
    const auto done = conductor.cancel(request.repository, number(request.runId), actor_of(context));
    if (!done) return done.error();
    return wire::CancelRunResponse{};
  });
  table.serve<wire::DeleteRun>(
      [&conductor](const CallContext&, const wire::DeleteRunRequest& request) -> Result<wire::DeleteRunResponse> {
        const auto done = conductor.remove(request.repository, number(request.runId));
        if (!done) return done.error();
        return wire::DeleteRunResponse{};
      });
  table.serve<wire::ReviewDeployment>(
      [&conductor](const CallContext& context,
                   const wire::ReviewDeploymentRequest& request) -> Result<wire::ReviewDeploymentResponse> {
        const auto jobs =
            conductor.review(request.repository, number(request.runId), request.environment.value_or(std::string()),
                             request.verdict == "approve", request.comment.value_or(std::string()), actor_of(context));
        if (!jobs) return jobs.error();
        return wire::ReviewDeploymentResponse{static_cast<std::int64_t>(*jobs)};
      });
}

void add_runners(Table& table, Conductor& conductor) {
  table.serve<wire::CreateRunnerToken>(
      [&conductor](const CallContext& context,
                   const wire::CreateRunnerTokenRequest& request) -> Result<wire::CreateRunnerTokenResponse> {
        Result<std::string> token = conductor.create_runner_token(request.name, context.principal_arn, true);
        if (!token) return token.error();
        return wire::CreateRunnerTokenResponse{std::move(*token)};
      });
  table.serve<wire::ListRunnerTokens>(
      [&conductor](const CallContext&, const wire::ListRunnerTokensRequest&) -> Result<wire::ListRunnerTokensResponse> {
        const Result<std::vector<Token>> tokens = conductor.runner_tokens();
        if (!tokens) return tokens.error();
        wire::ListRunnerTokensResponse response;
        response.tokens.emplace();
        for (const Token& one : *tokens) {
          response.tokens->push_back({one.name, one.created_by, one.created, one.last_used});
        }
        return response;
      });
  table.serve<wire::DeleteRunnerToken>(
      [&conductor](const CallContext&,
                   const wire::DeleteRunnerTokenRequest& request) -> Result<wire::DeleteRunnerTokenResponse> {
        const Result<void> gone = conductor.delete_runner_token(request.name);
        if (!gone) return gone.error();
        return wire::DeleteRunnerTokenResponse{};
      });
  table.serve<wire::ListRunners>(
      [&conductor](const CallContext&, const wire::ListRunnersRequest&) -> Result<wire::ListRunnersResponse> {
        wire::ListRunnersResponse response;
        response.runners.emplace();
        for (const RunnerView& runner : conductor.runners()) {
          std::vector<std::string> jobs;
          for (const std::int64_t id : runner.jobs) jobs.push_back(fmt::format("{}", id));
          response.runners->push_back({runner.name, runner.labels, runner.heard, std::move(jobs)});
        }
        return response;
      });
}

}  // namespace

Actor actor_of(const aws::CallContext& context) {
  const std::string& arn = context.principal_arn;
  Actor actor{actor_name(arn), arn, {arn}, actor_id(context.user_id, arn)};
  // A session may review what its role may.
  if (std::string role = principal_of(arn); role != arn) actor.names.push_back(std::move(role));
  return actor;
}

void add_run_operations(aws::Dispatcher& dispatcher, Conductor& conductor, const JobStorage& storage,
                        OperationsConfig config) {
  Table table(dispatcher, std::move(config));
  add_starting(table, conductor);
  add_reading(table, conductor, storage);
  add_deciding(table, conductor);
  add_runners(table, conductor);
}

}  // namespace kaapi::actions::runs
