#include "cli/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cli/table.h"

namespace kaapi::cli {
namespace {

constexpr std::size_t short_id_digits = 8;
constexpr std::size_t shown_events = 5;

// What stands after the last '/' of an ARN or id.
std::string tail(std::string_view arn) {
  return std::string(arn.substr(arn.rfind('/') + 1));
}

std::string short_id(std::string_view arn) {
  return tail(arn).substr(0, short_id_digits);
}

const json::array& list_of(const json::value& object, std::string_view member) {
  static const json::array none;
  const json::value* found = find_member(object, member);
  return found != nullptr && found->is_array() ? found->as_array() : none;
}

// The wire has seconds since the epoch, as a number.
std::string age_of(const json::value& object, std::string_view member, Time now) {
  const json::value* seconds = find_member(object, member);
  if (seconds == nullptr || !seconds->is_number()) return "-";
  return age(from_millis(std::llround(seconds->to_number<double>() * 1000.0)), now);
}

Tone tone_of(std::string_view word) {
  for (const std::string_view good : {"ACTIVE", "RUNNING", "HEALTHY", "COMPLETED", "PRIMARY"}) {
    if (word == good) return Tone::good;
  }
  for (const std::string_view bad : {"UNHEALTHY", "FAILED", "STOPPED"}) {
    if (word == bad) return Tone::bad;
  }
  return word == "UNKNOWN" || word == "INACTIVE" || word == "-" ? Tone::faint : Tone::busy;
}

Cell word(const json::value& object, std::string_view member) {
  const std::string text = string_member(object, member, "-");
  return {text, tone_of(text)};
}

Cell number(const json::value& object, std::string_view member) {
  return {std::to_string(int_member(object, member)), Tone::plain, true};
}

Row heading(std::initializer_list<std::string_view> names) {
  Row row;
  for (const std::string_view name : names) row.emplace_back(std::string(name), Tone::faint);
  return row;
}

// "2/2 healthy"; "2/2 running" while no task of the deployment reports its health.
Cell progress(const json::value& deployment, const std::vector<json::value>& tasks) {
  const std::string id = string_member(deployment, "id");
  const std::int64_t desired = int_member(deployment, "desiredCount");
  std::int64_t healthy = 0;
  bool health_is_known = false;
  for (const json::value& task : tasks) {
    if (string_member(task, "startedBy") != id) continue;
    const std::string health = string_member(task, "healthStatus", "UNKNOWN");
    health_is_known = health_is_known || health != "UNKNOWN";
    if (health == "HEALTHY") ++healthy;
  }
  const std::int64_t count = health_is_known ? healthy : int_member(deployment, "runningCount");
  return {fmt::format("{}/{} {}", count, desired, health_is_known ? "healthy" : "running"),
          count >= desired ? Tone::good : Tone::busy};
}

std::string services_text(const ClusterSnapshot& cluster, const RenderOptions& options) {
  std::vector<Row> rows;
  rows.push_back(heading({"SERVICE", "STATUS", "DESIRED", "RUNNING", "PENDING", "DEPLOYMENT", "ROLLOUT", "PROGRESS",
                          "TASK DEFINITION", "AGE"}));
  for (const json::value& service : cluster.services) {
    Row front = {{string_member(service, "serviceName"), Tone::strong},
                 word(service, "status"),
                 number(service, "desiredCount"),
                 number(service, "runningCount"),
                 number(service, "pendingCount")};
    for (const json::value& deployment : list_of(service, "deployments")) {
      Row row = std::move(front);
      front = Row(5, Cell(""));
      // An ACTIVE deployment is an old one on its way out.
      const std::string status = string_member(deployment, "status", "-");
      row.emplace_back(status, status == "ACTIVE" ? Tone::busy : tone_of(status));
      row.push_back(word(deployment, "rolloutState"));
      row.push_back(progress(deployment, cluster.tasks));
      row.emplace_back(tail(string_member(deployment, "taskDefinition")));
      row.emplace_back(age_of(deployment, "createdAt", options.now), Tone::plain, true);
      rows.push_back(std::move(row));
    }
    if (list_of(service, "deployments").empty()) rows.push_back(std::move(front));
  }
  std::string out = table(rows, 2, options.colors);
  for (const json::value& service : cluster.services) {
    for (const json::value& deployment : list_of(service, "deployments")) {
      if (string_member(deployment, "rolloutState") != "FAILED") continue;
      const std::string line = fmt::format("{}: {}", string_member(service, "serviceName"),
                                           string_member(deployment, "rolloutStateReason", "the deployment failed"));
      out += "  " + painted(harmless(line), Tone::bad, options.colors) + "\n";
    }
  }
  return out;
}

std::string address_of(const json::value& task) {
  std::vector<std::string> found;
  for (const json::value& container : list_of(task, "containers")) {
    for (const json::value& interface : list_of(container, "networkInterfaces")) {
      found.push_back(string_member(interface, "privateIpv4Address"));
    }
    for (const json::value& binding : list_of(container, "networkBindings")) {
      const std::string host = string_member(binding, "bindIP", "0.0.0.0");
      found.push_back(
          fmt::format("{}:{}->{}", host, int_member(binding, "hostPort"), int_member(binding, "containerPort")));
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.empty()) return "-";
  return fmt::format("{}", fmt::join(found, ", "));
}

std::string tasks_text(const ClusterSnapshot& cluster, const RenderOptions& options) {
  std::vector<json::value> tasks = cluster.tasks;
  const auto group_of = [](const json::value& task) { return string_member(task, "group"); };
  std::stable_sort(tasks.begin(), tasks.end(),
                   [&](const json::value& a, const json::value& b) { return group_of(a) < group_of(b); });
  std::vector<Row> rows;
  rows.push_back(heading({"TASK", "GROUP", "TASK DEFINITION", "STATUS", "HEALTH", "ADDRESS", "AGE"}));
  for (const json::value& task : tasks) {
    rows.push_back({{short_id(string_member(task, "taskArn"))},
                    {group_of(task)},
                    {tail(string_member(task, "taskDefinitionArn"))},
                    word(task, "lastStatus"),
                    word(task, "healthStatus"),
                    {address_of(task)},
                    {age_of(task, "createdAt", options.now), Tone::plain, true}});
  }
  return table(rows, 2, options.colors);
}

struct Event {
  double at_s = 0;
  const json::value* event = nullptr;
};

std::string events_text(const ClusterSnapshot& cluster, const RenderOptions& options) {
  std::vector<Event> events;
  for (const json::value& service : cluster.services) {
    for (const json::value& event : list_of(service, "events")) {
      const json::value* at = find_member(event, "createdAt");
      events.push_back({at != nullptr && at->is_number() ? at->to_number<double>() : 0, &event});
    }
  }
  // Newest first, as each service has them; at one time the first one given is the newer.
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at_s > b.at_s; });
  if (events.size() > shown_events) events.resize(shown_events);
  std::vector<Row> rows;
  rows.push_back(heading({"AGE", "EVENT"}));
  for (const Event& event : events) {
    rows.push_back({{age_of(*event.event, "createdAt", options.now), Tone::faint, true},
                    {string_member(*event.event, "message")}});
  }
  return events.empty() ? std::string() : table(rows, 2, options.colors);
}

std::string cluster_text(const ClusterSnapshot& cluster, const RenderOptions& options) {
  const std::string name = string_member(cluster.cluster, "clusterName");
  std::string out = painted(harmless(name), Tone::strong, options.colors);
  const std::string status = string_member(cluster.cluster, "status", "-");
  out += "  " + painted(harmless(status), tone_of(status), options.colors);
  out += fmt::format("  {} running, {} pending\n", int_member(cluster.cluster, "runningTasksCount"),
                     int_member(cluster.cluster, "pendingTasksCount"));
  std::vector<std::string> parts;
  if (!cluster.services.empty()) parts.push_back(services_text(cluster, options));
  if (!cluster.tasks.empty()) parts.push_back(tasks_text(cluster, options));
  if (std::string events = events_text(cluster, options); !events.empty()) parts.push_back(std::move(events));
  if (parts.empty()) parts.emplace_back("  no services and no tasks; see: aws ecs create-service help\n");
  for (const std::string& part : parts) out += "\n" + part;
  return out;
}

constexpr std::string_view nothing_yet = R"help(
No clusters yet. Make one, and run something in it:
  eval "$(kaapi env)"
  aws ecs create-cluster --cluster-name demo
  aws ecs register-task-definition --cli-input-json file://task-definition.json
  aws ecs create-service --cluster demo --service-name web --task-definition web --desired-count 2
)help";

}  // namespace

