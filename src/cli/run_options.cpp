// The command line of run.h: options, help and examples.

#include <memory>

#include "cli/checks.h"
#include "cli/run.h"

namespace kaapi::cli {
namespace {

constexpr const char* start_help = R"help(Examples:
  kaapi run start cd.yml
  kaapi run start cd.yml -f version=1.2 -f dry_run=true --ref release/1 --watch

The workflow needs `on: workflow_dispatch`; it is the file as it is on that branch or tag.)help";

constexpr const char* list_help = R"help(Examples:
  kaapi run list
  kaapi run list --workflow cd.yml --ref main --limit 5
  kaapi run list --status waiting                those that wait for somebody's approval
  kaapi run list --json | jq -r '.runs[] | .runId + " " + .conclusion')help";

constexpr const char* show_help = R"help(Examples:
  kaapi run show                the newest
  kaapi run show 12
  kaapi run show 12 --json | jq '.jobs[].steps'

Its jobs and steps, why each is in the state it is in, and for whom it waits.)help";

constexpr const char* watch_help = R"help(Examples:
  kaapi run watch               the newest
  kaapi run watch 12 && echo deployed

From its beginning, and live until its end. Exit code: 0 when it succeeded, 1 when it failed, 3 when it was cancelled,
4 when its end was not seen: the platform was away for more than a minute. Ctrl-C ends the watching, not the run.)help";

constexpr const char* log_help = R"help(Examples:
  kaapi run log 12
  kaapi run log 12 --job build
  kaapi run log 12 --failed | less)help";

constexpr const char* cancel_help = R"help(Example:
  kaapi run cancel 12

Jobs that have not started never will; those that run are ended, and their steps with always() still run.)help";

constexpr const char* delete_help = R"help(Example:
  kaapi run delete 12

Its logs and artifacts go with it.)help";

constexpr const char* rerun_help = R"help(Examples:
  kaapi run rerun 12
  kaapi run rerun 12 --failed --watch      jobs that did not succeed, and those that need them

The same commit and the same event, as a new attempt of the same run.)help";

constexpr const char* approve_help = R"help(Examples:
  kaapi run approve 12
  kaapi run approve 12 --env production -m 'tested on staging'

You must be one of the reviewers of the environment; see kaapi env show.)help";

constexpr const char* reject_help = R"help(Example:
  kaapi run reject 12 -m 'the migration is missing'

The jobs that wait for the review fail with that reason.)help";

constexpr const char* artifacts_help = R"help(Examples:
  kaapi run artifacts 12
  kaapi run artifacts 12 --json)help";

constexpr const char* dispatch_help = R"help(Examples:
  kaapi run dispatch deploy-requested
  kaapi run dispatch deploy-requested --payload '{"version": "1.2"}'

Starts what listens to `on: repository_dispatch` with that type, as it is on the default branch.)help";

constexpr const char* runners_help = R"help(Examples:
  kaapi run runners
  kaapi run runners --json)help";

constexpr const char* token_help = R"help(Examples:
  kaapi run token build-machine > token && chmod 600 token
  kaapi run token --delete build-machine

What `kaapi runner` on another machine shows the platform. It is shown once; a new one of the same name replaces it.
Whoever has it is given jobs with their secrets and roles. Taken back, its runner gets no more jobs; those that it has
begun end as they do, or by kaapi run cancel.)help";

constexpr const char* tokens_help = R"help(Examples:
  kaapi run tokens
  kaapi run tokens --json

Those that kaapi run token has made. The runner that kaapi up brings along has its own.)help";

// One command being described. Its values live as long as what CLI11 keeps of it.
template <class Command>
struct Described {
  CLI::App* app;
  std::shared_ptr<Command> command;
};

