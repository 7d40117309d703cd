#pragma once
// The AWS-managed policies that a deployment needs, by name. Their documents hold what AWS's hold for the services that
// Kaapi has or will have; statements about other services are left out, because nothing here could ask for them.

#include <span>
#include <string_view>

namespace kaapi::identity::policy {

// Static data; views live as long as the program.
struct AwsManagedPolicy {
  std::string_view name;  // "AmazonECSTaskExecutionRolePolicy"
  std::string_view path;  // "/" or "/service-role/"
  std::string_view arn;   // "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
  std::string_view id;    // PolicyId: "ANPA...", fixed
  std::string_view description;
  std::string_view version_id;  // the default version: "v1"
  std::string_view created;     // "2017-11-16T18:48:22Z"
  std::string_view updated;
  std::string_view document;  // JSON, kind identity
};

// Sorted by name.
std::span<const AwsManagedPolicy> aws_managed_policies();

// nullptr when there is none.
const AwsManagedPolicy* find_aws_managed_policy(std::string_view arn);

}  // namespace kaapi::identity::policy
