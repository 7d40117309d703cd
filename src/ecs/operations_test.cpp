// Clusters, services and tags.

#include <gmock/gmock.h>

#include "ecs/definition.h"
#include "ecs/operations_test_support.h"

namespace kaapi::ecs {

void OperationsTest::start_service_tasks(const std::string& cluster, const std::string& name, int count) {
  const Result<void> started = database->write([&](store::Session& session) -> Result<void> {
    const Service service = *find_service(session, context.region, cluster, name);
    const Deployment primary = open_deployments(session, service.id).front();
    for (int i = 0; i < count; ++i) {
      Result<Task> task = make_service_task(session, service, primary, ids, clock.now());
      if (!task) return task.error();
      task->status = TaskStatus::running;
      task->started_at = clock.now();
      save_task(session, *task);
    }
    return ok();
  });
  ASSERT_TRUE(started) << started.error().message;
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(OperationsTest, CreatesAClusterOnceAndFindsItByNameAndArn) {
  const auto first = operations.create_cluster(context, {});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->cluster->clusterArn, "arn:aws:ecs:eu-central-1:123456789012:cluster/default");
  EXPECT_EQ(first->cluster->status, "ACTIVE");
  const auto again = operations.create_cluster(
      context, request<wire::CreateClusterRequest>(R"({"clusterName":"default","tags":[{"key":"a"}]})"));
  EXPECT_EQ(again->cluster->tags->size(), 0U) << "the existing one must be answered as it is";

  const auto found = operations.describe_clusters(
      context, request<wire::DescribeClustersRequest>(
                   R"({"clusters":["default","arn:aws:ecs:eu-central-1:123456789012:cluster/default","nope",
                       "arn:aws:ecs:us-east-1:123456789012:cluster/default",
                       "arn:aws:ecs:eu-central-1:999999999999:cluster/default"]})"));
  ASSERT_TRUE(found);
  EXPECT_THAT(*found->clusters, SizeIs(2));
  ASSERT_THAT(*found->failures, SizeIs(3));
  EXPECT_EQ(found->failures->at(0).reason, "MISSING");
  EXPECT_EQ(found->failures->at(0).arn, "arn:aws:ecs:eu-central-1:123456789012:cluster/nope");
}

TEST_F(OperationsTest, ClusterShowsCountsAndWhatIsIncluded) {
  operations.create_cluster(
      context,
      request<wire::CreateClusterRequest>(
          R"({"clusterName":"c","tags":[{"key":"team","value":"x"}],"settings":[{"name":"containerInsights","value":"enabled"}]})"));
  register_simple("app");
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app","desiredCount":3})");
  start_service_tasks("c", "web", 2);
  run_one(R"({"cluster":"c","taskDefinition":"app"})");

  auto bare = operations.describe_clusters(context, request<wire::DescribeClustersRequest>(R"({"clusters":["c"]})"));
  wire::Cluster cluster = bare->clusters->at(0);
  EXPECT_EQ(cluster.runningTasksCount, 2);
  EXPECT_EQ(cluster.pendingTasksCount, 1);
  EXPECT_EQ(cluster.activeServicesCount, 1);
  EXPECT_THAT(*cluster.tags, IsEmpty());
  EXPECT_THAT(*cluster.settings, IsEmpty());
  EXPECT_THAT(*cluster.statistics, IsEmpty());

  const auto full = operations.describe_clusters(
      context,
      request<wire::DescribeClustersRequest>(R"({"clusters":["c"],"include":["TAGS","SETTINGS","STATISTICS"]})"));
  cluster = full->clusters->at(0);
  EXPECT_EQ(cluster.tags->at(0).value, "x");
  EXPECT_EQ(cluster.settings->at(0).value, "enabled");
  EXPECT_THAT(*cluster.statistics, testing::Contains(wire::KeyValuePair{"runningEC2TasksCount", "2"}));
  EXPECT_THAT(*cluster.statistics, testing::Contains(wire::KeyValuePair{"activeEC2ServiceCount", "1"}));
}

