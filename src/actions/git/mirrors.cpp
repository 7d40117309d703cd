#include "actions/git/mirrors.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "actions/git/git.h"
#include "base/file_descriptor.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t secret_digits = 40;
constexpr std::string_view mirror_actor = "mirror";
constexpr std::size_t max_report_lines = 100;  // that are shown
constexpr std::size_t max_refs_named = 5;      // in an error

std::string place_of(std::string_view repository, std::string_view what) {
  return fmt::format("mirror/{}/{}", repository, what);
}

std::string sealed(const store::Sealer& sealer, const std::string& plain, std::string_view repository,
                   std::string_view what) {
  return plain.empty() ? std::string() : sealer.seal(plain, place_of(repository, what));
}

Result<std::string> unsealed(const store::Sealer& sealer, std::string_view bytes, std::string_view repository,
                             std::string_view what) {
  return bytes.empty() ? Result<std::string>(std::string()) : sealer.unseal(bytes, place_of(repository, what));
}

bool is_mirrored(std::string_view ref) {
  return (!branch_of(ref).empty() || !tag_of(ref).empty()) && is_ref(ref);
}

// They are fetched, but start nothing: no run could be named after them.
void warn_of_names(const std::string& repository, const std::map<std::string, std::string>& refs) {
  std::size_t count = 0;
  std::string example;
  for (const auto& [ref, commit] : refs) {
    if (is_ref(ref)) continue;
    if (count++ == 0) example = ref_fault(ref);
  }
  if (count > 0) log::warn("git", "{} of the refs of {} start nothing: {}", count, repository, example);
}

// "refs/heads/trunk" is HEAD in what `git ls-remote --symref` prints: "trunk". Empty: it does not say.
std::string head_from(std::string_view printed) {
  constexpr std::string_view symbolic = "ref: ";
  for (const std::string& line : split(printed, '\n')) {
    const std::size_t tab = line.find('\t');
    if (!line.starts_with(symbolic) || tab == std::string::npos || line.substr(tab + 1) != "HEAD") continue;
    const std::string ref = line.substr(symbolic.size(), tab - symbolic.size());
    return is_ref(ref) ? std::string(branch_of(ref)) : std::string();
  }
  return {};
}

std::string text_of(const std::map<std::string, std::string>& refs) {
  json::object kept;
  for (const auto& [ref, commit] : refs) {
    if (is_mirrored(ref)) kept[ref] = commit;
  }
  return json::serialize(kept);
}

std::map<std::string, std::string> refs_from(std::string_view text) {
  std::map<std::string, std::string> refs;
  const Result<json::value> parsed = parse_json(text);
  if (!parsed || !parsed->is_object()) return refs;
  for (const auto& [ref, commit] : parsed->get_object()) refs[ref] = string_member(*parsed, ref);
  return refs;
}

std::vector<std::string> lines_from(std::string_view text) {
  std::vector<std::string> lines;
  const Result<json::value> parsed = parse_json(text);
  if (!parsed || !parsed->is_array()) return lines;
  for (const json::value& line : parsed->get_array()) {
    if (line.is_string()) lines.emplace_back(std::string_view(line.get_string()));
  }
  return lines;
}

// Why a fetch failed, for people, from what git said of it.
std::string why_not(std::string said, bool with_password) {
  const auto holds = [&](std::string_view text) { return said.find(text) != std::string::npos; };
  // git asks for what the other side did not take, and nobody is there to answer.
  if (holds("could not read Username") || holds("could not read Password") || holds("Authentication failed")) {
    if (with_password) {
      return "the user name or password was refused: give others with kaapi repo mirror URL --user NAME and the "
             "options that it was set with; some hosts refuse so when there is no such repository";
    }
    return "it asks for a user name and password: kaapi repo mirror URL --user NAME and the options that it was set "
           "with; some hosts ask so when there is no such repository";
  }
  if (holds("redirect") || holds("error: 30")) {
    said += "; it redirects, which is not followed: mirror the URL that it leads to";
  }
  return said;
}

// "refs/heads/main, refs/tags/v1 and 3 more"
std::string some_of(const std::vector<RefUpdate>& updates) {
  std::string out;
  const std::size_t count = std::min(updates.size(), max_refs_named);
  for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "" : ", ") + updates[i].ref;
  return count == updates.size() ? out : fmt::format("{} and {} more", out, updates.size() - count);
}

