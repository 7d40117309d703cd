#include "actions/runs/store.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

using store::Session;
using store::Statement;

// Jobs, steps and files go with their run.
constexpr std::string_view first = R"sql(
CREATE TABLE runs(
  id INTEGER PRIMARY KEY, repository TEXT NOT NULL, workflow_path TEXT NOT NULL, workflow_name TEXT NOT NULL,
  ref TEXT NOT NULL, status TEXT NOT NULL, ended_ms INTEGER, announced INTEGER NOT NULL, data TEXT NOT NULL,
  github TEXT NOT NULL, inputs TEXT NOT NULL);
CREATE INDEX runs_of_repository ON runs(repository, id);
CREATE INDEX runs_open ON runs(id) WHERE status <> 'completed';
CREATE INDEX runs_unannounced ON runs(id) WHERE announced = 0;
CREATE INDEX runs_ended ON runs(ended_ms);
CREATE TABLE jobs(id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, data TEXT NOT NULL);
CREATE INDEX jobs_of_run ON jobs(run_id);
CREATE TABLE steps(job_id INTEGER NOT NULL, number INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY(job_id, number))
  WITHOUT ROWID;
CREATE TABLE files(run_id INTEGER NOT NULL, path TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY(run_id, path))
  WITHOUT ROWID;
CREATE TABLE tokens(hash TEXT PRIMARY KEY, kind TEXT NOT NULL, run_id INTEGER NOT NULL, name TEXT NOT NULL,
  created_by TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER) WITHOUT ROWID;
CREATE TABLE numbers(repository TEXT NOT NULL, path TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY(repository, path))
  WITHOUT ROWID;
CREATE TABLE counters(name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE schedules(repository TEXT NOT NULL, path TEXT NOT NULL, next_ms INTEGER NOT NULL,
  PRIMARY KEY(repository, path)) WITHOUT ROWID;
)sql";

// The platform's own runner has a token of its own kind, which no one's name can be taken for; it is made anew.
constexpr std::string_view own_runner = R"sql(
ALTER TABLE tokens ADD COLUMN last_used_ms INTEGER;
DELETE FROM tokens WHERE kind = 'runner' AND created_by = 'the platform';
)sql";

constexpr std::string_view migrations[] = {first, own_runner};

// A run as it is about to be written; made before the transaction, which may run on another thread.
struct Written {
  const Run* run = nullptr;
  std::string data, github, inputs;
  std::vector<std::pair<std::int64_t, std::string>> jobs;
};

Written written(const Run& run) {
  Written out;
  out.run = &run;
  if (run.changed || run.is_new) out.data = json::serialize(to_json(run));
  if (run.is_new) {
    out.github = json::serialize(run.github);
    out.inputs = json::serialize(run.inputs);
  }
  for (const Job& job : run.jobs) {
    if (job.changed) out.jobs.emplace_back(job.id, json::serialize(to_json(job)));
  }
  return out;
}

void write(Session& session, const Written& written) {
  const Run& run = *written.run;
  const std::optional<std::int64_t> ended =
      run.ended ? std::optional<std::int64_t>(to_millis(*run.ended)) : std::nullopt;
  // A run that has not ended has nothing to announce.
  const int announced = run.announced || !run.over() ? 1 : 0;
  if (run.is_new) {
    session.run(
        "INSERT OR REPLACE INTO runs(id, repository, workflow_path, workflow_name, ref, status, ended_ms, announced, "
        "data, "
        "github, inputs) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
        run.id, run.repository, run.workflow_path, run.workflow_name, run.ref, status_name(run.status), ended,
        announced, written.data, written.github, written.inputs);
    session.run(
        "INSERT INTO numbers(repository, path, last) VALUES(?,?,?) ON CONFLICT(repository, path) DO UPDATE SET last = "
        "max(last, excluded.last)",
        run.repository, run.workflow_path, run.number);
  } else if (run.changed) {
    session.run("UPDATE runs SET status = ?, ended_ms = ?, announced = ?, data = ? WHERE id = ?",
                status_name(run.status), ended, announced, written.data, run.id);
  }
  for (const auto& [id, data] : written.jobs) {
    session.run("INSERT OR REPLACE INTO jobs(id, run_id, data) VALUES(?,?,?)", id, run.id, data);
  }
}

