#include "actions/docker/session.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t receive_bytes = 16UL * 1024;

// Between two hops only (RFC 9110, section 7.6.1), or written anew here.
bool is_hop_header(std::string_view name) {
  static const std::set<std::string, std::less<>> names = {
      "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length", "expect"};
  return names.contains(lower(name)) || lower(name).starts_with("proxy-");
}

// Whether it came before the limit.
Result<void> wait_readable(int fd, int stop, SteadyClock::time_point until) {
  std::array<pollfd, 2> polled = {pollfd{fd, POLLIN, 0}, pollfd{stop, POLLIN, 0}};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now()).count();
  const int ready = left <= 0 ? 0 : ::poll(polled.data(), polled.size(), static_cast<int>(left));
  if (ready <= 0) return make_error(errc::timed_out, "nothing came in time", 408);
  if (polled[1].revents != 0) return make_error(errc::cancelled, "the job is over", 503);
  return ok();
}

}  // namespace

bool Shared::note_image(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (images_.size() >= max_named_images) return false;
  images_.insert(whole_image_name(name));
  return true;
}

bool Shared::knows_image(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return images_.contains(whole_image_name(name));
}

void Session::serve() {
  if (const Result<void> head = read_head(); !head) return refuse(head.error());
  const Result<Ruling> ruling = rule_of(request_.head.method, request_.head.path);
  if (!ruling) return refuse(ruling.error());
  if (ruling->needs_buildx && !shared_.config.buildx) {
    return refuse(
        refused("BuildKit's own protocol is for machines whose docker client has buildx; this one builds "
                "with DOCKER_BUILDKIT=1"));
  }
  const Result<Passed> passed = look(*ruling);
  if (!passed) return refuse(passed.error());
  if (passed->answer) return answer(200, *passed->answer);
  if (const Result<void> done = pass_on(*passed); !done) refuse(done.error());
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
  if (const auto refusal = http::parse_request_head(input_.substr(0, end + 4), request_)) {
    return make_error(errc::invalid, refusal->text, refusal->status);
  }
  input_.erase(0, end + 4);
  // Docker would read such a body as if it stood in the query.
  const std::string type = lower(request_.head.headers.find("content-type").value_or(""));
  if (type.find("form") != std::string::npos) return refused("Docker's calls have no forms");
  if (request_.expect_continue) return send_all(client_, "HTTP/1.1 100 Continue\r\n\r\n");
  return ok();
}

RequestBody Session::body_frame() const {
  if (request_.chunked) return RequestBody::chunked();
  return RequestBody::sized(request_.head.content_length.value_or(0));
}

Result<std::string> Session::read_body() {
  RequestBody frame = body_frame();
  const auto until = SteadyClock::now() + head_limit;
  std::string body;
  std::string bytes = std::exchange(input_, {});
  while (true) {
    const Result<std::string> content = frame.content(bytes);
    if (!content) return content.error();
    body += *content;
    if (body.size() > max_checked_body_bytes) {
      return make_error(errc::too_large, fmt::format("the body is longer than {} bytes", max_checked_body_bytes), 413);
    }
    if (frame.whole()) return body;
    if (const Result<void> ready = wait_readable(client_, stop_, until); !ready) return ready.error();
    Result<std::string> next = receive();
    if (!next) return next.error();
    bytes = std::move(*next);
  }
}

Result<Session::Passed> Session::look(const Ruling& ruling) {
  const Result<Query> query = parse_query(request_.head.query);
  if (!query) return query.error();
  Ruling at = ruling;
  Owned& owned = shared_.owned;
  const auto resolve = [&at](const Result<std::string>& id) {
    if (id) at.reference = *id;
    return id ? ok() : Result<void>(id.error());
  };
  Result<void> own = ok();
  std::optional<std::string> body;
  switch (ruling.rule) {
    case Rule::container:
      own = resolve(owned.container(ruling.reference));
      break;
    case Rule::network:
      own = resolve(owned.network(ruling.reference));
      break;
    case Rule::volume:
      own = resolve(owned.volume(ruling.reference));
      break;
    case Rule::exec:
      if (const Result<std::string> in = owned.exec(ruling.reference); !in) own = in.error();
      break;
    case Rule::make_exec:
      own = resolve(owned.container(ruling.reference));
      break;
    case Rule::network_members:
      own = resolve(owned.network(ruling.reference));
      break;
    case Rule::make_container:
      return look_at_container(ruling);
    default:
      break;
  }
  if (!own) return own.error();
  Result<Passed> passed = look_at_query(at, *query);
  if (!passed) return passed;
  if (ruling.rule == Rule::make_exec || ruling.rule == Rule::make_network || ruling.rule == Rule::make_volume ||
      ruling.rule == Rule::network_members) {
    const Result<std::string> given = read_body();
    if (!given) return given.error();
    Result<std::string> checked = ruling.rule == Rule::make_exec      ? check_exec(*given)
                                  : ruling.rule == Rule::make_network ? check_network(*given, shared_.config.owner)
                                  : ruling.rule == Rule::make_volume  ? check_volume(*given, shared_.config.owner)
                                                                      : check_members(*given);
    if (!checked) return checked.error();
    if (ruling.rule != Rule::make_exec) shared_.made_any = true;
    passed->body = std::move(*checked);
  }
  return passed;
}