// How what was a mirror of `url` becomes one again. Empty: it was none.
std::string way_back(const std::string& url, const std::vector<RefUpdate>& since) {
  if (url.empty()) return {};
  const std::string undone =
      since.empty() ? std::string() : fmt::format(" when what was pushed since is undone ({})", some_of(since));
  return fmt::format("it was a mirror of {}, and can be one of that again{}; else ", url, undone);
}

Error no_mirror(std::string_view repository) {
  return make_error(errc::not_found,
                    fmt::format("{} is no mirror; make it one with: kaapi repo mirror URL", repository));
}

}  // namespace

// A repository is fetched, set and stopped by one at a time. Who sets or stops it ends a fetch that is going on.
class Mirrors::Turn {
 public:
  enum class Way { wait, end_others };
  Turn(Mirrors& mirrors, const std::string& repository, Way way = Way::wait)
      : mirrors_(mirrors), repository_(repository), end_event_(::eventfd(0, EFD_CLOEXEC)) {
    std::unique_lock lock(mirrors_.mutex_);
    mirrors_.wake_.wait(lock, [&] {
      const auto other = mirrors_.turns_.find(repository_);
      if (other == mirrors_.turns_.end()) return true;
      if (way == Way::end_others) other->second->end();
      return false;
    });
    mirrors_.turns_.emplace(repository_, this);
    if (mirrors_.stopping_) end();
  }
  ~Turn() {
    {
      const std::lock_guard lock(mirrors_.mutex_);
      mirrors_.turns_.erase(repository_);
    }
    mirrors_.wake_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  void end() const { ::eventfd_write(end_event_.get(), 1); }
  int end_fd() const { return end_event_.get(); }
  const std::string& repository() const { return repository_; }

 private:
  Mirrors& mirrors_;
  const std::string repository_;
  const FileDescriptor end_event_;  // readable when what is asked of the other side shall end
};

Result<void> check_mirror(const MirrorSpec& spec) {
  if (!is_repository_name(spec.repository)) return bad_name(spec.repository);
  const std::string_view url = spec.url;
  const std::size_t scheme = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  if (scheme == 0) {
    return make_error(errc::invalid,
                      "only http:// and https:// can be mirrored, like https://github.com/team/shop.git");
  }
  const std::string_view host = url.substr(scheme, url.find('/', scheme) - scheme);
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= 0x20U || c == 0x7F; };
  if (host.empty() || std::any_of(url.begin(), url.end(), blank)) {
    return make_error(errc::invalid, "the URL to mirror names no host, or holds a space");
  }
  if (host.find('@') != std::string_view::npos) {
    return make_error(errc::invalid,
                      "give the user name and the password on their own, not in the URL, which is shown");
  }
  if (spec.every.count() == 0 && !spec.webhook) {
    return make_error(errc::invalid, "say when to fetch: by a schedule (--every 5m), a webhook (--webhook) or both");
  }
  if (spec.every.count() != 0 && (spec.every < min_mirror_interval || spec.every > max_mirror_interval)) {
    return make_error(errc::invalid, fmt::format("a mirror is fetched every {} s to every {} days",
                                                 min_mirror_interval.count(), max_mirror_interval.count() / 86400));
  }
  return ok();
}

std::vector<RefUpdate> changed_refs(const std::map<std::string, std::string>& before,
                                    const std::map<std::string, std::string>& after) {
  std::vector<RefUpdate> out;
  for (const auto& [ref, commit] : after) {
    const auto old = before.find(ref);
    if (!is_mirrored(ref) || (old != before.end() && old->second == commit)) continue;
    out.push_back({ref, old == before.end() ? std::string(no_commit) : old->second, commit, false});
  }
  for (const auto& [ref, commit] : before) {
    if (is_mirrored(ref) && !after.contains(ref)) out.push_back({ref, commit, std::string(no_commit), false});
  }
  return out;
}

bool is_signed(std::string_view header, std::string_view secret, std::string_view body) {
  const std::string expected = "sha256=" + to_hex(hmac_sha256(secret, body));
  return header.size() == expected.size() && equal_constant_time(header, expected);
}

