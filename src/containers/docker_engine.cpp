#include "containers/docker_engine.h"

#include <fmt/format.h>

#include <thread>

#include "base/text.h"
#include "containers/docker_api.h"
#include "containers/docker_events.h"
#include "containers/docker_json.h"
#include "containers/docker_networks.h"
#include "containers/docker_output.h"

namespace kaapi::containers {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t max_exec_output_bytes = 4 * 1024;
// A name is taken before its container can be seen, and until a removal has ended: creating may have to try again.
constexpr milliseconds first_create_retry{2};
constexpr milliseconds longest_create_retry{100};
// After its output has ended, a command's exit code may take a moment.
constexpr milliseconds exit_code_poll{2};
constexpr milliseconds exit_code_call_timeout{2'000};

std::string container_path(const std::string& container, std::string_view rest) {
  return "/containers/" + percent_encode(container) + std::string(rest);
}

std::string string_list(const std::vector<std::string>& words) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_array();
  for (const std::string& word : words) {
    writer.value(word);
  }
  writer.end_array();
  return text;
}

void append_limited(std::string& to, std::string_view bytes, std::size_t limit) {
  to.append(bytes.substr(0, limit - std::min(limit, to.size())));
}

}  // namespace

class DockerEngine::Impl {
 public:
  explicit Impl(DockerConfig config) : api(std::make_shared<DockerApi>(std::move(config))) {}

  const DockerConfig& config() const { return api->config(); }
  Result<std::string> find_by_name(const ContainerSpec& spec, const Error& conflict);
  Result<void> wait_removed(const std::string& container);
  struct ImageOutcome {
    int status = 0;
    std::string failure;  // the engine's words; empty: it worked
  };
  Result<ImageOutcome> make_image(const http::ClientRequest& request, milliseconds timeout, const std::string& what);

  std::shared_ptr<DockerApi> api;
  std::mutex networks;  // one ensure_network() at a time
};

DockerEngine::DockerEngine(DockerConfig config) : impl_(std::make_unique<Impl>(std::move(config))) {}
DockerEngine::~DockerEngine() = default;

Result<EngineInfo> DockerEngine::info() {
  const Result<DockerApi::Version> version = impl_->api->version();
  if (!version) {
    return version.error();
  }
  return EngineInfo{version->engine, version->api};
}

Result<void> DockerEngine::ping() {
  return impl_->api->ping();
}

// Both ways of POST /images/create. It answers with its progress, one JSON object per line; a failure after the first
// byte comes inside, under status 200.
Result<DockerEngine::Impl::ImageOutcome> DockerEngine::Impl::make_image(const http::ClientRequest& request,
                                                                        milliseconds timeout, const std::string& what) {
  LineSplitter splitter;
  ImageOutcome outcome;
  std::string refusal;
  const auto sink = [&](std::string_view bytes) {
    append_limited(refusal, bytes, max_exec_output_bytes);
    const Result<void> split = splitter.feed(bytes, [&](std::string_view line) {
      if (const auto object = parse_json(line)) {
        outcome.failure = string_member(*object, "error", outcome.failure);
      }
    });
    return split.has_value();
  };
  const auto response = api->send(request, timeout, what, sink);
  if (!response) {
    return response.error();
  }
  outcome.status = response->status;
  if (response->status >= 400) {
    outcome.failure = engine_error(response->status, refusal).message;
  }
  return outcome;
}

Result<Image> DockerEngine::pull(const std::string& reference, const std::optional<RegistryLogin>& login) {
  if (reference.starts_with("sha256:")) {
    return inspect_image(reference);  // an image id is local or nowhere
  }
  if (const auto version = impl_->api->version(); !version) {
    return version.error();
  }
  const PullTarget target = split_reference(reference);
  http::ClientRequest request;
  request.method = "POST";
  request.target = impl_->api->versioned("/images/create?fromImage=" + percent_encode(target.name) +
                                         "&tag=" + percent_encode(target.tag_or_digest));
  if (login) {
    request.headers.add("X-Registry-Auth", encode_login(*login, reference));
  }
  const auto made = impl_->make_image(request, impl_->config().pull_timeout, "pull " + reference);
  if (!made) {
    return made.error();
  }
  if (!made->failure.empty()) {
    return pull_error(made->failure, made->status);
  }
  return inspect_image(reference);
}

