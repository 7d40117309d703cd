#pragma once
// What the tests of this folder share: a repository, settings and storage in memory.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/job_facts.h"
#include "actions/runs/conductor.h"
#include "actions/runs/runner_api.h"
#include "base/test_directory.h"

namespace kaapi::actions::runs {

inline std::string commit_id(int number) {
  return fmt::format("{:040x}", number);
}

// Commits are numbered; each is a set of workflow files. Not thread-safe while it is filled.
class FakeSource final : public Source {
 public:
  struct Entry {
    std::vector<SourceFile> files;
    std::string message = "Change something";
    std::vector<std::string> changed;
    // A push's other commits; nullopt: too many to tell.
    std::optional<std::vector<std::string>> brings = std::vector<std::string>();
  };
  std::map<std::string, Entry> commits;
  std::map<std::string, std::string> refs;  // by full name
  mutable int reads = 0;
  std::function<void(std::string_view sha)> when_read;  // files of a commit; may wait
  bool broken = false;                                  // git fails
  RepositoryIds repository_ids{74, 65};

  std::string add(int number, std::vector<std::pair<std::string, std::string>> files,
                  const std::string& ref = "refs/heads/main") {
    Entry entry;
    for (auto& [name, text] : files) entry.files.push_back({".github/workflows/" + name, std::move(text)});
    commits[commit_id(number)] = std::move(entry);
    refs[ref] = commit_id(number);
    return commit_id(number);
  }

  Result<std::vector<SourceFile>> workflow_files(std::string_view, std::string_view sha) const override {
    ++reads;
    if (when_read) when_read(sha);
    const auto found = commits.find(std::string(sha));
    if (found == commits.end()) return make_error(errc::not_found, "no such commit");
    return found->second.files;
  }
  Result<std::optional<std::vector<std::string>>> changed(std::string_view, std::string_view, std::string_view after,
                                                          const std::vector<RefUpdate>&, std::size_t) const override {
    return std::optional(commits.at(std::string(after)).changed);
  }
  Result<Commit> commit(std::string_view, std::string_view sha) const override {
    if (broken) return make_error(errc::unavailable, "git failed");
    const auto found = commits.find(std::string(sha));
    if (found == commits.end()) return make_error(errc::not_found, "no such commit");
    return Commit{std::string(sha), found->second.message, "Ada", "ada@example.com", from_millis(1'750'000'000'000),
                  "Charles",        "charles@example.com"};
  }
  Result<std::vector<Commit>> new_commits(std::string_view repository, std::string_view, std::string_view after,
                                          const std::vector<RefUpdate>&, std::size_t) const override {
    const auto& brings = commits.at(std::string(after)).brings;
    if (!brings) return make_error(errc::too_large, "too much to say");
    std::vector<Commit> made;
    for (const std::string& sha : *brings) made.push_back(commit(repository, sha).value());
    made.push_back(commit(repository, after).value());
    return made;
  }
  Result<Resolved> resolve(std::string_view, std::string_view ref) const override {
    if (broken) return make_error(errc::unavailable, "git failed");
    for (const std::string& name :
         {std::string(ref), fmt::format("refs/heads/{}", ref), fmt::format("refs/tags/{}", ref)}) {
      const auto found = refs.find(name);
      if (found != refs.end()) return Resolved{name, found->second};
    }
    return make_error(errc::not_found, fmt::format("there is no {}", ref));
  }
  Result<RepositoryIds> ids(std::string_view) const override { return repository_ids; }
  Result<std::string> default_branch(std::string_view) const override { return std::string("main"); }
  bool is_protected(std::string_view, std::string_view ref) const override { return ref == "refs/heads/main"; }
};

class FakeSettings final : public JobSettings {
 public:
  using Texts = std::map<std::string, std::string>;
  Texts vars, repository_secrets;
  std::map<std::string, Texts> environment_vars, secrets_by_environment;
  std::map<std::string, Protection> protections;

  Result<Texts> variables(std::string_view, std::string_view environment) const override {
    return merged(vars, environment_vars, environment);
  }
  Result<Texts> secrets(std::string_view, std::string_view environment) const override {
    return merged(repository_secrets, secrets_by_environment, environment);
  }
  Result<Texts> environment_secrets(std::string_view, std::string_view environment) const override {
    return merged({}, secrets_by_environment, environment);
  }
  Result<Protection> protection(std::string_view, std::string_view environment) const override {
    const std::string name(environment);
    const auto found = protections.find(name);
    if (found != protections.end()) return found->second;
    Protection none;
    none.exists = environment_vars.count(name) + secrets_by_environment.count(name) > 0;
    return none;
  }