void Mirrors::start() {
  plan_all();
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  for (std::size_t i = 0; i < mirror_threads; ++i) threads_.emplace_back([this] { run(); });
}

void Mirrors::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [repository, turn] : turns_) turn->end();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Mirrors::plan_all() {
  const auto all = repositories_.database().read([](store::Session& session) -> Result<std::vector<std::string>> {
    std::vector<std::string> out;
    store::Statement rows = session.query("SELECT repository FROM mirrors");
    while (rows.step()) out.emplace_back(rows.text(0));
    return out;
  });
  if (!all) return log::error("git", "mirrors are not fetched: {}", all.error().message);
  const std::lock_guard lock(mutex_);
  // What happened meanwhile is fetched at once.
  for (const std::string& repository : *all) due_[repository] = Steady::now();
}

std::optional<std::string> Mirrors::next() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    auto earliest = due_.end();
    for (auto one = due_.begin(); one != due_.end(); ++one) {
      if (turns_.contains(one->first)) continue;
      if (earliest == due_.end() || one->second < earliest->second) earliest = one;
    }
    if (earliest == due_.end()) {
      wake_.wait(lock);
    } else if (const Steady::time_point when = earliest->second; when > Steady::now()) {
      wake_.wait_until(lock, when);
    } else {
      std::string repository = earliest->first;
      due_.erase(earliest);
      wake_.notify_all();  // another thread waits for the next one
      return repository;
    }
  }
  return std::nullopt;
}

void Mirrors::run() {
  while (const std::optional<std::string> repository = next()) {
    const Result<std::vector<RefUpdate>> fetched = fetch(*repository);
    if (!fetched && fetched.error().code == errc::not_found) continue;
    if (!fetched) log::warn("git", "{} is not up to date: {}", *repository, fetched.error().message);
    const std::optional<std::chrono::seconds> pause = pause_after(*repository, fetched.has_value());
    const std::lock_guard lock(mutex_);
    if (pause) due_.try_emplace(*repository, Steady::now() + *pause);
    wake_.notify_all();
  }
}

std::optional<std::chrono::seconds> Mirrors::pause_after(const std::string& repository, bool good) {
  const Result<Row> now = row(repository);
  const std::lock_guard lock(mutex_);
  if (good || !now) failures_.erase(repository);
  if (!now) return std::nullopt;
  const std::chrono::seconds every = now->every;
  if (good) return every.count() == 0 ? std::nullopt : std::optional(every);
  // A webhook comes once, so whoever has only that tries again too.
  const int failures = std::min(failures_[repository]++, 10);
  const auto retry = std::min<std::chrono::seconds>(first_mirror_retry * (1 << failures), longest_mirror_retry);
  return every.count() == 0 ? retry : std::min(every, retry);
}

Result<Mirrors::Former> Mirrors::former(const std::string& repository) const {
  return repositories_.database().read([&](store::Session& session) -> Result<Former> {
    store::Statement row = session.query("SELECT url, refs FROM former_mirrors WHERE repository = ?", repository);
    if (!row.step()) return Former();
    return Former{std::string(row.text(0)), refs_from(row.text(1))};
  });
}

Result<void> Mirrors::check_replaceable(const MirrorSpec& spec) const {
  const auto refs = repositories_.refs(spec.repository);
  if (!refs) return refs.error();
  if (refs->empty()) return ok();
  const Result<Former> last = former(spec.repository);
  if (!last) return last.error();
  const std::vector<RefUpdate> since = last->url.empty() ? std::vector<RefUpdate>() : changed_refs(last->refs, *refs);
  if (last->url == spec.url && since.empty()) return ok();
  return make_error(
      errc::conflict,
      fmt::format("{0} has {1} branches and tags of its own, which a mirror would replace: {2}take another "
                  "name (--repo OWNER/NAME), or delete it with its runs and settings when nothing of it is "
                  "needed (kaapi repo delete {0})",
                  spec.repository, refs->size(), way_back(last->url, since)),
      409);
}

