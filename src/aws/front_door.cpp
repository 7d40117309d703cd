#include "aws/front_door.h"

#include <fmt/format.h>

#include <iterator>
#include <random>

namespace kaapi::aws {
namespace {

constexpr std::size_t max_user_agent_bytes = 512;

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

FrontDoor::FrontDoor(const Dispatcher& dispatcher, const KeyStore& keys, const Clock& clock, FrontDoorConfig config,
                     AuditSink* audit)
    : dispatcher_(dispatcher), clock_(clock), config_(std::move(config)), audit_(audit), verifier_(keys) {}

Result<void> FrontDoor::identify(const http::Request& request, const Route& route, CallContext& context) {
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
  context.is_root = caller->key.is_root;
  return ok();
}

// Nobody is asked for a signature: the caller is nobody, or the account's root where --auth off makes everybody that.
void FrontDoor::identify_unsigned(const http::Request& request, CallContext& context) const {
  context.account_id = config_.account_id;
  context.region = config_.default_region;
  if (!config_.auth) {
    context.principal_arn = fmt::format("arn:aws:iam::{}:root", config_.account_id);
    context.user_id = config_.account_id;
    context.is_root = true;
  }
  if (const Result<Authorization> claimed = authorization_of(request.head)) {
    context.region = claimed->region;
    if (!config_.auth) context.access_key_id = claimed->access_key_id;
  }
}

http::Response FrontDoor::answer(const http::Request& request, const Route& route, CallContext& context,
                                 CallRecord& record) {
  const bool verified = config_.auth && dispatcher_.permission(route) != Permission::unsigned_;
  if (!verified) {
    identify_unsigned(request, context);
  } else if (const Result<void> identified = identify(request, route, context); !identified) {
    unauthenticated_.fetch_add(1, std::memory_order_relaxed);
    // For the record only: nobody has proved that it is theirs.
    if (const Result<Authorization> claimed = authorization_of(request.head)) {
      context.access_key_id = claimed->access_key_id;
    }
    record.error = identified.error();
    return Dispatcher::error_response(route, identified.error(), context.request_id);
  }
  return dispatcher_.call(route, context, request, &record);
}

http::Response FrontDoor::operator()(const http::Request& request) {
  const Result<Authorization> claimed = authorization_of(request.head);
  const Route route = dispatcher_.route(request, claimed ? std::string_view(claimed->service) : std::string_view());
  CallContext context;
  context.request_id = new_request_id();
  context.now = clock_.now();
  context.source_ip = request.head.remote_address.substr(0, request.head.remote_address.rfind(':'));
  context.user_agent = request.head.headers.find("User-Agent").value_or("").substr(0, max_user_agent_bytes);
  CallRecord record;
  record.context = &context;
  record.service = route.service == nullptr ? std::string_view() : route.service->signing_name;
  record.operation = route.operation;
  http::Response response = answer(request, route, context, record);
  if (audit_ != nullptr) audit_->record(record);
  return response;
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
