#include "daemon/metrics.h"

#include <fmt/format.h>

#include <iterator>

#include "base/json.h"
#include "base/log.h"

namespace kaapi::daemon {
namespace {

void describe(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void single(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            std::uint64_t value) {
  describe(out, name, type, help);
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

void lanes(std::string& out, std::string_view name, std::string_view help, std::size_t slow, std::size_t quick) {
  describe(out, name, "gauge", help);
  fmt::format_to(std::back_inserter(out), "{}{{lane=\"slow\"}} {}\n{}{{lane=\"quick\"}} {}\n", name, slow, name, quick);
}

}  // namespace

std::string metrics_text(const Observed& observed) {
  std::string out;
  describe(out, "kaapi_build_info", "gauge", "The version that runs.");
  fmt::format_to(std::back_inserter(out), "kaapi_build_info{{version=\"{}\"}} 1\n", observed.version);
  describe(out, "kaapi_start_time_seconds", "gauge", "When this process started, since the Unix epoch.");
  fmt::format_to(std::back_inserter(out), "kaapi_start_time_seconds {:.3f}\n",
                 static_cast<double>(to_millis(observed.started_at)) / 1000.0);
  single(out, "kaapi_http_requests_total", "counter", "HTTP requests answered.", observed.http.requests);
  single(out, "kaapi_http_refused_total", "counter", "HTTP requests refused as malformed, too large or too many.",
         observed.http.refused);
  single(out, "kaapi_http_connections", "gauge", "HTTP connections open now.", observed.http.connections);
  lanes(out, "kaapi_engine_calls_running", "Engine calls in progress.", observed.slow.running, observed.quick.running);
  lanes(out, "kaapi_engine_calls_waiting", "Engine calls that wait for a thread.", observed.slow.waiting,
        observed.quick.waiting);
  out += observed.aws;
  return out;
}

http::Response health(store::Database& database, std::string_view version) {
  const Result<void> answered = database.read([](store::Session& session) -> Result<void> {
    session.query("SELECT 1").step();
    return ok();
  });
  if (!answered) log::error("daemon", "the database does not answer: {}", answered.error().message);
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  out.key("status");
  out.value(answered ? "ok" : "the database does not answer; the program's log says why");
  out.key("version");
  out.value(version);
  out.end_object();
  return http::Response::json(answered ? 200 : 503, std::move(body));
}

}  // namespace kaapi::daemon