Result<std::string> Mirrors::set(const MirrorSpec& spec) {
  if (const Result<void> good = check_mirror(spec); !good) return good.error();
  const Turn turn(*this, spec.repository, Turn::Way::end_others);
  if (!repositories_.find(spec.repository)) {
    const Result<Repository> made = repositories_.create(spec.repository);
    if (!made) return made.error();
  }
  if (!find(spec.repository)) {
    if (const Result<void> replaceable = check_replaceable(spec); !replaceable) return replaceable.error();
  }
  const std::string secret = spec.webhook ? ids_.hex(secret_digits) : std::string();
  const std::string password = sealed(sealer_, spec.password, spec.repository, "password");
  const std::string sealed_secret = sealed(sealer_, secret, spec.repository, "webhook");
  const Result<void> stored = repositories_.database().write([&](store::Session& session) -> Result<void> {
    session.run("DELETE FROM former_mirrors WHERE repository = ?", spec.repository);
    store::Statement count = session.query("SELECT count(*) FROM mirrors WHERE repository <> ?", spec.repository);
    if (count.step() && count.number(0) >= static_cast<std::int64_t>(max_mirrors)) {
      return make_error(errc::too_large, fmt::format("there are {} mirrors, which is the most", max_mirrors));
    }
    store::Statement insert = session.query(
        "INSERT INTO mirrors (repository, url, every_s, username, password, webhook_secret) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (repository) DO UPDATE SET every_s = excluded.every_s, username = excluded.username, "
        "password = excluded.password, webhook_secret = excluded.webhook_secret, url = excluded.url, "
        // Of another remote, what changes is told only after its first fetch.
        "synced = synced AND url = excluded.url, told = CASE WHEN url = excluded.url THEN told ELSE '' END, "
        "fetched_ms = CASE WHEN url = excluded.url THEN fetched_ms END, tried_ms = NULL, error = ''",
        spec.repository, spec.url, spec.every.count(), spec.username);
    insert.bind_blob(5, password).bind_blob(6, sealed_secret);
    insert.run();
    return ok();
  });
  if (!stored) return stored.error();
  {
    const std::lock_guard lock(mutex_);
    due_[spec.repository] = Steady::now();
  }
  wake_.notify_all();
  return secret;
}

Result<void> Mirrors::remove(const std::string& repository) {
  const Turn turn(*this, repository, Turn::Way::end_others);
  const auto refs = repositories_.refs(repository);
  return repositories_.database().write([&](store::Session& session) -> Result<void> {
    if (refs) {
      session.run(
          "INSERT OR REPLACE INTO former_mirrors (repository, url, refs) "
          "SELECT repository, url, ? FROM mirrors WHERE repository = ?",
          text_of(*refs), repository);
    }
    session.run("DELETE FROM mirrors WHERE repository = ?", repository);
    return session.changes() == 1 ? ok() : Result<void>(no_mirror(repository));
  });
}

std::optional<Mirror> Mirrors::find(std::string_view repository) const {
  const auto found = repositories_.database().read([&](store::Session& session) -> Result<std::optional<Mirror>> {
    store::Statement row = session.query(
        "SELECT url, every_s, length(webhook_secret), fetched_ms, tried_ms, error, report FROM mirrors "
        "WHERE repository = ?",
        repository);
    if (!row.step()) return std::optional<Mirror>();
    Mirror mirror;
    mirror.url = row.text(0);
    mirror.every = std::chrono::seconds(row.number(1));
    mirror.webhook = row.number(2) > 0;
    if (!row.is_null(3)) mirror.fetched_at = from_millis(row.number(3));
    if (!row.is_null(4)) mirror.tried_at = from_millis(row.number(4));
    mirror.error = row.text(5);
    mirror.report = lines_from(row.text(6));
    return std::optional(mirror);
  });
  return found ? *found : std::nullopt;
}

void Mirrors::wait_for_outcome(const std::string& repository) {
  std::unique_lock lock(mutex_);
  if (!started_ || waiting_ >= max_outcome_waits) return;
  ++waiting_;
  wake_.wait_for(lock, max_outcome_wait, [&] {
    if (stopping_ || turns_.contains(repository)) return stopping_;
    const std::optional<Mirror> mirror = find(repository);
    return !mirror || mirror->tried_at;
  });
  --waiting_;
}

