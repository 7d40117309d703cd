#pragma once
// What conformance_test.cpp needs of an engine: a container whose behaviour a test can order, whatever the engine.
// fake_under_test.cpp and docker_under_test.cpp each implement it, in a test program of its own.

#include <memory>
#include <string>

#include "containers/engine.h"

namespace kaapi::containers {

inline constexpr std::chrono::milliseconds patience{30'000};

class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;

  virtual Engine& engine() = 0;
  // A local image with a shell.
  virtual std::string image() const = 0;
  // The files of an image that has /bin/sleep, as a tar archive.
  virtual std::string archive() const = 0;
  // A container that obeys say() and end(), and ends with 143 on SIGTERM.
  virtual ContainerSpec obedient() const = 0;
  // Returns once a started obedient container can take orders and signals.
  virtual void wait_ready(const std::string& container) = 0;
  // Makes it write one line.
  virtual void say(const std::string& container, OutputStream stream, const std::string& text) = 0;
  // Makes it exit.
  virtual void end(const std::string& container, int exit_code) = 0;
  // Unlike any other name, also of earlier runs.
  virtual std::string unique(const std::string& name) = 0;
};

std::unique_ptr<EngineUnderTest> make_engine_under_test();

// A command that prints "out\n", then ends with 3; one that does not end; one that prints 10,000 bytes.
inline const std::vector<std::string> exec_prints_and_fails = {"sh", "-c", "echo out; exit 3"};
inline const std::vector<std::string> exec_hangs = {"sleep", "30"};
inline const std::vector<std::string> exec_floods = {"sh", "-c", "head -c 10000 /dev/zero | tr '\\0' x"};
inline const std::vector<std::string> exec_missing = {"/no/such/program"};

}  // namespace kaapi::containers