TEST_F(OperationsTest, DeletesOnlyAnEmptyCluster) {
  create_cluster("c");
  register_simple("app");
  const wire::DeleteClusterRequest wanted{"c"};
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app","desiredCount":0})");
  EXPECT_EQ(outcome(operations.delete_cluster(context, wanted)),
            "ClusterContainsServicesException: The Cluster cannot be deleted while Services are active.");
  ASSERT_TRUE(database->write([&](store::Session& session) -> Result<void> {
    Service service = *find_service(session, context.region, "c", "web");
    service.status = ServiceStatus::inactive;
    save_service(session, service);
    return ok();
  }));
  const wire::Task task = run_one(R"({"cluster":"c","taskDefinition":"app"})");
  EXPECT_EQ(outcome(operations.delete_cluster(context, wanted)),
            "ClusterContainsTasksException: The Cluster cannot be deleted while Tasks are active.");
  change_task(*task.taskArn, [&](Task& t) {
    t.desired_running = false;
    t.status = TaskStatus::stopped;
    t.stopped_at = clock.now();
  });
  EXPECT_EQ(operations.delete_cluster(context, wanted)->cluster->status, "INACTIVE");
  EXPECT_THAT(*operations.list_clusters(context, {})->clusterArns, IsEmpty());
  EXPECT_EQ(
      outcome(operations.run_task(context, request<wire::RunTaskRequest>(R"({"cluster":"c","taskDefinition":"app"})"))),
      "ClusterNotFoundException: The referenced cluster was inactive.");
  EXPECT_EQ(outcome(operations.delete_cluster(context, {"nope"})), "ClusterNotFoundException: Cluster not found.");
  EXPECT_EQ(create_cluster("c").status, "ACTIVE") << "the name is free again";
}

TEST_F(OperationsTest, RefusesBadClusters) {
  const auto create = [&](std::string_view text) {
    return outcome(operations.create_cluster(context, request<wire::CreateClusterRequest>(text)));
  };
  EXPECT_THAT(create(R"({"clusterName":"a b"})"), HasSubstr("InvalidParameterException: Invalid clusterName 'a b'"));
  EXPECT_THAT(create(R"({"clusterName":""})"), HasSubstr("InvalidParameterException"));
  EXPECT_THAT(create(R"({"tags":[{"key":"aws:x"}]})"), HasSubstr("reserved for AWS use"));
  EXPECT_THAT(create(R"({"tags":[{"key":"a"},{"key":"a"}]})"), HasSubstr("Duplicate tag keys"));
  EXPECT_THAT(create(R"({"capacityProviders":["mine"]})"), HasSubstr("capacity provider was not found"));
}