Result<Mirrors::Row> Mirrors::row(std::string_view repository) const {
  std::string password;
  std::string secret;
  Result<Row> found = repositories_.database().read([&](store::Session& session) -> Result<Row> {
    store::Statement row = session.query(
        "SELECT url, every_s, username, password, webhook_secret, synced, told, head FROM mirrors WHERE repository = ?",
        repository);
    if (!row.step()) return no_mirror(repository);
    password = row.blob(3);
    secret = row.blob(4);
    return Row{std::string(row.text(0)),
               std::string(row.text(2)),
               "",
               "",
               std::chrono::seconds(row.number(1)),
               row.number(5) != 0,
               refs_from(row.text(6)),
               std::string(row.text(7))};
  });
  if (!found) return found;
  Result<std::string> open_password = unsealed(sealer_, password, repository, "password");
  Result<std::string> open_secret = unsealed(sealer_, secret, repository, "webhook");
  if (!open_password) return open_password.error();
  if (!open_secret) return open_secret.error();
  found->password = std::move(*open_password);
  found->secret = std::move(*open_secret);
  return found;
}

Result<Finished> Mirrors::ask(const Turn& turn, const Row& row, std::vector<std::string> arguments) const {
  // No redirects, which would take the password along: the URL is what somebody with the right to mirror has named.
  std::vector<std::pair<std::string, std::string>> settings = {
      {"http.followRedirects", "false"}, {"http.lowSpeedLimit", "1"}, {"http.lowSpeedTime", "120"}};
  for (auto& one : fsck_settings("fetch")) settings.push_back(std::move(one));
  if (!row.password.empty()) {
    // In the environment, which other users cannot read, unlike a command line.
    const std::string login = base64_encode(fmt::format("{}:{}", row.username, row.password));
    settings.emplace_back(fmt::format("http.{}.extraHeader", row.url), "Authorization: Basic " + login);
  }
  arguments.insert(arguments.begin(), "git");
  const Command command{std::move(arguments), environment(settings), repositories_.directory(turn.repository())};
  return git::run(command, {}, {64UL * 1024, fetch_timeout, turn.end_fd()});
}

