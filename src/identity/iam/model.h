#pragma once
// The entities of IAM as plain values. Names and limits are AWS's (IAM user guide, "IAM and AWS STS quotas").

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "identity/policy/document.h"

namespace kaapi::identity {

struct Tag {
  std::string Key;
  std::string Value;
  bool operator==(const Tag&) const = default;
};
// In the order in which they were given. Keys are told apart without case.
using Tags = std::vector<Tag>;

// A policy document: its text as the client sent it, and what it means.
struct PolicyText {
  std::string text;
  std::shared_ptr<const policy::Document> document;  // parsed, never null once it is in an IamState
  bool operator==(const PolicyText& other) const { return text == other.text; }
};

struct InlinePolicy {
  std::string name;
  PolicyText policy;
  bool operator==(const InlinePolicy&) const = default;
};

// What users, groups and roles have in common.
struct Entity {
  std::string name;
  std::string path;  // "/" or "/team/"
  std::string id;    // "AIDA…", "AGPA…", "AROA…"
  std::string arn;
  Time created_at{};
  std::vector<std::string> attached;          // ARNs of managed policies, in the order of attaching
  std::vector<InlinePolicy> inline_policies;  // by name
};

struct User : Entity {
  Tags tags;
  std::string boundary;                  // ARN of a managed policy, or empty
  std::vector<std::string> groups;       // names, sorted
  std::vector<std::string> access_keys;  // ids, oldest first
};

struct Group : Entity {};

struct Role : Entity {
  Tags tags;
  std::string boundary;
  PolicyText trust;
  std::string description;
  std::int32_t max_session_duration_s = 3600;
  std::string linked_service;  // "ecs.amazonaws.com" of a service-linked role, else empty
};

struct PolicyVersion {
  std::int32_t number = 1;  // "v1"
  PolicyText policy;
  Time created_at{};
};

struct ManagedPolicy {
  std::string name;
  std::string path;
  std::string id;  // "ANPA…"
  std::string arn;
  std::string description;
  Tags tags;
  std::vector<PolicyVersion> versions;  // oldest first, never empty
  std::int32_t default_version = 1;
  std::int32_t last_version = 1;  // numbers are not used twice
  Time created_at{};
  Time updated_at{};

  // nullptr when there is none of that number.
  const PolicyVersion* version(std::int32_t number) const;
  const PolicyVersion& current() const { return *version(default_version); }
};

struct InstanceProfile {
  std::string name;
  std::string path;
  std::string id;  // "AIPA…"
  std::string arn;
  Tags tags;
  std::string role;  // its name, or empty
  Time created_at{};
};

struct OidcProvider {
  std::string arn;  // "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  std::string url;  // without the scheme: "token.actions.githubusercontent.com"
  std::vector<std::string> client_ids;
  std::vector<std::string> thumbprints;  // lower-case hex
  Tags tags;
  Time created_at{};
};

struct AccessKeyRecord {
  std::string id;      // "AKIA…"
  std::string secret;  // in memory only; sealed in the database
  std::string user;    // its name
  bool active = true;
  Time created_at{};
};

// "v3".
std::string version_id(std::int32_t number);
// 3 of "v3"; 0 when it is no version id.
std::int32_t parse_version_id(std::string_view id);

}  // namespace kaapi::identity
