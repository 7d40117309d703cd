#include "containers/docker_under_test.h"

#include <fmt/format.h>

#include <stdexcept>

#include "base/ids.h"
#include "base/json.h"
#include "base/text.h"
#include "containers/tar.h"

namespace kaapi::containers {
namespace {

constexpr const char* busybox_path = "/bin/busybox";
constexpr std::size_t max_busybox_bytes = 16 * 1024 * 1024;
constexpr const char* label = "kaapi.test.run";

// Reads orders from a pipe, so that a test needs no timing. Process 1 gets no signal it does not ask for, hence the
// trap.
constexpr const char* obey = R"(trap 'exit 143' TERM
mkfifo /orders
exec 3<>/orders
: > /ready
while true; do
  if read -r line <&3; then eval "$line"; fi
done)";

std::string busybox_archive() {
  const Result<std::string> busybox = read_file(busybox_path, max_busybox_bytes);
  if (!busybox) {
    throw std::runtime_error(std::string("these tests need /bin/busybox: apt-get install busybox-static: ") +
                             busybox.error().message);
  }
  std::string archive = tar_entry("bin/", TarType::directory, "") + tar_entry("bin/busybox", TarType::file, *busybox);
  for (const char* name : {"sh", "sleep", "mkfifo", "cat", "head", "tr", "nc", "hostname", "ip", "stty", "true"}) {
    archive += tar_entry(std::string("bin/") + name, TarType::symbolic_link, "", "busybox");
  }
  return archive + tar_end();
}

}  // namespace

DockerUnderTest::DockerUnderTest() : config_(DockerConfig::from_environment().value()) {
  engine_ = std::make_unique<DockerEngine>(config_);
  if (const auto info = engine_->info(); !info) {
    throw std::runtime_error("these tests need a running Docker Engine: " + info.error().message);
  }
  http::Endpoint endpoint;
  endpoint.unix_path = config_.socket_path;
  client_ = std::make_unique<http::Client>(endpoint);
  SecureIds ids;
  run_ = ids.hex(12);
  image_ = "kaapi-conformance:" + run_;
  import_image();
}

DockerUnderTest::~DockerUnderTest() {
  if (const auto listed = engine_->list({{label, run_}})) {
    for (const Container& container : *listed) {
      (void)engine_->remove(container.id);
    }
  }
  for (const std::string& name : given_) {
    (void)engine_->remove_network(name);       // most name no network
    call("DELETE", "/images/" + name + ":1");  // and no image
  }
  call("DELETE", "/images/" + image_ + "?force=1");
}

int DockerUnderTest::call(const std::string& method, const std::string& target, std::string body) {
  http::ClientRequest request{method, "/v1.41" + target, {}, std::move(body)};
  if (!request.body.empty()) {
    request.headers.add("Content-Type", request.body.front() == '{' ? "application/json" : "application/x-tar");
  }
  return client_->send(request, patience).value().status;
}

void DockerUnderTest::import_image() {
  if (const auto imported = engine_->import_image(image_, archive(), {}); !imported) {
    throw std::runtime_error("could not import the test image: " + imported.error().message);
  }
}

std::string DockerUnderTest::archive() const {
  return busybox_archive();
}

ContainerSpec DockerUnderTest::obedient() const {
  ContainerSpec spec;
  spec.image = image_;
  spec.command = {"sh", "-c", obey};
  spec.labels[label] = run_;
  return spec;
}

std::string DockerUnderTest::unique(const std::string& name) {
  given_.push_back(fmt::format("kaapi-{}-{}-{}", run_, name, given_.size()));
  return given_.back();
}

void DockerUnderTest::wait_ready(const std::string& container) {
  (void)engine_->exec(container, {"sh", "-c", "until [ -f /ready ]; do sleep 0.01; done"}, patience).value();
}

Result<ExecResult> DockerUnderTest::order(const std::string& container, const std::string& line) {
  wait_ready(container);
  return engine_->exec(container, {"sh", "-c", "echo \"$1\" > /orders", "sh", line}, patience);
}

void DockerUnderTest::say(const std::string& container, OutputStream stream, const std::string& text) {
  const auto sent = order(container, "echo '" + text + "'" + (stream == OutputStream::err ? " >&2" : ""));
  if (sent.value().exit_code != 0) {
    throw std::runtime_error("the container takes no orders: " + sent->output);
  }
}

void DockerUnderTest::end(const std::string& container, int exit_code) {
  // Whatever comes back: the container may be gone, and the command with it, before it can answer.
  (void)order(container, fmt::format("exit {}", exit_code));
}

std::unique_ptr<EngineUnderTest> make_engine_under_test() {
  return std::make_unique<DockerUnderTest>();
}

}  // namespace kaapi::containers
