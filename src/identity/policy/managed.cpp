#include "identity/policy/managed.h"

#include <algorithm>
#include <array>

namespace kaapi::identity::policy {
namespace {

constexpr std::string_view administrator_access = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
})";

constexpr std::string_view amazon_ec2_container_registry_power_user = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
        "ecr:GetRepositoryPolicy", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:DescribeImages",
        "ecr:BatchGetImage", "ecr:GetLifecyclePolicy", "ecr:GetLifecyclePolicyPreview",
        "ecr:ListTagsForResource", "ecr:DescribeImageScanFindings", "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"
      ],
      "Resource": "*"
    }
  ]
})";

constexpr std::string_view amazon_ec2_container_registry_read_only = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
        "ecr:GetRepositoryPolicy", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:DescribeImages",
        "ecr:BatchGetImage", "ecr:GetLifecyclePolicy", "ecr:GetLifecyclePolicyPreview",
        "ecr:ListTagsForResource", "ecr:DescribeImageScanFindings"
      ],
      "Resource": "*"
    }
  ]
})";

constexpr std::string_view amazon_ecstask_execution_role_policy = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents"
      ],
      "Resource": "*"
    }
  ]
})";

constexpr std::string_view amazon_ecs_full_access = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ECSIntegrationsManagementPolicy",
      "Effect": "Allow",
      "Action": [
        "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricStatistics",
        "cloudwatch:PutMetricAlarm", "ecs:*", "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateRule",
        "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTargetGroups", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfiles",
        "iam:ListRoles", "logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:FilterLogEvents"
      ],
      "Resource": ["*"]
    },
    {
      "Sid": "SSMPolicy",
      "Effect": "Allow",
      "Action": ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"],
      "Resource": "arn:aws:ssm:*:*:parameter/aws/service/ecs*"
    },
    {
      "Sid": "TasksPassRolePolicy",
      "Effect": "Allow",
      "Action": "iam:PassRole",
      "Resource": ["*"],
      "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    },
    {
      "Sid": "InfrastructurePassRolePolicy",
      "Effect": "Allow",
      "Action": "iam:PassRole",
      "Resource": ["arn:aws:iam::*:role/ecsInfrastructureRole"],
      "Condition": {"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}}
    },
    {
      "Sid": "InstancePassRolePolicy",
      "Effect": "Allow",
      "Action": "iam:PassRole",
      "Resource": ["arn:aws:iam::*:role/ecsInstanceRole*"],
      "Condition": {"StringLike": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}}
    },
    {
      "Sid": "AutoScalingPassRolePolicy",
      "Effect": "Allow",
      "Action": "iam:PassRole",
      "Resource": ["arn:aws:iam::*:role/ecsAutoscaleRole*"],
      "Condition": {"StringLike": {"iam:PassedToService": ["application-autoscaling.amazonaws.com", "application-autoscaling.amazonaws.com.cn"]}}
    },
    {
      "Sid": "ServiceLinkedRoleCreationPolicy",
      "Effect": "Allow",
      "Action": "iam:CreateServiceLinkedRole",
      "Resource": "*",
      "Condition": {"StringLike": {"iam:AWSServiceName": ["ecs.amazonaws.com", "autoscaling.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "spot.amazonaws.com", "spotfleet.amazonaws.com"]}}
    },
    {
      "Sid": "ELBTaggingPolicy",
      "Effect": "Allow",
      "Action": ["elasticloadbalancing:AddTags"],
      "Resource": "*",
      "Condition": {"StringEquals": {"elasticloadbalancing:CreateAction": ["CreateTargetGroup", "CreateRule", "CreateListener", "CreateLoadBalancer"]}}
    }
  ]
})";

constexpr std::string_view cloud_watch_logs_full_access = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "CloudWatchLogsFullAccess",
      "Effect": "Allow",
      "Action": ["logs:*", "cloudwatch:GenerateQuery", "cloudwatch:GenerateQueryResultsSummary"],
      "Resource": "*"
    }
  ]
})";

constexpr std::string_view cloud_watch_read_only_access = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "CloudWatchReadOnlyAccessPermissions",
      "Effect": "Allow",
      "Action": [
        "cloudwatch:BatchGet*", "cloudwatch:Describe*", "cloudwatch:GenerateQuery", "cloudwatch:Get*",
        "cloudwatch:List*", "logs:Get*", "logs:List*", "logs:StartQuery", "logs:StopQuery", "logs:Describe*",
        "logs:TestMetricFilter", "logs:FilterLogEvents", "logs:StartLiveTail", "logs:StopLiveTail"
      ],
      "Resource": "*"
    }
  ]
})";

constexpr std::string_view power_user_access = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "NotAction": ["iam:*", "organizations:*", "account:*"],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "account:GetAccountInformation", "account:GetGovCloudAccountInformation", "account:GetPrimaryEmail",
        "account:ListRegions", "iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles",
        "organizations:DescribeEffectivePolicy", "organizations:DescribeOrganization"
      ],
      "Resource": "*"
    }
  ]
})";

