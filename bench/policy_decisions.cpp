// Measures decisions of src/identity/policy: what `bench/run policy` runs. policy_decisions [SECONDS] prints one JSON
// object: microseconds per decision of a subject with 20 policies, by case.

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/evaluate.h"
#include "identity/policy/managed.h"

namespace kaapi::identity::policy {
namespace {

constexpr std::size_t attached_policies = 20;
constexpr int decisions_per_look = 200;

NamedPolicy parsed(std::string name, std::string_view text) {
  auto document = parse(text, Kind::identity);
  if (!document) {
    std::fprintf(stderr, "error: %s: %s\n", name.c_str(), document.error().message.c_str());
    std::exit(1);
  }
  return {std::move(name), *document};
}

// What a team writes for one of its services: push to its repository, update the service, pass its role, read its
// logs and secrets, nothing without a tag.
std::string team_policy(std::size_t number) {
  return fmt::format(R"({{"Version": "2012-10-17", "Statement": [
    {{"Effect": "Allow", "Action": ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart",
      "ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      "Resource": "arn:aws:ecr:*:111122223333:repository/team-{0}/*"}},
    {{"Effect": "Allow", "Action": ["ecs:UpdateService", "ecs:DescribeServices", "ecs:RunTask", "ecs:StopTask"],
      "Resource": "arn:aws:ecs:*:111122223333:*/main/team-{0}-*",
      "Condition": {{"ArnEquals": {{"ecs:cluster": "arn:aws:ecs:us-east-1:111122223333:cluster/main"}},
                    "StringEquals": {{"aws:ResourceTag/team": "${{aws:PrincipalTag/team}}"}}}}}},
    {{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/team-{0}-*",
      "Condition": {{"StringLike": {{"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}}}},
    {{"Effect": "Allow", "Action": ["logs:GetLogEvents", "logs:FilterLogEvents"],
      "Resource": "arn:aws:logs:*:*:log-group:/ecs/team-{0}/*:log-stream:*"}},
    {{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {{"NotIpAddress": {{"aws:SourceIp":
      ["10.{0}.0.0/16", "127.0.0.0/8", "2001:db8:{0}::/48"]}}}}}}]}})",
                     number);
}

Subject subject_with_policies() {
  Subject subject;
  subject.principal.arn = "arn:aws:sts::111122223333:assumed-role/deploy/run-7";
  subject.principal.role_arn = "arn:aws:iam::111122223333:role/deploy";
  subject.principal.account_id = "111122223333";
  subject.principal.type = "AssumedRole";
  for (const AwsManagedPolicy& managed : aws_managed_policies()) {
    if (managed.name == "AdministratorAccess" || managed.name == "PowerUserAccess") continue;
    subject.identity.push_back(parsed(std::string(managed.arn), managed.document));
  }
  while (subject.identity.size() < attached_policies) {
    const std::size_t number = subject.identity.size();
    subject.identity.push_back(parsed(fmt::format("team-{}", number), team_policy(number)));
  }
  return subject;
}

struct Case {
  std::string_view name;
  std::string_view action;
  std::string_view resource;
  Effect expected;
};

constexpr Case cases[] = {
    {"read allowed by a managed policy", "ecs:DescribeServices",
     "arn:aws:ecs:us-east-1:111122223333:service/main/team-9-api", Effect::allowed},
    {"role passed, allowed by the last policy", "iam:PassRole", "arn:aws:iam::111122223333:role/team-19-task",
     Effect::allowed},
    {"refused, no policy allows it", "iam:CreateUser", "arn:aws:iam::111122223333:user/eve", Effect::implicit_deny},
    {"push refused, another team's repository", "ecr:DeleteRepository",
     "arn:aws:ecr:us-east-1:111122223333:repository/team-99/api", Effect::implicit_deny},
};

// The least of many looks: what else runs on the machine only ever adds.
double least_microseconds(const Subject& subject, const Request& request, Effect expected, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  double least = 1e9;
  do {
    const auto begin = Clock::now();
    for (int i = 0; i < decisions_per_look; ++i) {
      if (evaluate(subject, request).effect != expected) {
        std::fprintf(stderr, "error: %s came out otherwise\n", std::string(request.action).c_str());
        std::exit(1);
      }
    }
    const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
    least = std::min(least, took.count() / decisions_per_look);
  } while (Clock::now() < end);
  return least;
}

}  // namespace
}  // namespace kaapi::identity::policy

int main(int count, char** arguments) {
  using namespace kaapi::identity::policy;
  const double seconds = count > 1 ? std::strtod(arguments[1], nullptr) : 1.0;
  const Subject subject = subject_with_policies();
  MapContext context;
  context.set("aws:SourceIp", {"127.0.0.1"});
  context.set("aws:PrincipalTag/team", {"red"});
  context.set("aws:ResourceTag/team", {"red"});
  context.set("aws:PrincipalArn", {subject.principal.role_arn});
  context.set("aws:SecureTransport", {"false"});
  context.set("ecs:cluster", {"arn:aws:ecs:us-east-1:111122223333:cluster/main"});
  context.set("iam:PassedToService", {"ecs-tasks.amazonaws.com"});
  std::string out;
  for (const Case& one : cases) {
    const double us = least_microseconds(subject, {one.action, one.resource, context}, one.expected, seconds);
    out += fmt::format("{}\"{}\": {:.2f}", out.empty() ? "" : ", ", one.name, us);
  }
  std::printf("{%s}\n", out.c_str());
  return 0;
}
