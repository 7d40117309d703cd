#include "actions/runs/github_context.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/runs/scope.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view heads = "refs/heads/", tags = "refs/tags/";

std::string owner_of(std::string_view repository) {
  return std::string(repository.substr(0, repository.find('/')));
}

std::string name_of(std::string_view repository) {
  const std::size_t slash = repository.find('/');
  return std::string(slash == std::string_view::npos ? repository : repository.substr(slash + 1));
}

bool no_commit(std::string_view sha) {
  return sha.find_first_not_of('0') == std::string_view::npos;
}

std::string text_in(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(std::string_view(found->get_string())) : std::string();
}

json::object commit_payload(const Commit& commit) {
  return {{"id", commit.sha},
          {"message", commit.message},
          {"timestamp", format_time(commit.time)},
          {"author", json::object{{"name", commit.author_name}, {"email", commit.author_email}}},
          {"committer", json::object{{"name", commit.committer_name}, {"email", commit.committer_email}}},
          {"distinct", true}};
}

// GitHub's own is a number of the file, too, which stays while its name does.
std::int64_t workflow_id(const Run& run) {
  return kaapi::parse_number(stable_id(run.repository + " " + run.workflow_path)).value_or(0);
}

json::value time_or_null(const std::optional<Time>& time) {
  return time ? json::value(format_time(*time)) : json::value(nullptr);
}

std::string ref_type(std::string_view ref) {
  return ref.starts_with(tags) ? "tag" : "branch";
}

}  // namespace

bool asks_to_skip(std::string_view message) {
  const std::string text = lower(message);
  for (const std::string_view mark : {"[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"}) {
    if (text.find(mark) != std::string::npos) return true;
  }
  // A trailer: behind an empty line.
  const std::size_t trailers = text.rfind("\n\n");
  if (trailers == std::string::npos) return false;
  for (const std::string& line : split(std::string_view(text).substr(trailers + 2), '\n')) {
    const std::string_view plain = trim(line);
    if (plain == "skip-checks: true" || plain == "skip-checks:true") return true;
  }
  return false;
}

std::string subject(std::string_view message) {
  return std::string(trim(message.substr(0, message.find('\n'))));
}

std::string ref_name(std::string_view ref) {
  if (ref.starts_with(heads)) return std::string(ref.substr(heads.size()));
  if (ref.starts_with(tags)) return std::string(ref.substr(tags.size()));
  return std::string(ref);
}

