#pragma once
// The ECS operations: thin functions from a typed request to a typed answer. Each validates against stored state,
// changes it in one transaction, and wakes the scheduler after the commit. Sources of the rules: the service model
// (shapes) and AWS's API reference (behaviour and messages).

#include <cstdint>

#include "aws/dispatch.h"
#include "aws/gen/ecs.h"
#include "base/clock.h"
#include "base/ids.h"
#include "ecs/answer_cache.h"
#include "ecs/model.h"
#include "ecs/state.h"
#include "ecs/waker.h"
#include "store/database.h"

namespace kaapi::ecs {

namespace wire = aws::ecs;

// What the machine has, to refuse tasks that could never run on it. 0: not known, nothing is refused.
struct OperationsConfig {
  std::int64_t cpu_units = 0;  // 1024 for each processor
  std::int64_t memory_mib = 0;
};

inline constexpr int max_desired_count = 5'000;     // AWS's quota: tasks per service
inline constexpr int max_containers_per_task = 10;  // AWS's quota
inline constexpr std::size_t max_definition_bytes = 64 * 1024;
inline constexpr std::size_t max_overrides_chars = 8'192;
inline constexpr int max_tasks_per_run = 10;
inline constexpr std::size_t max_tags = 50;  // per resource

// Thread-safe. The references must outlive it and the dispatcher that it was added to.
class Operations {
 public:
  Operations(store::Database& database, Waker& waker, const Clock& clock, IdSource& ids, OperationsConfig config);

  void add_to(aws::Dispatcher& dispatcher);

  using Context = aws::CallContext;

  Result<wire::CreateClusterResponse> create_cluster(const Context&, const wire::CreateClusterRequest&);
  Result<wire::DescribeClustersResponse> describe_clusters(const Context&, const wire::DescribeClustersRequest&);
  Result<wire::ListClustersResponse> list_clusters(const Context&, const wire::ListClustersRequest&);
  Result<wire::DeleteClusterResponse> delete_cluster(const Context&, const wire::DeleteClusterRequest&);

  Result<wire::RegisterTaskDefinitionResponse> register_task_definition(const Context&,
                                                                        const wire::RegisterTaskDefinitionRequest&);
  Result<wire::DescribeTaskDefinitionResponse> describe_task_definition(const Context&,
                                                                        const wire::DescribeTaskDefinitionRequest&);
  Result<wire::ListTaskDefinitionsResponse> list_task_definitions(const Context&,
                                                                  const wire::ListTaskDefinitionsRequest&);
  Result<wire::ListTaskDefinitionFamiliesResponse> list_task_definition_families(
      const Context&, const wire::ListTaskDefinitionFamiliesRequest&);
  Result<wire::DeregisterTaskDefinitionResponse> deregister_task_definition(
      const Context&, const wire::DeregisterTaskDefinitionRequest&);

  Result<wire::CreateServiceResponse> create_service(const Context&, const wire::CreateServiceRequest&);
  Result<wire::DescribeServicesResponse> describe_services(const Context&, const wire::DescribeServicesRequest&);
  // The encoded answer, kept while nothing changes: this is what every waiting client polls.
  Result<std::string> describe_services_encoded(const Context&, const wire::DescribeServicesRequest&);
  Result<wire::ListServicesResponse> list_services(const Context&, const wire::ListServicesRequest&);
  Result<wire::UpdateServiceResponse> update_service(const Context&, const wire::UpdateServiceRequest&);
  Result<wire::DeleteServiceResponse> delete_service(const Context&, const wire::DeleteServiceRequest&);

  Result<wire::RunTaskResponse> run_task(const Context&, const wire::RunTaskRequest&);
  Result<wire::StopTaskResponse> stop_task(const Context&, const wire::StopTaskRequest&);
  Result<wire::DescribeTasksResponse> describe_tasks(const Context&, const wire::DescribeTasksRequest&);
  Result<wire::ListTasksResponse> list_tasks(const Context&, const wire::ListTasksRequest&);

  Result<wire::TagResourceResponse> tag_resource(const Context&, const wire::TagResourceRequest&);
  Result<wire::UntagResourceResponse> untag_resource(const Context&, const wire::UntagResourceRequest&);
  Result<wire::ListTagsForResourceResponse> list_tags_for_resource(const Context&,
                                                                   const wire::ListTagsForResourceRequest&);

 private:
  std::string new_deployment_id() { return "ecs-svc/" + ids_.decimal(19); }
  // Tasks that could not be placed are told in `failures`.
  Result<void> start_tasks(store::Session& session, const Context& context, const wire::RunTaskRequest& request,
                           const std::string& cluster, const DefinitionRow& definition, std::vector<Task>& tasks,
                           std::vector<wire::Failure>& failures);

  store::Database& database_;
  Waker& waker_;
  const Clock& clock_;
  IdSource& ids_;
  const OperationsConfig config_;
  AnswerCache service_answers_;
};

}  // namespace kaapi::ecs
