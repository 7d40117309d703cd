#pragma once
// Container output for the engine room: the log collector, spoken to in the engine room's words.

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "ecs/edges.h"
#include "logs/collector.h"

namespace kaapi::daemon {

// Thread-safe.
class CollectedOutput final : public ecs::Output {
 public:
  // Takes the collector's on_drained(). `collector` outlives it.
  explicit CollectedOutput(logs::Collector& collector);

  // Called with the source key of a container whose output is all stored. nullptr: nobody is called any more, also
  // none that was on the way.
  void on_drained(std::function<void(const std::string& source_key)> callback);

  Result<void> prepare(const ecs::LogTarget& target) override;
  void attach(const std::string& runtime_id, const std::string& source_key, const ecs::LogTarget& target) override;
  void forget(const std::string& runtime_id, const std::string& source_key) override;

 private:
  void drained(const std::string& runtime_id);

  logs::Collector& collector_;
  std::mutex keys_mutex_;
  std::map<std::string, std::string> keys_;  // of what is followed, by the engine's id
  std::mutex callback_mutex_;
  std::function<void(const std::string&)> callback_;
};

}  // namespace kaapi::daemon
