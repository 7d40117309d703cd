#include "ecs/state.h"

#include "ecs/model_json.h"

namespace kaapi::ecs {
namespace {

constexpr Duration repeat_silence{6 * 3'600'000LL};

constexpr std::string_view schema = R"sql(
CREATE TABLE cluster(
  region TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL, doc TEXT NOT NULL,
  PRIMARY KEY(region, name)) WITHOUT ROWID;
CREATE TABLE task_family(
  region TEXT NOT NULL, family TEXT NOT NULL, last_revision INTEGER NOT NULL,
  PRIMARY KEY(region, family)) WITHOUT ROWID;
CREATE TABLE task_definition(
  region TEXT NOT NULL, family TEXT NOT NULL, revision INTEGER NOT NULL, status TEXT NOT NULL, doc TEXT NOT NULL, tags TEXT NOT NULL,
  PRIMARY KEY(region, family, revision)) WITHOUT ROWID;
CREATE TABLE service(
  id INTEGER PRIMARY KEY AUTOINCREMENT, region TEXT NOT NULL, cluster TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
  doc TEXT NOT NULL, UNIQUE(region, cluster, name));
CREATE TABLE service_event(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, service_id INTEGER NOT NULL REFERENCES service(id) ON DELETE CASCADE,
  id TEXT NOT NULL, created_at INTEGER NOT NULL, message TEXT NOT NULL);
CREATE INDEX service_event_by_service ON service_event(service_id, seq);
CREATE TABLE deployment(
  id TEXT PRIMARY KEY, service_id INTEGER NOT NULL REFERENCES service(id) ON DELETE CASCADE, status TEXT NOT NULL,
  created_at INTEGER NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX deployment_by_service ON deployment(service_id, status);
CREATE TABLE task(
  id TEXT PRIMARY KEY, region TEXT NOT NULL, cluster TEXT NOT NULL, service_id INTEGER NOT NULL, deployment_id TEXT NOT NULL,
  family TEXT NOT NULL, started_by TEXT NOT NULL, launch_type TEXT NOT NULL, desired_status TEXT NOT NULL, last_status TEXT NOT NULL,
  open INTEGER NOT NULL,         -- 1 until it has stopped, everything of it is removed and its service has accounted for it
  static_ports INTEGER NOT NULL,  -- 1 when it has a fixed host port
  created_at INTEGER NOT NULL, stopped_at INTEGER, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX task_by_cluster ON task(region, cluster, desired_status, id);
CREATE INDEX task_open ON task(service_id) WHERE open = 1;
CREATE INDEX task_stopped ON task(stopped_at) WHERE stopped_at IS NOT NULL;
)sql";

constexpr std::string_view client_tokens = R"sql(
CREATE TABLE client_token(
  scope TEXT NOT NULL, token TEXT NOT NULL, fingerprint TEXT NOT NULL, outcome TEXT NOT NULL, created_at INTEGER NOT NULL,
  PRIMARY KEY(scope, token)) WITHOUT ROWID;
CREATE INDEX client_token_by_age ON client_token(created_at);
)sql";

constexpr std::string_view all_migrations[] = {schema, client_tokens};

template <class T>
T must(Result<T> result) {
  if (!result) throw store::SqlFailure(result.error());
  return std::move(*result);
}

ClusterRow read_cluster(const store::Statement& row) {
  return {std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3)),
          from_millis(row.number(4))};
}

DefinitionRow read_definition(const store::Statement& row) {
  return {std::string(row.text(0)), std::string(row.text(1)), static_cast<int>(row.number(2)),
          std::string(row.text(3)), std::string(row.text(4)), std::string(row.text(5))};
}

std::vector<Task> read_tasks(store::Statement rows) {
  std::vector<Task> tasks;
  while (rows.step()) tasks.push_back(must(task_from_stored(rows.text(0))));
  return tasks;
}

bool all_removed(const Task& task) {
  for (const Container& container : task.containers) {
    if (!container.state.removed) return false;
  }
  return true;
}

void add_count(TaskCounts& counts, std::string_view desired, std::string_view status, int number) {
  if (status == "STOPPED") return;
  if (desired == "STOPPED") counts.stopping += number;
  if (status == "RUNNING") counts.running += number;
  if (status == "PROVISIONING" || status == "PENDING" || status == "ACTIVATING") counts.pending += number;
}

}  // namespace

