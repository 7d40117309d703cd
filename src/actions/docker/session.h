#pragma once
// One connection to a job's Docker socket: one request, looked at and passed on, and its answer. Private to Gate.

#include <atomic>
#include <mutex>
#include <set>
#include <string>

#include "actions/docker/folders.h"
#include "actions/docker/gate.h"
#include "actions/docker/owned.h"
#include "actions/docker/relay.h"
#include "actions/docker/request.h"
#include "base/file_descriptor.h"
#include "http/request_head.h"

namespace kaapi::actions::docker {

// What the connections of one job share. Thread-safe.
struct Shared {
  Shared(GateConfig gate_config, Folders job_folders)
      : config(std::move(gate_config)), folders(std::move(job_folders)), owned(config.engine_socket, config.owner) {}

  // False: there are too many.
  bool note_image(std::string_view name);
  bool knows_image(std::string_view name) const;

  const GateConfig config;
  Folders folders;
  Owned owned;
  std::atomic<bool> made_any{false};

 private:
  mutable std::mutex mutex_;
  std::set<std::string> images_;  // that the job has named
};

// Lives on one thread, which it blocks.
class Session {
 public:
  // `stop` becomes readable when the gate closes.
  Session(int client, int stop, Shared& shared) : client_(client), stop_(stop), shared_(shared) {}
  void serve();

 private:
  // A request as the engine gets it.
  struct Passed {
    std::string target;
    std::optional<std::string> body;  // looked into; otherwise it is passed on as it comes
    bool takes_body = false;
    bool upgrades = false;
    std::optional<std::string> answer;  // nothing is asked: this is the answer
  };

  Result<void> read_head();
  Result<std::string> read_body();
  Result<std::string> receive();
  Result<Passed> look(const Ruling& ruling);
  Result<Passed> look_at_container(const Ruling& ruling);
  Result<Passed> look_at_query(const Ruling& ruling, Query query);
  Result<void> look_at_image(const Ruling& ruling, const Query& query);
  Result<std::string> check_members(std::string_view body);
  Result<void> fill(ContainerWish& wish);
  Result<std::string> bind_path(const BindWish& bind);
  std::string head_for(const Passed& passed) const;
  RequestBody body_frame() const;
  Result<FileDescriptor> connect() const;
  Result<void> pass_on(const Passed& passed);
  Result<void> pass_upgrade(const FileDescriptor& engine);
  Result<void> send_all(int to, std::string_view bytes) const;
  void refuse(const Error& error);
  void answer(int status, std::string_view json_text);

  const int client_;
  const int stop_;
  Shared& shared_;
  std::string input_;  // received, not yet used
  http::ParsedHead request_;
};

}  // namespace kaapi::actions::docker
