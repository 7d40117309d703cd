#pragma once
// For this folder's tests: the ECR operations, called through the dispatcher, JSON in, JSON out.

#include "registry/operations.h"
#include "registry/registry_fixture.h"

namespace kaapi::registry {

class OperationsTest : public RegistryTest {
 protected:
  void SetUp() override {
    RegistryTest::SetUp();
    add_operations(dispatcher_, *registry_, tokens_, [](std::string_view policy) -> Result<void> {
      if (policy.find("bad") == std::string_view::npos) return ok();
      return make_error(errc::invalid, "bad is bad");
    });
  }

  struct Outcome {
    int status = 0;
    json::value body;
    std::string type() const {
      const std::string full = string_member(body, "__type");
      return full.substr(full.find('#') + 1);
    }
    std::string message() const { return string_member(body, "message"); }
  };
  Outcome call(const std::string& operation, const std::string& body, std::string where = std::string(region)) {
    http::Request request;
    request.head.method = "POST";
    request.head.path = "/";
    request.head.headers.add("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921." + operation);
    request.head.headers.add("Content-Type", "application/x-amz-json-1.1");
    request.body = body;
    aws::CallContext context;
    context.account_id = account;
    context.region = std::move(where);
    context.principal_arn = "arn:aws:iam::123456789012:root";
    context.request_id = "00000000-0000-4000-8000-000000000000";
    context.now = clock_.now();
    const http::Response response = dispatcher_.call(dispatcher_.route(request, "ecr"), context, request);
    const Result<json::value> value = parse_json(std::get<std::string>(response.body));
    return {response.status, value ? *value : json::value()};
  }
  static const json::value& first(const Outcome& outcome, std::string_view list) {
    return find_member(outcome.body, list)->as_array().at(0);
  }
  static std::size_t count(const Outcome& outcome, std::string_view list) {
    return find_member(outcome.body, list)->as_array().size();
  }

  aws::Dispatcher dispatcher_;
};

}  // namespace kaapi::registry