store::Migrations migrations() {
  return all_migrations;
}

std::optional<ClusterRow> find_cluster(store::Session& session, std::string_view region, std::string_view name) {
  store::Statement row = session.query(
      "SELECT region, name, status, doc, created_at FROM cluster WHERE region = ?1 AND name = ?2", region, name);
  if (!row.step()) return std::nullopt;
  return read_cluster(row);
}

void save_cluster(store::Session& session, const ClusterRow& cluster) {
  session.run("INSERT OR REPLACE INTO cluster(region, name, status, doc, created_at) VALUES(?1, ?2, ?3, ?4, ?5)",
              cluster.region, cluster.name, cluster.status, cluster.doc, to_millis(cluster.created_at));
}

std::vector<std::string> list_clusters(store::Session& session, std::string_view region, std::string_view after,
                                       int limit) {
  store::Statement rows = session.query(
      "SELECT name FROM cluster WHERE region = ?1 AND status = 'ACTIVE' AND name > ?2 ORDER BY name LIMIT ?3", region,
      after, limit);
  std::vector<std::string> names;
  while (rows.step()) names.emplace_back(rows.text(0));
  return names;
}

std::optional<DefinitionRow> find_definition(store::Session& session, std::string_view region, std::string_view family,
                                             int revision) {
  store::Statement row = session.query(
      "SELECT region, family, revision, status, doc, tags FROM task_definition WHERE region = ?1 AND family = ?2 AND "
      "revision = ?3",
      region, family, revision);
  if (!row.step()) return std::nullopt;
  return read_definition(row);
}

std::optional<DefinitionRow> latest_definition(store::Session& session, std::string_view region,
                                               std::string_view family) {
  store::Statement row = session.query(
      "SELECT region, family, revision, status, doc, tags FROM task_definition "
      "WHERE region = ?1 AND family = ?2 AND status = 'ACTIVE' ORDER BY revision DESC LIMIT 1",
      region, family);
  if (!row.step()) return std::nullopt;
  return read_definition(row);
}

int next_revision(store::Session& session, std::string_view region, std::string_view family) {
  store::Statement row = session.query(
      "INSERT INTO task_family(region, family, last_revision) VALUES(?1, ?2, 1) "
      "ON CONFLICT(region, family) DO UPDATE SET last_revision = last_revision + 1 RETURNING last_revision",
      region, family);
  row.step();
  const int revision = static_cast<int>(row.number(0));
  row.run();
  return revision;
}

void save_definition(store::Session& session, const DefinitionRow& definition) {
  session.run(
      "INSERT OR REPLACE INTO task_definition(region, family, revision, status, doc, tags) VALUES(?1, ?2, ?3, ?4, ?5, "
      "?6)",
      definition.region, definition.family, definition.revision, definition.status, definition.doc, definition.tags);
}

std::vector<DefinitionName> list_definitions(store::Session& session, std::string_view region,
                                             const std::optional<std::string>& family, std::string_view status,
                                             bool descending, const DefinitionName& after, int limit) {
  constexpr std::string_view upwards =
      "SELECT family, revision FROM task_definition WHERE region = ?1 AND (?2 IS NULL OR family = ?2) AND status = ?3 "
      "AND (family, revision) > (?4, ?5) ORDER BY family, revision LIMIT ?6";
  constexpr std::string_view downwards =
      "SELECT family, revision FROM task_definition WHERE region = ?1 AND (?2 IS NULL OR family = ?2) AND status = ?3 "
      "AND (?4 = '' OR (family, revision) < (?4, ?5)) ORDER BY family DESC, revision DESC LIMIT ?6";
  store::Statement rows =
      session.query(descending ? downwards : upwards, region, family, status, after.family, after.revision, limit);
  std::vector<DefinitionName> names;
  while (rows.step()) names.push_back({std::string(rows.text(0)), static_cast<int>(rows.number(1))});
  return names;
}