// `Command` is one of RunOptions.
template <class Command>
Described<Command> describe(CLI::App& group, const char* name, const char* about, const char* help,
                            const std::string& data_dir) {
  CLI::App* app = group.add_subcommand(name, about);
  auto command = std::make_shared<Command>();
  command->data_dir = data_dir;
  app->add_option("--data", command->data_dir, "The data directory (default: $KAAPI_DATA, or as shown)")
      ->type_name("DIR")
      ->capture_default_str();
  app->add_option("--endpoint", command->endpoint, "Ask here")->type_name("URL");
  app->add_option("--region", command->region, "Ask for this region")->type_name("REGION");
  app->footer(help);
  return {app, command};
}

template <class Command>
void add_repository(const Described<Command>& described) {
  described.app
      ->add_option("--repo", described.command->repository,
                   "The repository (default: the one that a git remote here names, or the only one)")
      ->type_name("[OWNER/]NAME");
}

template <class Command>
void add_json(const Described<Command>& described) {
  described.app->add_flag("--json", described.command->json, "Print one JSON document");
}

template <class Command>
CLI::Option* add_run_id(const Described<Command>& described) {
  return described.app->add_option("run", described.command->run_id, "Its id, as in kaapi run list")
      ->check(run_id())
      ->type_name("ID");
}

template <class Command, class Run>
void run_by(const Described<Command>& described, ChosenCommand& chosen, Run run) {
  described.app->callback([app = described.app, command = described.command, &chosen, run] {
    command->data_dir_given = app->count("--data") > 0;
    chosen = [command, run](const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
      return run(*command, surroundings, out, err);
    };
  });
}

void add_starting(CLI::App& group, const std::string& data_dir, ChosenCommand& chosen) {
  const auto start = describe<StartRunCommand>(group, "start", "Start a workflow by hand", start_help, data_dir);
  start.app->add_option("workflow", start.command->workflow, "Its file or its name")->required()->type_name("FILE");
  start.app->add_option("-f,--field", start.command->fields, "An input; repeat for more")->type_name("NAME=VALUE");
  start.app->add_option("--ref", start.command->ref, "A branch or tag (default: the default branch)")->type_name("REF");
  CLI::Option* watch = start.app->add_flag("--watch", start.command->watch, "Follow it to its end");
  add_repository(start);
  start.app->add_flag("--json", start.command->json, "Print one JSON document")->excludes(watch);
  run_by(start, chosen, run_start_run);

  const auto rerun = describe<RerunCommand>(group, "rerun", "Run it again", rerun_help, data_dir);
  add_run_id(rerun)->required();
  rerun.app->add_flag("--failed", rerun.command->failed, "Only what did not succeed, and what needs it");
  rerun.app->add_flag("--watch", rerun.command->watch, "Follow it to its end");
  add_repository(rerun);
  run_by(rerun, chosen, run_rerun);

  const auto dispatch =
      describe<DispatchCommand>(group, "dispatch", "Send a repository_dispatch event", dispatch_help, data_dir);
  dispatch.app->add_option("type", dispatch.command->event_type, "The event's type")->required();
  dispatch.app->add_option("--payload", dispatch.command->payload, "github.event.client_payload")->type_name("JSON");
  add_repository(dispatch);
  add_json(dispatch);
  run_by(dispatch, chosen, run_dispatch);
}