Result<Run> run_in(const Statement& row) {
  const Result<json::value> data = parse_json(row.text(0));
  if (!data) return data.error();
  Result<Run> run = run_from(*data);
  if (!run) return run.error();
  Result<json::value> github = parse_json(row.text(1));
  Result<json::value> inputs = parse_json(row.text(2));
  if (!github || !github->is_object() || !inputs || !inputs->is_object()) {
    return make_error(errc::damaged, fmt::format("the contexts of run {} cannot be read", run->id));
  }
  run->github = std::move(github->get_object());
  run->inputs = std::move(inputs->get_object());
  return run;
}

Result<std::vector<std::int64_t>> ids(Statement query) {
  std::vector<std::int64_t> found;
  while (query.step()) found.push_back(query.number(0));
  return found;
}

Token token_in(const Statement& row) {
  Token token;
  token.kind = row.text(0);
  token.run_id = row.number(1);
  token.name = row.text(2);
  token.created_by = row.text(3);
  token.created = from_millis(row.number(4));
  if (!row.is_null(5)) token.expires = from_millis(row.number(5));
  if (!row.is_null(6)) token.last_used = from_millis(row.number(6));
  return token;
}

}  // namespace

std::string hash_of(std::string_view token) {
  return to_hex(sha256(token));
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  Result<std::unique_ptr<store::Database>> database = store::Database::open(path, migrations);
  if (!database) return database.error();
  return std::unique_ptr<Store>(new Store(std::move(*database)));
}

Result<NextIds> Store::next_ids() {
  return database_->read([](Session& session) -> Result<NextIds> {
    NextIds next;
    Statement query = session.query("SELECT name, next FROM counters");
    while (query.step()) (query.text(0) == "run" ? next.run : next.job) = query.number(1);
    return next;
  });
}

Result<void> Store::save(const std::vector<Run*>& runs, const std::map<std::int64_t, const RunFiles*>& files,
                         const NextIds& next) {
  std::vector<Written> all;
  all.reserve(runs.size());
  for (const Run* run : runs) all.push_back(written(*run));
  const Result<void> saved = database_->write([&](Session& session) -> Result<void> {
    for (const Written& one : all) write(session, one);
    for (const auto& [run_id, made_of] : files) {
      for (const auto& [path, text] : made_of->texts) {
        session.run("INSERT OR REPLACE INTO files(run_id, path, text) VALUES(?,?,?)", run_id, path, text);
      }
    }
    session.run("INSERT OR REPLACE INTO counters(name, next) VALUES('run', ?), ('job', ?)", next.run, next.job);
    return ok();
  });
  if (!saved) return saved.error();
  for (Run* run : runs) {
    run->changed = run->is_new = false;
    for (Job& job : run->jobs) job.changed = false;
  }
  return ok();
}

Result<std::vector<std::int64_t>> Store::unfinished() {
  return database_->read([](Session& session) {
    return ids(session.query("SELECT id FROM runs WHERE status <> 'completed' ORDER BY id"));
  });
}

Result<Run> Store::run(std::int64_t id) {
  return database_->read([&](Session& session) -> Result<Run> {
    Statement query = session.query("SELECT data, github, inputs FROM runs WHERE id = ?", id);
    if (!query.step()) return make_error(errc::not_found, fmt::format("there is no run {}", id));
    Result<Run> run = run_in(query);
    if (!run) return run;
    Statement jobs = session.query("SELECT data FROM jobs WHERE run_id = ? ORDER BY id", id);
    while (jobs.step()) {
      const Result<json::value> data = parse_json(jobs.text(0));
      if (!data) return data.error();
      Result<Job> job = job_from(*data);
      if (!job) return job.error();
      run->jobs.push_back(std::move(*job));
    }
    return run;
  });
}

Result<std::map<std::string, std::string, std::less<>>> Store::files(std::int64_t run_id) {
  using Files = std::map<std::string, std::string, std::less<>>;
  return database_->read([&](Session& session) -> Result<Files> {
    Files files;
    Statement query = session.query("SELECT path, text FROM files WHERE run_id = ?", run_id);
    while (query.step()) files.emplace(query.text(0), query.text(1));
    return files;
  });
}