std::vector<std::string> list_families(store::Session& session, std::string_view region, std::string_view prefix,
                                       std::string_view status, std::string_view after, int limit) {
  store::Statement rows = session.query(
      "SELECT family FROM task_family f WHERE region = ?1 AND family > ?4 AND substr(family, 1, length(?2)) = ?2 "
      "AND (?3 = 'ALL' OR (?3 = 'ACTIVE') = EXISTS(SELECT 1 FROM task_definition d WHERE d.region = f.region AND "
      "d.family = f.family AND d.status = 'ACTIVE')) ORDER BY family LIMIT ?5",
      region, prefix, status, after, limit);
  std::vector<std::string> families;
  while (rows.step()) families.emplace_back(rows.text(0));
  return families;
}

std::optional<Service> find_service(store::Session& session, std::int64_t id) {
  store::Statement row = session.query("SELECT doc FROM service WHERE id = ?1", id);
  if (!row.step()) return std::nullopt;
  return must(service_from_stored(row.text(0)));
}

std::optional<Service> find_service(store::Session& session, std::string_view region, std::string_view cluster,
                                    std::string_view name) {
  store::Statement row =
      session.query("SELECT doc FROM service WHERE region = ?1 AND cluster = ?2 AND name = ?3", region, cluster, name);
  if (!row.step()) return std::nullopt;
  return must(service_from_stored(row.text(0)));
}

void insert_service(store::Session& session, Service& service) {
  session.run("DELETE FROM service WHERE region = ?1 AND cluster = ?2 AND name = ?3 AND status = 'INACTIVE'",
              service.region, service.cluster, service.name);
  session.run("INSERT INTO service(region, cluster, name, status, doc) VALUES(?1, ?2, ?3, ?4, '')", service.region,
              service.cluster, service.name, wire_name(service.status));
  service.id = session.last_insert_id();
  save_service(session, service);
}

void save_service(store::Session& session, const Service& service) {
  session.run("UPDATE service SET status = ?2, doc = ?3 WHERE id = ?1", service.id, wire_name(service.status),
              to_stored(service));
}

std::vector<Service> list_services(store::Session& session, std::string_view region, std::string_view cluster,
                                   std::string_view after, int limit) {
  store::Statement rows = session.query(
      "SELECT doc FROM service WHERE region = ?1 AND cluster = ?2 AND name > ?3 AND status <> 'INACTIVE' ORDER BY name "
      "LIMIT ?4",
      region, cluster, after, limit);
  std::vector<Service> services;
  while (rows.step()) services.push_back(must(service_from_stored(rows.text(0))));
  return services;
}

std::vector<std::string> list_service_names(store::Session& session, std::string_view region, std::string_view cluster,
                                            const std::optional<std::string>& launch_type, std::string_view after,
                                            int limit) {
  store::Statement rows = session.query(
      "SELECT name FROM service s WHERE region = ?1 AND cluster = ?2 AND name > ?3 AND status <> 'INACTIVE' "
      "AND (?4 IS NULL OR ?4 = (SELECT json_extract(d.doc, '$.launch_type') FROM deployment d "
      "WHERE d.service_id = s.id AND d.status = 'PRIMARY')) ORDER BY name LIMIT ?5",
      region, cluster, after, launch_type, limit);
  std::vector<std::string> names;
  while (rows.step()) names.emplace_back(rows.text(0));
  return names;
}

std::map<std::string, ServiceCounts> count_services_of_cluster(store::Session& session, std::string_view region,
                                                               std::string_view cluster) {
  store::Statement rows = session.query(
      "SELECT coalesce((SELECT json_extract(d.doc, '$.launch_type') FROM deployment d WHERE d.service_id = s.id AND "
      "d.status = 'PRIMARY'), 'EC2') AS launch_type, status, count(*) FROM service s WHERE region = ?1 AND "
      "cluster = ?2 AND status <> 'INACTIVE' GROUP BY launch_type, status",
      region, cluster);
  std::map<std::string, ServiceCounts> counts;
  while (rows.step()) {
    ServiceCounts& of = counts[std::string(rows.text(0))];
    (rows.text(1) == "ACTIVE" ? of.active : of.draining) += static_cast<int>(rows.number(2));
  }
  return counts;
}

std::vector<std::int64_t> open_services(store::Session& session) {
  store::Statement rows = session.query("SELECT id FROM service WHERE status <> 'INACTIVE' ORDER BY id");
  std::vector<std::int64_t> ids;
  while (rows.step()) ids.push_back(rows.number(0));
  return ids;
}

