#pragma once
// What becomes of a job's call before the engine gets it. Asks the engine whose things are.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actions/docker/container_rules.h"
#include "actions/docker/engine_api.h"
#include "actions/docker/folders.h"
#include "actions/docker/gate.h"
#include "actions/docker/image_names.h"
#include "actions/docker/owned.h"
#include "actions/docker/request.h"

namespace kaapi::actions::docker {

// What the connections of one job share. Thread-safe.
struct Shared {
  Shared(GateConfig gate_config, Folders job_folders, std::string job_socket)
      : config(std::move(gate_config)),
        socket(std::move(job_socket)),
        folders(std::move(job_folders)),
        engine(engine_at_socket(config.engine_socket)),
        owned(engine, config.owner),
        images(engine) {}

  const GateConfig config;
  const std::string socket;
  Folders folders;
  EngineApi engine;
  Owned owned;
  ImageNames images;
  std::mutex making_network;  // so that one is counted before the next is asked for
  std::atomic<bool> made_any{false};
};

// A call as the engine gets it.
struct PassedCall {
  std::string target;
  std::optional<std::string> body;  // looked into; otherwise it is passed on as it comes
  bool takes_body = false;
  bool upgrades = false;
  std::optional<std::string> answer;           // nothing is asked: this is the answer
  std::unique_ptr<ImageNames::Giving> giving;  // names of images
  std::unique_lock<std::mutex> held;           // until the engine has answered
};

// Of one call; lives on one thread, which it blocks.
class CallCheck {
 public:
  using ReadBody = std::function<Result<std::string>()>;
  // `stop` becomes readable when the gate closes.
  CallCheck(Shared& shared, int stop, ReadBody read_body)
      : shared_(shared), stop_(stop), read_body_(std::move(read_body)) {}

  // Errors: `AccessDenied` (what jobs may not do), `Invalid`, `NotFound` (what is not the job's), those of the engine.
  Result<PassedCall> check(Ruling ruling, Query query);

 private:
  using Step = Result<void> (CallCheck::*)();
  static Step step_for(Rule rule);

  Result<void> pass() { return ok(); }
  Result<void> list();
  Result<void> container();
  Result<void> remove_container();
  Result<void> make_container();
  Result<void> make_exec();
  Result<void> exec();
  Result<void> network();
  Result<void> network_members();
  Result<void> make_network();
  Result<void> volume();
  Result<void> make_volume();
  Result<void> commit();
  Result<void> build();
  Result<void> name_image();
  Result<void> remove_image();
  Result<void> prune_images();
  Result<void> prune_builds();

  Result<void> refer_to(const Result<std::string>& id);
  Result<void> take_body(Result<std::string> checked);
  Result<void> give_names(const std::vector<std::string>& names);
  Result<void> fill(ContainerWish& wish);
  Result<void> fill_names(ContainerWish& wish);
  Result<void> fill_binds(ContainerWish& wish);
  std::string real_path(const std::string& seen) const;
  Result<std::string> bind_path(const BindWish& bind);
  Result<void> go_on() const;

  Shared& shared_;
  const int stop_;
  const ReadBody read_body_;
  Ruling ruling_;
  Query query_;
  PassedCall passed_;
};

}  // namespace kaapi::actions::docker