// Both in one: the network is the job's, and so must the container be.
Result<std::string> Session::check_members(std::string_view body) {
  Result<MemberWish> wish = check_member(body);
  if (!wish) return wish.error();
  const Result<std::string> id = shared_.owned.container(wish->container);
  if (!id) return id.error();
  wish->body["Container"] = *id;
  return json::serialize(wish->body);
}

Result<Session::Passed> Session::look_at_query(const Ruling& ruling, Query query) {
  const Owner& owner = shared_.config.owner;
  Passed passed;
  passed.takes_body = ruling.takes_body;
  passed.upgrades = ruling.upgrades;
  if (ruling.rule == Rule::list) {
    Result<std::string> filters = with_label_filter(value_of(query, "filters"), owner.label, owner.value);
    if (!filters) return filters.error();
    set_value(query, "filters", std::move(*filters));
  } else if (ruling.rule == Rule::commit) {
    Result<std::string> id = shared_.owned.container(value_of(query, "container"));
    if (!id) return id.error();
    set_value(query, "container", std::move(*id));
  } else if (ruling.rule == Rule::build) {
    if (const Result<void> good = check_build(query); !good) return good.error();
    for (const auto& [name, value] : query) {
      if (name == "t" && !value.empty()) shared_.note_image(value);
    }
  } else if (ruling.rule == Rule::container && is_reserved_name(value_of(query, "name"))) {
    return refused("names with kaapi- are the platform's");
  } else if (ruling.rule == Rule::prune_images) {
    passed.answer = R"({"ImagesDeleted":null,"SpaceReclaimed":0})";
  } else if (ruling.rule == Rule::name_image || ruling.rule == Rule::remove_image) {
    if (const Result<void> good = look_at_image(ruling, query); !good) return good.error();
  }
  const std::string text = to_text(query);
  passed.target = fmt::format("{}{}{}{}{}{}", ruling.version, ruling.before, ruling.reference, ruling.after,
                              text.empty() ? "" : "?", text);
  return passed;
}

Result<void> Session::look_at_image(const Ruling& ruling, const Query& query) {
  if (ruling.rule == Rule::name_image) {
    const bool pull = ruling.reference.empty();
    const std::string_view name = value_of(query, pull && !value_of(query, "fromImage").empty() ? "fromImage" : "repo");
    const std::string_view tag = value_of(query, "tag");
    if (!name.empty()) shared_.note_image(tag.empty() ? std::string(name) : fmt::format("{}:{}", name, tag));
    return ok();
  }
  if (shared_.knows_image(ruling.reference) && value_of(query, "force") != "1" && value_of(query, "force") != "true") {
    return ok();
  }
  return refused(
      fmt::format("images are everybody's on this machine: a job may remove the names that it has given, "
                  "without force, not {}",
                  ruling.reference));
}

Result<Session::Passed> Session::look_at_container(const Ruling& ruling) {
  const Result<Query> query = parse_query(request_.head.query);
  if (!query) return query.error();
  if (is_reserved_name(value_of(*query, "name"))) return refused("names with kaapi- are the platform's");
  const Result<std::string> body = read_body();
  if (!body) return body.error();
  Result<ContainerWish> wish = check_container(*body, shared_.config.owner);
  if (!wish) return wish.error();
  shared_.made_any = true;
  if (Result<void> filled = fill(*wish); !filled) {
    Error error = filled.error();
    // Docker's client would take it for the image that is missing, and pull it.
    if (error.status == 404) error.status = 400;
    return error;
  }
  Result<Passed> passed = look_at_query(ruling, *query);
  if (passed) passed->body = json::serialize(wish->body);
  return passed;
}

