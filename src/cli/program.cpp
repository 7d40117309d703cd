#include "cli/program.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <ostream>
#include <sstream>

#include "base/text.h"
#include "cli/audit.h"
#include "cli/checks.h"
#include "cli/doctor.h"
#include "cli/env.h"
#include "cli/git_credential.h"
#include "cli/iam.h"
#include "cli/repo.h"
#include "cli/run.h"
#include "cli/runner.h"
#include "cli/settings.h"
#include "cli/status.h"

namespace kaapi::cli {
namespace {

constexpr const char* about =
    "Kaapi runs containers on this machine behind the AWS APIs of ECS, ECR, CloudWatch Logs and STS.\n";

constexpr const char* first_steps = R"help(First steps:
  kaapi up                          start the platform (Docker must run); stop it with Ctrl-C, tasks go on
  eval "$(kaapi env)"               point the aws client of this shell at it
  aws ecs create-cluster --cluster-name demo
  kaapi status --watch              see clusters, services, deployments and tasks live

`kaapi COMMAND --help` explains a command.)help";

constexpr const char* up_help = R"help(Examples:
  kaapi up
  kaapi up --listen 127.0.0.1:5000 --data ~/staging --region eu-central-1
  kaapi up --listen 10.0.0.5:4566 --public-host registry.example.com

Runs in the foreground and logs to stderr. The first start makes an account with a root access key in
DATA/account.json (readable by you alone); `kaapi env` prints it. SIGTERM or Ctrl-C ends it in order, and a
second one at once; either way tasks keep running, and the next start adopts them.)help";

constexpr const char* env_help = R"help(Examples:
  eval "$(kaapi env)"
  eval "$(kaapi env --data ~/staging)"; aws sts get-caller-identity

`kaapi env set NAME=VALUE`, `kaapi env create production` and so on are for the jobs of a repository.

Clients older than 2.13, such as Debian's, do not read AWS_ENDPOINT_URL:
  alias aws='aws --endpoint-url "$AWS_ENDPOINT_URL"')help";

constexpr const char* status_help = R"help(Examples:
  kaapi status
  kaapi status --watch --cluster staging
  kaapi status --json | jq '.clusters[].services[].serviceName'

Asks by the AWS APIs. With AWS_ACCESS_KEY_ID in the environment (and no --data) it asks whatever the aws client
would: AWS_ENDPOINT_URL, or AWS itself when that is not set. Otherwise it asks the platform of the data directory.)help";

constexpr const char* why_help = R"help(Examples:
  kaapi iam why --action ecs:UpdateService --resource arn:aws:ecs:us-east-1:123456789012:service/demo/web
  kaapi iam why --principal arn:aws:iam::123456789012:role/deploy --action iam:PassRole \
      --resource arn:aws:iam::123456789012:role/task --context iam:PassedToService=ecs-tasks.amazonaws.com

Evaluates the policies of the principal (a user, a role or a role's session) as a request would be, and prints every
step. Exit code 0 when it is allowed, 3 when it is not.)help";

constexpr const char* rotate_help = R"help(Example:
  kaapi credentials rotate-root && eval "$(kaapi env)"

Works on a platform that runs and on one that does not. The new key is in DATA/account.json, readable by you alone.)help";

constexpr const char* audit_help = R"help(Examples:
  kaapi audit                                  the newest calls
  kaapi audit --follow --denied                every refusal, with its reason, as it happens
  kaapi audit --since 1h --user deploy         what the role (or user, or session) did
  kaapi audit --since 1d --event ecs:UpdateService --resource web
  kaapi audit --json | jq -r 'select(.errorCode) | .userIdentity.arn + " " + .errorMessage'

Reads DATA/audit/, which only the user who runs the platform may read; the platform need not run. With --json each line
is an event in the form of AWS CloudTrail, and a member `decision` tells whether and why the call was allowed. The same
events answer: aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=UpdateService)help";

constexpr const char* doctor_help = R"help(Examples:
  kaapi doctor
  kaapi doctor --data ~/staging --json | jq '.findings[] | select(.severity != "ok")'

Looks at the data directory and its secrets, Docker, the disk, the platform that runs and its clock, and with the root
key at IAM: roles that everybody of a public token issuer may assume, access keys of users that are older than 90 days
or were never used, and who has AdministratorAccess. Changes nothing. One line each: ok, note, warning or problem.
Exit code 1 when there is a problem.)help";