void add_event(store::Session& session, std::int64_t service_id, const ServiceEvent& event) {
  {
    store::Statement newest = session.query(
        "SELECT created_at, message FROM service_event WHERE service_id = ?1 ORDER BY seq DESC LIMIT 1", service_id);
    if (newest.step() && newest.text(1) == event.message &&
        event.created_at < from_millis(newest.number(0)) + repeat_silence)
      return;
  }
  session.run("INSERT INTO service_event(service_id, id, created_at, message) VALUES(?1, ?2, ?3, ?4)", service_id,
              event.id, to_millis(event.created_at), event.message);
  session.run(
      "DELETE FROM service_event WHERE service_id = ?1 AND seq <= "
      "(SELECT seq FROM service_event WHERE service_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
      service_id, max_service_events);
}

std::vector<ServiceEvent> list_events(store::Session& session, std::int64_t service_id) {
  store::Statement rows = session.query(
      "SELECT id, created_at, message FROM service_event WHERE service_id = ?1 ORDER BY seq DESC", service_id);
  std::vector<ServiceEvent> events;
  while (rows.step())
    events.push_back({std::string(rows.text(0)), from_millis(rows.number(1)), std::string(rows.text(2))});
  return events;
}

std::optional<Deployment> find_deployment(store::Session& session, std::string_view id) {
  store::Statement row = session.query("SELECT doc FROM deployment WHERE id = ?1", id);
  if (!row.step()) return std::nullopt;
  return must(deployment_from_stored(row.text(0)));
}

void save_deployment(store::Session& session, const Deployment& deployment) {
  session.run("INSERT OR REPLACE INTO deployment(id, service_id, status, created_at, doc) VALUES(?1, ?2, ?3, ?4, ?5)",
              deployment.id, deployment.service_id, wire_name(deployment.status), to_millis(deployment.created_at),
              to_stored(deployment));
}

std::vector<Deployment> deployments_started_by(store::Session& session, std::string_view started_by) {
  std::vector<Deployment> found;
  store::Statement row = session.query(
      "SELECT doc FROM deployment WHERE json_extract(doc, '$.started_by') = ?1 ORDER BY created_at, id", started_by);
  while (row.step()) found.push_back(must(deployment_from_stored(row.text(0))));
  return found;
}

std::vector<Deployment> open_deployments(store::Session& session, std::int64_t service_id) {
  store::Statement rows = session.query(
      "SELECT doc FROM deployment WHERE service_id = ?1 AND status <> 'INACTIVE' "
      "ORDER BY status = 'PRIMARY' DESC, created_at DESC, id DESC",
      service_id);
  std::vector<Deployment> deployments;
  while (rows.step()) deployments.push_back(must(deployment_from_stored(rows.text(0))));
  return deployments;
}

std::optional<Task> find_task(store::Session& session, std::string_view id) {
  store::Statement row = session.query("SELECT doc FROM task WHERE id = ?1", id);
  if (!row.step()) return std::nullopt;
  return must(task_from_stored(row.text(0)));
}

void save_task(store::Session& session, const Task& task) {
  const bool stopped = task.status == TaskStatus::stopped;
  const bool accounted = task.service_id == 0 || !task.failed || task.accounted;
  const bool open = !stopped || !all_removed(task) || !accounted;
  std::optional<std::int64_t> stopped_at;
  if (task.stopped_at) stopped_at = to_millis(*task.stopped_at);
  session.run(
      "INSERT OR REPLACE INTO task(id, region, cluster, service_id, deployment_id, family, started_by, launch_type, "
      "desired_status, "
      "last_status, open, static_ports, created_at, stopped_at, doc) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
      task.id, task.region, task.cluster, task.service_id, task.deployment_id, task.family, task.started_by,
      task.launch_type, task.desired_running ? "RUNNING" : "STOPPED", wire_name(task.status), open ? 1 : 0,
      fixed_host_ports(task).empty() ? 0 : 1, to_millis(task.created_at), stopped_at, to_stored(task));
}

std::vector<Task> open_tasks_of_service(store::Session& session, std::int64_t service_id) {
  std::vector<Task> tasks = read_tasks(
      session.query("SELECT doc FROM task WHERE service_id = ?1 AND open = 1 ORDER BY created_at, id", service_id));
  std::erase_if(tasks, [](const Task& task) {
    return task.status == TaskStatus::stopped &&
           (!task.failed || task.accounted);  // only its containers are left to remove
  });
  return tasks;
}