TEST_F(OperationsTest, PagesThroughClusters) {
  for (const char* name : {"a", "b", "c", "d", "e"}) create_cluster(name);
  std::vector<std::string> seen;
  std::optional<std::string> token;
  int pages = 0;
  do {
    wire::ListClustersRequest wanted;
    wanted.maxResults = 2;
    wanted.nextToken = token;
    const auto page = operations.list_clusters(context, wanted);
    ASSERT_TRUE(page);
    for (const std::string& arn : *page->clusterArns) seen.push_back(arn.substr(arn.rfind('/') + 1));
    token = page->nextToken;
    ++pages;
  } while (token);
  EXPECT_THAT(seen, ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_EQ(pages, 3);

  wire::ListClustersRequest bad;
  bad.nextToken = "bm9uc2Vuc2U=";
  EXPECT_THAT(outcome(operations.list_clusters(context, bad)), HasSubstr("InvalidParameterException: Invalid token"));
  bad.nextToken.reset();
  bad.maxResults = 101;
  EXPECT_THAT(outcome(operations.list_clusters(context, bad)), HasSubstr("maxResults must be between 1 and 100"));
  aws::CallContext elsewhere = context;
  elsewhere.region = "us-east-1";
  EXPECT_THAT(*operations.list_clusters(elsewhere, {})->clusterArns, IsEmpty());
}

class Services : public OperationsTest {
 protected:
  void SetUp() override {
    OperationsTest::SetUp();
    create_cluster("c");
    first = register_simple("app");
    second = register_simple("app");
  }
  std::string create(std::string_view text) {
    return outcome(operations.create_service(context, request<wire::CreateServiceRequest>(text)));
  }
  std::string update(std::string_view text) {
    return outcome(operations.update_service(context, request<wire::UpdateServiceRequest>(text)));
  }
  wire::TaskDefinition first;
  wire::TaskDefinition second;
};

TEST_F(Services, CreatedServiceHasOneDeploymentInProgress) {
  const wire::Service service = create_service(
      R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":2,"tags":[{"key":"k","value":"v"}],
          "deploymentConfiguration":{"minimumHealthyPercent":50,"maximumPercent":150,
            "deploymentCircuitBreaker":{"enable":true,"rollback":true}},
          "healthCheckGracePeriodSeconds":5,"propagateTags":"SERVICE","enableExecuteCommand":true})");
  EXPECT_EQ(service.serviceArn, "arn:aws:ecs:eu-central-1:123456789012:service/c/web");
  EXPECT_EQ(service.status, "ACTIVE");
  EXPECT_EQ(service.taskDefinition, first.taskDefinitionArn);
  EXPECT_EQ(service.desiredCount, 2);
  EXPECT_EQ(service.launchType, "EC2");
  EXPECT_EQ(service.schedulingStrategy, "REPLICA");
  EXPECT_EQ(service.deploymentController->type, "ECS");
  EXPECT_EQ(service.deploymentConfiguration->minimumHealthyPercent, 50);
  EXPECT_EQ(service.deploymentConfiguration->deploymentCircuitBreaker->rollback, true);
  EXPECT_EQ(service.healthCheckGracePeriodSeconds, 5);
  EXPECT_EQ(service.availabilityZoneRebalancing, "ENABLED");
  EXPECT_EQ(service.createdBy, context.principal_arn);
  ASSERT_THAT(*service.deployments, SizeIs(1));
  const wire::Deployment& deployment = service.deployments->at(0);
  EXPECT_THAT(*deployment.id, testing::MatchesRegex("ecs-svc/[0-9]+"));
  EXPECT_EQ(deployment.id->size(), 8U + 19U);
  EXPECT_EQ(deployment.status, "PRIMARY");
  EXPECT_EQ(deployment.rolloutState, "IN_PROGRESS");
  EXPECT_EQ(deployment.rolloutStateReason, "ECS deployment " + *deployment.id + " in progress.");
  EXPECT_EQ(deployment.desiredCount, 2);
  EXPECT_THAT(waker.services, SizeIs(1));
  EXPECT_FALSE(describe_service("c", "web").tags) << "tags are shown only when they are asked for";
  const auto with_tags = operations.describe_services(
      context, request<wire::DescribeServicesRequest>(R"({"cluster":"c","services":["web"],"include":["TAGS"]})"));
  EXPECT_EQ(with_tags->services->at(0).tags->at(0).value, "v");
}

TEST_F(Services, DescribeCountsTasksByDeploymentAndListsMisses) {
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":3})");
  start_service_tasks("c", "web", 2);
  ASSERT_EQ(update(R"({"cluster":"c","service":"web","taskDefinition":"app:2"})"), "ok");
  start_service_tasks("c", "web", 1);
  const wire::Service service = describe_service("c", "web");
  EXPECT_EQ(service.runningCount, 3);
  EXPECT_EQ(service.pendingCount, 0);
  ASSERT_THAT(*service.deployments, SizeIs(2));
  EXPECT_EQ(service.deployments->at(0).runningCount, 1);
  EXPECT_EQ(service.deployments->at(1).runningCount, 2);

  const auto mixed = operations.describe_services(
      context, request<wire::DescribeServicesRequest>(
                   R"({"cluster":"arn:aws:ecs:eu-central-1:123456789012:cluster/c","services":
                       ["arn:aws:ecs:eu-central-1:123456789012:service/c/web","nope",
                        "arn:aws:ecs:us-east-1:123456789012:service/c/web"]})"));
  ASSERT_TRUE(mixed);
  EXPECT_THAT(*mixed->services, SizeIs(1));
  ASSERT_THAT(*mixed->failures, SizeIs(2));
  EXPECT_EQ(mixed->failures->at(0).arn, "arn:aws:ecs:eu-central-1:123456789012:service/c/nope");
  EXPECT_EQ(mixed->failures->at(0).reason, "MISSING");
  const auto describe = [&](std::string_view text) {
    return outcome(operations.describe_services(context, request<wire::DescribeServicesRequest>(text)));
  };
  EXPECT_EQ(describe(R"({"cluster":"x","services":["web"]})"), "ClusterNotFoundException: Cluster not found.");
  EXPECT_EQ(describe(R"({"services":["web"]})"), "ClusterNotFoundException: Cluster not found.") << "default";
  EXPECT_EQ(describe(R"({"cluster":"c","services":[]})"), "InvalidParameterException: Services cannot be empty.");
  EXPECT_THAT(describe(R"({"cluster":"c","services":["1","2","3","4","5","6","7","8","9","10","11"]})"),
              HasSubstr("at most 10"));
  EXPECT_EQ(describe(R"({"cluster":"c","services":["arn:aws:ecs:eu-central-1:123456789012:service/other/web"]})"),
            "InvalidParameterException: Invalid identifier: Identifier is for other. Your cluster is c");
}

