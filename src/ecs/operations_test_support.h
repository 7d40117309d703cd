#pragma once
// A platform in memory, for the tests of the operations: requests are written as the JSON that clients send.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aws/codec.h"
#include "ecs/operations.h"

namespace kaapi::ecs {

class RecordingWaker final : public Waker {
 public:
  void service_changed(std::int64_t service_id) override { services.push_back(service_id); }
  void task_changed(const std::string& task_id) override { tasks.push_back(task_id); }

  std::vector<std::int64_t> services;
  std::vector<std::string> tasks;
};

template <class T>
T request(std::string_view text) {
  const Result<json::value> tree = parse_json(text);
  if (!tree) throw std::invalid_argument(tree.error().message);
  Result<T> decoded = aws::decode<T>(*tree);
  if (!decoded) throw std::invalid_argument(decoded.error().message);
  return std::move(*decoded);
}

class OperationsTest : public testing::Test {
 protected:
  void SetUp() override {
    context.account_id = "123456789012";
    context.region = "eu-central-1";
    context.principal_arn = "arn:aws:iam::123456789012:root";
  }

  // Calls that must succeed.
  wire::Cluster create_cluster(const std::string& name) {
    wire::CreateClusterRequest wanted;
    wanted.clusterName = name;
    return *operations.create_cluster(context, wanted)->cluster;
  }
  wire::TaskDefinition register_definition(std::string_view text) {
    const auto answer =
        operations.register_task_definition(context, request<wire::RegisterTaskDefinitionRequest>(text));
    EXPECT_TRUE(answer) << answer.error().message;
    return *answer->taskDefinition;
  }
  wire::TaskDefinition register_simple(const std::string& family) {
    return register_definition(R"({"family":")" + family +
                               R"(","containerDefinitions":[{"name":"app","image":"app:1","memory":64}]})");
  }
  wire::Service create_service(std::string_view text) {
    const auto answer = operations.create_service(context, request<wire::CreateServiceRequest>(text));
    EXPECT_TRUE(answer) << answer.error().message;
    return *answer->service;
  }
  wire::Service describe_service(const std::string& cluster, const std::string& name) {
    wire::DescribeServicesRequest wanted;
    wanted.cluster = cluster;
    wanted.services = {name};
    return operations.describe_services(context, wanted)->services->at(0);
  }
  wire::Task run_one(std::string_view text) {
    const auto answer = operations.run_task(context, request<wire::RunTaskRequest>(text));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer->tasks->at(0);
  }
  // Changes a stored task as the scheduler would.
  void change_task(const std::string& arn, const std::function<void(Task&)>& change) {
    ASSERT_TRUE(database->write([&](store::Session& session) -> Result<void> {
      Task task = *find_task(session, arn.substr(arn.rfind('/') + 1));
      change(task);
      save_task(session, task);
      return ok();
    }));
  }
  // Starts tasks of a service's PRIMARY deployment, RUNNING at once.
  void start_service_tasks(const std::string& cluster, const std::string& name, int count);

  std::unique_ptr<store::Database> database = *store::Database::open(":memory:", migrations());
  RecordingWaker waker;
  ManualClock clock;
  SeededIds ids{7};
  OperationsConfig config{.cpu_units = 2048, .memory_mib = 4096};
  Operations operations{*database, waker, clock, ids, config};
  aws::CallContext context;
};

// "Code: message" of a failure, or "ok".
template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : result.error().code + ": " + result.error().message;
}

}  // namespace kaapi::ecs
