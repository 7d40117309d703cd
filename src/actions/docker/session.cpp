#include "actions/docker/session.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <set>
#include <utility>

#include "actions/docker/unix_socket.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t receive_bytes = 16UL * 1024;

// Between two hops only (RFC 9110, section 7.6.1), or written anew here.
bool is_hop_header(std::string_view name) {
  static const std::set<std::string, std::less<>> names = {
      "connection", "keep-alive", "transfer-encoding", "te",     "trailer",
      "upgrade",    "host",       "content-length",    "expect", "http2-settings"};
  return names.contains(lower(name)) || lower(name).starts_with("proxy-");
}

// What a stream of Docker's is named: raw bytes, or BuildKit's own protocol.
std::string_view upgrade_of(const http::RequestHead& head) {
  return lower(head.headers.find("upgrade").value_or("")) == "h2c" ? "h2c" : "tcp";
}

}  // namespace

void Session::serve() {
  if (const Result<void> head = read_head(); !head) return refuse(head.error());
  const Result<Ruling> ruling = rule_of(request_.head.method, request_.head.path);
  if (!ruling) return refuse(ruling.error());
  Result<PassedCall> passed = check(*ruling);
  if (!passed) return refuse(passed.error());
  if (passed->answer) return answer(200, *passed->answer);
  if (const Result<void> done = pass_on(std::move(*passed)); !done) refuse(done.error());
}

Result<PassedCall> Session::check(const Ruling& ruling) {
  if (ruling.needs_buildx && !shared_.config.buildx) {
    return refused(
        "BuildKit's own protocol is for machines whose docker client has buildx; this one builds with "
        "DOCKER_BUILDKIT=1");
  }
  Result<Query> query = parse_query(request_.head.query);
  if (!query) return query.error();
  return CallCheck(shared_, stop_, [this] { return read_body(max_checked_body_bytes); })
      .check(ruling, std::move(*query));
}

Result<std::string> Session::receive() {
  std::string bytes(receive_bytes, '\0');
  const ssize_t got = ::recv(client_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got <= 0) return make_error(errc::unavailable, "the client is gone", 400);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

Result<void> Session::read_head() {
  const auto until = SteadyClock::now() + head_limit;
  std::size_t end = std::string::npos;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (input_.size() > max_head_bytes) return make_error(errc::too_large, "the request's head is too long", 431);
    if (const Result<void> ready = wait_readable(client_, stop_, until); !ready) return ready.error();
    const Result<std::string> bytes = receive();
    if (!bytes) return bytes.error();
    input_ += *bytes;
  }
  return take_head(end);
}

Result<void> Session::take_head(std::size_t end) {
  if (const auto refusal = http::parse_request_head(input_.substr(0, end + 4), request_)) {
    return make_error(errc::invalid, refusal->text, refusal->status);
  }
  input_.erase(0, end + 4);
  // Docker would read such a body as if it stood in the query.
  const std::string type = lower(request_.head.headers.find("content-type").value_or(""));
  if (type.find("form") != std::string::npos) return refused("Docker's calls have no forms");
  if (request_.expect_continue) return send(client_, "HTTP/1.1 100 Continue\r\n\r\n");
  return ok();
}

RequestBody Session::body_frame() const {
  if (request_.chunked) return RequestBody::chunked();
  return RequestBody::sized(request_.head.content_length.value_or(0));
}

Result<std::string> Session::read_body(std::size_t max_bytes) {
  RequestBody frame = body_frame();
  const auto until = SteadyClock::now() + head_limit;
  std::string body;
  while (true) {
    const Result<std::string> content = frame.content(input_);
    if (!content) return content.error();
    body += *content;
    if (body.size() > max_bytes) {
      return make_error(errc::too_large, fmt::format("the body is longer than {} bytes", max_bytes), 413);
    }
    if (frame.whole()) return body;
    if (const Result<void> ready = wait_readable(client_, stop_, until); !ready) return ready.error();
    const Result<std::string> next = receive();
    if (!next) return next.error();
    input_ += *next;
  }
}

std::string Session::head_for(const PassedCall& passed) const {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: docker\r\n", request_.head.method, passed.target);
  for (const auto& [name, value] : request_.head.headers) {
    if (!is_hop_header(name)) head += fmt::format("{}: {}\r\n", name, value);
  }
  if (passed.upgrades) {
    head += fmt::format("Connection: Upgrade\r\nUpgrade: {}\r\n", upgrade_of(request_.head));
  } else {
    head += "Connection: close\r\n";
  }
  if (passed.body) {
    head += fmt::format("Content-Length: {}\r\n", passed.body->size());
  } else if (passed.takes_body && request_.chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (request_.head.method != "GET" && request_.head.method != "HEAD") {
    head += fmt::format("Content-Length: {}\r\n", passed.takes_body ? request_.head.content_length.value_or(0) : 0);
  }
  return head + "\r\n";
}

Result<void> Session::pass_on(PassedCall passed) {
  const Result<FileDescriptor> engine = connect_unix(shared_.config.engine_socket);
  if (!engine) return engine.error();
  // Small, and wholly there before the engine becomes the other end of a stream.
  if (passed.upgrades && passed.takes_body && !passed.body) {
    Result<std::string> body = read_body(max_start_body_bytes);
    if (!body) return body.error();
    passed.body = std::move(*body);
  }
  if (const Result<void> done = send(engine->get(), head_for(passed) + passed.body.value_or("")); !done) return done;
  if (passed.upgrades) return pass_upgrade(*engine);
  const bool more = passed.takes_body && !passed.body;
  const bool done = relay_exchange(client_, engine->get(), stop_, more ? body_frame() : RequestBody::none(),
                                   more ? std::exchange(input_, {}) : std::string());
  if (done && passed.giving != nullptr) passed.giving->done();
  return ok();
}

// Until the engine has agreed, the client gets no further: what it sent would be another request.
Result<void> Session::pass_upgrade(const FileDescriptor& engine) {
  const auto until = SteadyClock::now() + head_limit;
  std::string answer;
  std::size_t end = std::string::npos;
  while ((end = answer.find("\r\n\r\n")) == std::string::npos && answer.size() <= max_head_bytes) {
    if (const Result<void> ready = wait_readable(engine.get(), stop_, until); !ready) return ready.error();
    std::array<char, 4096> bytes{};
    const ssize_t got = ::recv(engine.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got <= 0) break;
    answer.append(bytes.data(), static_cast<std::size_t>(got));
  }
  if (end != std::string::npos && answer.starts_with("HTTP/1.1 101")) {
    relay_stream(client_, engine.get(), stop_, std::move(answer), std::exchange(input_, {}));
    return ok();
  }
  ::shutdown(engine.get(), SHUT_WR);
  if (const Result<void> sent = send(client_, answer); !sent) return ok();
  relay_exchange(client_, engine.get(), stop_, RequestBody::none(), {});
  return ok();
}

Result<void> Session::send(int to, std::string_view bytes) const {
  return send_all(to, bytes, stop_, SteadyClock::now() + head_limit);
}

void Session::refuse(const Error& error) {
  answer(error.status, json::serialize(json::object{{"message", "kaapi: " + error.message}}));
}

void Session::answer(int status, std::string_view json_text) {
  const std::string whole = fmt::format(
      "HTTP/1.1 {} Kaapi\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      status, json_text.size(), json_text);
  if (send(client_, whole)) ::shutdown(client_, SHUT_WR);
}

}  // namespace kaapi::actions::docker
