#pragma once
// Where the ECS model lives in control.db. Free functions over a store::Session, so that a caller composes them in one
// transaction. A row that cannot be read throws store::SqlFailure with `Damaged`, like any other failure of the
// database.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ecs/model.h"
#include "store/database.h"

namespace kaapi::ecs {

store::Migrations migrations();

// Stopped tasks stay visible this long, and at most so many are kept.
inline constexpr Duration stopped_task_retention{24 * 3'600'000LL};
inline constexpr int max_stopped_tasks = 20'000;
inline constexpr int max_service_events = 100;

// Clusters and task definitions: `doc` is the wire JSON, as answered.

struct ClusterRow {
  std::string region;
  std::string name;
  std::string status;  // ACTIVE, INACTIVE
  std::string doc;
  Time created_at{};
};
std::optional<ClusterRow> find_cluster(store::Session& session, std::string_view region, std::string_view name);
void save_cluster(store::Session& session, const ClusterRow& cluster);
// ACTIVE ones by name, starting after `after`.
std::vector<std::string> list_clusters(store::Session& session, std::string_view region, std::string_view after,
                                       int limit);

struct DefinitionRow {
  std::string region;
  std::string family;
  int revision = 0;
  std::string status;  // ACTIVE, INACTIVE
  std::string doc;     // wire JSON of the TaskDefinition
  std::string tags;    // wire JSON list of its tags; may be empty
};
std::optional<DefinitionRow> find_definition(store::Session& session, std::string_view region, std::string_view family,
                                             int revision);
// The newest ACTIVE revision.
std::optional<DefinitionRow> latest_definition(store::Session& session, std::string_view region,
                                               std::string_view family);
// Revisions are never used twice, also after deregistering.
int next_revision(store::Session& session, std::string_view region, std::string_view family);
void save_definition(store::Session& session, const DefinitionRow& definition);
struct DefinitionName {
  std::string family;
  int revision = 0;
};
// Names by family, then revision, upwards or downwards, beyond `after` (its family empty: from the start). Without
// `family`: of all.
std::vector<DefinitionName> list_definitions(store::Session& session, std::string_view region,
                                             const std::optional<std::string>& family, std::string_view status,
                                             bool descending, const DefinitionName& after, int limit);
// Families that start with `prefix`, after `after`. `status`: ACTIVE (has an ACTIVE revision), INACTIVE (has none),
// ALL.
std::vector<std::string> list_families(store::Session& session, std::string_view region, std::string_view prefix,
                                       std::string_view status, std::string_view after, int limit);

// Services.

std::optional<Service> find_service(store::Session& session, std::int64_t id);
// Also an INACTIVE one, as long as nobody has taken its name again.
std::optional<Service> find_service(store::Session& session, std::string_view region, std::string_view cluster,
                                    std::string_view name);
// Gives it its id. An INACTIVE service of the same name disappears.
void insert_service(store::Session& session, Service& service);
void save_service(store::Session& session, const Service& service);
// Not INACTIVE, by name, starting after `after`.
std::vector<Service> list_services(store::Session& session, std::string_view region, std::string_view cluster,
                                   std::string_view after, int limit);
// Their names, optionally only those of one launch type.
std::vector<std::string> list_service_names(store::Session& session, std::string_view region, std::string_view cluster,
                                            const std::optional<std::string>& launch_type, std::string_view after,
                                            int limit);
struct ServiceCounts {
  int active = 0;
  int draining = 0;
};
// By launch type.
std::map<std::string, ServiceCounts> count_services_of_cluster(store::Session& session, std::string_view region,
                                                               std::string_view cluster);
std::vector<std::int64_t> open_services(store::Session& session);  // every one that is not INACTIVE

struct ServiceEvent {
  std::string id;
  Time created_at{};
  std::string message;
};
// A text that repeats the newest one within six hours is dropped.
void add_event(store::Session& session, std::int64_t service_id, const ServiceEvent& event);
std::vector<ServiceEvent> list_events(store::Session& session, std::int64_t service_id);  // newest first

// Deployments.

std::optional<Deployment> find_deployment(store::Session& session, std::string_view id);
void save_deployment(store::Session& session, const Deployment& deployment);
std::vector<Deployment> open_deployments(store::Session& session,
                                         std::int64_t service_id);  // PRIMARY first, then newest first
// Those whose `started_by` is this, which is not empty; oldest first. Looks at every deployment that is stored.
std::vector<Deployment> deployments_started_by(store::Session& session, std::string_view started_by);

// Tasks.

std::optional<Task> find_task(store::Session& session, std::string_view id);
void save_task(store::Session& session, const Task& task);  // inserts or replaces
// Tasks of a service that have not stopped, and those whose failure is not accounted for; oldest first.
std::vector<Task> open_tasks_of_service(store::Session& session, std::int64_t service_id);
// Every task that has not stopped or still has something left in the engine.
std::vector<Task> unfinished_tasks(store::Session& session);
// Not stopped, with a fixed host port, on the whole machine.
std::vector<Task> tasks_with_static_ports(store::Session& session);
// Forgets the oldest stopped tasks beyond retention.
void prune_tasks(store::Session& session, Time now);

struct TaskFilter {
  std::string region;
  std::string cluster;
  std::optional<std::string> family;
  std::optional<std::int64_t> service_id;
  std::optional<std::string> started_by;
  std::optional<std::string> launch_type;
  bool desired_running = true;
};
// Ids in order, starting after `after`.
std::vector<std::string> list_tasks(store::Session& session, const TaskFilter& filter, std::string_view after,
                                    int limit);

// Counts of one group of tasks, by status.
struct TaskCounts {
  int running = 0;
  int pending = 0;   // PROVISIONING, PENDING, ACTIVATING
  int stopping = 0;  // not stopped yet but meant to be
};
std::map<std::string, TaskCounts> count_tasks_by_deployment(store::Session& session, std::int64_t service_id);
// By launch type.
std::map<std::string, TaskCounts> count_tasks_of_cluster(store::Session& session, std::string_view region,
                                                         std::string_view cluster);

// Requests that a client marked with its own token, so that a retry does nothing twice.

// How long a token is remembered (AWS's user guide: "Ensuring idempotency", 24 hours), and how many at most.
inline constexpr Duration client_token_retention{24 * 3'600'000LL};
inline constexpr int max_client_tokens = 100'000;

struct ClientToken {
  std::string scope;  // operation, region, cluster
  std::string token;
  std::string fingerprint;  // of the whole request
  std::string outcome;      // what was made: ids, separated by spaces
  Time created_at{};
};
std::optional<ClientToken> find_client_token(store::Session& session, std::string_view scope, std::string_view token,
                                             Time now);
// Forgets those beyond retention.
void save_client_token(store::Session& session, const ClientToken& token);

}  // namespace kaapi::ecs
