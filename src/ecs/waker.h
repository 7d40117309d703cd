#pragma once
// How operations tell the scheduler that there is something to do. Call after the change is committed.

#include <cstdint>
#include <string>

namespace kaapi::ecs {

// Thread-safe; returns at once.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void service_changed(std::int64_t service_id) = 0;
  virtual void task_changed(const std::string& task_id) = 0;
};

}  // namespace kaapi::ecs
