#include "store/database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>

#include "base/text.h"

namespace kaapi::store {
namespace {

constexpr std::size_t max_idle_readers = 8;
constexpr std::size_t max_group = 256;  // transactions that share one commit
constexpr int busy_timeout_ms = 5000;

Error sql_error(sqlite3* handle, std::string_view doing) {
  const int code = sqlite3_errcode(handle);
  const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  std::string message = fmt::format("{}: {}", doing, sqlite3_errmsg(handle));
  if (code == SQLITE_FULL) message += "; free some disk space";
  return Error{std::string(damaged ? errc::damaged : errc::internal), std::move(message), 500};
}

}  // namespace

// One SQLite connection with its prepared statements. Used by one thread at a time.
class Connection {
 public:
  Connection() = default;
  ~Connection() {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close(handle_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<void> open(const std::string& path, bool read_only) {
    const int flags =
        (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
      return make_error(errc::unavailable, fmt::format("cannot open {}: {}", path, sqlite3_errmsg(handle_)), 500);
    }
    sqlite3_busy_timeout(handle_, busy_timeout_ms);
    return ok();
  }

  void execute(const char* sql, std::string_view doing) {
    if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) throw SqlFailure(sql_error(handle_, doing));
  }

  Statement prepare(std::string_view sql) {
    const auto found = statements_.find(sql.data());
    if (found != statements_.end()) return Statement(found->second);
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                           nullptr) != SQLITE_OK) {
      throw SqlFailure(sql_error(handle_, fmt::format("preparing '{}'", sql)));
    }
    statements_.emplace(sql.data(), statement);
    return Statement(statement);
  }