constexpr std::string_view read_only_access = R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadOnlyActionsGroup1",
      "Effect": "Allow",
      "Action": [
        "cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents",
        "cloudwatch:Describe*", "cloudwatch:GenerateQuery", "cloudwatch:GenerateQueryResultsSummary",
        "cloudwatch:Get*", "cloudwatch:List*", "ecr:BatchCheck*", "ecr:BatchGet*", "ecr:Describe*", "ecr:Get*",
        "ecr:List*", "ecs:Describe*", "ecs:List*", "elasticache:Describe*", "elasticache:List*",
        "elasticloadbalancing:Describe*", "iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadOnlyActionsGroup2",
      "Effect": "Allow",
      "Action": [
        "logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "logs:ListAggregateLogGroupSummaries",
        "logs:ListAnomalies", "logs:ListEntitiesForLogGroup", "logs:ListIntegrations",
        "logs:ListLogAnomalyDetectors", "logs:ListLogDeliveries", "logs:ListLogGroupsForEntity",
        "logs:ListLogGroupsForQuery", "logs:ListScheduledQueries", "logs:ListSourcesForS3TableIntegration",
        "logs:ListTagsForResource", "logs:ListTagsLogGroup", "logs:StartLiveTail", "logs:StartQuery",
        "logs:StopLiveTail", "logs:StopQuery", "logs:TestMetricFilter", "mq:Describe*", "mq:List*",
        "rds:Describe*", "rds:Download*", "rds:List*", "secretsmanager:Describe*",
        "secretsmanager:GetResourcePolicy", "secretsmanager:List*", "ssm:Describe*", "ssm:Get*", "ssm:List*",
        "sts:GetAccessKeyInfo", "sts:GetCallerIdentity", "sts:GetSessionToken"
      ],
      "Resource": "*"
    }
  ]
})";

// Sorted by name.
constexpr std::array policies{
    AwsManagedPolicy{"AdministratorAccess", "/", "arn:aws:iam::aws:policy/AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK",
                     "Provides full access to AWS services and resources.", "v1", "2015-02-06T18:39:46Z",
                     "2015-02-06T18:39:46Z", administrator_access},
    AwsManagedPolicy{"AmazonEC2ContainerRegistryPowerUser", "/",
                     "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser", "ANPAJDNE5PIHROIBGGDDW",
                     "Provides full access to Amazon EC2 Container Registry repositories, but does not allow "
                     "repository deletion or policy changes.",
                     "v3", "2015-12-21T17:05:33Z", "2019-12-10T20:48:08Z", amazon_ec2_container_registry_power_user},
    AwsManagedPolicy{"AmazonEC2ContainerRegistryReadOnly", "/",
                     "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly", "ANPAIFYZPA37OOHVIH7KQ",
                     "Provides read-only access to Amazon EC2 Container Registry repositories.", "v3",
                     "2015-12-21T17:04:15Z", "2019-12-10T20:56:32Z", amazon_ec2_container_registry_read_only},
    AwsManagedPolicy{"AmazonECSTaskExecutionRolePolicy", "/service-role/",
                     "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy", "ANPAJG4T4G4PV56DE72PY",
                     "Provides access to other AWS service resources that are required to run Amazon ECS tasks", "v1",
                     "2017-11-16T18:48:22Z", "2017-11-16T18:48:22Z", amazon_ecstask_execution_role_policy},
    AwsManagedPolicy{"AmazonECS_FullAccess", "/", "arn:aws:iam::aws:policy/AmazonECS_FullAccess",
                     "ANPAJALOYVTPDZEMIACSM",
                     "Provides administrative access to Amazon ECS resources and enables ECS features through access "
                     "to other AWS service resources, including VPCs, Auto Scaling groups, and CloudFormation stacks.",
                     "v21", "2017-11-07T21:36:54Z", "2024-08-13T19:39:37Z", amazon_ecs_full_access},
    AwsManagedPolicy{"CloudWatchLogsFullAccess", "/", "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess",
                     "ANPAJ3ZGNWK2R5HW5BQFO", "Provides full access to CloudWatch Logs", "v8", "2015-02-06T18:40:02Z",
                     "2026-02-12T18:00:33Z", cloud_watch_logs_full_access},
    AwsManagedPolicy{"CloudWatchReadOnlyAccess", "/", "arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess",
                     "ANPAJN23PDQP7SZQAE3QE", "Provides read only access to CloudWatch.", "v24", "2015-02-06T18:40:01Z",
                     "2026-02-12T18:01:50Z", cloud_watch_read_only_access},
    AwsManagedPolicy{
        "PowerUserAccess", "/", "arn:aws:iam::aws:policy/PowerUserAccess", "ANPAJYRXTHIB4FOVS3ZXS",
        "Provides full access to AWS services and resources, but does not allow management of Users and groups.", "v12",
        "2015-02-06T18:39:47Z", "2026-02-12T17:59:14Z", power_user_access},
    AwsManagedPolicy{"ReadOnlyAccess", "/", "arn:aws:iam::aws:policy/ReadOnlyAccess", "ANPAILL3HVNFSB6DCOWYQ",
                     "Provides read-only access to AWS services and resources.", "v182", "2015-02-06T18:39:48Z",
                     "2026-04-03T15:27:12Z", read_only_access},
};

}  // namespace

std::span<const AwsManagedPolicy> aws_managed_policies() {
  return policies;
}

const AwsManagedPolicy* find_aws_managed_policy(std::string_view arn) {
  const auto* found =
      std::find_if(policies.begin(), policies.end(), [&](const auto& policy) { return policy.arn == arn; });
  return found == policies.end() ? nullptr : found;
}

}  // namespace kaapi::identity::policy