Result<Image> DockerEngine::import_image(const std::string& reference, std::string archive,
                                         const std::vector<std::string>& entry_point) {
  if (const auto version = impl_->api->version(); !version) {
    return version.error();
  }
  const PullTarget target = split_reference(reference);
  http::ClientRequest request;
  request.method = "POST";
  request.target = impl_->api->versioned("/images/create?fromSrc=-&repo=" + percent_encode(target.name) +
                                         "&tag=" + percent_encode(target.tag_or_digest) +
                                         "&changes=" + percent_encode("ENTRYPOINT " + string_list(entry_point)));
  request.headers.add("Content-Type", "application/x-tar");
  request.body = std::move(archive);
  const auto made = impl_->make_image(request, impl_->config().slow_call_timeout, "import " + reference);
  if (!made) {
    return made.error();
  }
  if (!made->failure.empty()) {
    return engine_error(made->status, made->failure);
  }
  return inspect_image(reference);
}

Result<Image> DockerEngine::inspect_image(const std::string& reference) {
  const auto inspected = impl_->api->call_json("GET", "/images/" + percent_encode(reference, true) + "/json", {},
                                               impl_->config().call_timeout, "inspect image " + reference);
  if (!inspected) {
    return inspected.error();
  }
  return parse_image(*inspected);
}

// The container that has the wanted name, when it is the one that an earlier create() of this spec made.
Result<std::string> DockerEngine::Impl::find_by_name(const ContainerSpec& spec, const Error& conflict) {
  const auto inspected = api->call_json("GET", container_path(spec.name, "/json"), {}, config().call_timeout,
                                        "inspect container " + spec.name);
  if (!inspected) {
    return inspected.error();
  }
  const Container found = parse_container(*inspected);
  if (found.name != spec.name || !carries_labels(found.labels, spec.labels)) {
    return conflict;
  }
  if (found.status == ContainerStatus::removing || found.status == ContainerStatus::dead) {
    if (const auto removed = wait_removed(found.id); !removed) {
      return removed.error();
    }
    return make_error(errc::not_found, "the container was being removed");
  }
  return found.id;
}

Result<std::string> DockerEngine::create(const ContainerSpec& spec) {
  const std::string body = create_body(spec);
  const std::string path = "/containers/create?name=" + percent_encode(spec.name);
  const auto deadline = std::chrono::steady_clock::now() + impl_->config().call_timeout;
  for (milliseconds wait = first_create_retry;; wait = std::min(2 * wait, longest_create_retry)) {
    const auto created =
        impl_->api->call_json("POST", path, body, impl_->config().slow_call_timeout, "create container " + spec.name);
    if (created) {
      return string_member(*created, "Id");
    }
    if (created.error().code != errc::conflict ||
        created.error().message.find("already in use by container") == std::string::npos) {
      return created.error();
    }
    Result<std::string> found = impl_->find_by_name(spec, created.error());
    if (found || found.error().code != errc::not_found) {
      return found;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return make_error(errc::timed_out,
                        fmt::format("the Docker Engine has been making or removing another container of the name {} "
                                    "for {} ms",
                                    spec.name, impl_->config().call_timeout.count()),
                        504);
    }
    std::this_thread::sleep_for(wait);
  }
}

Result<void> DockerEngine::start(const std::string& container) {
  const auto started = impl_->api->call("POST", container_path(container, "/start"), {},
                                        impl_->config().slow_call_timeout, "start container " + container);
  return started ? ok() : Result<void>(started.error());
}

Result<void> DockerEngine::signal(const std::string& container, std::string_view signal) {
  std::string name(signal);
  if (name.empty()) {
    const auto inspected = impl_->api->call_json("GET", container_path(container, "/json"), {},
                                                 impl_->config().call_timeout, "inspect container " + container);
    if (!inspected) {
      return inspected.error();
    }
    const json::value* config = find_member(*inspected, "Config");
    name = config == nullptr ? std::string() : string_member(*config, "StopSignal");
    name = name.empty() ? "SIGTERM" : name;
  }
  const auto sent = impl_->api->call("POST", container_path(container, "/kill?signal=" + percent_encode(name)), {},
                                     impl_->config().call_timeout, "send " + name + " to container " + container);
  // 409: it does not run.
  return sent || sent.error().code == errc::conflict ? ok() : Result<void>(sent.error());
}

Result<void> DockerEngine::Impl::wait_removed(const std::string& container) {
  const auto waited = api->call("POST", container_path(container, "/wait?condition=removed"), {},
                                config().slow_call_timeout, "end the removal of container " + container);
  return waited || waited.error().code == errc::not_found ? ok() : Result<void>(waited.error());
}