bool is_commit_id(std::string_view ref) {
  return ref.size() == 40 && ref.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string stable_id(std::string_view name) {
  const std::string hash = sha256(lower(name));
  std::uint64_t number = 0;
  // It must fit a double.
  for (std::size_t i = 0; i < 6; ++i) number = number * 256 + static_cast<unsigned char>(hash[i]);
  return fmt::format("{}", number);
}

json::object person_payload(const std::string& name) {
  return {{"login", name}, {"id", kaapi::parse_number(stable_id(name)).value_or(0)}, {"type", "User"}};
}

json::object repository_payload(const std::string& repository, const RepositoryIds& ids,
                                const std::string& default_branch, const std::string& server_url) {
  const std::string owner = owner_of(repository);
  const json::object owner_payload{{"login", owner}, {"name", owner}, {"id", ids.owner}, {"type", "User"}};
  return {{"id", ids.repository},
          {"name", name_of(repository)},
          {"full_name", repository},
          {"private", true},
          {"owner", owner_payload},
          {"default_branch", default_branch},
          {"html_url", fmt::format("{}/{}", server_url, repository)},
          {"clone_url", fmt::format("{}/git/{}.git", server_url, repository)}};
}

json::object push_payload(const PushEvent& event, const RefUpdate& update, const std::vector<Commit>& commits,
                          const Commit& head, const std::string& server_url) {
  json::array brought;
  for (const Commit& commit : commits) brought.push_back(commit_payload(commit));
  return {{"ref", update.ref},
          {"before", update.before},
          {"after", update.after},
          {"created", no_commit(update.before)},
          {"deleted", no_commit(update.after)},
          {"forced", update.forced},
          {"base_ref", nullptr},
          {"compare",
           fmt::format("{}/{}/compare/{:.12}...{:.12}", server_url, event.repository, update.before, update.after)},
          {"commits", std::move(brought)},
          {"head_commit", commit_payload(head)},
          {"pusher", json::object{{"name", event.actor}}}};
}

json::object workflow_run_payload(const Run& run, std::string_view action, const std::optional<Commit>& head,
                                  const json::object& repository, const std::string& server_url) {
  json::object about{{"id", run.id},
                     {"name", run.workflow_name},
                     {"path", run.workflow_path},
                     {"workflow_id", workflow_id(run)},
                     {"html_url", fmt::format("{}/{}/actions/runs/{}", server_url, run.repository, run.id)},
                     {"display_title", run.title},
                     {"run_number", run.number},
                     {"run_attempt", run.attempt},
                     {"event", run.event_name},
                     {"status", status_name(run.status)},
                     {"conclusion", nullptr},
                     {"head_branch", ref_name(run.ref)},
                     {"head_sha", run.sha},
                     {"head_commit", head ? json::value(commit_payload(*head)) : json::value(nullptr)},
                     {"head_repository", repository},
                     {"repository", repository},
                     {"pull_requests", json::array()},
                     {"created_at", format_time(run.created)},
                     {"run_started_at", time_or_null(run.started)},
                     {"updated_at", format_time(run.ended.value_or(run.started.value_or(run.created)))},
                     {"actor", person_payload(run.actor)},
                     {"triggering_actor", person_payload(run.triggering_actor)}};
  if (run.conclusion) about["conclusion"] = workflow::outcome_name(*run.conclusion);
  return {
      {"action", action},
      {"workflow_run", about},
      {"workflow", json::object{{"id", workflow_id(run)}, {"name", run.workflow_name}, {"path", run.workflow_path}}}};
}

json::object github_context(const Run& run, const RepositoryIds& ids, const std::string& actor_id, json::object event,
                            const std::string& server_url) {
  const std::string workflow_ref = fmt::format("{}/{}@{}", run.repository, run.workflow_path, run.ref);
  return {{"actor", run.actor},
          {"actor_id", actor_id},
          {"api_url", server_url + "/api/v3"},
          {"base_ref", ""},
          {"event", std::move(event)},
          {"event_name", run.event_name},
          {"graphql_url", server_url + "/api/graphql"},
          {"head_ref", ""},
          {"ref", run.ref},
          {"ref_name", ref_name(run.ref)},
          {"ref_protected", run.ref_protected},
          {"ref_type", ref_type(run.ref)},
          {"repository", run.repository},
          {"repository_id", fmt::format("{}", ids.repository)},
          {"repository_owner", owner_of(run.repository)},
          {"repository_owner_id", fmt::format("{}", ids.owner)},
          {"repositoryUrl", fmt::format("{}/git/{}.git", server_url, run.repository)},
          {"retention_days", "90"},
          {"run_attempt", fmt::format("{}", run.attempt)},
          {"run_id", fmt::format("{}", run.id)},
          {"run_number", fmt::format("{}", run.number)},
          {"secret_source", "Actions"},
          {"server_url", server_url},
          {"sha", run.sha},
          {"triggering_actor", run.triggering_actor},
          {"workflow", run.workflow_name},
          {"workflow_ref", workflow_ref},
          {"workflow_sha", run.sha}};
}

JobFacts job_facts(const Run& run, const RunFiles& files, const Job& job) {
  JobFacts facts;
  facts.repository = run.repository;
  facts.repository_id = text_in(run.github, "repository_id");
  facts.repository_owner_id = text_in(run.github, "repository_owner_id");
  facts.ref = run.ref;
  facts.ref_protected = run.ref_protected;
  facts.sha = run.sha;
  facts.event_name = run.event_name;
  facts.workflow = run.workflow_name;
  facts.workflow_path = run.workflow_path;
  const auto file = workflow_of(run, files, job.scope);
  facts.job_workflow_path = file ? file->path : run.workflow_path;
  facts.environment = job.environment;
  facts.actor = run.actor;
  facts.actor_id = text_in(run.github, "actor_id");
  facts.run_id = run.id;
  facts.run_number = run.number;
  facts.run_attempt = run.attempt;
  facts.job_id = job.id;
  facts.runner_environment = job.own_runner ? platform_hosted : self_hosted;
  return facts;
}

}  // namespace kaapi::actions::runs
