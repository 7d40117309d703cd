#pragma once
// /v2/: what docker push and pull speak. The OCI distribution specification 1.1 (pull, push, discovery, management)
// with ECR's rules on top: a repository must have been created, tags may be immutable, the password is an authorization
// token, and what its bearer may do is for the policies to say.

#include <memory>
#include <string>

#include "http/message.h"
#include "registry/gate.h"
#include "registry/registry.h"
#include "registry/token.h"

namespace kaapi::registry {

// A request that passed authentication, taken apart.
struct Call;
struct Route;
struct Right;
enum class Endpoint;

// The handler for Server::route_stream("/v2/"). Thread-safe. Everything that it is handed must outlive it.
class HttpApi {
 public:
  // A token is good while the access key that asked for it is in `keys`; each request is put before `authorizer` as the
  // ECR actions that it stands for (rights.h), except the root's and the platform's own pulls. What is refused, pushed,
  // pulled and deleted is told to `audit`. nullptr: keys are not looked at, nobody is asked, nobody is told.
  HttpApi(Registry& registry, const TokenIssuer& tokens, const aws::KeyStore* keys = nullptr,
          const aws::Authorizer* authorizer = nullptr, aws::AuditSink* audit = nullptr)
      : registry_(registry), gate_(registry, tokens, keys, authorizer, audit) {}

  // Never fails: every error is answered as the specification's JSON.
  http::Response operator()(const http::RequestHead& head, http::BodyReader& body);

 private:
  Result<http::Response> answer(const http::RequestHead& head, http::BodyReader& body);
  // Asks whether the call may be made, makes it, and has it recorded.
  Result<http::Response> guarded(const Call& call, const Route& route, const Right& right);
  Result<http::Response> serve(const Call& call, Endpoint endpoint);
  // Whether the caller may have the other repository's blob without sending it.
  bool may_mount(const Call& call, std::string_view from) const;

  Result<http::Response> blob(const Call& call);
  Result<http::Response> start_upload(const Call& call);
  Result<http::Response> upload(const Call& call);
  Result<http::Response> append(const Call& call, const std::string& id);
  Result<http::Response> finish(const Call& call, const std::string& id);
  Result<http::Response> upload_status(const Call& call, const std::string& id);
  Result<http::Response> manifest(const Call& call);
  Result<http::Response> put_manifest(const Call& call);
  Result<http::Response> delete_manifest(const Call& call);
  Result<http::Response> tags(const Call& call);
  Result<http::Response> catalog(const Call& call);

  Registry& registry_;
  Gate gate_;
};

}  // namespace kaapi::registry
