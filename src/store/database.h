#pragma once
// SQLite, wrapped: statements, one writer with group commit, consistent readers, migrations.
// Rules taken from SQLite's documentation: WAL mode (wal.html), synchronous=FULL so that a commit survives power loss
// (pragma.html).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kaapi::store {

// A SQL error is a mistake of ours or a failing disk: it leaves a write() or read() as Error `Damaged` or
// `InternalError`. Inside the callbacks it travels as this exception, so that operations stay readable.
class SqlFailure : public std::exception {
 public:
  explicit SqlFailure(Error error) : error_(std::move(error)) {}
  const Error& error() const { return error_; }
  const char* what() const noexcept override { return error_.message.c_str(); }

 private:
  Error error_;
};

// One use of a prepared statement: bind, then step. Resets itself when destroyed. Not thread-safe; lives inside one
// callback.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  ~Statement();
  Statement(Statement&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement& operator=(Statement&&) = delete;

  // Positions count from 1.
  Statement& bind(int position, std::string_view text);
  Statement& bind(int position, std::int64_t number);
  Statement& bind_blob(int position, std::string_view bytes);
  Statement& bind_null(int position);

  // True while there is a row to read.
  bool step();
  // Steps to the end, for statements without rows.
  void run();

  // Columns count from 0. Text and blob views are valid until the next step().
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  std::int64_t number(int column) const;
  bool is_null(int column) const;

 private:
  sqlite3_stmt* handle_;
};

// One connection, inside one callback.
class Session {
 public:
  // `sql` must be a text that lives in the program (statements are cached by it), never built from input.
  template <class... Binds>
  Statement query(std::string_view sql, const Binds&... binds) {
    Statement statement = prepare(sql);
    int position = 0;
    (bind_one(statement, ++position, binds), ...);
    return statement;
  }
  // Runs a statement without rows.
  template <class... Binds>
  void run(std::string_view sql, const Binds&... binds) {
    query(sql, binds...).run();
  }
  // Rows changed by the last run().
  std::int64_t changes() const;
  std::int64_t last_insert_id() const;

 private:
  friend class Connection;
  explicit Session(class Connection& connection) : connection_(connection) {}
  Statement prepare(std::string_view sql);

  template <class T>
  static void bind_one(Statement& statement, int position, const T& value) {
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      statement.bind(position, std::string_view(value));
    } else {
      statement.bind(position, static_cast<std::int64_t>(value));
    }
  }
  template <class T>
  static void bind_one(Statement& statement, int position, const std::optional<T>& value) {
    if (value) {
      bind_one(statement, position, *value);
    } else {
      statement.bind_null(position);
    }
  }

  class Connection& connection_;
};

// One SQL script per schema version, oldest first; never edit one that has been released.
using Migrations = std::span<const std::string_view>;

// Thread-safe. Threads blocked in write() share commits; read() never waits for write() on a file, and does for
// ":memory:".
class Database {
 public:
  // Opens or creates the file and brings its schema up to date. `path` may be ":memory:".
  // Errors: `Damaged` when it is no database, fails its check, or is newer than this program; `Unavailable` when it
  // cannot be opened.
  static Result<std::unique_ptr<Database>> open(const std::string& path, Migrations migrations);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs f(Session&) -> Result<T> in a transaction. A success is on disk when this returns; on an error (or an
  // exception, which passes on) nothing of f is kept. f may run on another waiting thread, once. Never call write() or
  // read() from inside f.
  template <class F>
  std::invoke_result_t<F, Session&> write(F&& f) {
    return run_typed(std::forward<F>(f), [this](Work work) { return run_write(std::move(work)); });
  }

  // Runs f(Session&) -> Result<T> on one consistent snapshot.
  template <class F>
  std::invoke_result_t<F, Session&> read(F&& f) {
    return run_typed(std::forward<F>(f), [this](Work work) { return run_read(std::move(work)); });
  }

  // Grows with every commit that changed a row. What was read after taking this number is still true as long as the
  // number is the same: whoever keeps an answer compares it.
  std::uint64_t version() const;

  // For the simulation: called right before and right after each commit; throwing from it is the crash.
  void set_commit_hook(std::function<void(bool committed)> hook);

 private:
  // Returns success when the transaction should be kept.
  using Work = std::function<Result<void>(Session&)>;

  Database();
  Result<void> run_write(Work work);
  Result<void> run_read(Work work);

  template <class F, class Run>
  static std::invoke_result_t<F, Session&> run_typed(F&& f, Run&& run) {
    using R = std::invoke_result_t<F, Session&>;
    std::optional<R> outcome;
    const Result<void> done = run([&](Session& session) -> Result<void> {
      outcome.emplace(f(session));
      if (!*outcome) return outcome->error();
      return ok();
    });
    if (!done) return done.error();
    return std::move(*outcome);
  }

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kaapi::store
