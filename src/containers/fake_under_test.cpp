#include "containers/conformance.h"
#include "containers/fake_engine.h"

namespace kaapi::containers {
namespace {

class FakeUnderTest final : public EngineUnderTest {
 public:
  FakeUnderTest() {
    engine_.add_image("conformance:1");
    engine_.set_exec([](const Container&, const std::vector<std::string>& command) -> Result<ExecResult> {
      if (command == exec_prints_and_fails) {
        return ExecResult{3, "out\n"};
      }
      if (command == exec_hangs) {
        return make_error(errc::timed_out, "the command did not end in time");
      }
      return command == exec_floods ? ExecResult{0, std::string(10'000, 'x')} : ExecResult{126, "no such file"};
    });
  }

  Engine& engine() override { return engine_; }
  std::string image() const override { return "conformance:1"; }
  std::string archive() const override { return "a tar archive"; }
  ContainerSpec obedient() const override {
    ContainerSpec spec;
    spec.image = image();
    return spec;
  }
  void wait_ready(const std::string&) override {}
  void say(const std::string& container, OutputStream stream, const std::string& text) override {
    engine_.append_output(container, stream, text);
  }
  void end(const std::string& container, int exit_code) override { engine_.exit(container, exit_code); }
  std::string unique(const std::string& name) override { return name + "-" + std::to_string(names_++); }

 private:
  ManualClock clock_;
  FakeEngine engine_{clock_};
  int names_ = 0;
};

}  // namespace

std::unique_ptr<EngineUnderTest> make_engine_under_test() {
  return std::make_unique<FakeUnderTest>();
}

}  // namespace kaapi::containers
