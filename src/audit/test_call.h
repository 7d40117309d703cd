#pragma once
// For tests: a call as the front door tells of it.

#include <string>
#include <vector>

#include "aws/dispatch.h"

namespace kaapi::audit {

struct TestCall {
  TestCall() {
    context.account_id = "123456789012";
    context.region = "eu-west-1";
    context.principal_arn = "arn:aws:iam::123456789012:user/team/alice";
    context.user_id = "AIDAALICE";
    context.access_key_id = "AKIAIOSFODNN7EXAMPLE";
    context.request_id = "11111111-2222-4333-8444-555555555555";
    context.source_ip = "192.0.2.7";
    context.user_agent = "aws-cli/2.9";
    reason = "AdministratorAccess";
  }
  TestCall& by(std::string arn) {
    context.principal_arn = std::move(arn);
    return *this;
  }
  TestCall& on(std::string resource) {
    resources.push_back(std::move(resource));
    return *this;
  }
  TestCall& refused(std::string code, std::string message) {
    error = make_error(code, std::move(message));
    reason.clear();
    return *this;
  }
  TestCall& named(std::string operation_name) {
    operation = std::move(operation_name);
    return *this;
  }
  aws::CallRecord record() const {
    aws::CallRecord made;
    made.service = service;
    made.operation = operation;
    made.context = &context;
    for (const std::string& resource : resources) made.accesses.push_back({service + ":" + operation, resource, {}});
    made.reason = reason;
    made.error = error;
    return made;
  }

  std::string service = "ecs";
  std::string operation = "UpdateService";
  aws::CallContext context;
  std::vector<std::string> resources;
  std::string reason;
  std::optional<Error> error;
};

}  // namespace kaapi::audit