void add_looking(CLI::App& group, const std::string& data_dir, ChosenCommand& chosen) {
  const auto list = describe<ListRunsCommand>(group, "list", "List runs, the newest first", list_help, data_dir);
  list.app->add_option("--workflow", list.command->workflow, "Only of this file or name")->type_name("FILE");
  list.app->add_option("--ref", list.command->ref, "Only of this branch or tag")->type_name("REF");
  list.app->add_option("--status", list.command->status, "Only in this state")
      ->check(CLI::IsMember({"pending", "waiting", "queued", "in_progress", "completed"}).description(""))
      ->type_name("pending|waiting|queued|in_progress|completed");
  list.app->add_option("--limit", list.command->limit, "At most so many")
      ->check(whole_number(1, 100))
      ->type_name("N")
      ->capture_default_str();
  add_repository(list);
  add_json(list);
  run_by(list, chosen, run_list_runs);

  const auto show = describe<RunCommand>(group, "show", "Show a run, its jobs and steps", show_help, data_dir);
  add_run_id(show);
  add_repository(show);
  add_json(show);
  run_by(show, chosen, run_show_run);

  const auto watch = describe<RunCommand>(group, "watch", "Follow a run live to its end", watch_help, data_dir);
  add_run_id(watch);
  add_repository(watch);
  run_by(watch, chosen, run_watch_run);

  const auto log = describe<JobLogCommand>(group, "log", "Print the log of a run's jobs", log_help, data_dir);
  add_run_id(log);
  log.app->add_option("--job", log.command->job, "Only this one, by its name or id")->type_name("JOB");
  log.app->add_flag("--failed", log.command->failed, "Only jobs that failed");
  add_repository(log);
  run_by(log, chosen, run_job_log);

  const auto artifacts =
      describe<RunCommand>(group, "artifacts", "List what a run's jobs uploaded", artifacts_help, data_dir);
  add_run_id(artifacts);
  add_repository(artifacts);
  add_json(artifacts);
  run_by(artifacts, chosen, run_list_artifacts);
}

void add_review(CLI::App& group, const char* name, const char* about, const char* help, bool approve,
                const std::string& data_dir, ChosenCommand& chosen) {
  const auto review = describe<ReviewCommand>(group, name, about, help, data_dir);
  review.command->approve = approve;
  add_run_id(review)->required();
  review.app->add_option("--env", review.command->environment, "Only for this environment (default: all that wait)")
      ->type_name("ENVIRONMENT");
  CLI::Option* why = review.app->add_option("-m,--message", review.command->comment, "Why")->type_name("TEXT");
  if (!approve) why->required();
  add_repository(review);
  run_by(review, chosen, run_review);
}

void add_deciding(CLI::App& group, const std::string& data_dir, ChosenCommand& chosen) {
  add_review(group, "approve", "Let jobs that wait for a review go on", approve_help, true, data_dir, chosen);
  add_review(group, "reject", "Refuse jobs that wait for a review", reject_help, false, data_dir, chosen);

  const auto cancel = describe<RunCommand>(group, "cancel", "End a run", cancel_help, data_dir);
  add_run_id(cancel)->required();
  add_repository(cancel);
  run_by(cancel, chosen, run_cancel_run);

  const auto erase = describe<RunCommand>(group, "delete", "Delete a run that is over", delete_help, data_dir);
  add_run_id(erase)->required();
  add_repository(erase);
  run_by(erase, chosen, run_delete_run);
}

void add_runners(CLI::App& group, const std::string& data_dir, ChosenCommand& chosen) {
  const auto runners = describe<RunOptions>(group, "runners", "List who runs jobs", runners_help, data_dir);
  add_json(runners);
  run_by(runners, chosen, run_list_runners);

  const auto token =
      describe<RunnerTokenCommand>(group, "token", "Make or take back a runner's token", token_help, data_dir);
  token.app->add_option("name", token.command->name, "What it is for")->required();
  token.app->add_flag("--delete", token.command->take_back, "Take it back");
  add_json(token);
  run_by(token, chosen, run_runner_token);

  const auto tokens = describe<RunOptions>(group, "tokens", "List the tokens of runners", tokens_help, data_dir);
  add_json(tokens);
  run_by(tokens, chosen, run_list_runner_tokens);
}

}  // namespace

void add_run_commands(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen) {
  CLI::App* group = program.add_subcommand("run", "Start, watch and manage the runs of workflows");
  group->require_subcommand(1);
  add_starting(*group, data_dir, chosen);
  add_looking(*group, data_dir, chosen);
  add_deciding(*group, data_dir, chosen);
  add_runners(*group, data_dir, chosen);
}

}  // namespace kaapi::cli
