// What names tell: of errors, of operations, of resources.
#include <algorithm>
#include <array>

#include "audit/record.h"

namespace kaapi::audit {
namespace {

// "Common errors" of the services we have, the errors of AssumeRoleWithWebIdentity, and the registry's own words.
constexpr std::array refusals = {
    std::string_view("AccessDenied"),
    std::string_view("AccessDeniedException"),
    std::string_view("DENIED"),
    std::string_view("ExpiredToken"),
    std::string_view("ExpiredTokenException"),
    std::string_view("IDPCommunicationError"),
    std::string_view("IDPRejectedClaim"),
    std::string_view("IncompleteSignature"),
    std::string_view("IncompleteSignatureException"),
    std::string_view("InvalidClientTokenId"),
    std::string_view("InvalidIdentityToken"),
    std::string_view("InvalidSignatureException"),
    std::string_view("MissingAuthenticationToken"),
    std::string_view("MissingAuthenticationTokenException"),
    std::string_view("NotAuthorized"),
    std::string_view("OptInRequired"),
    std::string_view("RequestExpired"),
    std::string_view("SignatureDoesNotMatch"),
    std::string_view("UNAUTHORIZED"),
    std::string_view("UnauthorizedOperation"),
    std::string_view("UnrecognizedClientException"),
};
static_assert(std::is_sorted(refusals.begin(), refusals.end()));

// Among the words that begin an operation's name these leave everything as it is.
constexpr std::array readers = {
    std::string_view("Assume"),   std::string_view("BatchCheck"), std::string_view("BatchGet"),
    std::string_view("Check"),    std::string_view("Decode"),     std::string_view("Describe"),
    std::string_view("Filter"),   std::string_view("Get"),        std::string_view("Head"),
    std::string_view("List"),     std::string_view("Lookup"),     std::string_view("Search"),
    std::string_view("Select"),   std::string_view("Simulate"),   std::string_view("Test"),
    std::string_view("Validate"),
};

struct TypeRow {
  std::string_view service;
  std::string_view begins;  // the ARN's resource part
  std::string_view type;
};

// Source: CloudFormation's resource types. Within a service the longer beginning stands first.
constexpr std::array types = {
    TypeRow{"ecr", "repository/", "AWS::ECR::Repository"},
    TypeRow{"ecs", "cluster/", "AWS::ECS::Cluster"},
    TypeRow{"ecs", "service/", "AWS::ECS::Service"},
    TypeRow{"ecs", "task-definition/", "AWS::ECS::TaskDefinition"},
    TypeRow{"ecs", "task-set/", "AWS::ECS::TaskSet"},
    TypeRow{"ecs", "task/", "AWS::ECS::Task"},
    TypeRow{"elasticache", "cluster:", "AWS::ElastiCache::CacheCluster"},
    TypeRow{"elasticloadbalancing", "listener", "AWS::ElasticLoadBalancingV2::Listener"},
    TypeRow{"elasticloadbalancing", "loadbalancer/", "AWS::ElasticLoadBalancingV2::LoadBalancer"},
    TypeRow{"elasticloadbalancing", "targetgroup/", "AWS::ElasticLoadBalancingV2::TargetGroup"},
    TypeRow{"iam", "group/", "AWS::IAM::Group"},
    TypeRow{"iam", "instance-profile/", "AWS::IAM::InstanceProfile"},
    TypeRow{"iam", "oidc-provider/", "AWS::IAM::OIDCProvider"},
    TypeRow{"iam", "policy/", "AWS::IAM::ManagedPolicy"},
    TypeRow{"iam", "role/", "AWS::IAM::Role"},
    TypeRow{"iam", "user/", "AWS::IAM::User"},
    TypeRow{"logs", "log-group:", "AWS::Logs::LogGroup"},
    TypeRow{"rds", "db:", "AWS::RDS::DBInstance"},
    TypeRow{"secretsmanager", "secret:", "AWS::SecretsManager::Secret"},
    TypeRow{"ssm", "parameter/", "AWS::SSM::Parameter"},
};

// Takes what stands before the next colon off `text`.
std::string_view take_part(std::string_view& text) {
  const std::size_t colon = text.find(':');
  const std::string_view part = text.substr(0, colon);
  text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
  return part;
}

}  // namespace

bool is_refusal(std::string_view error_code) {
  return std::binary_search(refusals.begin(), refusals.end(), error_code);
}

bool is_read_only(std::string_view operation) {
  return std::any_of(readers.begin(), readers.end(),
                     [&](std::string_view word) { return operation.starts_with(word); });
}

std::string_view resource_type(std::string_view arn) {
  std::string_view rest = arn;
  if (take_part(rest) != "arn") return {};
  take_part(rest);  // partition
  const std::string_view service = take_part(rest);
  take_part(rest);  // region
  take_part(rest);  // account
  for (const TypeRow& row : types) {
    if (row.service == service && rest.starts_with(row.begins)) return row.type;
  }
  return {};
}

}  // namespace kaapi::audit