struct Arguments {
  UpCommand up;
  EnvCommand env;
  StatusCommand status;
  WhyCommand why;
  RotateRootCommand rotate_root;
  AuditCommand audit;
  DoctorCommand doctor;
  RunnerCommand runner;
  std::string since;
  std::string listen;
  std::string auth = "on";
  std::string log_level = "info";
};

CLI::Option* add_data(CLI::App& command, std::string& data_dir, const std::string& otherwise) {
  data_dir = otherwise;
  return command.add_option("--data", data_dir, "The data directory (default: $KAAPI_DATA, or as shown)")
      ->type_name("DIR")
      ->capture_default_str();
}

void add_pipeline_options(CLI::App& command, PipelineOptions& options) {
  const auto number = [&command](const char* name, unsigned& value, unsigned lowest, unsigned highest, const char* unit,
                                 const char* text) {
    command.add_option(name, value, text)->check(whole_number(lowest, highest))->type_name(unit)->capture_default_str();
  };
  options.runner_slots = default_runner_slots;
  number("--runner-slots", options.runner_slots, 0U, max_runner_slots, "N",
         "Jobs of workflows that run at the same time on this machine; 0: none, other machines run them");
  command
      .add_option("--runner-option", options.runner_options,
                  "An option for the runner, such as --runner-option=--original=actions/cache; see kaapi runner --help")
      ->type_name("OPTION");
  number("--max-jobs", options.max_jobs, 0U, 10'000U, "N", "Jobs at the same time on all runners; 0: no limit");
  number("--retry-lost-jobs", options.retry_lost, 0U, 5U, "N", "How often a job whose runner died is started again");
  number("--keep-runs", options.keep_runs_days, 0U, max_kept_days, "DAYS",
         "Runs and their logs are deleted so long after their end; 0: never");
  number("--keep-artifacts", options.artifact_days, 1U, 400U, "DAYS",
         "Artifacts that do not say are deleted after that");
  number("--artifacts-max-gib", options.artifact_gib, 1U, max_kept_gib, "GIB",
         "What the artifacts of a repository may take; one more is refused");
  number("--caches-max-gib", options.cache_gib, 1U, max_kept_gib, "GIB",
         "What the caches of a repository may take; the least recently used go first");
  command.add_flag("--trust-github", options.trust_github,
                   "Tokens of token.actions.githubusercontent.com are GitHub's own; jobs here get none then");
}

CLI::App* add_up(CLI::App& program, Arguments& arguments, const std::string& data_dir) {
  CLI::App* command = program.add_subcommand("up", "Start the platform and stay in the foreground");
  arguments.listen = "127.0.0.1:4566";
  command->add_option("--listen", arguments.listen, "Where to listen; port 0 picks a free one")
      ->check(checked_by(parse_listen_address))
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  add_data(*command, arguments.up.data_dir, data_dir);
  command->add_option("--region", arguments.up.region, "Default region (first start: us-east-1)")->type_name("REGION");
  command->add_option("--account-id", arguments.up.account_id, "12 digits, for the first start (default: random)")
      ->type_name("ID");
  command->add_option("--auth", arguments.auth, "on: only signed requests; off: everybody, on loopback only")
      ->check(CLI::IsMember({"on", "off"}).description(""))
      ->type_name("on|off")
      ->capture_default_str();
  command
      ->add_option("--public-host", arguments.up.public_host,
                   "Name in repository URIs (default: localhost when listening there)")
      ->type_name("HOST[:PORT]");
  command
      ->add_option("--oidc-ca", arguments.up.oidc_ca_file,
                   "Certificates (PEM) of token issuers, besides the system's (default: $SSL_CERT_FILE)")
      ->check(CLI::ExistingFile.description(""))
      ->type_name("FILE");
  command
      ->add_option("--audit-max-mib", arguments.up.audit_max_mib,
                   "What the audit log may take on disk, at least 32; the oldest 16 MiB go first")
      ->check(whole_number(min_audit_mib, max_audit_mib))
      ->type_name("MIB")
      ->capture_default_str();
  add_pipeline_options(*command, arguments.up.pipeline);
  command->add_option("--log-level", arguments.log_level, "debug, info, warn, error or off")
      ->check(checked_by(log::parse_level))
      ->type_name("LEVEL")
      ->capture_default_str();
  command->add_flag("--aws-timing", arguments.up.aws_timing,
                    "Wait as long as AWS does: 40 s until a task without a health check counts as healthy");
  command->footer(up_help);
  return command;
}

CLI::App* add_env(CLI::App& program, Arguments& arguments, const std::string& data_dir) {
  CLI::App* command = program.add_subcommand(
      "env", "Print the export lines for AWS clients; manage variables and environments of jobs");
  add_data(*command, arguments.env.data_dir, data_dir);
  command->add_option("--endpoint", arguments.env.endpoint, "Print this endpoint instead of the running one")
      ->type_name("URL");
  command->footer(env_help);
  return command;
}

void add_target(CLI::App& command, TargetOptions& target, const std::string& data_dir) {
  add_data(command, target.data_dir, data_dir);
  command.add_option("--endpoint", target.endpoint, "Ask here")->type_name("URL");
  command.add_option("--region", target.region, "Ask for this region")->type_name("REGION");
}

CLI::App* add_why(CLI::App& program, Arguments& arguments, const std::string& data_dir) {
  CLI::App* group = program.add_subcommand("iam", "Ask about rights");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand("why", "Tell step by step why something is allowed or denied");
  WhyCommand& why = arguments.why;
  command->add_option("--principal", why.principal, "Who: the ARN of a user, role or session (default: you)")
      ->type_name("ARN");
  command->add_option("--action", why.action, "What: ecs:UpdateService, ecr:PutImage, ...")
      ->required()
      ->type_name("ACTION");
  command->add_option("--resource", why.resource, "On what: an ARN")->type_name("ARN")->capture_default_str();
  command->add_option("--context", why.context, "A condition key's value; repeat for more")->type_name("KEY=VALUE");
  command->add_flag("--json", why.json, "Print one JSON document");
  add_target(*command, why, data_dir);
  command->footer(why_help);
  return command;
}

CLI::App* add_rotate_root(CLI::App& program, Arguments& arguments, const std::string& data_dir) {
  CLI::App* group = program.add_subcommand("credentials", "Manage the account's own key");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand("rotate-root", "Replace the account's root key");
  add_data(*command, arguments.rotate_root.data_dir, data_dir);
  command->add_option("--endpoint", arguments.rotate_root.endpoint, "Ask here")->type_name("URL");
  command->footer(rotate_help);
  return command;
}

CLI::App* add_status(CLI::App& program, Arguments& arguments, const std::string& data_dir) {
  CLI::App* command = program.add_subcommand("status", "Show clusters, services, deployments, tasks and events");
  add_target(*command, arguments.status, data_dir);
  command->add_option("--cluster", arguments.status.cluster, "Only this cluster")->type_name("NAME");
  CLI::Option* json = command->add_flag("--json", arguments.status.json, "Print one JSON document");
  command->add_flag("--watch", arguments.status.watch, "Keep it live until Ctrl-C")->excludes(json);
  command->footer(status_help);
  return command;
}

CLI::App* add_audit(CLI::App& program, Arguments& arguments, const std::string& data_dir) {
  CLI::App* command = program.add_subcommand("audit", "Show who called what, from where, and whether it was allowed");
  AuditCommand& audit = arguments.audit;
  add_data(*command, audit.data_dir, data_dir);
  command
      ->add_option("--user", audit.user, "Calls of this user, role, session (ROLE/SESSION) or ARN; root is the account")
      ->type_name("WHO");
  command->add_option("--event", audit.event, "Calls of this operation")->type_name("[SERVICE:]OPERATION");
  command->add_option("--resource", audit.resource, "Calls that name this resource, by its ARN or the name at its end")
      ->type_name("ARN|NAME");
  command->add_flag("--denied", audit.denied, "Only calls that were refused");
  command->add_option("--since", arguments.since, "Calls not older than this")
      ->check(checked_by(parse_duration))
      ->type_name("90s|30m|1h|2d");
  command->add_option("--last", audit.last, "At most so many, the newest (default: 50, or all of --since)")
      ->check(whole_number(0))
      ->type_name("N");
  command->add_flag("--follow,-f", audit.follow, "Go on with each new call until Ctrl-C");
  command->add_flag("--json", audit.json, "Print the events themselves, one a line");
  command->footer(audit_help);
  return command;
}

CLI::App* add_doctor(CLI::App& program, Arguments& arguments, const std::string& data_dir) {
  CLI::App* command =
      program.add_subcommand("doctor", "Check the machine, the data directory, the platform and rights");
  add_data(*command, arguments.doctor.data_dir, data_dir);
  command->add_flag("--json", arguments.doctor.json, "Print one JSON document");
  command->footer(doctor_help);
  return command;
}

int tell_usage_error(const CLI::ParseError& error, std::ostream& err) {
  std::string message = error.what();
  for (char& c : message) {
    if (c == '\n') c = ' ';
  }
  err << "kaapi: " << trim(message) << "; see kaapi --help\n";
  return exit_usage;
}

}  // namespace