TEST_F(Services, KeptAnswersNeverOutliveAChange) {
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":1})");
  const auto wanted = request<wire::DescribeServicesRequest>(R"({"cluster":"c","services":["web"]})");
  const auto fresh = [&] { return aws::to_json(*operations.describe_services(context, wanted)); };
  const std::string before = *operations.describe_services_encoded(context, wanted);
  EXPECT_EQ(before, fresh());
  EXPECT_EQ(*operations.describe_services_encoded(context, wanted), before);
  const std::function<void()> changes[] = {
      [&] { start_service_tasks("c", "web", 1); },
      [&] { EXPECT_EQ(update(R"({"cluster":"c","service":"web","desiredCount":2})"), "ok"); },
      [&] {
        ASSERT_TRUE(database->write([&](store::Session& session) -> Result<void> {
          add_event(session, 1, {"id", clock.now(), "said"});
          return ok();
        }));
      }};
  std::string last = before;
  for (const std::function<void()>& change : changes) {
    change();
    const std::string now = *operations.describe_services_encoded(context, wanted);
    EXPECT_NE(now, last);
    EXPECT_EQ(now, fresh());
    last = now;
  }
  aws::CallContext elsewhere = context;
  elsewhere.region = "us-east-1";
  EXPECT_EQ(outcome(operations.describe_services_encoded(elsewhere, wanted)),
            "ClusterNotFoundException: Cluster not found.");
  const auto with_tags =
      request<wire::DescribeServicesRequest>(R"({"cluster":"c","services":["web"],"include":["TAGS"]})");
  EXPECT_EQ(*operations.describe_services_encoded(context, with_tags),
            aws::to_json(*operations.describe_services(context, with_tags)));
}

TEST(AnswerCache, ForgetsAtAnotherVersionAndWhenFull) {
  AnswerCache cache;
  const auto text = std::make_shared<const std::string>("answer");
  cache.keep("q", 5, text);
  EXPECT_EQ(cache.find("q", 5), text);
  EXPECT_EQ(cache.find("q", 6), nullptr);
  cache.keep("p", 4, text);
  EXPECT_EQ(cache.find("p", 4), nullptr) << "an answer that was read before a change";
  cache.keep("p", 6, text);
  EXPECT_EQ(cache.find("q", 6), nullptr);
  EXPECT_EQ(cache.find("p", 6), text);
  const auto large = std::make_shared<const std::string>(max_answer_cache_bytes / 2 + 1, 'x');
  cache.keep("l1", 6, large);
  cache.keep("l2", 6, large);
  EXPECT_EQ(cache.find("l1", 6), nullptr);
  EXPECT_EQ(cache.find("l2", 6), large);
}

TEST_F(Services, EventsAreShownNewestFirst) {
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app","desiredCount":1})");
  ASSERT_TRUE(database->write([&](store::Session& session) -> Result<void> {
    const std::int64_t id = find_service(session, context.region, "c", "web")->id;
    for (int i = 0; i < 105; ++i) add_event(session, id, {ids.uuid(), clock.now(), fmt::format("event {}", i)});
    return ok();
  }));
  const wire::Service service = describe_service("c", "web");
  ASSERT_THAT(*service.events, SizeIs(100));
  EXPECT_EQ(service.events->front().message, "event 104");
  EXPECT_EQ(service.events->back().message, "event 5");
}

