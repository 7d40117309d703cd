#pragma once
// For tests: a job made of folders and maps, which runs real processes as a runner does.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actions/builtin/action_host.h"
#include "actions/builtin/inputs.h"
#include "base/test_directory.h"
#include "base/text.h"

namespace kaapi::actions {

class TestHost final : public ActionHost {
 public:
  TestHost() {
    for (const std::string& folder : {workspace_, temp_, docker_config_, home_}) {
      std::filesystem::create_directories(folder);
    }
    job_.repository = "kaapi/app";
    job_.clone_path = "/git/kaapi/app.git";
    job_.git_token = "job-token-of-the-test";
    job_.run_id = 12;
    job_.job_id = 34;
    variables = {{"PATH", std::getenv("PATH")}, {"HOME", home_}, {"GITHUB_WORKSPACE", workspace_}};
  }

  const JobMessage& job() const override { return job_; }
  std::string input(std::string_view name) const override { return at(inputs, name); }
  std::optional<std::string> env(std::string_view name) const override {
    const auto found = variables.find(std::string(name));
    if (found == variables.end()) return std::nullopt;
    return found->second;
  }
  const std::string& workspace() const override { return workspace_; }
  const std::string& temp() const override { return temp_; }
  const std::string& docker_config() const override { return docker_config_; }
  const std::string& server_url() const override { return server; }

  Result<std::string> host_path(std::string_view path) const override {
    for (const auto& [in_container, here] : mounts) {
      if (is_below(path, in_container)) return here + std::string(path.substr(in_container.size()));
      if (is_below(path, here)) return std::string(path);
    }
    if (mounts.empty()) return std::string(path);
    return make_error(errc::invalid, fmt::format("'{}' is in the container alone", path));
  }
  std::string job_path(std::string_view path) const override {
    for (const auto& [in_container, here] : mounts) {
      if (is_below(path, here)) return in_container + std::string(path.substr(here.size()));
    }
    return std::string(path);
  }

  void set_output(std::string_view name, std::string_view value) override { outputs[std::string(name)] = value; }
  void set_env(std::string_view name, std::string_view value) override { variables[std::string(name)] = value; }
  void add_path(std::string_view) override {}
  void add_mask(std::string_view value) override { masks.insert(std::string(value)); }
  void save_state(std::string_view name, std::string_view value) override { states[std::string(name)] = value; }
  std::string state(std::string_view name) const override { return at(states, name); }
  void log(std::string_view line) override { fmt::format_to(std::back_inserter(text), "{}\n", line); }

  Result<ProcessResult> run(const ProcessSpec& spec) override {
    for (const std::string& argument : spec.argv) arguments.push_back(argument);
    if (cancelled()) return make_error(errc::cancelled, "cancelled");
    const std::string in = file("in");
    std::ofstream(in) << spec.input;
    std::map<std::string, std::string> all = variables;
    for (const auto& [name, value] : spec.env) all[name] = value;
    const pid_t child = ::fork();
    if (child == 0) become(spec, all);
    int status = 0;
    ::waitpid(child, &status, 0);
    ProcessResult result;
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (result.exit_code == 127) return make_error(errc::not_found, fmt::format("no program {}", spec.argv.at(0)));
    (spec.capture ? result.output : text) += content(file("out"));
    (spec.quiet ? result.errors : text) += content(file("err"));
    return result;
  }
  bool cancelled() const override { return is_cancelled; }

  Result<Answer> get(std::string_view path, std::string_view into_file) override {
    if (!on_get) return make_error(errc::unavailable, "nobody answers");
    requests.push_back(fmt::format("GET {}", path));
    Answer answer = on_get(std::string(path));
    if (!into_file.empty() && answer.status == 200) {
      std::ofstream(std::string(into_file), std::ios::binary) << answer.body;
      answer.body.clear();
    }
    return answer;
  }
  Result<Answer> put_file(std::string_view path, std::string_view from_file) override {
    if (!on_put) return make_error(errc::unavailable, "nobody answers");
    requests.push_back(fmt::format("PUT {}", path));
    return on_put(std::string(path), content(std::string(from_file)));
  }
  Result<Answer> remove(std::string_view path) override {
    if (!on_delete) return make_error(errc::unavailable, "nobody answers");
    requests.push_back(fmt::format("DELETE {}", path));
    return on_delete(std::string(path));
  }
  bool job_succeeded() const override { return succeeded; }

  // What the next step sees: the same job, other inputs.
  void next_step(std::map<std::string, std::string> given) {
    inputs = std::move(given);
    states.clear();
    outputs.clear();
    text.clear();
  }

  std::string file(const std::string& name) const { return directory_.file(name); }
  std::string in_workspace(const std::string& name) const { return fmt::format("{}/{}", workspace_, name); }
  void write(const std::string& name, const std::string& bytes) const {
    const std::filesystem::path path = in_workspace(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // True when no command line of a process held it.
  bool never_an_argument(const std::string& secret) const {
    return std::none_of(arguments.begin(), arguments.end(),
                        [&](const std::string& each) { return each.find(secret) != std::string::npos; });
  }

  JobMessage& message() { return job_; }

  std::map<std::string, std::string> inputs, variables, outputs, states;
  std::map<std::string, std::string> mounts;  // of the job's container: its path → ours; empty: there is none
  std::set<std::string> masks;
  std::string text;    // the log
  std::string server;  // server_url()
  std::vector<std::string> requests;
  std::vector<std::string> arguments;  // of all processes
  std::function<Answer(const std::string& path)> on_get;
  std::function<Answer(const std::string& path, std::string body)> on_put;
  std::function<Answer(const std::string& path)> on_delete;
  std::atomic<bool> is_cancelled = false;
  bool succeeded = true;

 private:
  static std::string at(const std::map<std::string, std::string>& values, std::string_view name) {
    const auto found = values.find(std::string(name));
    return found == values.end() ? std::string() : found->second;
  }
  [[noreturn]] void become(const ProcessSpec& spec, const std::map<std::string, std::string>& all) const {
    const auto attach = [](const std::string& path, int flags, int as) {
      ::dup2(::open(path.c_str(), flags, 0600), as);
    };
    attach(file("in"), O_RDONLY, 0);
    attach(file("out"), O_WRONLY | O_CREAT | O_TRUNC, 1);
    attach(file("err"), O_WRONLY | O_CREAT | O_TRUNC, 2);
    std::filesystem::current_path(spec.directory.empty() ? workspace_ : spec.directory);
    ::clearenv();
    for (const auto& [name, value] : all) ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv;
    for (const std::string& argument : spec.argv) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }

  TestDirectory directory_;
  std::string workspace_ = directory_.file("workspace");
  std::string temp_ = directory_.file("temp");
  std::string docker_config_ = directory_.file("docker");
  std::string home_ = directory_.file("home");
  JobMessage job_;
};

}  // namespace kaapi::actions
