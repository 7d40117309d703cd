#include "aws/dispatch.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "aws/query.h"
#include "base/log.h"

namespace kaapi::aws {
namespace {

constexpr std::string_view form_type = "application/x-www-form-urlencoded";

// The error of an operation that is not in the table. Clear for whoever tried it: which operation, and whose.
Error not_served(const Route& route) {
  const std::string_view code = route.protocol == Protocol::json ? "UnknownOperationException" : "InvalidAction";
  if (route.operation.empty()) {
    return make_error(
        route.protocol == Protocol::json ? code : "MissingAction",
        "The request names no operation. JSON services name it in the X-Amz-Target header, query services in "
        "the Action parameter.");
  }
  if (route.service == nullptr) {
    return make_error(code, fmt::format("{} belongs to no service that this version of kaapi serves",
                                        route.operation.substr(0, 200)));
  }
  if (is_operation(*route.service, route.operation)) {
    return make_error(
        code, fmt::format("{}:{} is not served by this version of kaapi", route.service->name, route.operation));
  }
  return make_error(code, fmt::format("{} has no operation '{}'", route.service->name, route.operation.substr(0, 200)));
}

// Failures inside the house, as AWS calls them on the wire; everything else goes out as it is.
Error on_the_wire(const Route& route, const Error& error) {
  const ServiceInfo* service = route.service;
  Error out = error;
  if (error.code == errc::internal || error.code == errc::damaged) {
    out.code = "InternalFailure";
    out.status = 500;
  } else if (error.code == errc::unavailable || error.code == errc::timed_out || error.code == errc::cancelled) {
    out.code = "ServiceUnavailable";
    out.status = 503;
  } else if (error.code == access_denied) {
    out.code = route.protocol == Protocol::json ? "AccessDeniedException" : "AccessDenied";
    out.status = route.protocol == Protocol::json ? 400 : 403;
  } else if (service != nullptr && error.status == 400) {
    if (const int status = error_status(*service, error.code); status != 0) out.status = status;
  }
  return out;
}

std::string error_body(const Route& route, const Error& error, std::string_view request_id) {
  std::string body;
  if (route.protocol == Protocol::json) {
    JsonWriter out(body);
    out.begin_object();
    out.key("__type");
    out.value(error.code);
    out.key("message");
    out.value(error.message);
    out.end_object();
    return body;
  }
  const bool has_namespace = route.service != nullptr && !route.service->xml_namespace.empty();
  body.append("<ErrorResponse");
  if (has_namespace) fmt::format_to(std::back_inserter(body), " xmlns=\"{}\"", route.service->xml_namespace);
  body.append(">");
  XmlWriter out(body);
  const auto element = [&](std::string_view name, std::string_view text) {
    out.open(name);
    out.text(text);
    out.close(name);
  };
  out.open("Error");
  element("Type", error.status >= 500 ? "Receiver" : "Sender");
  element("Code", error.code);
  element("Message", error.message);
  out.close("Error");
  element("RequestId", request_id);
  out.close("ErrorResponse");
  return body;
}

http::Response response_of(const Route& route, int status, std::string body, std::string_view request_id) {
  http::Response response;
  response.status = status;
  response.headers.add("x-amzn-RequestId", std::string(request_id));
  response.headers.add("Content-Type", route.protocol == Protocol::json
                                           ? fmt::format("application/x-amz-json-{}", route.json_version)
                                           : std::string("text/xml"));
  response.body = std::move(body);
  return response;
}

std::string query_answer(const ServiceInfo& service, const OperationInfo& operation, std::string_view inside,
                         std::string_view request_id) {
  std::string body = fmt::format("<{}Response xmlns=\"{}\">", operation.name, service.xml_namespace);
  if (!operation.result_wrapper.empty()) {
    body += fmt::format("<{0}>{1}</{0}>", operation.result_wrapper, inside);
  }
  body += fmt::format("<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{}Response>", request_id,
                      operation.name);
  return body;
}

// Where the parameters of a query request are.
std::string_view form_of(const http::Request& request) {
  return request.head.method == "GET" ? std::string_view(request.head.query) : std::string_view(request.body);
}

Result<json::value> parse_body(Protocol protocol, const http::Request& request) {
  if (protocol == Protocol::query) return parse_form(form_of(request));
  if (request.body.empty()) return json::value(json::object());
  Result<json::value> tree = parse_json(request.body);
  if (!tree) return make_error("SerializationException", "The request body is " + tree.error().message);
  return tree;
}

}  // namespace

std::string execution_environment(std::string_view user_agent) {
  constexpr std::string_view prefix = "exec-env/";
  std::size_t at = user_agent.find(prefix);
  while (at != 0 && at != std::string_view::npos && user_agent[at - 1] != ' ') at = user_agent.find(prefix, at + 1);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = user_agent.substr(at + prefix.size());
  return std::string(rest.substr(0, rest.find(' ')));
}

Dispatcher::Dispatcher() = default;
Dispatcher::~Dispatcher() = default;

void Dispatcher::add(const ServiceInfo& service, std::string_view name, Run run) {
  if (std::find(services_.begin(), services_.end(), &service) == services_.end()) services_.push_back(&service);
  auto operation = std::make_unique<Operation>();
  operation->service = &service;
  operation->info = find_operation(service, name);
  operation->run = std::move(run);
  if (operation->info == nullptr || !operations_[service.name].emplace(name, std::move(operation)).second) {
    throw std::logic_error(fmt::format("{}:{} is handled twice or not in its model", service.name, name));
  }
}

const Dispatcher::Operation* Dispatcher::find(const Route& route) const {
  if (route.service == nullptr) return nullptr;
  const auto service = operations_.find(route.service->name);
  if (service == operations_.end()) return nullptr;
  const auto operation = service->second.find(route.operation);
  return operation == service->second.end() ? nullptr : operation->second.get();
}

Route Dispatcher::route(const http::Request& request, std::string_view scope_service) const {
  Route route;
  if (const auto target = request.head.headers.find("X-Amz-Target")) {
    const std::size_t dot = target->rfind('.');
    route.operation = *target;
    for (const ServiceInfo* service : services_) {
      if (dot != std::string_view::npos && !service->target_prefix.empty() &&
          service->target_prefix == target->substr(0, dot)) {
        route.service = service;
        route.operation = target->substr(dot + 1);
      }
    }
    const auto type = request.head.headers.find("Content-Type");
    if (type && type->starts_with("application/x-amz-json-1.0")) route.json_version = "1.0";
    return route;
  }
  route.protocol = Protocol::query;
  const auto type = request.head.headers.find("Content-Type");
  if (request.head.method != "GET" && type && !type->starts_with(form_type)) return route;
  const std::string_view form = form_of(request);
  route.operation = form_parameter(form, "Action");
  const std::string_view version = form_parameter(form, "Version");
  for (const ServiceInfo* service : services_) {
    if (service->protocol != Protocol::query) continue;
    const bool wanted = scope_service.empty()
                            ? service->api_version == version && is_operation(*service, route.operation)
                            : service->signing_name == scope_service;
    if (wanted) route.service = service;
  }
  return route;
}

http::Response Dispatcher::error_response(const Route& route, const Error& error, std::string_view request_id) {
  const Error shown = on_the_wire(route, error);
  http::Response response = response_of(route, shown.status, error_body(route, shown, request_id), request_id);
  if (route.protocol == Protocol::json) response.headers.add("x-amzn-ErrorType", shown.code);
  return response;
}

Permission Dispatcher::permission(const Route& route) const {
  const Operation* operation = find(route);
  return operation == nullptr ? Permission::asked : operation->info->permission.rule;
}

Result<void> Dispatcher::authorize(const Operation& operation, const CallContext& context, const json::value& tree,
                                   CallRecord& record, std::string& encoded) const {
  if (authorizer_ == nullptr) return ok();
  const PermissionRow& row = operation.info->permission;
  record.accesses = accesses_of(fmt::format("{}:{}", operation.service->signing_name, operation.info->name), row,
                                context, tree, *authorizer_);
  if (row.rule != Permission::asked) return ok();
  if (context.is_root) {
    record.reason = "the account's root";
    return ok();
  }
  Result<std::string> allowed = authorizer_->authorize_encoded(context, record.accesses, encoded);
  if (!allowed) return allowed.error();
  record.reason = std::move(*allowed);
  return ok();
}

Result<std::string> Dispatcher::run_guarded(const Operation& operation, const CallContext& context,
                                            const http::Request& request, CallRecord& record,
                                            std::string& encoded) const {
  try {
    const Result<json::value> tree = parse_body(operation.service->protocol, request);
    if (!tree) return tree.error();
    const Result<void> allowed = authorize(operation, context, *tree, record, encoded);
    if (!allowed) return allowed.error();
    return operation.run(context, *tree);
  } catch (const std::exception& failure) {
    log::error("aws", "{}:{} failed, request {}: {}", operation.service->name, operation.info->name, context.request_id,
               failure.what());
    return internal_error("The request failed inside kaapi; its log names request " + context.request_id);
  }
}

http::Response Dispatcher::call(const Route& route, const CallContext& context, const http::Request& request,
                                CallRecord* record) const {
  CallRecord unasked;
  CallRecord& told = record == nullptr ? unasked : *record;
  const Operation* operation = find(route);
  if (operation == nullptr) {
    told.error = not_served(route);
    return error_response(route, *told.error, context.request_id);
  }

  std::string encoded;
  Result<std::string> inside = run_guarded(*operation, context, request, told, encoded);
  if (!inside) {
    told.error = on_the_wire(route, inside.error());
    http::Response response = error_response(route, inside.error(), context.request_id);
    if (!encoded.empty()) response.headers.set(encoded_refusal_header, std::move(encoded));
    (response.status >= 500 ? operation->failed : operation->refused).fetch_add(1, std::memory_order_relaxed);
    return response;
  }
  operation->succeeded.fetch_add(1, std::memory_order_relaxed);
  std::string body = route.protocol == Protocol::json
                         ? std::move(*inside)
                         : query_answer(*operation->service, *operation->info, *inside, context.request_id);
  return response_of(route, 200, std::move(body), context.request_id);
}

std::vector<OperationCounters> Dispatcher::counters() const {
  std::vector<OperationCounters> all;
  for (const auto& [service, operations] : operations_) {
    for (const auto& [name, operation] : operations) {
      all.push_back({service, name, operation->succeeded.load(std::memory_order_relaxed),
                     operation->refused.load(std::memory_order_relaxed),
                     operation->failed.load(std::memory_order_relaxed)});
    }
  }
  return all;
}

std::vector<std::string> Dispatcher::served() const {
  std::vector<std::string> all;
  for (const auto& [service, operations] : operations_) {
    for (const auto& [name, operation] : operations) all.push_back(fmt::format("{}:{}", service, name));
  }
  return all;
}

}  // namespace kaapi::aws