Result<std::vector<Run>> Store::list(const RunFilter& filter) {
  return database_->read([&](Session& session) -> Result<std::vector<Run>> {
    std::vector<Run> runs;
    Statement query = session.query(
        "SELECT data, github, inputs FROM runs WHERE repository = ?1 AND id < ?2 AND (?3 = '' OR workflow_path = ?3 OR "
        "workflow_name = ?3 OR workflow_path = '.github/workflows/' || ?3) AND (?4 = '' OR ref = ?4 OR ref = "
        "'refs/heads/' || ?4 OR ref = 'refs/tags/' || ?4) AND (?5 = '' OR status = ?5) ORDER BY id DESC LIMIT ?6",
        filter.repository, filter.before, filter.workflow, filter.ref, filter.status, filter.limit);
    while (query.step()) {
      Result<Run> run = run_in(query);
      // The log has said so at the start; the others are still worth seeing.
      if (run) runs.push_back(std::move(*run));
    }
    return runs;
  });
}

Result<std::int64_t> Store::next_number(std::string_view repository, std::string_view workflow_path) {
  return database_->read([&](Session& session) -> Result<std::int64_t> {
    Statement query =
        session.query("SELECT last FROM numbers WHERE repository = ? AND path = ?", repository, workflow_path);
    return query.step() ? query.number(0) + 1 : 1;
  });
}

Result<std::vector<std::int64_t>> Store::unannounced() {
  return database_->read(
      [](Session& session) { return ids(session.query("SELECT id FROM runs WHERE announced = 0 ORDER BY id")); });
}

Result<void> Store::announced(std::int64_t run_id) {
  return database_->write([&](Session& session) -> Result<void> {
    session.run("UPDATE runs SET announced = 1, data = json_set(data, '$.announced', json('true')) WHERE id = ?",
                run_id);
    return ok();
  });
}

Result<std::set<std::string>> Store::started_after(std::int64_t run_id) {
  return database_->read([&](Session& session) -> Result<std::set<std::string>> {
    Statement query = session.query(
        "SELECT later.workflow_path FROM runs AS run JOIN runs AS later ON later.repository = run.repository AND "
        "later.id > run.id WHERE run.id = ?1 AND later.github ->> '$.event_name' = 'workflow_run' AND "
        "later.github ->> '$.event.action' = 'completed' AND later.github ->> '$.event.workflow_run.id' = ?1 AND "
        "later.github ->> '$.event.workflow_run.run_attempt' = run.data ->> '$.attempt'",
        run_id);
    std::set<std::string> paths;
    while (query.step()) paths.emplace(query.text(0));
    return paths;
  });
}

Result<std::vector<std::int64_t>> Store::ended_before(Time time, std::size_t limit) {
  return database_->read([&](Session& session) {
    return ids(
        session.query("SELECT id FROM runs WHERE status = 'completed' AND ended_ms < ? ORDER BY ended_ms LIMIT ?",
                      to_millis(time), limit));
  });
}

Result<void> Store::remove(std::int64_t run_id) {
  return database_->write([&](Session& session) -> Result<void> {
    session.run("DELETE FROM steps WHERE job_id IN (SELECT id FROM jobs WHERE run_id = ?)", run_id);
    session.run("DELETE FROM jobs WHERE run_id = ?", run_id);
    session.run("DELETE FROM files WHERE run_id = ?", run_id);
    session.run("DELETE FROM tokens WHERE kind = 'watch' AND run_id = ?", run_id);
    session.run("DELETE FROM runs WHERE id = ?", run_id);
    return ok();
  });
}

Result<Store::JobPlace> Store::job_place(std::int64_t job_id) {
  return database_->read([&](Session& session) -> Result<JobPlace> {
    Statement query = session.query("SELECT run_id, data FROM jobs WHERE id = ?", job_id);
    if (!query.step()) return make_error(errc::not_found, fmt::format("there is no job {}", job_id));
    return JobPlace{query.number(0), std::string(query.text(1))};
  });
}

Result<void> Store::save_steps(std::int64_t job_id, const std::vector<StepUpdate>& steps) {
  return database_->write([&](Session& session) -> Result<void> {
    for (const StepUpdate& step : steps) {
      const std::string data = json::serialize(to_json(step));
      session.run("INSERT OR REPLACE INTO steps(job_id, number, data) VALUES(?,?,?)", job_id, step.number, data);
    }
    return ok();
  });
}

