#pragma once
// From a verified request to an operation and back. One table of operations per service (generated from models/) drives
// decoding, encoding, names and the list of what is served.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/authorization.h"
#include "aws/codec.h"
#include "aws/model.h"
#include "aws/xml_codec.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "http/message.h"

namespace kaapi::aws {

// Who calls and from where; filled in before an operation runs. Valid for the time of the call.
struct CallContext {
  std::string account_id;     // 12 digits
  std::string region;         // of the credential scope: resources are kept apart by it
  std::string principal_arn;  // "arn:aws:iam::123456789012:root"
  std::string user_id;
  std::string access_key_id;
  std::string request_id;  // a UUID, answered as x-amzn-RequestId
  std::string source_ip;   // of the connection: "127.0.0.1"
  std::string user_agent;
  bool is_root = false;  // the account itself: no policy is asked
  Time now{};
};

// What AWS's clients send of the variable AWS_EXECUTION_ENV: "exec-env/NAME" in the user agent. Empty when there is
// none. Anybody may send anything: a hint at where a call came from, never a right.
std::string execution_environment(std::string_view user_agent);

// Generated for each operation, e.g. aws::ecs::CreateCluster:
//   struct CreateCluster {
//     using Request = CreateClusterRequest;
//     using Response = CreateClusterResponse;
//     static constexpr std::string_view service = "ecs";
//     static constexpr std::string_view name = "CreateCluster";
//     static constexpr Protocol protocol = Protocol::json;
//     static const ServiceInfo& info();
//   };
// Generated for each structure: a plain struct, members named as on the wire; required members bare, the others
// std::optional (lists are std::vector, maps std::map, timestamps kaapi::Time, enumerations std::string checked by the
// decoder, blobs bytes), with operator== defaulted, and
//   void encode(JsonWriter&, const T&);
//   Result<T> decode<T>(const json::value&)      // constraint violations in AWS's words, naming the member
//   std::string to_json(const T&);  Result<T> from_json<T>(std::string_view);

// What a request asks for. `operation` points into the request.
struct Route {
  Protocol protocol = Protocol::json;
  const ServiceInfo* service = nullptr;  // nullptr: of no service that is known
  std::string_view operation;
  std::string_view json_version = "1.1";
};

// What became of one request, for the audit log. Views and references are valid for the time of the call.
struct CallRecord {
  std::string_view service;    // "ecs"; empty when it is not known
  std::string_view operation;  // as the request says it
  const CallContext* context = nullptr;
  std::vector<Access> accesses;  // what was asked of the policies; empty when the request was refused before
  std::string reason;            // why it was allowed: the policy that decided
  std::optional<Error> error;    // what was answered; nullopt: success
};

// Thread-safe; called once for each request, before its answer is sent.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual void record(const CallRecord& record) = 0;
};

// Of a refusal: what DecodeAuthorizationMessage takes. (Some of AWS's services put it into the message.)
inline constexpr std::string_view encoded_refusal_header = "x-kaapi-encoded-authorization-message";

// Answers of one operation since the start.
struct OperationCounters {
  std::string_view service;
  std::string_view operation;
  std::uint64_t succeeded = 0;
  std::uint64_t refused = 0;  // 4xx
  std::uint64_t failed = 0;   // 5xx
};

// Thread-safe after the last handle().
class Dispatcher {
 public:
  Dispatcher();
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Op is a generated operation type. Each is handled once; a second time is our own mistake (std::logic_error).
  template <class Op>
  void handle(std::function<Result<typename Op::Response>(const CallContext&, const typename Op::Request&)> operation) {
    add(Op::info(), Op::name, [operation = std::move(operation)](const CallContext& context, const json::value& tree) {
      return run<Op>(operation, context, tree);
    });
  }

  // The same for an operation that knows the encoded inside of its answer's body, such as one that keeps answers.
  template <class Op>
  void handle_encoded(std::function<Result<std::string>(const CallContext&, const typename Op::Request&)> operation) {
    add(Op::info(), Op::name, [operation = std::move(operation)](const CallContext& context, const json::value& tree) {
      const Result<typename Op::Request> request = request_of<Op>(tree);
      return request ? operation(context, *request) : Result<std::string>(request.error());
    });
  }

  // Raw entry points, for the front door.

  // Finds service and operation by X-Amz-Target, or by Action and the service that the caller signed for
  // (`scope_service`, empty when unsigned: then by Version). Never fails: what is unknown shows in call().
  Route route(const http::Request& request, std::string_view scope_service) const;
  // Who may call the operation that the route names; `asked` for one that nobody handles.
  Permission permission(const Route& route) const;
  // From now on every call is put before `authorizer` (nullptr: before nobody), which must outlive this. Not
  // thread-safe: before the first call.
  void guard(const Authorizer* authorizer) { authorizer_ = authorizer; }
  // Authorizes, decodes, runs, encodes; fills in `record`. Anything wrong becomes the protocol's error answer: an
  // operation that nobody handles (its message names it), a body that cannot be read, the operation's own error, an
  // exception (500, logged).
  http::Response call(const Route& route, const CallContext& context, const http::Request& request,
                      CallRecord* record = nullptr) const;
  // An error in the shape of the route's protocol.
  static http::Response error_response(const Route& route, const Error& error, std::string_view request_id);

  std::vector<OperationCounters> counters() const;
  // "ecs:CreateCluster", … sorted: what is served.
  std::vector<std::string> served() const;

 private:
  using Run = std::function<Result<std::string>(const CallContext&, const json::value&)>;
  struct Operation {
    const ServiceInfo* service = nullptr;
    const OperationInfo* info = nullptr;
    Run run;
    mutable std::atomic<std::uint64_t> succeeded{0};
    mutable std::atomic<std::uint64_t> refused{0};
    mutable std::atomic<std::uint64_t> failed{0};
  };

  template <class Op>
  static Result<typename Op::Request> request_of(const json::value& tree) {
    typename Op::Request request;
    Reader reader(Op::protocol == Protocol::json ? Wire::json : Wire::query, Strictness::wire);
    read(reader, tree, request);
    if (const Result<void> checked = reader.finish(Op::info()); !checked) return checked.error();
    return request;
  }

  // From the decoded tree to the inside of the answer's body.
  template <class Op>
  static Result<std::string> run(
      const std::function<Result<typename Op::Response>(const CallContext&, const typename Op::Request&)>& operation,
      const CallContext& context, const json::value& tree) {
    const Result<typename Op::Request> request = request_of<Op>(tree);
    if (!request) return request.error();
    const Result<typename Op::Response> response = operation(context, *request);
    if (!response) return response.error();
    std::string body;
    if constexpr (Op::protocol == Protocol::json) {
      JsonWriter out(body);
      encode(out, *response);
    } else {
      XmlWriter out(body);
      encode(out, *response);
    }
    return body;
  }

  void add(const ServiceInfo& service, std::string_view name, Run run);
  const Operation* find(const Route& route) const;
  // `encoded` gets what DecodeAuthorizationMessage takes of a refusal.
  Result<std::string> run_guarded(const Operation& operation, const CallContext& context, const http::Request& request,
                                  CallRecord& record, std::string& encoded) const;
  Result<void> authorize(const Operation& operation, const CallContext& context, const json::value& tree,
                         CallRecord& record, std::string& encoded) const;

  const Authorizer* authorizer_ = nullptr;
  std::vector<const ServiceInfo*> services_;
  // By service's target prefix or name, then operation's name. Views into the generated tables.
  std::map<std::string_view, std::map<std::string_view, std::unique_ptr<Operation>>> operations_;
};

}  // namespace kaapi::aws
