#pragma once
// /v2/: what docker push and pull speak. The OCI distribution specification 1.1 (pull, push, discovery, management)
// with ECR's rules on top: a repository must have been created, tags may be immutable, the password is an authorization
// token.

#include <memory>
#include <string>

#include "http/message.h"
#include "registry/registry.h"
#include "registry/token.h"

namespace kaapi::registry {

// A request that passed authentication, taken apart.
struct Call;

// The handler for Server::route_stream("/v2/"). Thread-safe. `registry` and `tokens` must outlive it.
class HttpApi {
 public:
  HttpApi(Registry& registry, const TokenIssuer& tokens) : registry_(registry), tokens_(tokens) {}

  // Never fails: every error is answered as the specification's JSON.
  http::Response operator()(const http::RequestHead& head, http::BodyReader& body);

 private:
  // What the request may do, and in which region.
  struct Access {
    std::string region;
    bool pull_only = false;
  };
  Result<Access> authenticate(const http::RequestHead& head) const;
  Result<http::Response> answer(const http::RequestHead& head, http::BodyReader& body);

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
  const TokenIssuer& tokens_;
};

}  // namespace kaapi::registry