std::string age(Time since, Time now) {
  const std::int64_t seconds = std::max<std::int64_t>(0, (now - since).count() / 1000);
  constexpr std::int64_t minute = 60;
  constexpr std::int64_t hour = 60 * minute;
  constexpr std::int64_t day = 24 * hour;
  if (seconds < 2 * minute) return fmt::format("{}s", seconds);
  if (seconds < 2 * hour) return fmt::format("{}m", seconds / minute);
  if (seconds < 2 * day) return fmt::format("{}h", seconds / hour);
  return fmt::format("{}d", seconds / day);
}

std::string render_text(const Snapshot& snapshot, const RenderOptions& options) {
  std::string out = painted(fmt::format("{}  {}", snapshot.where, snapshot.region), Tone::faint, options.colors) + "\n";
  if (snapshot.clusters.empty()) return out + std::string(nothing_yet);
  for (const ClusterSnapshot& cluster : snapshot.clusters) out += "\n" + cluster_text(cluster, options);
  return out;
}

std::string render_json(const Snapshot& snapshot) {
  json::array clusters;
  for (const ClusterSnapshot& found : snapshot.clusters) {
    json::object cluster = found.cluster.is_object() ? found.cluster.as_object() : json::object();
    cluster["services"] = json::array(found.services.begin(), found.services.end());
    cluster["tasks"] = json::array(found.tasks.begin(), found.tasks.end());
    clusters.push_back(std::move(cluster));
  }
  const json::object document{
      {"endpoint", snapshot.where}, {"region", snapshot.region}, {"clusters", std::move(clusters)}};
  return json::serialize(document) + "\n";
}

}  // namespace kaapi::cli