Result<void> DockerEngine::remove(const std::string& container) {
  const auto removed = impl_->api->call("DELETE", container_path(container, "?force=1&v=1"), {},
                                        impl_->config().slow_call_timeout, "remove container " + container);
  if (removed || removed.error().code == errc::not_found) {
    return ok();
  }
  if (removed.error().code == errc::conflict &&
      removed.error().message.find("already in progress") != std::string::npos) {
    return impl_->wait_removed(container);
  }
  return removed.error();
}

Result<Container> DockerEngine::inspect(const std::string& container) {
  const auto inspected = impl_->api->call_json("GET", container_path(container, "/json"), {},
                                               impl_->config().call_timeout, "inspect container " + container);
  if (!inspected) {
    return inspected.error();
  }
  return parse_container(*inspected);
}

Result<std::vector<Container>> DockerEngine::list(const std::map<std::string, std::string>& labels) {
  const auto listed = impl_->api->call_json("GET", "/containers/json?all=1&filters=" + encode_filters(labels), {},
                                            impl_->config().call_timeout, "list containers");
  if (!listed) {
    return listed.error();
  }
  std::vector<Container> result;
  if (listed->is_array()) {
    for (const json::value& entry : listed->get_array()) {
      result.push_back(parse_list_entry(entry));
    }
  }
  return result;
}

Result<ExecResult> DockerEngine::exec(const std::string& container, const std::vector<std::string>& command,
                                      milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const auto left = [&] {
    return std::max(std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()), milliseconds(1));
  };
  const std::string what = "end the command in container " + container;
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.key("AttachStdout");
  writer.value(true);
  writer.key("AttachStderr");
  writer.value(true);
  writer.key("Cmd");
  writer.raw(string_list(command));
  writer.end_object();
  const auto created = impl_->api->call_json("POST", container_path(container, "/exec"), std::move(body), left(), what);
  if (!created) {
    return created.error();
  }
  const std::string id = string_member(*created, "Id");

  http::ClientRequest request;
  request.method = "POST";
  request.target = impl_->api->versioned("/exec/" + id + "/start");
  request.headers.add("Content-Type", "application/json");
  request.body = R"({"Detach":false,"Tty":false})";
  FrameDecoder frames;
  std::string output;
  std::string refusal;  // the start of the answer as it is, for when it turns out to be an error
  const auto sink = [&](std::string_view bytes) {
    append_limited(refusal, bytes, max_exec_output_bytes);
    const auto decoded = frames.feed(
        bytes, [&](FrameDecoder::Kind, std::string_view text) { append_limited(output, text, max_exec_output_bytes); });
    return decoded.has_value() || refusal.size() < max_exec_output_bytes;
  };
  const auto started = impl_->api->send(request, left(), what, sink);
  if (started && started->status >= 400) {
    return engine_error(started->status, refusal);
  }
  if (!started && started.error().code != errc::timed_out) {
    return started.error();
  }
  // Even after a timeout the command may have ended: a child that it left behind keeps the output open.
  while (true) {
    const auto state = impl_->api->call_json("GET", "/exec/" + id + "/json", {}, exit_code_call_timeout, what);
    if (!state) {
      return state.error();
    }
    if (!bool_member(*state, "Running")) {
      return ExecResult{static_cast<int>(int_member(*state, "ExitCode", -1)), std::move(output)};
    }
    if (!started || std::chrono::steady_clock::now() >= deadline) {
      return make_error(errc::timed_out,
                        fmt::format("the command in container {} did not end within {} ms", container, timeout.count()),
                        504);
    }
    std::this_thread::sleep_for(exit_code_poll);
  }
}

Result<void> DockerEngine::ensure_network(const NetworkSpec& spec) {
  const std::lock_guard lock(impl_->networks);
  return ensure_docker_network(*impl_->api, spec);
}

Result<void> DockerEngine::connect(const std::string& network, const std::string& container) {
  return connect_docker_network(*impl_->api, network, container);
}

Result<void> DockerEngine::remove_network(const std::string& name) {
  const auto removed = impl_->api->call("DELETE", "/networks/" + percent_encode(name), {}, impl_->config().call_timeout,
                                        "remove network " + name);
  return removed ? ok() : Result<void>(removed.error());
}

std::unique_ptr<Subscription> DockerEngine::watch(const std::map<std::string, std::string>& labels,
                                                  std::function<void(const Event&)> on_event) {
  return watch_docker(impl_->api, labels, std::move(on_event));
}

std::unique_ptr<Subscription> DockerEngine::follow_output(const std::string& container, std::int64_t since_nanos,
                                                          std::function<void(OutputLine)> on_line,
                                                          std::function<void(Result<void>)> on_end) {
  return follow_docker(impl_->api, container, since_nanos, std::move(on_line), std::move(on_end));
}

}  // namespace kaapi::containers