  Session session() { return Session(*this); }
  sqlite3* handle() { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
  // By address: SQL texts are literals.
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

Statement::~Statement() {
  if (handle_ != nullptr) {
    sqlite3_reset(handle_);
    sqlite3_clear_bindings(handle_);
  }
}

Statement& Statement::bind(int position, std::string_view text) {
  const char* data = text.data() == nullptr ? "" : text.data();
  if (sqlite3_bind_text(handle_, position, data, static_cast<int>(text.size()), SQLITE_TRANSIENT) != SQLITE_OK) {
    throw SqlFailure(sql_error(sqlite3_db_handle(handle_), "binding text"));
  }
  return *this;
}

Statement& Statement::bind(int position, std::int64_t number) {
  if (sqlite3_bind_int64(handle_, position, number) != SQLITE_OK) {
    throw SqlFailure(sql_error(sqlite3_db_handle(handle_), "binding a number"));
  }
  return *this;
}

Statement& Statement::bind_blob(int position, std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  if (sqlite3_bind_blob(handle_, position, data, static_cast<int>(bytes.size()), SQLITE_TRANSIENT) != SQLITE_OK) {
    throw SqlFailure(sql_error(sqlite3_db_handle(handle_), "binding bytes"));
  }
  return *this;
}

Statement& Statement::bind_null(int position) {
  sqlite3_bind_null(handle_, position);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  throw SqlFailure(sql_error(sqlite3_db_handle(handle_), fmt::format("running '{}'", sqlite3_sql(handle_))));
}

void Statement::run() {
  while (step()) {
  }
}

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return data == nullptr ? std::string_view()
                         : std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

std::string_view Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  return data == nullptr ? std::string_view()
                         : std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(handle_, column);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

Statement Session::prepare(std::string_view sql) {
  return connection_.prepare(sql);
}

std::int64_t Session::changes() const {
  return sqlite3_changes64(connection_.handle());
}

std::int64_t Session::last_insert_id() const {
  return sqlite3_last_insert_rowid(connection_.handle());
}

struct Database::State {
  // One transaction that waits for a leader.
  struct Waiting {
    Work* work;
    std::optional<Result<void>> outcome;
    std::exception_ptr thrown;
    bool done = false;
  };

  std::string path;
  bool in_memory = false;
  std::function<void(bool)> commit_hook;
  std::atomic<std::uint64_t> changes{0};

  Connection writer;
  std::mutex queue_mutex;
  std::condition_variable queue_changed;
  std::deque<Waiting*> queue;
  bool leading = false;

  std::mutex readers_mutex;
  std::vector<std::unique_ptr<Connection>> idle_readers;

  void run_one(Waiting& waiting);
  void run_group(const std::vector<Waiting*>& group);
  void commit();
  Result<void> migrate(Migrations migrations);
  static Result<void> make_whole(const std::string& path, Migrations migrations);
  Result<std::unique_ptr<Connection>> take_reader();
};

// Runs one transaction of the group in its own savepoint, so that its failure leaves the others alone.
void Database::State::run_one(Waiting& waiting) {
  try {
    writer.execute("SAVEPOINT one", "starting a transaction");
    Session session = writer.session();
    try {
      waiting.outcome = (*waiting.work)(session);
    } catch (const SqlFailure& failure) {
      waiting.outcome = failure.error();
    } catch (...) {
      waiting.thrown = std::current_exception();
    }
    const bool keep = waiting.outcome && *waiting.outcome;
    writer.execute(keep ? "RELEASE one" : "ROLLBACK TO one; RELEASE one", "ending a transaction");
  } catch (const SqlFailure& failure) {
    waiting.outcome = failure.error();
  }
}

void Database::State::commit() {
  if (commit_hook) commit_hook(false);
  writer.execute("COMMIT", "committing");
  // Before anyone hears of the commit. Rows counted for a transaction that was rolled back only cost a needless look.
  changes.store(static_cast<std::uint64_t>(sqlite3_total_changes64(writer.handle())), std::memory_order_release);
  if (commit_hook) commit_hook(true);
}

void Database::State::run_group(const std::vector<Waiting*>& group) {
  try {
    writer.execute("BEGIN IMMEDIATE", "starting a transaction");
    for (Waiting* waiting : group) {
      run_one(*waiting);
      // A full disk makes SQLite end the whole transaction by itself (lang_transaction.html, "Response To Errors").
      if (sqlite3_get_autocommit(writer.handle()) != 0) {
        throw SqlFailure(waiting->outcome && !*waiting->outcome
                             ? waiting->outcome->error()
                             : internal_error("the transaction was given up by the database"));
      }
    }
    commit();
    return;
  } catch (const SqlFailure& failure) {
    // Nothing was committed: everyone in the group hears it.
    for (Waiting* waiting : group) waiting->outcome = failure.error();
  } catch (...) {
    for (Waiting* waiting : group) waiting->thrown = std::current_exception();
  }
  if (sqlite3_get_autocommit(writer.handle()) == 0) {
    sqlite3_exec(writer.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Result<void> Database::State::migrate(Migrations migrations) {
  Statement version_query = writer.prepare("PRAGMA user_version");
  version_query.step();
  const std::int64_t version = version_query.number(0);
  version_query.run();
  const auto known = static_cast<std::int64_t>(migrations.size());
  if (version > known) {
    return make_error(errc::damaged,
                      fmt::format("{} was written by a newer version of kaapi (schema {}, this program knows {}); "
                                  "start that version, or use another data directory",
                                  path, version, known),
                      500);
  }
  for (std::int64_t next = version; next < known; ++next) {
    writer.execute("BEGIN IMMEDIATE", "starting a migration");
    writer.execute(std::string(migrations[static_cast<std::size_t>(next)]).c_str(),
                   fmt::format("migration {}", next + 1));
    writer.execute(fmt::format("PRAGMA user_version={}", next + 1).c_str(), "counting a migration");
    writer.execute("COMMIT", "committing a migration");
  }
  return ok();
}

// A new file appears with its whole schema or not at all, which takes two syncs instead of several for each step.
Result<void> Database::State::make_whole(const std::string& path, Migrations migrations) {
  const std::string unfinished = path + ".new";
  for (const char* tail : {"", "-wal", "-shm", "-journal"}) ::unlink((unfinished + tail).c_str());
  {
    State maker;
    maker.path = unfinished;
    if (const Result<void> opened = maker.writer.open(unfinished, false); !opened) return opened.error();
    try {
      maker.writer.execute("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY", "making a database");
      if (const Result<void> migrated = maker.migrate(migrations); !migrated) return migrated.error();
      maker.writer.execute("PRAGMA journal_mode=WAL", "making a database");
    } catch (const SqlFailure& failure) {
      return failure.error();
    }
  }
  if (const Result<void> synced = sync_file(unfinished); !synced) return synced.error();
  return rename_durably(unfinished, path);
}

Result<std::unique_ptr<Connection>> Database::State::take_reader() {
  {
    const std::lock_guard lock(readers_mutex);
    if (!idle_readers.empty()) {
      std::unique_ptr<Connection> reader = std::move(idle_readers.back());
      idle_readers.pop_back();
      return reader;
    }
  }
  auto reader = std::make_unique<Connection>();
  const Result<void> opened = reader->open(path, true);
  if (!opened) return opened.error();
  reader->execute("PRAGMA cache_size=-512", "sizing the cache");
  return reader;
}

Database::Database() : state_(std::make_unique<State>()) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Migrations migrations) {
  std::unique_ptr<Database> database(new Database());
  State& state = *database->state_;
  state.path = path;
  state.in_memory = path == ":memory:";
  if (!state.in_memory && ::access(path.c_str(), F_OK) != 0) {
    if (const Result<void> made = State::make_whole(path, migrations); !made) return made.error();
  }
  const Result<void> opened = state.writer.open(path, false);
  if (!opened) return opened.error();
  try {
    state.writer.execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-2048",
        fmt::format("opening {}", path));
    const Result<void> migrated = state.migrate(migrations);
    if (!migrated) return migrated.error();
  } catch (const SqlFailure& failure) {
    Error error = failure.error();
    if (error.code == errc::damaged) {
      error.message = fmt::format("{} is damaged ({}); restore it from a backup, or move it away to start empty", path,
                                  failure.error().message);
    }
    return error;
  }
  return database;
}

std::uint64_t Database::version() const {
  return state_->changes.load(std::memory_order_acquire);
}

void Database::set_commit_hook(std::function<void(bool)> hook) {
  state_->commit_hook = std::move(hook);
}

Result<void> Database::run_write(Work work) {
  State& state = *state_;
  State::Waiting mine{&work, std::nullopt, nullptr};
  std::unique_lock lock(state.queue_mutex);
  state.queue.push_back(&mine);
  state.queue_changed.wait(lock, [&] { return mine.done || !state.leading; });
  if (!mine.done) {
    // Nobody leads: run everyone who waits, this transaction among them, in one commit.
    state.leading = true;
    while (!mine.done) {
      const std::size_t count = std::min(state.queue.size(), max_group);
      const std::vector<State::Waiting*> group(state.queue.begin(),
                                               state.queue.begin() + static_cast<std::ptrdiff_t>(count));
      state.queue.erase(state.queue.begin(), state.queue.begin() + static_cast<std::ptrdiff_t>(count));
      lock.unlock();
      state.run_group(group);
      lock.lock();
      for (State::Waiting* waiting : group) waiting->done = true;
    }
    state.leading = false;
    state.queue_changed.notify_all();
  }
  lock.unlock();
  if (mine.thrown) std::rethrow_exception(mine.thrown);
  return *mine.outcome;
}

Result<void> Database::run_read(Work work) {
  State& state = *state_;
  if (state.in_memory) return run_write(std::move(work));
  try {
    Result<std::unique_ptr<Connection>> reader = state.take_reader();
    if (!reader) return reader.error();
    (*reader)->execute("BEGIN", "starting to read");
    Session session = (*reader)->session();
    const Result<void> outcome = work(session);
    (*reader)->execute("COMMIT", "ending to read");
    const std::lock_guard lock(state.readers_mutex);
    if (state.idle_readers.size() < max_idle_readers) state.idle_readers.push_back(std::move(*reader));
    return outcome;
  } catch (const SqlFailure& failure) {
    return failure.error();
  }
}

}  // namespace kaapi::store