Result<std::string> Session::bind_path(const BindWish& bind) {
  // A job that hands on Docker hands on its own.
  if (bind.source == "/var/run/docker.sock" || bind.source == "/run/docker.sock" ||
      bind.source == shared_.config.socket) {
    return shared_.config.socket;
  }
  const Result<bool> same = shares_mounts(shared_.config.engine_socket);
  if (!same) return same.error();
  if (!*same) {
    return make_error(errc::unavailable,
                      "Docker and the runner see different mounts: a container cannot be given the "
                      "job's folders. Run both outside of containers and private namespaces",
                      500);
  }
  return shared_.folders.pin(bind.source, bind.read_only, bind.make_missing);
}

Result<void> Session::fill(ContainerWish& wish) {
  for (const std::string& name : wish.networks) {
    if (const Result<std::string> id = shared_.owned.network(name); !id) return id.error();
  }
  for (std::size_t number = 0; number < wish.containers.size(); ++number) {
    const Result<std::string> id = shared_.owned.container(wish.containers[number]);
    if (!id) return id.error();
    wish.set_container(number, *id);
  }
  for (const std::string& name : wish.volumes) {
    if (const Result<void> made = shared_.owned.ensure_volume(name); !made) return made.error();
  }
  for (std::size_t number = 0; number < wish.binds.size(); ++number) {
    const Result<std::string> path = bind_path(wish.binds[number]);
    if (!path) return path.error();
    wish.set_bind(number, *path);
  }
  return ok();
}

std::string Session::head_for(const Passed& passed) const {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: docker\r\n", request_.head.method, passed.target);
  for (const auto& [name, value] : request_.head.headers) {
    if (!is_hop_header(name)) head += fmt::format("{}: {}\r\n", name, value);
  }
  if (passed.upgrades) {
    head +=
        fmt::format("Connection: Upgrade\r\nUpgrade: {}\r\n", request_.head.headers.find("upgrade").value_or("tcp"));
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

Result<FileDescriptor> Session::connect() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = shared_.config.engine_socket;
  if (path.size() >= sizeof address.sun_path)
    return make_error(errc::invalid, "the engine's socket has too long a path");
  std::memcpy(address.sun_path, path.data(), path.size());
  FileDescriptor engine(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!engine || ::connect(engine.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return make_error(errc::unavailable, fmt::format("cannot connect to Docker at {}: {}", path, std::strerror(errno)),
                      502);
  }
  return engine;
}

Result<void> Session::pass_on(const Passed& passed) {
  Result<FileDescriptor> engine = connect();
  if (!engine) return engine.error();
  Passed sent = passed;
  // Small, and wholly there before the engine becomes the other end of a stream.
  if (passed.upgrades && passed.takes_body && !passed.body) {
    Result<std::string> body = read_body();
    if (!body) return body.error();
    sent.body = std::move(*body);
  }
  const std::string head = head_for(sent) + sent.body.value_or("");
  if (const Result<void> done = send_all(engine->get(), head); !done) return done;
  if (passed.upgrades) return pass_upgrade(*engine);
  const bool more = passed.takes_body && !sent.body;
  relay_exchange(client_, engine->get(), stop_, more ? body_frame() : RequestBody::none(),
                 more ? std::exchange(input_, {}) : std::string());
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
  if (const Result<void> sent = send_all(client_, answer); !sent) return ok();
  relay_exchange(client_, engine.get(), stop_, RequestBody::none(), {});
  return ok();
}

Result<void> Session::send_all(int to, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return make_error(errc::unavailable, fmt::format("Docker: {}", std::strerror(errno)), 502);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return ok();
}

void Session::refuse(const Error& error) {
  answer(error.status, json::serialize(json::object{{"message", "kaapi: " + error.message}}));
}

void Session::answer(int status, std::string_view json_text) {
  const std::string whole = fmt::format(
      "HTTP/1.1 {} Kaapi\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      status, json_text.size(), json_text);
  if (send_all(client_, whole)) ::shutdown(client_, SHUT_WR);
}

}  // namespace kaapi::actions::docker