TEST_F(Services, CreatingTwiceIsRefusedUnlessTheTokenSaysItIsARetry) {
  const std::string text =
      R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":1,"clientToken":"t1"})";
  const wire::Service made = create_service(text);
  EXPECT_EQ(create_service(text).deployments->at(0).id, made.deployments->at(0).id);
  EXPECT_THAT(waker.services, SizeIs(1)) << "a retry changes nothing";
  const std::string refused = "InvalidParameterException: Creation of service was not idempotent.";
  EXPECT_EQ(create(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":1})"), refused);
  EXPECT_EQ(
      create(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":2,"clientToken":"t1"})"),
      refused);
  ASSERT_TRUE(operations.delete_service(
      context, request<wire::DeleteServiceRequest>(R"({"cluster":"c","service":"web","force":true})")));
  EXPECT_EQ(create(text), "InvalidParameterException: Unable to Start a service that is still Draining.");
}

TEST_F(Services, RefusesBadServices) {
  const std::string vpc_definition =
      R"({"family":"vpc","networkMode":"awsvpc","containerDefinitions":[{"name":"app","image":"a","memory":64}]})";
  register_definition(vpc_definition);
  ASSERT_TRUE(operations.deregister_task_definition(context, {"app:1"}));
  const auto with = [](std::string_view more) {
    return fmt::format(R"({{"cluster":"c","serviceName":"web","taskDefinition":"app","desiredCount":1{}}})", more);
  };
  const std::pair<std::string, std::string> table[] = {
      {R"({"cluster":"x","serviceName":"web","taskDefinition":"app","desiredCount":1})",
       "ClusterNotFoundException: Cluster not found."},
      {R"({"cluster":"c","serviceName":"we b","taskDefinition":"app","desiredCount":1})",
       "InvalidParameterException: Invalid serviceName"},
      {R"({"cluster":"c","serviceName":"web","desiredCount":1})",
       "InvalidParameterException: taskDefinition is required"},
      {R"({"cluster":"c","serviceName":"web","taskDefinition":"app"})",
       "InvalidParameterException: desiredCount is required"},
      {R"({"cluster":"c","serviceName":"web","taskDefinition":"app","desiredCount":-1})",
       "InvalidParameterException: desiredCount must be"},
      {R"({"cluster":"c","serviceName":"web","taskDefinition":"nope","desiredCount":1})",
       "ClientException: TaskDefinition not found."},
      {R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":1})",
       "ClientException: TaskDefinition is inactive"},
      {R"({"cluster":"c","serviceName":"web","taskDefinition":"app:9","desiredCount":1})",
       "ClientException: TaskDefinition not found."},
      {R"({"cluster":"c","serviceName":"web","taskDefinition":"app:x","desiredCount":1})",
       "ClientException: Invalid revision number."},
      {R"({"cluster":"c","serviceName":"web","taskDefinition":"vpc","desiredCount":1})",
       "InvalidParameterException: Network Configuration must be provided when networkMode 'awsvpc' is specified."},
      {with(R"(,"networkConfiguration":{"awsvpcConfiguration":{"subnets":["s"]}})"),
       "InvalidParameterException: Network Configuration is not valid for the given networkMode of this task "
       "definition."},
      {with(R"(,"launchType":"FARGATE")"),
       "InvalidParameterException: Task definition does not support launch_type FARGATE."},
      {with(R"(,"launchType":"EXTERNAL")"), "InvalidParameterException: launchType EXTERNAL is not supported"},
      {with(R"(,"launchType":"EC2","capacityProviderStrategy":[{"capacityProvider":"FARGATE"}])"),
       "InvalidParameterException: Specifying both"},
      {with(R"(,"schedulingStrategy":"DAEMON")"),
       "InvalidParameterException: schedulingStrategy DAEMON is not supported"},
      {with(R"(,"deploymentController":{"type":"CODE_DEPLOY"})"),
       "InvalidParameterException: deploymentController CODE_DEPLOY"},
      {with(R"(,"loadBalancers":[{"targetGroupArn":"x"}])"),
       "InvalidParameterException: loadBalancers is not supported"},
      {with(R"(,"serviceRegistries":[{"registryArn":"x"}])"),
       "InvalidParameterException: serviceRegistries is not supported"},
      {with(R"(,"deploymentConfiguration":{"minimumHealthyPercent":100,"maximumPercent":100})"),
       "InvalidParameterException: Both maximumPercent"},
      {with(R"(,"deploymentConfiguration":{"minimumHealthyPercent":101})"),
       "InvalidParameterException: minimumHealthyPercent"},
      {with(R"(,"deploymentConfiguration":{"maximumPercent":99})"), "InvalidParameterException: maximumPercent"},
      {with(R"(,"deploymentConfiguration":{"strategy":"BLUE_GREEN"})"),
       "InvalidParameterException: deploymentConfiguration.strategy"},
      {with(R"(,"healthCheckGracePeriodSeconds":-1)"), "InvalidParameterException: healthCheckGracePeriodSeconds"},
      {with(R"(,"tags":[{"key":"AWS:x"}])"), "InvalidParameterException: Tag key 'AWS:x' is not allowed"},
  };
  for (const auto& [text, expected] : table) EXPECT_THAT(create(text), testing::StartsWith(expected)) << text;
  EXPECT_THAT(waker.services, IsEmpty());
  EXPECT_THAT(*operations.list_services(context, request<wire::ListServicesRequest>(R"({"cluster":"c"})"))->serviceArns,
              IsEmpty());
}

