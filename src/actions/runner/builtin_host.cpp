// What built-in actions see of their step: action_host.h on top of a StepFrame.

#include <fmt/format.h>

#include <algorithm>

#include "actions/runner/containers.h"
#include "actions/runner/steps.h"
#include "actions/runner/transfer.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

constexpr std::size_t max_captured_bytes = 16UL * 1024 * 1024;

class Host final : public ActionHost {
 public:
  Host(JobState& job, StepFrame& frame, const Texts& inputs)
      : job_(job), frame_(frame), inputs_(inputs), output_(job, frame), env_(process_env(job, frame)) {}

  const JobMessage& job() const override { return job_.message; }
  std::string input(std::string_view name) const override {
    const auto found = std::find_if(inputs_.begin(), inputs_.end(),
                                    [&](const auto& one) { return expression::equal_ignoring_case(one.first, name); });
    return found == inputs_.end() ? std::string() : std::string(trim(found->second));
  }
  std::optional<std::string> env(std::string_view name) const override {
    const auto found = env_.find(std::string(name));
    if (found == env_.end()) return std::nullopt;
    return found->second;
  }
  const std::string& workspace() const override { return job_.paths.workspace; }
  const std::string& temp() const override { return job_.paths.temp; }
  const std::string& docker_config() const override { return job_.paths.docker_config; }
  const std::string& server_url() const override { return job_.place.server_url; }

  Result<std::string> host_path(std::string_view path) const override { return job_.containers->to_host(path); }
  std::string job_path(std::string_view path) const override { return job_.containers->to_inside(path); }

  void set_output(std::string_view name, std::string_view value) override {
    runner::set_output(job_, frame_, name, value);
  }
  void set_env(std::string_view name, std::string_view value) override {
    env_[std::string(name)] = value;
    frame_.env[std::string(name)] = value;  // also for what this step starts next
    // Its own variables are none that are refused.
    runner::set_env(job_, frame_, name, value);
  }
  void add_path(std::string_view directory) override { runner::add_path(job_, directory); }
  void add_mask(std::string_view value) override { runner::add_mask(job_, value); }
  void save_state(std::string_view name, std::string_view value) override {
    frame_.state->insert_or_assign(std::string(name), std::string(value));
  }
  std::string state(std::string_view name) const override {
    const auto found = frame_.state->find(std::string(name));
    return found == frame_.state->end() ? std::string() : found->second;
  }
  void log(std::string_view line) override {
    output_.write(line);
    output_.write("\n");
  }

  Result<ProcessResult> run(const ProcessSpec& spec) override {
    Launch what;
    what.argv = spec.argv;
    what.directory = spec.directory;
    what.env = spec.env;
    what.input = spec.input;
    what.on_host = true;  // it knows the host's paths
    ProcessResult result;
    const auto into = [](std::string& text) {
      return [&text](std::string_view bytes) {
        text += bytes.substr(0, max_captured_bytes - std::min(text.size(), max_captured_bytes));
      };
    };
    const auto to_log = [this](std::string_view bytes) { output_.write(bytes); };
    what.on_output = to_log;
    if (spec.capture) what.on_output = into(result.output);
    if (spec.capture || spec.quiet) what.on_error = to_log;
    if (spec.quiet) what.on_error = into(result.errors);
    const Result<ProcessEnd> end = launch(job_, frame_, what);
    output_.finish();
    if (!end) return end.error();
    if (end->how != ProcessEnd::How::exited) {
      return make_error(errc::cancelled, frame_.timed_out ? "the step ran out of time" : job_.stop.reason());
    }
    result.exit_code = end->exit_code;
    return result;
  }
  bool cancelled() const override {
    job_.stop.tick();
    const bool late = frame_.ends_by && std::chrono::steady_clock::now() >= *frame_.ends_by;
    if (late) frame_.timed_out = true;
    return late || job_.stop.level() > frame_.since;
  }

  Result<Answer> get(std::string_view path, std::string_view into_file) override {
    return transfer("GET", path, "", into_file);
  }
  Result<Answer> put_file(std::string_view path, std::string_view from_file) override {
    return transfer("PUT", path, from_file, "");
  }
  Result<Answer> remove(std::string_view path) override { return transfer("DELETE", path, "", ""); }
  bool job_succeeded() const override { return job_.status() == Outcome::success; }

 private:
  Result<Answer> transfer(std::string_view method, std::string_view path, std::string_view from,
                          std::string_view into) {
    Transfer what;
    what.method = method;
    what.url = fmt::format("{}{}jobs/{}/{}", job_.place.server_url, runner_api_path, job_.message.job_id, path);
    // Each of them is good for its own requests only.
    what.token = path.starts_with("id-token") ? job_.message.id_request_token : job_.message.token;
    what.from_file = from;
    what.into_file = into;
    what.cancelled = [this] { return cancelled(); };
    // The job outlives a restart of the platform, and so do its artifacts and caches.
    what.lost_after = std::chrono::milliseconds(job_.place.lost_after_ms);
    what.pause = [this](std::chrono::milliseconds duration) { return pause(duration); };
    return runner::transfer(what);
  }
  // False: the step is cancelled, or out of time.
  bool pause(std::chrono::milliseconds duration) const {
    auto until = std::chrono::steady_clock::now() + duration;
    if (frame_.ends_by) until = std::min(until, *frame_.ends_by);
    return job_.stop.wait(frame_.since, until) && !cancelled();
  }

  JobState& job_;
  StepFrame& frame_;
  const Texts& inputs_;
  StepOutput output_;
  Texts env_;
};

}  // namespace

StepEnd run_builtin(JobState& job, StepFrame& frame, const ResolvedAction& action, const Texts& inputs, bool post) {
  const BuiltIn& builtin = *action.builtin;
  if (!post) {
    for (const BuiltIn::Input& input : builtin.inputs) {
      const auto given = inputs.find(std::string(input.name));
      if (!input.required || (given != inputs.end() && !trim(given->second).empty())) continue;
      const std::string message = fmt::format("Input required and not supplied: {}", input.name);
      job.log.error(message);
      return {Outcome::failure, message};
    }
  }
  Host host(job, frame, inputs);
  const ActionResult result = post ? builtin.post(host) : builtin.main(host);
  if (frame.timed_out) return {Outcome::failure, "it ran out of time (timeout-minutes)"};
  if (job.stop.level() > frame.since && !result) return {Outcome::cancelled, job.stop.reason()};
  if (result) return {};
  job.log.error(result.error().message);
  const std::string& message = result.error().message;
  return {Outcome::failure, message.substr(0, message.find('\n'))};
}

}  // namespace kaapi::actions::runner
