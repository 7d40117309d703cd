#include "daemon/output.h"

#include "base/log.h"

namespace kaapi::daemon {
namespace {

logs::LogTarget target_of(const ecs::LogTarget& target) {
  return {target.region, target.group, target.stream, target.create_group};
}

}  // namespace

CollectedOutput::CollectedOutput(logs::Collector& collector) : collector_(collector) {
  collector_.on_drained([this](const std::string& runtime_id) { drained(runtime_id); });
}

void CollectedOutput::on_drained(std::function<void(const std::string&)> callback) {
  const std::lock_guard lock(callback_mutex_);
  callback_ = std::move(callback);
}

Result<void> CollectedOutput::prepare(const ecs::LogTarget& target) {
  return collector_.prepare(target_of(target));
}

void CollectedOutput::attach(const std::string& runtime_id, const std::string& source_key,
                             const ecs::LogTarget& target) {
  {
    const std::lock_guard lock(keys_mutex_);
    keys_[runtime_id] = source_key;
  }
  collector_.attach({runtime_id, target.region, target.group, target.stream, target.create_group, source_key});
}

void CollectedOutput::forget(const std::string& runtime_id, const std::string& source_key) {
  collector_.detach(runtime_id);
  {
    const std::lock_guard lock(keys_mutex_);
    keys_.erase(runtime_id);
  }
  if (const Result<void> forgotten = collector_.forget(source_key); !forgotten) {
    // Its cursors go by themselves after some time.
    log::warn("daemon", "the log cursors of {} stay for now: {}", source_key, forgotten.error().message);
  }
}

void CollectedOutput::drained(const std::string& runtime_id) {
  std::string source_key;
  {
    const std::lock_guard lock(keys_mutex_);
    const auto found = keys_.find(runtime_id);
    if (found == keys_.end()) return;
    source_key = found->second;
  }
  const std::lock_guard lock(callback_mutex_);
  if (callback_) callback_(source_key);
}

}  // namespace kaapi::daemon