TEST_F(Services, UpdateMakesADeploymentOnlyWhenSomethingThatRunsChanges) {
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":2})");
  start_service_tasks("c", "web", 2);
  const std::string old_id = *describe_service("c", "web").deployments->at(0).id;

  ASSERT_EQ(update(R"({"cluster":"c","service":"web","taskDefinition":"app:1"})"), "ok");
  ASSERT_EQ(update(R"({"cluster":"c","service":"web","desiredCount":4})"), "ok");
  ASSERT_EQ(update(R"({"cluster":"c","service":"web","deploymentConfiguration":{"minimumHealthyPercent":50}})"), "ok");
  wire::Service service = describe_service("c", "web");
  ASSERT_THAT(*service.deployments, SizeIs(1));
  EXPECT_EQ(service.deployments->at(0).id, old_id);
  EXPECT_EQ(service.deployments->at(0).desiredCount, 4);
  EXPECT_EQ(service.desiredCount, 4);
  EXPECT_EQ(service.deploymentConfiguration->minimumHealthyPercent, 50);
  EXPECT_EQ(service.deploymentConfiguration->maximumPercent, 200) << "what is not given stays";

  ASSERT_EQ(
      update(fmt::format(R"({{"cluster":"c","service":"web","taskDefinition":"{}"}})", *second.taskDefinitionArn)),
      "ok");
  service = describe_service("c", "web");
  EXPECT_EQ(service.taskDefinition, second.taskDefinitionArn);
  ASSERT_THAT(*service.deployments, SizeIs(2));
  EXPECT_EQ(service.deployments->at(0).status, "PRIMARY");
  EXPECT_EQ(service.deployments->at(0).taskDefinition, second.taskDefinitionArn);
  EXPECT_EQ(service.deployments->at(1).id, old_id);
  EXPECT_EQ(service.deployments->at(1).status, "ACTIVE");
  EXPECT_EQ(service.deployments->at(1).desiredCount, 2) << "the tasks that it has";

  ASSERT_EQ(update(R"({"cluster":"c","service":"web","forceNewDeployment":true})"), "ok");
  service = describe_service("c", "web");
  ASSERT_THAT(*service.deployments, SizeIs(3));
  EXPECT_EQ(service.taskDefinition, second.taskDefinitionArn);
  EXPECT_THAT(waker.services, SizeIs(6));
}

TEST_F(Services, ADeploymentKnowsTheJobThatAskedForIt) {
  create_cluster("c");
  register_simple("web");
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"web","desiredCount":1})");
  context.user_agent = "aws-cli/2.9.19 Python/3.11.2 exec-env/kaapi-job-7 command/ecs.update-service";
  const auto updated = operations.update_service(
      context, request<wire::UpdateServiceRequest>(R"({"cluster":"c","service":"web","forceNewDeployment":true})"));
  ASSERT_TRUE(updated) << updated.error().message;
  const Result<std::vector<Deployment>> found = database->read([](store::Session& session) {
    return Result<std::vector<Deployment>>(deployments_started_by(session, "kaapi-job-7"));
  });
  ASSERT_TRUE(found);
  ASSERT_THAT(*found, SizeIs(1));
  EXPECT_EQ(found->front().id, *updated->service->deployments->front().id);
}

