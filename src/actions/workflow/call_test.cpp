#include "actions/workflow/call.h"

#include <gmock/gmock.h>

#include <map>

#include "actions/workflow/test_support.h"

namespace kaapi::actions::workflow {
namespace {

using testing::HasSubstr;

struct Repository {
  std::map<std::string, std::shared_ptr<const Workflow>, std::less<>> files;

  void add(const std::string& name, std::string_view text) {
    const std::string path = ".github/workflows/" + name;
    files[path] = std::make_shared<const Workflow>(must_parse(text, path));
  }
  ExpandedCalls expand(const std::string& name) const {
    return expand_calls(*files.at(".github/workflows/" + name), [&](std::string_view path) {
      const auto found = files.find(path);
      return found == files.end() ? nullptr : found->second;
    });
  }
  std::string fault(const std::string& name) const {
    const ExpandedCalls calls = expand(name);
    return calls.faults.empty() ? "none" : format_fault(calls.faults[0].path, calls.faults[0].fault);
  }
};

std::string caller(std::string_view callee, std::string_view more = "") {
  return fmt::format("on: [push, workflow_call]\njobs:\n  go: {{uses: ./.github/workflows/{}{}}}\n", callee, more);
}

constexpr std::string_view callee =
    "on: {workflow_call: {inputs: {tag: {type: string, required: true}, dry: {type: boolean}}, secrets: {key: "
    "{required: true}}}}\n"
    "jobs: {a: {runs-on: x, steps: [{run: y}]}}\n";

TEST(Calls, AreUnfoldedAndChecked) {
  Repository repository;
  repository.add("deploy.yml", callee);
  repository.add("ok.yml", caller("deploy.yml", ", with: {tag: v1, dry: true}, secrets: inherit"));
  const ExpandedCalls calls = repository.expand("ok.yml");
  EXPECT_TRUE(calls.faults.empty());
  ASSERT_EQ(calls.calls.size(), 1U);
  EXPECT_EQ(calls.calls[0].job, "go");
  EXPECT_EQ(calls.calls[0].workflow->jobs[0].id, "a");
  const std::pair<const char*, const char*> rows[] = {
      {", secrets: inherit", "tag is missing"},
      {", with: {tag: v1, dyr: true}, secrets: inherit", "did you mean \"dry\"?"},
      {", with: {tag: v1, dry: 5}, secrets: inherit", "expected true or false"},
      {", with: {tag: v1}", "key is missing"},
      {", with: {tag: v1}, secrets: {key: a, kye: b}", "did you mean \"key\"?"},
  };
  for (const auto& [more, fault] : rows) {
    repository.add("bad.yml", caller("deploy.yml", more));
    EXPECT_THAT(repository.fault("bad.yml"), HasSubstr(fault));
    EXPECT_THAT(repository.fault("bad.yml"), HasSubstr(".github/workflows/bad.yml:3:"));
  }
}

TEST(Calls, WhatCannotBeCalledIsRefused) {
  Repository repository;
  repository.add("none.yml", caller("missing.yml"));
  EXPECT_THAT(repository.fault("none.yml"), HasSubstr("no valid workflow"));
  repository.add("plain.yml", with_job(""));
  repository.add("a.yml", caller("plain.yml"));
  EXPECT_THAT(repository.fault("a.yml"), HasSubstr("add workflow_call"));
  repository.add("x.yml", caller("y.yml"));
  repository.add("y.yml", caller("x.yml"));
  EXPECT_THAT(repository.fault("x.yml"), HasSubstr("in a circle"));
}

TEST(Calls, AreTenDeepAtMost) {
  Repository repository;
  for (int i = 0; i < 11; ++i) repository.add(fmt::format("w{}.yml", i), caller(fmt::format("w{}.yml", i + 1)));
  repository.add("w11.yml", "on: workflow_call\njobs: {a: {runs-on: x, steps: [{run: y}]}}\n");
  EXPECT_EQ(repository.fault("w2.yml"), "none");
  EXPECT_THAT(repository.fault("w1.yml"), HasSubstr("more than 10 deep"));
}

}  // namespace
}  // namespace kaapi::actions::workflow
