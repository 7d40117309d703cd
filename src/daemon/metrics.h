#pragma once
// What /metrics and /healthz say.

#include <string>
#include <string_view>

#include "aws/front_door.h"
#include "base/clock.h"
#include "daemon/thread_executor.h"
#include "http/server.h"
#include "store/database.h"

namespace kaapi::daemon {

struct Observed {
  std::string_view version;
  Time started_at{};
  http::ServerCounters http;
  LaneLoad slow;
  LaneLoad quick;
  std::string aws;  // the front door's own text
};

// Prometheus text, exposition format 0.0.4. Pure.
std::string metrics_text(const Observed& observed);

// 200 {"status":"ok",…} when the database answers, else 503 with the reason. Needs no key, so it tells nothing more.
http::Response health(store::Database& database, std::string_view version);

}  // namespace kaapi::daemon