TEST_F(Services, NetworkChangeMakesADeployment) {
  register_definition(
      R"({"family":"vpc","networkMode":"awsvpc","containerDefinitions":[{"name":"app","image":"a","memory":64}]})");
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"vpc","desiredCount":1,
                     "networkConfiguration":{"awsvpcConfiguration":{"subnets":["s-1"]}}})");
  ASSERT_EQ(
      update(R"({"cluster":"c","service":"web","networkConfiguration":{"awsvpcConfiguration":{"subnets":["s-1"]}}})"),
      "ok");
  EXPECT_THAT(*describe_service("c", "web").deployments, SizeIs(1));
  ASSERT_EQ(
      update(R"({"cluster":"c","service":"web","networkConfiguration":{"awsvpcConfiguration":{"subnets":["s-2"]}}})"),
      "ok");
  const wire::Service service = describe_service("c", "web");
  EXPECT_THAT(*service.deployments, SizeIs(2));
  EXPECT_EQ(service.networkConfiguration->awsvpcConfiguration->subnets.at(0), "s-2");
  EXPECT_EQ(update(R"({"cluster":"c","service":"web","taskDefinition":"app"})"), "ok")
      << "a definition without awsvpc drops the network configuration";
}

TEST_F(Services, RefusesBadUpdates) {
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:2","desiredCount":1})");
  ASSERT_TRUE(operations.deregister_task_definition(context, {"app:1"}));
  waker.services.clear();
  EXPECT_EQ(update(R"({"cluster":"c","service":"nope"})"), "ServiceNotFoundException: Service not found.");
  EXPECT_EQ(update(R"({"cluster":"x","service":"web"})"), "ClusterNotFoundException: Cluster not found.");
  EXPECT_EQ(update(R"({"cluster":"c","service":"web","taskDefinition":"app:1"})"),
            "ClientException: TaskDefinition is inactive");
  EXPECT_EQ(update(R"({"cluster":"c","service":"web","taskDefinition":"app:7"})"),
            "ClientException: TaskDefinition not found.");
  EXPECT_THAT(update(R"({"cluster":"c","service":"web","desiredCount":5001})"), HasSubstr("desiredCount"));
  EXPECT_THAT(update(R"({"cluster":"c","service":"web","loadBalancers":[{}]})"), HasSubstr("not supported"));
  EXPECT_EQ(describe_service("c", "web").desiredCount, 1);
  EXPECT_THAT(waker.services, IsEmpty());

  ASSERT_TRUE(operations.delete_service(
      context, request<wire::DeleteServiceRequest>(R"({"cluster":"c","service":"web","force":true})")));
  EXPECT_EQ(update(R"({"cluster":"c","service":"web","desiredCount":1})"),
            "ServiceNotActiveException: Service was not ACTIVE.");
}

TEST_F(Services, AServiceStaysOnAnInactiveRevisionAndScales) {
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":1})");
  ASSERT_TRUE(operations.deregister_task_definition(context, {"app:1"}));
  EXPECT_EQ(update(R"({"cluster":"c","service":"web","desiredCount":3})"), "ok");
  EXPECT_EQ(update(R"({"cluster":"c","service":"web","forceNewDeployment":true})"), "ok");
  start_service_tasks("c", "web", 1);
}

TEST_F(Services, DeleteDrainsAndNeedsForceAboveZero) {
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":1})");
  const auto remove = [&](std::string_view text) {
    return operations.delete_service(context, request<wire::DeleteServiceRequest>(text));
  };
  EXPECT_EQ(outcome(remove(R"({"cluster":"c","service":"web"})")),
            "InvalidParameterException: The service cannot be stopped while it is scaled above 0.");
  EXPECT_EQ(outcome(remove(R"({"cluster":"c","service":"nope"})")), "ServiceNotFoundException: Service not found.");
  ASSERT_EQ(update(R"({"cluster":"c","service":"web","desiredCount":0,"taskDefinition":"app:2"})"), "ok");
  EXPECT_EQ(outcome(remove(R"({"cluster":"c","service":"web"})")),
            "InvalidParameterException: The service cannot be stopped while deployments are active.");
  const auto gone = remove(R"({"cluster":"c","service":"web","force":true})");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->service->status, "DRAINING");
  EXPECT_EQ(gone->service->desiredCount, 0);
  EXPECT_EQ(outcome(remove(R"({"cluster":"c","service":"web"})")), "ok") << "deleting again is harmless";
}