std::vector<Task> unfinished_tasks(store::Session& session) {
  return read_tasks(session.query("SELECT doc FROM task WHERE open = 1 ORDER BY created_at, id"));
}

std::vector<Task> tasks_with_static_ports(store::Session& session) {
  return read_tasks(
      session.query("SELECT doc FROM task WHERE open = 1 AND static_ports = 1 AND last_status <> 'STOPPED'"));
}

void prune_tasks(store::Session& session, Time now) {
  session.run("DELETE FROM task WHERE open = 0 AND stopped_at < ?1", to_millis(now - stopped_task_retention));
  session.run(
      "DELETE FROM task WHERE open = 0 AND stopped_at < "
      "(SELECT stopped_at FROM task WHERE stopped_at IS NOT NULL ORDER BY stopped_at DESC LIMIT 1 OFFSET ?1)",
      max_stopped_tasks);
}

std::vector<std::string> list_tasks(store::Session& session, const TaskFilter& filter, std::string_view after,
                                    int limit) {
  store::Statement rows = session.query(
      "SELECT id FROM task WHERE region = ?1 AND cluster = ?2 AND desired_status = ?3 AND id > ?4 "
      "AND (?5 IS NULL OR family = ?5) AND (?6 IS NULL OR service_id = ?6) AND (?7 IS NULL OR started_by = ?7) "
      "AND (?8 IS NULL OR launch_type = ?8) ORDER BY id LIMIT ?9",
      filter.region, filter.cluster, filter.desired_running ? "RUNNING" : "STOPPED", after, filter.family,
      filter.service_id, filter.started_by, filter.launch_type, limit);
  std::vector<std::string> ids;
  while (rows.step()) ids.emplace_back(rows.text(0));
  return ids;
}

std::map<std::string, TaskCounts> count_tasks_by_deployment(store::Session& session, std::int64_t service_id) {
  store::Statement rows = session.query(
      "SELECT deployment_id, desired_status, last_status, count(*) FROM task WHERE service_id = ?1 AND open = 1 "
      "GROUP BY deployment_id, desired_status, last_status",
      service_id);
  std::map<std::string, TaskCounts> counts;
  while (rows.step()) {
    add_count(counts[std::string(rows.text(0))], rows.text(1), rows.text(2), static_cast<int>(rows.number(3)));
  }
  return counts;
}

std::map<std::string, TaskCounts> count_tasks_of_cluster(store::Session& session, std::string_view region,
                                                         std::string_view cluster) {
  store::Statement rows = session.query(
      "SELECT launch_type, desired_status, last_status, count(*) FROM task WHERE region = ?1 AND cluster = ?2 AND "
      "last_status <> 'STOPPED' AND open = 1 GROUP BY launch_type, desired_status, last_status",
      region, cluster);
  std::map<std::string, TaskCounts> counts;
  while (rows.step()) {
    add_count(counts[std::string(rows.text(0))], rows.text(1), rows.text(2), static_cast<int>(rows.number(3)));
  }
  return counts;
}

std::optional<ClientToken> find_client_token(store::Session& session, std::string_view scope, std::string_view token,
                                             Time now) {
  store::Statement row = session.query(
      "SELECT fingerprint, outcome, created_at FROM client_token WHERE scope = ?1 AND token = ?2 AND created_at >= ?3",
      scope, token, to_millis(now - client_token_retention));
  if (!row.step()) return std::nullopt;
  return ClientToken{std::string(scope), std::string(token), std::string(row.text(0)), std::string(row.text(1)),
                     from_millis(row.number(2))};
}

void save_client_token(store::Session& session, const ClientToken& token) {
  session.run("DELETE FROM client_token WHERE created_at < ?1", to_millis(token.created_at - client_token_retention));
  session.run(
      "DELETE FROM client_token WHERE created_at < "
      "(SELECT created_at FROM client_token ORDER BY created_at DESC LIMIT 1 OFFSET ?1)",
      max_client_tokens);
  session.run(
      "INSERT OR REPLACE INTO client_token(scope, token, fingerprint, outcome, created_at) VALUES(?1, ?2, ?3, ?4, ?5)",
      token.scope, token.token, token.fingerprint, token.outcome, to_millis(token.created_at));
}

}  // namespace kaapi::ecs
