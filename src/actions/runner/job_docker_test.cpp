// What is left in Docker of jobs whose runner has died.

#include "actions/runner/job_docker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "actions/docker/test_engine.h"
#include "actions/runner/test_support.h"
#include "base/test_directory.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

using docker::TestEngine;
using testing::HasSubstr;

// DOCKER_HOST as long as it lives.
class EngineOf {
 public:
  explicit EngineOf(const std::string& socket) { ::setenv("DOCKER_HOST", ("unix://" + socket).c_str(), 1); }
  ~EngineOf() {
    if (before_.empty()) {
      ::unsetenv("DOCKER_HOST");
    } else {
      ::setenv("DOCKER_HOST", before_.c_str(), 1);
    }
  }
  EngineOf(const EngineOf&) = delete;
  EngineOf& operator=(const EngineOf&) = delete;

 private:
  const std::string before_ = std::getenv("DOCKER_HOST") == nullptr ? "" : std::getenv("DOCKER_HOST");
};

TestEngine::Answer with_one_container(const TestEngine::Asked& asked) {
  static std::atomic<bool> there{true};  // of this program's one test
  if (asked.method == "DELETE") {
    there = false;
    return {204, ""};
  }
  return {200, asked.target.starts_with("/containers/json") && there ? R"([{"Id":"left"}])" : "[]"};
}

TEST(JobDocker, IsCleanedUpByWhatTheRunnerHasWrittenDown) {
  const TestDirectory work;
  // The job's own folder says nothing: its containers could have given it to anybody.
  std::filesystem::create_directories(work.file("job-7"));
  write_text(work.file("job-7.owner"), "7.61184");
  TestEngine engine(with_one_container);
  const EngineOf host(engine.path());
  clean_up_docker(work.path());
  EXPECT_TRUE(engine.last("DELETE", "/containers/left?force=1&v=1"));
  EXPECT_THAT(*percent_decode(engine.last("GET", "/containers/json")->target), HasSubstr("kaapi.job=7.61184"));
  EXPECT_FALSE(std::filesystem::exists(work.file("job-7.owner")));
}

TEST(JobDocker, IsTriedAgainWhenTheEngineIsAway) {
  const TestDirectory work;
  write_text(work.file("job-7.owner"), "7.61184");
  const EngineOf host(work.file("nobody.sock"));
  clean_up_docker(work.path());
  EXPECT_TRUE(std::filesystem::exists(work.file("job-7.owner")));
}

TEST(JobDocker, WhatIsWrittenDownIsNotTheJobsToRead) {
  const TestDirectory work;
  JobChildConfig config;
  config.work_folder = work.path();
  JobDocker docker = JobDocker::open(config, work.file("job-8"), "8").value();
  EXPECT_EQ(docker.socket(), "") << "the job has no user of its own";
  struct stat about {};
  ASSERT_EQ(::stat(work.file("job-8.owner").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  docker.close();
  EXPECT_FALSE(std::filesystem::exists(work.file("job-8.owner"))) << "it had nothing";
}

}  // namespace
}  // namespace kaapi::actions::runner
