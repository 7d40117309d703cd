#include "aws/front_door.h"

#include <fmt/format.h>

#include <iterator>
#include <random>

namespace kaapi::aws {
namespace {

// A UUID (RFC 4122 version 4) for a request. It must not repeat, but need not be hard to guess, so each thread has its
// own quick generator.
std::string new_request_id() {
  thread_local std::mt19937_64 engine = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  const std::uint64_t high = engine();
  const std::uint64_t low = engine();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}", high >> 32U, (high >> 16U) & 0xffffU, high & 0xfffU,
                     8U + (low >> 62U), (low >> 48U) & 0xfffU, low & 0xffffffffffffU);
}

}  // namespace

FrontDoor::FrontDoor(const Dispatcher& dispatcher, const KeyStore& keys, const Clock& clock, FrontDoorConfig config)
    : dispatcher_(dispatcher), clock_(clock), config_(std::move(config)), verifier_(keys) {}

Result<void> FrontDoor::identify(const http::Request& request, const Route& route, CallContext& context) {
  if (config_.auth) {
    VerifyOptions options;
    options.protocol = route.protocol;
    if (route.service != nullptr) options.service = route.service->signing_name;
    Result<Caller> caller = verifier_.verify(request.head, request.body, context.now, options);
    if (!caller) return caller.error();
    context.account_id = std::move(caller->key.account_id);
    context.principal_arn = std::move(caller->key.principal_arn);
    context.user_id = std::move(caller->key.user_id);
    context.access_key_id = std::move(caller->access_key_id);
    context.region = std::move(caller->region);
    return ok();
  }
  context.account_id = config_.account_id;
  context.principal_arn = fmt::format("arn:aws:iam::{}:root", config_.account_id);
  context.user_id = config_.account_id;
  context.region = config_.default_region;
  const auto header = request.head.headers.find("Authorization");
  if (const auto parsed = parse_authorization(header.value_or("")); parsed) {
    context.access_key_id = parsed->access_key_id;
    context.region = parsed->region;
  }
  return ok();
}

http::Response FrontDoor::operator()(const http::Request& request) {
  std::string_view scope_service;
  const auto header = request.head.headers.find("Authorization");
  const Result<Authorization> unverified = parse_authorization(header.value_or(""));
  if (unverified) scope_service = unverified->service;

  const Route route = dispatcher_.route(request, scope_service);
  CallContext context;
  context.request_id = new_request_id();
  context.now = clock_.now();
  if (const Result<void> identified = identify(request, route, context); !identified) {
    unauthenticated_.fetch_add(1, std::memory_order_relaxed);
    return Dispatcher::error_response(route, identified.error(), context.request_id);
  }
  return dispatcher_.call(route, context, request);
}

std::string FrontDoor::metrics() const {
  std::string text =
      "# HELP kaapi_aws_requests_total AWS requests answered, by operation and outcome.\n"
      "# TYPE kaapi_aws_requests_total counter\n";
  for (const OperationCounters& counters : dispatcher_.counters()) {
    const auto line = [&](std::string_view status, std::uint64_t count) {
      if (count == 0) return;
      fmt::format_to(std::back_inserter(text),
                     "kaapi_aws_requests_total{{service=\"{}\",operation=\"{}\",status=\"{}\"}} {}\n", counters.service,
                     counters.operation, status, count);
    };
    line("2xx", counters.succeeded);
    line("4xx", counters.refused);
    line("5xx", counters.failed);
  }
  text +=
      "# HELP kaapi_aws_unauthenticated_total AWS requests refused because of their signature.\n"
      "# TYPE kaapi_aws_unauthenticated_total counter\n";
  fmt::format_to(std::back_inserter(text), "kaapi_aws_unauthenticated_total {}\n", unauthenticated());
  return text;
}

}  // namespace kaapi::aws
