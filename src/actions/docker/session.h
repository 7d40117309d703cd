#pragma once
// One connection to a job's Docker socket: one request, looked at and passed on, and its answer. Private to Gate.

#include <string>
#include <string_view>

#include "actions/docker/call_check.h"
#include "actions/docker/relay.h"
#include "base/file_descriptor.h"
#include "http/request_head.h"

namespace kaapi::actions::docker {

// Lives on one thread, which it blocks. Every wait ends with `stop`, with a limit, or with one of the two sides.
class Session {
 public:
  // `stop` becomes readable when the gate closes.
  Session(int client, int stop, Shared& shared) : client_(client), stop_(stop), shared_(shared) {}
  void serve();

 private:
  Result<void> read_head();
  Result<void> take_head(std::size_t end);
  Result<std::string> read_body(std::size_t max_bytes);
  Result<std::string> receive();
  Result<PassedCall> check(const Ruling& ruling);
  std::string head_for(const PassedCall& passed) const;
  RequestBody body_frame() const;
  Result<void> pass_on(PassedCall passed);
  Result<void> pass_upgrade(const FileDescriptor& engine);
  Result<void> send(int to, std::string_view bytes) const;
  void refuse(const Error& error);
  void answer(int status, std::string_view json_text);

  const int client_;
  const int stop_;
  Shared& shared_;
  std::string input_;  // received, not yet used
  http::ParsedHead request_;
};

}  // namespace kaapi::actions::docker