Result<void> Mirrors::fetch_into(const Turn& turn, const Row& row) const {
  const Result<Finished> finished =
      ask(turn, row,
          {"fetch", "--quiet", "--prune", "--force", "--no-write-fetch-head", "--no-auto-gc", "--no-recurse-submodules",
           "--end-of-options", row.url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"});
  if (!finished) return finished.error();
  if (finished->exit_code == 0) return ok();
  return make_error(errc::unavailable, fmt::format("{} cannot be fetched: {}", row.url,
                                                   why_not(said(finished->errors), !row.password.empty())));
}

void Mirrors::follow_head(const Turn& turn, const Row& row) {
  const std::string& repository = turn.repository();
  const Result<Finished> asked =
      ask(turn, row, {"ls-remote", "--quiet", "--symref", "--end-of-options", row.url, "HEAD"});
  const std::string branch = asked && asked->exit_code == 0 ? head_from(asked->output) : std::string();
  if (branch.empty() || branch == row.head) return;
  const Result<Repository> moved = pushes_.set_default_branch(repository, branch);
  if (!moved) return log::warn("git", "the default branch of {} stays: {}", repository, moved.error().message);
  const Result<void> noted = repositories_.database().write([&](store::Session& session) -> Result<void> {
    session.run("UPDATE mirrors SET head = ? WHERE repository = ?", branch, repository);
    return ok();
  });
  if (!noted) log::warn("git", "the default branch of mirror {} is not noted: {}", repository, noted.error().message);
}

Result<std::vector<RefUpdate>> Mirrors::fetch(const std::string& repository) {
  const Turn turn(*this, repository);
  return fetch_in(turn);
}

Result<std::vector<RefUpdate>> Mirrors::fetch_in(const Turn& turn) {
  const std::string& repository = turn.repository();
  const Result<Row> mirror = row(repository);
  if (!mirror) return mirror.error();
  const auto before = repositories_.refs(repository);
  if (!before) return before.error();
  const Result<void> fetched = fetch_into(turn, *mirror);
  note(repository, fetched ? "" : fetched.error().message);
  if (!fetched) return fetched.error();
  const auto after = repositories_.refs(repository);
  if (!after) return after.error();
  follow_head(turn, *mirror);
  // Compared with what was told: this process may have ended between the last fetch and telling of it.
  std::vector<RefUpdate> updates = changed_refs(mirror->told.empty() ? *before : mirror->told, *after);
  for (RefUpdate& update : updates) {
    if (update.before == no_commit || update.after == no_commit) continue;
    update.forced = repositories_.is_forced(repository, update.before, update.after);
  }
  if (const Result<void> told = tell(repository, updates, !mirror->synced); !told) {
    note(repository, "what has changed could not be told, and is told after the next fetch: " + told.error().message);
    return told.error();
  }
  if (!updates.empty() || mirror->told.empty()) {
    note_told(repository, *after);
    warn_of_names(repository, *after);
  }
  return updates;
}

Result<void> Mirrors::tell(const std::string& repository, const std::vector<RefUpdate>& updates, bool first) {
  if (first) {
    repositories_.adopt_default_branch(repository, updates);
    pushes_.default_branch_changed(repository);  // for its schedules
    log::info("git", "{} mirrors {} branches and tags now; what changes from here on starts runs", repository,
              updates.size());
  } else if (!updates.empty()) {
    const std::string actor(mirror_actor);
    const Result<PushReport> told =
        pushes_.publish({repository, actor, fmt::format("arn:aws:kaapi:::{}/{}", actor, repository), updates});
    if (!told) return told.error();
    log_report(repository, *told);
    note_report(repository, told->lines);
  }
  return ok();
}

void Mirrors::note_report(const std::string& repository, const std::vector<std::string>& lines) {
  json::array kept;
  for (const std::string& line : lines) {
    if (kept.size() < max_report_lines) kept.push_back(json::string(line));
  }
  const Result<void> noted = repositories_.database().write([&](store::Session& session) -> Result<void> {
    session.run("UPDATE mirrors SET report = ? WHERE repository = ?", json::serialize(kept), repository);
    return ok();
  });
  if (!noted) log::warn("git", "what mirror {} started is not noted: {}", repository, noted.error().message);
}

void Mirrors::note(const std::string& repository, const std::string& error) {
  const Result<void> noted = repositories_.database().write([&](store::Session& session) -> Result<void> {
    session.run(
        "UPDATE mirrors SET tried_ms = ?1, error = ?2, synced = synced OR ?2 = '', "
        "fetched_ms = CASE WHEN ?2 = '' THEN ?1 ELSE fetched_ms END WHERE repository = ?3",
        to_millis(clock_.now()), error, repository);
    return ok();
  });
  if (!noted) log::warn("git", "what became of mirror {} is not noted: {}", repository, noted.error().message);
}

void Mirrors::note_told(const std::string& repository, const std::map<std::string, std::string>& refs) {
  const Result<void> noted = repositories_.database().write([&](store::Session& session) -> Result<void> {
    session.run("UPDATE mirrors SET told = ? WHERE repository = ?", text_of(refs), repository);
    return ok();
  });
  if (!noted) log::warn("git", "what was told of mirror {} is not noted: {}", repository, noted.error().message);
}

http::Response Mirrors::webhook(const http::Request& request) {
  const Result<std::string> repository =
      full_name(std::string_view(request.head.path).substr(std::min(webhook_path.size(), request.head.path.size())));
  const Result<Row> mirror = repository ? row(*repository) : Result<Row>(repository.error());
  const std::string_view signature = request.head.headers.find("X-Hub-Signature-256").value_or("");
  const bool good = mirror && !mirror->secret.empty() && is_signed(signature, mirror->secret, request.body);
  if (!good) {
    return http::Response::text(401,
                                "the signature in X-Hub-Signature-256 is not that of this mirror's secret: set the "
                                "secret that `kaapi repo mirror --webhook` showed, and the content type to "
                                "application/json\n");
  }
  const std::string_view event = request.head.headers.find("X-GitHub-Event").value_or("");
  if (event == "ping") return http::Response::text(200, "pong\n");
  if (event != "push" && event != "create" && event != "delete") {
    return http::Response::text(202, "only pushes are looked at\n");
  }
  {
    const std::lock_guard lock(mutex_);
    due_[*repository] = Steady::now();
  }
  wake_.notify_all();
  return http::Response::text(202, "will be fetched\n");
}

}  // namespace kaapi::actions::git