std::string default_data_dir(const Surroundings& surroundings) {
  if (const auto data = surroundings.variable("KAAPI_DATA")) return *data;
  if (surroundings.is_root) return "/var/lib/kaapi";
  if (const auto data_home = surroundings.variable("XDG_DATA_HOME")) return *data_home + "/kaapi";
  if (const auto home = surroundings.variable("HOME")) return *home + "/.local/share/kaapi";
  return "kaapi-data";
}

int run_program(int argc, const char* const* argv, const Surroundings& surroundings, std::ostream& out,
                std::ostream& err) {
  CLI::App program(about, "kaapi");
  program.footer(first_steps);
  program.require_subcommand(0, 1);  // asked for below: so an unknown one is named
  program.set_version_flag("--version", "kaapi " + surroundings.version);
  Arguments arguments;
  const std::string data_dir = default_data_dir(surroundings);
  const CLI::App* up = add_up(program, arguments, data_dir);
  CLI::App* env = add_env(program, arguments, data_dir);
  const CLI::App* status = add_status(program, arguments, data_dir);
  const CLI::App* why = add_why(program, arguments, data_dir);
  const CLI::App* rotate_root = add_rotate_root(program, arguments, data_dir);
  const CLI::App* audit = add_audit(program, arguments, data_dir);
  const CLI::App* doctor = add_doctor(program, arguments, data_dir);
  const RunnerCommands runner = add_runner_commands(program, arguments.runner);
  program.add_subcommand("version", "Print the version");
  ChosenCommand chosen;
  add_settings_commands(program, *env, data_dir, chosen);
  add_git_commands(program, data_dir, chosen);
  add_repo_commands(program, data_dir, chosen);
  add_run_commands(program, data_dir, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return program.exit(asked, out, err);
  } catch (const CLI::ParseError& error) {
    return tell_usage_error(error, err);
  }

  if (program.get_subcommands().empty()) {
    err << program.help();
    return exit_usage;
  }
  if (chosen) return chosen(surroundings, out, err);
  if (up->parsed()) {
    arguments.up.listen = parse_listen_address(arguments.listen).value();
    arguments.up.auth = arguments.auth == "on";
    arguments.up.log_level = log::parse_level(arguments.log_level).value();
    return surroundings.up(arguments.up);
  }
  if (env->parsed()) return run_env(arguments.env, surroundings, out, err);
  if (status->parsed()) {
    arguments.status.data_dir_given = status->count("--data") > 0;
    return run_status(arguments.status, surroundings, out, err);
  }
  if (why->parsed()) {
    arguments.why.data_dir_given = why->count("--data") > 0;
    return run_why(arguments.why, surroundings, out, err);
  }
  if (rotate_root->parsed()) return run_rotate_root(arguments.rotate_root, surroundings, out, err);
  if (audit->parsed()) {
    if (!arguments.since.empty()) arguments.audit.since = parse_duration(arguments.since).value();
    return run_audit(arguments.audit, surroundings, out, err);
  }
  if (runner.runner->parsed()) return run_runner(arguments.runner, err);
  if (runner.run_job->parsed()) return run_runner_job();
  if (doctor->parsed()) return run_doctor(arguments.doctor, surroundings, out);
  out << "kaapi " << surroundings.version << "\n";
  return exit_success;
}

}  // namespace kaapi::cli
