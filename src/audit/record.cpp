#include "audit/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "base/json.h"

namespace kaapi::audit {
namespace {

constexpr std::string_view event_version = "1.08";
// Before max_resources_until_bytes is looked at: a call that names more resources than this is no call of AWS's.
constexpr std::size_t max_resources = 1000;

// "2026-07-01T09:30:00Z": CloudTrail's times have whole seconds, and its readers count on that.
std::string event_time(Time time) {
  const std::string precise = format_time(time);
  return precise.substr(0, precise.find('.')) + "Z";
}

void member(JsonWriter& out, std::string_view key, std::string_view text, std::size_t max_bytes) {
  out.key(key);
  out.value(harmless_text(text, max_bytes));
}

void optional_member(JsonWriter& out, std::string_view key, std::string_view text, std::size_t max_bytes) {
  if (!text.empty()) member(out, key, text, max_bytes);
}

// The parts of a principal's ARN that tell what it is: "arn:aws:sts::123456789012:assumed-role/deploy/run-7".
struct Identity {
  std::string_view type = "Unknown";
  std::string_view user_name;
  std::string_view role_name;   // of a role's session
  std::string_view invoked_by;  // a service
};

Identity identity_of(std::string_view arn, std::string_view operation) {
  Identity who;
  std::string_view name = arn.substr(arn.rfind(':') + 1);
  const auto after = [&](std::string_view prefix) { return arn.starts_with("arn:") && name.starts_with(prefix); };
  if (arn.empty()) {
    if (operation == "AssumeRoleWithWebIdentity") who.type = "WebIdentityUser";
  } else if (arn.starts_with("arn:") && name == "root") {
    who.type = "Root";
  } else if (after("user/")) {
    who.type = "IAMUser";
    who.user_name = name.substr(name.rfind('/') + 1);
  } else if (after("assumed-role/")) {
    who.type = "AssumedRole";
    name.remove_prefix(name.find('/') + 1);
    who.role_name = name.substr(0, name.find('/'));
  } else if (after("federated-user/")) {
    who.type = "FederatedUser";
  } else if (arn.starts_with("arn:aws:kaapi:")) {
    who.user_name = name;  // a job, or the token of a runner
  } else if (arn.ends_with(".amazonaws.com")) {
    who.type = "AWSService";
    who.invoked_by = arn;
  }
  return who;
}

void write_identity(JsonWriter& out, const aws::CallContext& caller, std::string_view operation) {
  const Identity who = identity_of(caller.principal_arn, operation);
  out.key("userIdentity");
  out.begin_object();
  member(out, "type", who.type, max_name_bytes);
  optional_member(out, "principalId", caller.user_id, max_text_bytes);
  if (who.invoked_by.empty()) optional_member(out, "arn", caller.principal_arn, max_arn_bytes);
  optional_member(out, "accountId", caller.account_id, max_name_bytes);
  optional_member(out, "accessKeyId", caller.access_key_id, max_name_bytes);
  optional_member(out, "userName", who.user_name, max_name_bytes);
  optional_member(out, "invokedBy", who.invoked_by, max_name_bytes);
  if (!who.role_name.empty()) {
    out.key("sessionContext");
    out.begin_object();
    out.key("sessionIssuer");
    out.begin_object();
    out.key("type");
    out.value("Role");
    const std::string_view id = caller.user_id;  // "AROA...:SESSION"
    optional_member(out, "principalId", id.substr(0, id.find(':')), max_name_bytes);
    optional_member(out, "accountId", caller.account_id, max_name_bytes);
    member(out, "userName", who.role_name, max_name_bytes);
    out.end_object();
    out.end_object();
  }
  out.end_object();
}

void write_resource(JsonWriter& out, std::string_view arn, std::string_view account_id) {
  out.begin_object();
  out.key("ARN");
  out.value(arn);
  out.key("accountId");
  out.value(account_id);
  if (const std::string_view type = resource_type(arn); !type.empty()) {
    out.key("type");
    out.value(type);
  }
  out.end_object();
}

// `line` is what `out` writes to.
void write_resources(JsonWriter& out, const std::string& line, const std::vector<aws::Access>& accesses,
                     std::string_view account_id) {
  std::set<std::string_view> named;
  std::vector<std::string_view> in_order;
  for (const aws::Access& access : accesses) {
    if (named.size() >= max_resources) break;
    if (access.resource != "*" && named.insert(access.resource).second) in_order.push_back(access.resource);
  }
  if (in_order.empty()) return;
  std::int64_t omitted = 0;
  out.key("resources");
  out.begin_array();
  for (const std::string_view resource : in_order) {
    if (line.size() < max_resources_until_bytes) {
      write_resource(out, harmless_text(resource, max_arn_bytes), account_id);
    } else {
      ++omitted;
    }
  }
  out.end_array();
  if (omitted == 0) return;
  out.key("omittedResources");
  out.value(omitted);
}

void write_decision(JsonWriter& out, const aws::CallRecord& record) {
  const bool refused = record.error && is_refusal(record.error->code);
  out.key("decision");
  out.begin_object();
  out.key("allowed");
  out.value(!refused);
  optional_member(out, "reason", refused ? record.error->message : record.reason, max_reason_bytes);
  out.end_object();
}

// "ecs.amazonaws.com". CloudWatch's API is called monitoring there.
std::string event_source(std::string_view service) {
  if (service.empty()) return "unknown";
  if (service == own_event_source) return std::string(own_event_source);
  if (service == "cloudwatch") service = "monitoring";
  return fmt::format("{}.amazonaws.com", harmless_text(service, max_name_bytes));
}

void write_head(JsonWriter& out, std::string_view event_id, Time now) {
  out.key("eventVersion");
  out.value(event_version);
  out.key("eventID");
  out.value(event_id);
  out.key("eventTime");
  out.value(event_time(now));
}

// What a record of CloudTrail has besides, with nothing in it: secrets may stand in both.
void write_no_parameters(JsonWriter& out) {
  out.key("requestParameters");
  out.null();
  out.key("responseElements");
  out.null();
}

void write_tail(JsonWriter& out, std::string_view type, std::string_view account_id) {
  out.key("eventType");
  out.value(type);
  out.key("managementEvent");
  out.value(true);
  out.key("recipientAccountId");
  out.value(account_id);
  out.key("eventCategory");
  out.value("Management");
}

}  // namespace

std::string to_line(const aws::CallRecord& record, std::string_view event_id, std::string_view account_id, Time now) {
  static const aws::CallContext nobody;
  const aws::CallContext& caller = record.context == nullptr ? nobody : *record.context;
  const std::string_view recipient = caller.account_id.empty() ? account_id : std::string_view(caller.account_id);
  std::string line;
  line.reserve(1024);
  JsonWriter out(line);
  out.begin_object();
  write_head(out, event_id, now);
  out.key("eventSource");
  out.value(event_source(record.service));
  member(out, "eventName", record.operation, max_name_bytes);
  optional_member(out, "awsRegion", caller.region, max_name_bytes);
  member(out, "sourceIPAddress", caller.source_ip, max_text_bytes);
  member(out, "userAgent", caller.user_agent, max_text_bytes);
  write_identity(out, caller, record.operation);
  optional_member(out, "requestID", caller.request_id, max_name_bytes);
  if (record.error) {
    member(out, "errorCode", record.error->code, max_name_bytes);
    member(out, "errorMessage", record.error->message, max_reason_bytes);
  }
  write_decision(out, record);
  out.key("readOnly");
  out.value(is_read_only(record.operation));
  write_no_parameters(out);
  write_resources(out, line, record.accesses, recipient);
  write_tail(out, "AwsApiCall", recipient);
  out.end_object();
  line += '\n';
  return line;
}

std::string to_gap_line(std::uint64_t lost, Time since, std::string_view why, std::string_view event_id,
                        std::string_view account_id, Time now) {
  std::string line;
  JsonWriter out(line);
  out.begin_object();
  write_head(out, event_id, now);
  out.key("eventSource");
  out.value(own_event_source);
  out.key("eventName");
  out.value(gap_event_name);
  out.key("userIdentity");
  out.begin_object();
  out.key("type");
  out.value("AWSService");
  out.key("invokedBy");
  out.value(own_event_source);
  out.end_object();
  out.key("errorCode");
  out.value(gap_event_name);
  member(
      out, "errorMessage",
      fmt::format("{} call{} since {} could not be recorded: {}", lost, lost == 1 ? "" : "s", event_time(since), why),
      max_reason_bytes);
  out.key("readOnly");
  out.value(false);
  write_no_parameters(out);
  write_tail(out, "AwsServiceEvent", account_id);
  out.end_object();
  line += '\n';
  return line;
}

}  // namespace kaapi::audit
