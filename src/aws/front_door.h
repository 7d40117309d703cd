#pragma once
// Every AWS request enters here: routed, authenticated, given its context, handed to the dispatcher. One http::Handler
// for "/".

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "aws/dispatch.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "http/message.h"

namespace kaapi::aws {

struct FrontDoorConfig {
  // Off: nobody is asked for a signature; the caller is the account's root, the region that of the unverified
  // credential scope.
  bool auth = true;
  std::string account_id;                    // of callers when auth is off
  std::string default_region = "us-east-1";  // when auth is off and the request has no credential scope
};

// Thread-safe. `dispatcher`, `keys`, `clock` and `audit` (nullptr: nobody is told) must outlive it.
class FrontDoor {
 public:
  FrontDoor(const Dispatcher& dispatcher, const KeyStore& keys, const Clock& clock, FrontDoorConfig config,
            AuditSink* audit = nullptr);

  // Never throws; every failure is an answer in the protocol of the request.
  http::Response operator()(const http::Request& request);

  // Requests refused before any operation ran, because of their signature.
  std::uint64_t unauthenticated() const { return unauthenticated_.load(std::memory_order_relaxed); }
  // Prometheus text: kaapi_aws_requests_total{service,operation,status} and kaapi_aws_unauthenticated_total.
  std::string metrics() const;

 private:
  Result<void> identify(const http::Request& request, const Route& route, CallContext& context);
  void identify_unsigned(const http::Request& request, CallContext& context) const;
  http::Response answer(const http::Request& request, const Route& route, CallContext& context, CallRecord& record);

  const Dispatcher& dispatcher_;
  const Clock& clock_;
  FrontDoorConfig config_;
  AuditSink* audit_;
  Verifier verifier_;
  std::atomic<std::uint64_t> unauthenticated_{0};
};

}  // namespace kaapi::aws
