#include "ecs/operations.h"

namespace kaapi::ecs {

Operations::Operations(store::Database& database, Waker& waker, const Clock& clock, IdSource& ids,
                       OperationsConfig config)
    : database_(database), waker_(waker), clock_(clock), ids_(ids), config_(config) {}

void Operations::add_to(aws::Dispatcher& dispatcher) {
  const auto add = [&]<class Op>(Op, auto member) {
    dispatcher.handle<Op>([this, member](const Context& context, const typename Op::Request& request) {
      return (this->*member)(context, request);
    });
  };
  add(wire::CreateCluster(), &Operations::create_cluster);
  add(wire::DescribeClusters(), &Operations::describe_clusters);
  add(wire::ListClusters(), &Operations::list_clusters);
  add(wire::DeleteCluster(), &Operations::delete_cluster);
  add(wire::RegisterTaskDefinition(), &Operations::register_task_definition);
  add(wire::DescribeTaskDefinition(), &Operations::describe_task_definition);
  add(wire::ListTaskDefinitions(), &Operations::list_task_definitions);
  add(wire::ListTaskDefinitionFamilies(), &Operations::list_task_definition_families);
  add(wire::DeregisterTaskDefinition(), &Operations::deregister_task_definition);
  add(wire::CreateService(), &Operations::create_service);
  dispatcher.handle_encoded<wire::DescribeServices>(
      [this](const Context& context, const wire::DescribeServicesRequest& request) {
        return describe_services_encoded(context, request);
      });
  add(wire::ListServices(), &Operations::list_services);
  add(wire::UpdateService(), &Operations::update_service);
  add(wire::DeleteService(), &Operations::delete_service);
  add(wire::RunTask(), &Operations::run_task);
  add(wire::StopTask(), &Operations::stop_task);
  add(wire::DescribeTasks(), &Operations::describe_tasks);
  add(wire::ListTasks(), &Operations::list_tasks);
  add(wire::TagResource(), &Operations::tag_resource);
  add(wire::UntagResource(), &Operations::untag_resource);
  add(wire::ListTagsForResource(), &Operations::list_tags_for_resource);
}

}  // namespace kaapi::ecs