 private:
  static Texts merged(Texts base, const std::map<std::string, Texts>& by_environment, std::string_view environment) {
    const auto found = by_environment.find(std::string(environment));
    if (found == by_environment.end()) return base;
    for (const auto& [name, value] : found->second) base[name] = value;
    return base;
  }
};

class FakeStorage final : public JobStorage {
 public:
  std::vector<std::int64_t> forgotten;
  std::map<std::pair<std::int64_t, std::string>, std::string> stored;
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> stored_by;  // by run and name

  Result<Artifact> put_artifact(std::string_view, std::int64_t run_id, std::int64_t job_id, std::string_view name,
                                std::optional<int>, bool overwrite, http::BodyReader& body) override {
    if (!overwrite && stored.count({run_id, std::string(name)}) > 0) return make_error(errc::conflict, "it exists");
    std::vector<char> buffer(1024);
    std::string text;
    for (Result<std::size_t> got = body.read(buffer); got && *got > 0; got = body.read(buffer)) {
      text.append(buffer.data(), *got);
    }
    stored[{run_id, std::string(name)}] = text;
    stored_by[{run_id, std::string(name)}] = job_id;
    return Artifact{1, run_id, std::string(name), text.size(), "sha256:0", job_id};
  }
  Result<std::vector<Artifact>> artifacts(std::int64_t run_id) const override {
    std::vector<Artifact> all;
    for (const auto& [key, text] : stored) {
      if (key.first == run_id) all.push_back({1, run_id, key.second, text.size(), "sha256:0", stored_by.at(key)});
    }
    return all;
  }
  Result<http::FileBody> artifact(std::int64_t run_id, std::string_view name) const override {
    const auto found = stored.find({run_id, std::string(name)});
    if (found == stored.end()) return make_error(errc::not_found, "there is no such artifact");
    const int file = ::memfd_create("artifact", MFD_CLOEXEC);
    EXPECT_EQ(::write(file, found->second.data(), found->second.size()), static_cast<ssize_t>(found->second.size()));
    return http::FileBody(file, 0, found->second.size());
  }
  Result<void> remove_artifact(std::int64_t run_id, std::string_view name) override {
    if (stored.erase({run_id, std::string(name)}) > 0) return ok();
    return make_error(errc::not_found, "there is no such artifact");
  }
  Result<void> put_cache(std::string_view, std::string_view, std::string_view, std::string_view,
                         http::BodyReader&) override {
    return make_error(errc::conflict, "there is such a cache");
  }
  Result<std::optional<CacheHit>> cache(std::string_view, std::string_view, std::string_view, std::string_view,
                                        const std::vector<std::string>&, std::string_view) override {
    return std::optional<CacheHit>();
  }
  Result<void> forget_run(std::int64_t run_id) override {
    forgotten.push_back(run_id);
    return ok();
  }
};

class FakeIssuer final : public TokenIssuer {
 public:
  Result<IssuedToken> issue(const JobFacts& job, const std::string& audience) override {
    asked.push_back(job);
    return IssuedToken{fmt::format("{} {} {}", job.repository, job.environment, audience), "repo:" + job.repository,
                       audience};
  }
  std::vector<JobFacts> asked;
};

// "AcquireJob allowed: WHO WHAT: why".
class FakeAudit final : public aws::AuditSink {
 public:
  void record(const aws::CallRecord& record) override {
    std::string line = fmt::format("{} {} {}", record.operation, record.error ? record.error->code : "allowed",
                                   record.context->principal_arn);
    for (const aws::Access& access : record.accesses) line += " " + access.resource;
    lines.push_back(line + ": " + (record.error ? record.error->message : record.reason));
  }
  std::vector<std::string> lines;
};

class TextReader final : public http::BodyReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}
  Result<std::size_t> read(std::span<char> buffer) override {
    const std::size_t count = std::min(buffer.size(), text_.size());
    std::memcpy(buffer.data(), text_.data(), count);
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
};