TEST_F(Services, ListsByPageAndLaunchType) {
  for (int i = 0; i < 12; ++i) {
    create_service(
        fmt::format(R"({{"cluster":"c","serviceName":"s{:02}","taskDefinition":"app","desiredCount":0}})", i));
  }
  const auto page = operations.list_services(context, request<wire::ListServicesRequest>(R"({"cluster":"c"})"));
  ASSERT_THAT(*page->serviceArns, SizeIs(10)) << "AWS's default page";
  ASSERT_TRUE(page->nextToken);
  const auto rest = operations.list_services(context, request<wire::ListServicesRequest>(fmt::format(
                                                          R"({{"cluster":"c","nextToken":"{}"}})", *page->nextToken)));
  EXPECT_THAT(*rest->serviceArns, ElementsAre("arn:aws:ecs:eu-central-1:123456789012:service/c/s10",
                                              "arn:aws:ecs:eu-central-1:123456789012:service/c/s11"));
  EXPECT_FALSE(rest->nextToken);
  const auto count = [&](std::string_view text) {
    return operations.list_services(context, request<wire::ListServicesRequest>(text))->serviceArns->size();
  };
  EXPECT_EQ(count(R"({"cluster":"c","launchType":"EC2","maxResults":100})"), 12U);
  EXPECT_EQ(count(R"({"cluster":"c","launchType":"FARGATE"})"), 0U);
  EXPECT_EQ(count(R"({"cluster":"c","schedulingStrategy":"DAEMON"})"), 0U);
  EXPECT_THAT(outcome(operations.list_services(
                  context, request<wire::ListServicesRequest>(fmt::format(
                               R"({{"cluster":"c","launchType":"EC2","nextToken":"{}"}})", *page->nextToken)))),
              HasSubstr("Invalid token"))
      << "a token of another listing";
}

TEST_F(Services, TagsOfEveryKindOfResource) {
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app:1","desiredCount":1})");
  const wire::Task task = run_one(R"({"cluster":"c","taskDefinition":"app:1","tags":[{"key":"old","value":"1"}]})");
  const std::string base = "arn:aws:ecs:eu-central-1:123456789012:";
  for (const std::string& arn : {base + "cluster/c", base + "service/c/web", *task.taskArn, *first.taskDefinitionArn}) {
    ASSERT_EQ(outcome(operations.tag_resource(context, {arn, {{"a", "1"}, {"b", "2"}}})), "ok") << arn;
    ASSERT_EQ(outcome(operations.tag_resource(context, {arn, {{"b", "3"}}})), "ok") << arn;
    ASSERT_EQ(outcome(operations.untag_resource(context, {arn, {"a", "old", "absent"}})), "ok") << arn;
    const auto tags = operations.list_tags_for_resource(context, {arn});
    ASSERT_TRUE(tags) << arn;
    EXPECT_THAT(*tags->tags, ElementsAre(wire::Tag{"b", "3"})) << arn;
  }
  std::vector<wire::Tag> many;
  for (int i = 0; i < 50; ++i) many.push_back({fmt::format("k{}", i), "v"});
  EXPECT_THAT(outcome(operations.tag_resource(context, {base + "cluster/c", many})), HasSubstr("at most 50 tags"));
  EXPECT_THAT(outcome(operations.tag_resource(context, {base + "cluster/c", {{"aws:x", "1"}}})), HasSubstr("reserved"));
  EXPECT_EQ(outcome(operations.tag_resource(context, {base + "cluster/x", {}})),
            "ClusterNotFoundException: Cluster not found.");
  for (const std::string& arn : {base + "service/c/nope", base + "service/web", base + "task/c/0123",
                                 base + "task-definition/app:9", base + "task-definition/app",
                                 std::string("arn:aws:ecs:us-east-1:123456789012:service/c/web"), base + "thing/x"}) {
    EXPECT_THAT(outcome(operations.list_tags_for_resource(context, {arn})),
                testing::StartsWith("ResourceNotFoundException: The specified resource wasn't found"))
        << arn;
  }
  EXPECT_THAT(outcome(operations.list_tags_for_resource(context, {"web"})), HasSubstr("InvalidParameterException"));
}

TEST_F(OperationsTest, EveryOperationIsServed) {
  aws::Dispatcher dispatcher;
  operations.add_to(dispatcher);
  EXPECT_EQ(dispatcher.served().size(), aws::ecs::operations().size());
}

}  // namespace
}  // namespace kaapi::ecs