Result<std::vector<StepUpdate>> Store::steps(std::int64_t job_id) {
  return database_->read([&](Session& session) -> Result<std::vector<StepUpdate>> {
    std::vector<StepUpdate> steps;
    Statement query = session.query("SELECT data FROM steps WHERE job_id = ? ORDER BY number", job_id);
    while (query.step()) {
      const Result<json::value> data = parse_json(query.text(0));
      if (!data) return data.error();
      Result<StepUpdate> step = step_update_from(*data);
      if (!step) return step.error();
      steps.push_back(std::move(*step));
    }
    return steps;
  });
}

Result<void> Store::add_token(std::string_view hash, const Token& token, bool replace_same_name) {
  return database_->write([&](Session& session) -> Result<void> {
    if (replace_same_name) session.run("DELETE FROM tokens WHERE kind = ? AND name = ?", token.kind, token.name);
    const std::optional<std::int64_t> expires =
        token.expires ? std::optional<std::int64_t>(to_millis(*token.expires)) : std::nullopt;
    session.run(
        "INSERT OR REPLACE INTO tokens(hash, kind, run_id, name, created_by, created_ms, expires_ms) "
        "VALUES(?,?,?,?,?,?,?)",
        hash, token.kind, token.run_id, token.name, token.created_by, to_millis(token.created), expires);
    return ok();
  });
}

Result<std::optional<Token>> Store::token(std::string_view hash) {
  return database_->read([&](Session& session) -> Result<std::optional<Token>> {
    Statement query = session.query(
        "SELECT kind, run_id, name, created_by, created_ms, expires_ms, last_used_ms FROM tokens WHERE hash = ?", hash);
    if (!query.step()) return std::optional<Token>();
    return std::optional(token_in(query));
  });
}

Result<std::vector<Token>> Store::tokens(std::string_view kind) {
  return database_->read([&](Session& session) -> Result<std::vector<Token>> {
    std::vector<Token> found;
    Statement query = session.query(
        "SELECT kind, run_id, name, created_by, created_ms, expires_ms, last_used_ms FROM tokens WHERE kind = ? "
        "ORDER BY name",
        kind);
    while (query.step()) found.push_back(token_in(query));
    return found;
  });
}

Result<void> Store::token_used(std::string_view hash, Time now) {
  return database_->write([&](Session& session) -> Result<void> {
    session.run("UPDATE tokens SET last_used_ms = ? WHERE hash = ?", to_millis(now), hash);
    return ok();
  });
}

Result<void> Store::remove_token(std::string_view kind, std::string_view name) {
  return database_->write([&](Session& session) -> Result<void> {
    session.run("DELETE FROM tokens WHERE kind = ? AND name = ?", kind, name);
    if (session.changes() > 0) return ok();
    return make_error(errc::not_found, fmt::format("there is no {} token {}", kind, name));
  });
}

Result<void> Store::remove_expired_tokens(Time now) {
  return database_->write([&](Session& session) -> Result<void> {
    session.run("DELETE FROM tokens WHERE expires_ms < ?", to_millis(now));
    return ok();
  });
}

Result<void> Store::set_schedules(std::string_view repository, const std::vector<ScheduledWorkflow>& schedules) {
  return database_->write([&](Session& session) -> Result<void> {
    session.run("DELETE FROM schedules WHERE repository = ?", repository);
    for (const ScheduledWorkflow& one : schedules) {
      session.run("INSERT INTO schedules(repository, path, next_ms) VALUES(?,?,?)", repository, one.path,
                  to_millis(one.next));
    }
    return ok();
  });
}

Result<std::vector<ScheduledWorkflow>> Store::schedules() {
  return database_->read([&](Session& session) -> Result<std::vector<ScheduledWorkflow>> {
    std::vector<ScheduledWorkflow> found;
    Statement query = session.query("SELECT repository, path, next_ms FROM schedules");
    while (query.step()) {
      found.push_back({std::string(query.text(0)), std::string(query.text(1)), from_millis(query.number(2))});
    }
    return found;
  });
}

}  // namespace kaapi::actions::runs
