#include "identity/policy/managed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "identity/policy/document.h"

namespace kaapi::identity::policy {
namespace {

TEST(ManagedPolicies, AreAllThereAndValid) {
  std::set<std::string_view> names;
  std::set<std::string_view> ids;
  for (const AwsManagedPolicy& policy : aws_managed_policies()) {
    names.insert(policy.name);
    ids.insert(policy.id);
    const auto document = parse(policy.document, Kind::identity);
    EXPECT_TRUE(document) << policy.name << ": " << document.error().message;
    EXPECT_LE(counted_size(policy.document), max_managed_policy_size) << policy.name;
    EXPECT_EQ(policy.arn, "arn:aws:iam::aws:policy" + std::string(policy.path) + std::string(policy.name));
    EXPECT_EQ(find_aws_managed_policy(policy.arn), &policy);
    EXPECT_TRUE(policy.version_id.starts_with("v")) << policy.name;
  }
  const std::set<std::string_view> asked{"AdministratorAccess",
                                         "ReadOnlyAccess",
                                         "PowerUserAccess",
                                         "AmazonECS_FullAccess",
                                         "CloudWatchLogsFullAccess",
                                         "CloudWatchReadOnlyAccess",
                                         "AmazonECSTaskExecutionRolePolicy",
                                         "AmazonEC2ContainerRegistryPowerUser",
                                         "AmazonEC2ContainerRegistryReadOnly"};
  EXPECT_EQ(names, asked);
  EXPECT_EQ(ids.size(), asked.size());
  const auto policies = aws_managed_policies();
  EXPECT_TRUE(
      std::is_sorted(policies.begin(), policies.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  EXPECT_EQ(find_aws_managed_policy("arn:aws:iam::aws:policy/AmazonECSTaskExecutionRolePolicy"), nullptr)
      << "its path is missing";
}

}  // namespace
}  // namespace kaapi::identity::policy