// Collects what is produced. The peer of its descriptor is open until hang_up().
class TextWriter final : public http::BodyWriter {
 public:
  TextWriter() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
  ~TextWriter() override {
    ::close(ends_[0]);
    if (ends_[1] >= 0) ::close(ends_[1]);
  }
  Result<void> write(std::string_view bytes) override {
    text += bytes;
    return ok();
  }
  int descriptor() const override { return ends_[0]; }
  void hang_up() { ::close(std::exchange(ends_[1], -1)); }
  std::string text;

 private:
  int ends_[2] = {-1, -1};
};

// A conductor with everything around it in memory, but for its folder.
// One job with an environment, which may ask for id tokens.
inline constexpr const char* one_job = R"(
name: CD
on: push
permissions: {contents: read, id-token: write}
jobs:
  build:
    runs-on: ubuntu-latest
    environment: staging
    steps:
      - run: make
)";

struct House {
  TestDirectory folder;
  FakeSource source;
  FakeSettings settings;
  FakeStorage storage;
  FakeIssuer issuer;
  FakeAudit told;
  ManualClock clock;
  SeededIds ids{7};
  RunnerAudit audit{"123456789012", "us-east-1", told, clock, ids};
  BoardSettings board;
  std::chrono::days keep_runs{90};
  std::unique_ptr<Conductor> conductor;
  std::unique_ptr<RunnerApi> api;
  std::string runner_token;

  void open() {
    conductor.reset();
    ConductorSettings own{folder.path(), [] { return std::string("http://127.0.0.1:4566"); }, board, keep_runs};
    auto opened = Conductor::open(own, source, settings, storage, clock, ids);
    ASSERT_TRUE(opened) << opened.error().message;
    conductor = std::move(*opened);
    api = std::make_unique<RunnerApi>(*conductor, storage, issuer, nullptr, &audit, std::chrono::milliseconds(0));
    runner_token = conductor->create_runner_token("local", "root", true).value();
  }
  PushReport push(const std::string& sha, const std::string& ref = "refs/heads/main") const {
    return conductor->pushed(
        {"kaapi/demo", "ada", "arn:aws:iam::123456789012:user/ada", {{ref, commit_id(0), sha, false}}});
  }
  http::Response ask(const std::string& method, const std::string& path, const std::string& token,
                     const std::string& body = "", std::string_view scheme = "Bearer") const {
    http::RequestHead head;
    head.method = method;
    head.target = "/runner/v1/" + path;
    head.path = head.target.substr(0, head.target.find('?'));
    if (head.target.find('?') != std::string::npos) head.query = head.target.substr(head.target.find('?') + 1);
    head.headers.add("Authorization", fmt::format("{} {}", scheme, token));
    TextReader reader(body);
    return (*api)(head, reader);
  }
  RunnerToken by_token() const { return conductor->runner_token(runner_token).value(); }
  // The next job for a runner with these labels, or nullopt.
  std::optional<JobMessage> acquire(std::vector<std::string> labels = {"ubuntu-latest"}, const std::string& name = "r1",
                                    std::vector<std::int64_t> running = {}) const {
    const Acquire runner{name, std::move(labels), std::move(running)};
    auto answer = conductor->acquire(by_token(), runner, std::chrono::milliseconds(0));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? std::move(*answer) : std::nullopt;
  }
  bool complete(const JobMessage& job, const std::string& conclusion = "success", json::object outputs = {}) const {
    Completion completion;
    completion.conclusion = conclusion;
    completion.outputs = std::move(outputs);
    const auto answer =
        ask("POST", fmt::format("jobs/{}/complete", job.job_id), job.token, json::serialize(to_json(completion)));
    return answer.status == 204;
  }
  Run run(std::int64_t id) const {
    auto view = conductor->describe("kaapi/demo", id);
    EXPECT_TRUE(view) << view.error().message;
    return view ? std::move(view->run) : Run{};
  }
  static Actor ada() { return {"ada", "arn:aws:iam::123456789012:user/ada"}; }
};

inline const Job& job_named(const Run& run, std::string_view name) {
  for (const Job& job : run.jobs) {
    if (job.name == name && !job.superseded) return job;
  }
  static const Job none;
  ADD_FAILURE() << "there is no job " << name;
  return none;
}

inline std::string text_of(const http::Response& response) {
  const auto* text = std::get_if<std::string>(&response.body);
  return text == nullptr ? "" : *text;
}

}  // namespace kaapi::actions::runs
