#pragma once
// Running one program, with pipes at its three ends. What git, its hooks and mirrors are started with.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace kaapi::actions::git {

struct Command {
  std::vector<std::string> argv;         // argv[0] is looked up in this process's PATH
  std::vector<std::string> environment;  // all of it: "NAME=value"
  std::string directory;                 // empty: this process's
};

// How long a program that is told to end may tidy up before it is killed.
inline constexpr std::chrono::milliseconds end_grace{2'000};

// A running program, leader of a process group of its own: whatever it starts ends with it. Our ends of its pipes do
// not block. Destroying it ends it. Movable; one thread at a time.
class Process {
 public:
  // Error: `Unavailable`, naming the program and why.
  static Result<Process> start(const Command& command);
  ~Process() { end(); }
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int input() const { return input_.get(); }
  int output() const { return output_.get(); }
  int errors() const { return errors_.get(); }
  void close_input() { input_ = FileDescriptor(-1); }

  // Waits until it has ended and kills what it left behind. The exit code; 128 and the signal when one ended it. Read
  // its output to the end before, or it never ends.
  int wait();
  // Tells the group to end, waits for at most end_grace, kills it. Harmless when it has ended.
  void end();

 private:
  Process(pid_t pid, FileDescriptor input, FileDescriptor output, FileDescriptor errors)
      : pid_(pid), input_(std::move(input)), output_(std::move(output)), errors_(std::move(errors)) {}
  int reap();

  pid_t pid_ = -1;  // -1: over
  int exit_code_ = 0;
  FileDescriptor input_, output_, errors_;
};

struct Limits {
  std::size_t max_output_bytes = 16UL * 1024 * 1024;
  std::chrono::milliseconds timeout{60'000};
  int stop_fd = -1;  // when it becomes readable, the program is ended; -1: never
};
// What is kept of standard error; more is read and dropped.
inline constexpr std::size_t max_errors_bytes = 16UL * 1024;

struct Finished {
  int exit_code = 0;
  std::string output;
  std::string errors;
};

// Runs it to its end with `input` as its standard input. Errors: those of start(), `TooLarge` (its output), `TimedOut`,
// `Cancelled` (stop_fd); it has been ended then. That it failed is no error here: look at exit_code.
Result<Finished> run(const Command& command, std::string_view input = {}, const Limits& limits = {});

// Writes what input() takes now and shortens `bytes` by it. False when the program reads no more.
bool feed(int fd, std::string_view& bytes);
// Reads some of what there is, without waiting, until `into` has `max_bytes`; the rest stays where it is. False at the
// end (closed by the other side, or broken).
bool take(int fd, std::string& into, std::size_t max_bytes);
// Reads all that there is, without waiting, and keeps the first `max_bytes` of it: for what nobody needs whole, such as
// error output. False as above.
bool drain(int fd, std::string& into, std::size_t max_bytes);

}  // namespace kaapi::actions::git
