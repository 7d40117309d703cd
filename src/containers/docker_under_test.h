#pragma once
// The real engine for tests: makes its own image from /bin/busybox and removes everything it made.

#include "containers/conformance.h"
#include "containers/docker_engine.h"
#include "http/client.h"

namespace kaapi::containers {

// Fails loudly (exception) when Docker does not answer or busybox-static is not installed.
class DockerUnderTest final : public EngineUnderTest {
 public:
  DockerUnderTest();
  ~DockerUnderTest() override;
  DockerUnderTest(const DockerUnderTest&) = delete;
  DockerUnderTest& operator=(const DockerUnderTest&) = delete;

  Engine& engine() override { return *engine_; }
  std::string image() const override { return image_; }
  std::string archive() const override;
  ContainerSpec obedient() const override;
  void wait_ready(const std::string& container) override;
  void say(const std::string& container, OutputStream stream, const std::string& text) override;
  void end(const std::string& container, int exit_code) override;
  std::string unique(const std::string& name) override;

  // A line of shell that an obedient container runs; returns what the command that passed it on gave.
  Result<ExecResult> order(const std::string& container, const std::string& line);
  // One call that is not part of Engine; its answer's status.
  int call(const std::string& method, const std::string& target, std::string body = {});
  const std::string& run_label() const { return run_; }

 private:
  void import_image();

  DockerConfig config_;
  std::unique_ptr<DockerEngine> engine_;
  std::unique_ptr<http::Client> client_;
  std::string run_;
  std::string image_;
  std::vector<std::string> given_;
};

}  // namespace kaapi::containers
