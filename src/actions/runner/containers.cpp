#include "actions/runner/containers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "actions/runner/step_frame.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions::runner {

using expression::Object;
using expression::Value;

namespace {

// Variables that the docker client reads itself: they go on its command line. They hold no secrets.
constexpr std::array<std::string_view, 11> of_the_client = {"PATH",
                                                            "HOME",
                                                            "DOCKER_CONFIG",
                                                            "DOCKER_HOST",
                                                            "DOCKER_CONTEXT",
                                                            "DOCKER_TLS_VERIFY",
                                                            "DOCKER_TLS_DIR",
                                                            "DOCKER_CERT_PATH",
                                                            "DOCKER_API_VERSION",
                                                            "LD_LIBRARY_PATH",
                                                            "LD_PRELOAD"};

constexpr std::string_view healthy = "health_status: healthy", unhealthy = "health_status: unhealthy";

// Ports are published on this machine alone unless the file says otherwise.
std::string local_port(const std::string& port) {
  const auto colons = std::count(port.begin(), port.end(), ':');
  if (colons == 0) return "127.0.0.1::" + port;
  return colons == 1 ? "127.0.0.1:" + port : port;
}

Result<std::string> text_of(const std::optional<workflow::Text>& text, const expression::Environment& environment) {
  if (!text) return std::string();
  const auto value = text->value.evaluate_text(environment);
  if (!value) return value.error();
  return std::string(trim(*value));
}

Result<std::vector<std::string>> texts_of(const std::vector<workflow::Text>& texts,
                                          const expression::Environment& environment) {
  std::vector<std::string> list;
  for (const workflow::Text& text : texts) {
    const auto value = text.value.evaluate_text(environment);
    if (!value) return value.error();
    if (!trim(*value).empty()) list.emplace_back(trim(*value));
  }
  return list;
}

std::string registry_of(const std::string& image) {
  const std::string first = image.substr(0, image.find('/'));
  const bool host =
      image.find('/') != std::string::npos && (first.find_first_of(".:") != std::string::npos || first == "localhost");
  return host ? first : std::string();
}

// Itself or below it; never in a folder that there is not.
bool lies_in(std::string_view path, std::string_view folder) {
  return !folder.empty() && path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

struct JobContainers::Plan {
  std::string id;  // of a service; empty: the job's container
  std::string image;
  Texts env;
  std::vector<std::string> ports, volumes, options, command;
  std::string entrypoint;
  std::string username, password;
};

void pass_env(const Texts& inner, std::vector<std::string>& argv, Texts& client) {
  for (const auto& [name, value] : inner) {
    argv.emplace_back("-e");
    if (std::find(of_the_client.begin(), of_the_client.end(), name) != of_the_client.end()) {
      argv.push_back(fmt::format("{}={}", name, value));
    } else {
      argv.push_back(name);
      client[name] = value;
    }
  }
}

bool JobContainers::needed(const JobState& job) {
  if (job.job.container || !job.job.services.empty()) return true;
  return std::any_of(job.message.labels.begin(), job.message.labels.end(),
                     [&](const std::string& label) { return job.place.label_images.contains(label); });
}

Result<JobContainers::Plan> JobContainers::plan(const workflow::Container& container,
                                                const expression::Environment& environment) const {
  Plan plan;
  plan.id = container.id;
  const auto image = container.image.value.evaluate_text(environment);
  if (!image) return image.error();
  plan.image = trim(*image);
  if (plan.image.starts_with("docker://")) plan.image.erase(0, 9);
  if (container.env.expression) {
    const auto value = container.env.expression->value.evaluate(environment);
    if (!value) return value.error();
    if (value->is(expression::Kind::object)) {
      for (const auto& [name, member] : value->object().members()) plan.env[name] = expression::to_text(member);
    }
  }
  for (const workflow::Variable& variable : container.env.list) {
    const auto value = variable.value.value.evaluate_text(environment);
    if (!value) return value.error();
    plan.env[variable.name] = *value;
  }
  const auto ports = texts_of(container.ports, environment);
  if (!ports) return ports.error();
  plan.ports = *ports;
  const auto volumes = texts_of(container.volumes, environment);
  if (!volumes) return volumes.error();
  plan.volumes = *volumes;
  for (const auto& [text, into] : {std::pair{&container.options, &plan.options}, {&container.command, &plan.command}}) {
    const auto value = text_of(*text, environment);
    if (!value) return value.error();
    *into = words_of(*value);
  }
  const auto entrypoint = text_of(container.entrypoint, environment);
  if (!entrypoint) return entrypoint.error();
  plan.entrypoint = *entrypoint;
  if (!container.credentials) return plan;
  const auto username = container.credentials->username.value.evaluate_text(environment);
  const auto password = container.credentials->password.value.evaluate_text(environment);
  if (!username) return username.error();
  if (!password) return password.error();
  plan.username = *username;
  plan.password = *password;
  return plan;
}

Result<std::vector<JobContainers::Plan>> JobContainers::plans(StepFrame& frame) const {
  const StepEnvironment environment(job_, frame.scope, frame.env, frame.action);
  std::vector<Plan> plans;
  if (job_.job.services.size() > max_services) {
    return make_error(errc::invalid, fmt::format("a job has at most {} services", max_services));
  }
  for (const workflow::Container& service : job_.job.services) {
    Result<Plan> made = plan(service, environment);
    if (!made) return make_error(errc::invalid, fmt::format("services.{}: {}", service.id, made.error().message));
    if (!made->image.empty()) plans.push_back(std::move(*made));
  }
  if (job_.job.container) {
    Result<Plan> made = plan(*job_.job.container, environment);
    if (!made) return make_error(errc::invalid, "container: " + made.error().message);
    made->id.clear();
    // An expression that yields nothing means: no container of the file's.
    if (!made->image.empty()) {
      plans.push_back(std::move(*made));
      return plans;
    }
  }
  for (const std::string& label : job_.message.labels) {
    const auto image = job_.place.label_images.find(label);
    if (image == job_.place.label_images.end()) continue;
    Plan made;
    made.image = image->second;
    plans.push_back(std::move(made));
    break;
  }
  return plans;
}

Result<std::string> JobContainers::docker(StepFrame& frame, std::vector<std::string> arguments, std::string input,
                                          bool quiet) {
  Launch what;
  what.argv = std::move(arguments);
  what.argv.insert(what.argv.begin(), "docker");
  what.on_host = true;
  what.input = std::move(input);
  std::string out;
  what.on_output = [&out](std::string_view bytes) {
    if (out.size() < max_job_output_bytes) out += bytes;
  };
  StepOutput log(job_, frame);
  std::string errors;
  what.on_error = [&](std::string_view bytes) {
    if (!quiet) log.write(bytes);
    if (errors.size() < 4096) errors += bytes;
  };
  if (!quiet) job_.log.line(fmt::format("##[command]docker {}", what.argv[1]));
  const Result<ProcessEnd> end = launch(job_, frame, what);
  log.finish();
  if (!end) return end.error();
  if (end->how != ProcessEnd::How::exited) return make_error(errc::cancelled, job_.stop.reason());
  if (end->exit_code != 0) {
    return make_error(errc::unavailable, fmt::format("docker {} failed: {}", what.argv[1], trim(errors)));
  }
  return std::string(trim(out));
}

Result<void> JobContainers::ensure_network(StepFrame& frame) {
  if (!network_.empty()) return ok();
  // The runner looks for containers that are left over only where there may be some.
  const FileDescriptor mark(::open((job_.place.folder + "/containers").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const std::string label = fmt::format("{}={}", container_label, job_.message.job_id);
  // Jobs of two platforms on one machine may have the same number, and networks of Docker the same name.
  const std::string network = fmt::format("kaapi-job-{}-{}", job_.message.job_id, ::getpid());
  const auto made = docker(frame, {"network", "create", "--label", label, network});
  if (!made) return made.error();
  network_ = network;
  open_relay(frame);
  return ok();
}

void JobContainers::open_relay(StepFrame& frame) {
  const Result<ServerAddress> platform = parse_server_address(job_.place.server_url);
  if (!platform || !platform->loopback) return;
  const auto networks = docker(
      frame,
      {"network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}{{println}}{{end}}", network_},
      "", true);
  const std::vector<std::string> words =
      networks ? words_of(networks->substr(0, networks->find('\n'))) : std::vector<std::string>();
  Result<std::unique_ptr<PlatformRelay>> relay =
      make_error(errc::unavailable, "Docker tells no gateway of their network");
  if (words.size() == 2) relay = PlatformRelay::open(words[0], words[1], *platform);
  if (!relay) {
    return job_.log.warning(fmt::format("containers of this job do not reach the platform: {}", relay.error().message));
  }
  relay_ = std::move(*relay);
}

Result<void> JobContainers::start(StepFrame& frame) {
  const Result<std::vector<Plan>> all = plans(frame);
  if (!all) return all.error();
  if (all->empty()) return ok();
  if (const Result<void> made = ensure_network(frame); !made) return made.error();
  for (const Plan& plan : *all) {
    if (const Result<void> started = start_one(frame, plan); !started) return started.error();
  }
  for (const Plan& plan : *all) {
    if (plan.id.empty()) continue;
    if (const Result<void> well = wait_healthy(frame, plan, services_.at(plan.id)); !well) return well.error();
    note_ports(frame, plan, services_.at(plan.id));
  }
  return ok();
}

Result<void> JobContainers::log_in(StepFrame& frame, const Plan& plan) {
  if (plan.username.empty()) return ok();
  add_mask(job_, plan.password);
  std::vector<std::string> arguments = {"login", "--username", plan.username, "--password-stdin"};
  if (const std::string registry = registry_of(plan.image); !registry.empty()) arguments.push_back(registry);
  const auto done = docker(frame, std::move(arguments), plan.password);
  if (!done) return done.error();
  return ok();
}

// What a registry has of that name now, as GitHub does; what it cannot give may be on the machine all the same.
Result<void> JobContainers::pull(StepFrame& frame, const Plan& plan) {
  if (registry_of(plan.image).empty()) return ok();
  const auto pulled = docker(frame, {"pull", "--quiet", plan.image});
  if (pulled || job_.cancelled()) return ok();
  const auto here = docker(frame, {"image", "inspect", "--format", "{{.Id}}", plan.image}, "", true);
  if (!here) return pulled.error();
  job_.log.warning(fmt::format("{}: what is on this machine is taken", pulled.error().message));
  return ok();
}

Result<void> JobContainers::start_one(StepFrame& frame, const Plan& plan) {
  const bool steps = plan.id.empty();
  if (const Result<void> known = log_in(frame, plan); !known) return known.error();
  if (const Result<void> there = pull(frame, plan); !there) return there.error();
  std::vector<std::string> create = {"create", "--label", fmt::format("{}={}", container_label, job_.message.job_id),
                                     "--network", network_};
  const auto add = [&create](std::initializer_list<std::string> words) {
    create.insert(create.end(), words.begin(), words.end());
  };
  if (!steps) add({"--network-alias", plan.id});
  for (const std::string& port : plan.ports) add({"-p", local_port(port)});
  for (const std::string& volume : plan.volumes) add({"-v", volume});
  if (steps) {
    add({"--workdir", inside(job_.paths.workspace), "-v", job_.paths.work + ":/__w", "-v",
         job_.paths.home + ":/github/home", "-v", job_.paths.workflow + ":/github/workflow"});
    if (!job_.place.action_folder.empty()) add({"-v", job_.place.action_folder + ":/__a:ro"});
    add({"-v", "/var/run/docker.sock:/var/run/docker.sock", "--entrypoint", "tail"});
  } else if (!plan.entrypoint.empty()) {
    add({"--entrypoint", plan.entrypoint});
  }
  create.insert(create.end(), plan.options.begin(), plan.options.end());
  Launch what;
  pass_env(plan.env, create, what.env);
  create.push_back(plan.image);
  if (steps) {
    add({"-f", "/dev/null"});
  } else {
    create.insert(create.end(), plan.command.begin(), plan.command.end());
  }
  StepFrame own{frame.scope, nullptr, frame.action};
  own.since = frame.since;
  own.env = what.env;
  const auto id = docker(own, std::move(create));
  if (!id) return make_error(errc::unavailable, fmt::format("{}: {}", plan.image, id.error().message));
  const std::string container = id->substr(id->rfind('\n') + 1);
  (steps ? started_ : services_[plan.id]) = container;
  job_.log.line(fmt::format("{} runs {}", steps ? std::string("The job") : "Service " + plan.id, plan.image));
  if (const auto started = docker(frame, {"start", container}); !started) return started.error();
  if (!steps) return ok();
  const auto env =
      docker(frame, {"inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", container}, "", true);
  if (!env) return env.error();
  container_path_ = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string& line : split(*env, '\n')) {
    if (line.starts_with("PATH=")) container_path_ = line.substr(5);
  }
  container_ = container;
  return ok();
}

Result<void> JobContainers::wait_healthy(StepFrame& frame, const Plan& plan, const std::string& container) {
  const auto health = docker(
      frame, {"inspect", "--format", "{{if .Config.Healthcheck}}{{json .Config.Healthcheck.Test}}{{end}}", container},
      "", true);
  if (!health) return health.error();
  if (health->empty() || *health == "null" || *health == "[\"NONE\"]") return ok();
  job_.log.line(fmt::format("Waiting until service {} is healthy", plan.id));
  // From the container's beginning on, so that nothing is missed; docker ends when the answer is there. The probes' own
  // events ("exec_die") are among them, so whole lines count.
  Launch what;
  what.argv = {"docker", "events", "--since", "1h", "--filter", "container=" + container, "--format", "{{.Action}}"};
  what.on_host = true;
  std::string seen = "\n";
  what.on_output = [&seen](std::string_view bytes) { seen += bytes; };
  const auto has = [&seen](std::string_view line) {
    return seen.find(fmt::format("\n{}\n", line)) != std::string::npos;
  };
  what.enough = [&has] { return has(healthy) || has(unhealthy) || has("die"); };
  StepFrame own{frame.scope, nullptr, frame.action};
  own.since = frame.since;
  own.env = frame.env;
  own.ends_by = std::chrono::steady_clock::now() + container_wait;
  const Result<ProcessEnd> end = launch(job_, own, what);
  if (!end) return end.error();
  if (end->how == ProcessEnd::How::stopped) return make_error(errc::cancelled, job_.stop.reason());
  if (has(healthy)) return ok();
  const auto logs = docker(frame, {"logs", "--tail", "50", container});
  if (logs) job_.log.line(*logs);
  const char* why = has("die")       ? "its container ended"
                    : has(unhealthy) ? "it is unhealthy"
                                     : "it is not healthy in time";
  return make_error(errc::unavailable, fmt::format("service {}: {}; its last output is above", plan.id, why));
}

void JobContainers::note_ports(StepFrame& frame, const Plan& plan, const std::string& container) {
  Texts& ports = ports_[plan.id];
  if (plan.ports.empty()) return;
  const auto listed = docker(frame, {"port", container}, "", true);
  if (!listed) return;
  // "5432/tcp -> 127.0.0.1:49153"
  for (const std::string& line : split(*listed, '\n')) {
    const std::size_t arrow = line.find(" -> ");
    const std::size_t colon = line.rfind(':');
    if (arrow == std::string::npos || colon == std::string::npos) continue;
    ports[line.substr(0, line.find('/'))] = line.substr(colon + 1);
  }
}

void JobContainers::stop(StepFrame& frame) {
  const auto remove = [&](std::vector<std::string> arguments) {
    if (const auto removed = docker(frame, std::move(arguments)); !removed) job_.log.warning(removed.error().message);
  };
  std::vector<std::string> containers = {"rm", "--force", "--volumes"};
  if (!started_.empty()) containers.push_back(started_);
  for (const auto& [id, container] : services_) containers.push_back(container);
  if (containers.size() > 3) remove(std::move(containers));
  relay_.reset();
  remove({"network", "rm", network_});
  for (const std::string& image : images_) remove({"rmi", image});
}

std::string JobContainers::to_network(std::string_view text) const {
  return relay_ == nullptr ? std::string(text) : relay_->translate(text);
}

void JobContainers::for_network(Texts& env) const {
  if (relay_ == nullptr) return;
  for (auto& [name, value] : env) {
    const bool no_proxy = name == "no_proxy" || name == "NO_PROXY";
    value = no_proxy ? fmt::format("{},{}", value, relay_->host()) : relay_->translate(value);
  }
  // The remotes of checkouts have the platform's address as this machine knows it.
  const auto given = env.find("GIT_CONFIG_COUNT");
  const std::int64_t count = given == env.end() ? 0 : parse_number(given->second).value_or(0);
  env[fmt::format("GIT_CONFIG_KEY_{}", count)] = fmt::format("url.{}/.insteadOf", relay_->url());
  env[fmt::format("GIT_CONFIG_VALUE_{}", count)] = job_.place.server_url + "/";
  env["GIT_CONFIG_COUNT"] = fmt::format("{}", count + 1);
}

std::string JobContainers::to_inside(std::string_view text) const {
  return steps_inside() ? inside(to_network(text)) : std::string(text);
}

struct JobContainers::Mount {
  std::string_view host, in_container;
};

// The first that fits counts: the home lies below the work folder.
std::array<JobContainers::Mount, 4> JobContainers::mounts() const {
  return {{{job_.paths.home, "/github/home"},
           {job_.paths.workflow, "/github/workflow"},
           {job_.paths.work, "/__w"},
           {job_.place.action_folder, "/__a"}}};
}

std::string JobContainers::inside(std::string_view path) const {
  for (const Mount& mount : mounts()) {
    if (lies_in(path, mount.host)) return fmt::format("{}{}", mount.in_container, path.substr(mount.host.size()));
  }
  return std::string(path);
}

Result<std::string> JobContainers::to_host(std::string_view path) const {
  if (!steps_inside()) return std::string(path);
  for (const Mount& mount : mounts()) {
    if (lies_in(path, mount.host)) return std::string(path);
    if (!mount.host.empty() && lies_in(path, mount.in_container)) {
      return fmt::format("{}{}", mount.host, path.substr(mount.in_container.size()));
    }
  }
  return make_error(errc::invalid,
                    fmt::format("'{}' is in the job's container alone. This action runs beside it and sees what is "
                                "below /__w (the workspace is {}), /github/home and /github/workflow: copy it there",
                                path, inside(job_.paths.workspace)));
}

Object JobContainers::context() const {
  Object context;
  if (steps_inside() || !services_.empty()) {
    Object container;
    if (steps_inside()) container.set("id", container_);
    container.set("network", network_);
    context.set("container", Value(std::move(container)));
  }
  Object services;
  for (const auto& [id, container] : services_) {
    Object service;
    service.set("id", container);
    service.set("network", network_);
    const auto ports = ports_.find(id);
    service.set("ports", object_of(ports == ports_.end() ? Texts() : ports->second, Object::Case::insensitive));
    services.set(id, Value(std::move(service)));
  }
  if (steps_inside() || !services_.empty()) context.set("services", Value(std::move(services)));
  return context;
}

ContainerExec JobContainers::exec(const std::vector<std::string>& argv, const std::string& directory, Texts env,
                                  const std::string& own_path) const {
  ContainerExec made;
  Texts client;
  for (const char* name : {"PATH", "HOME", "DOCKER_CONFIG", "DOCKER_HOST"}) {
    if (const auto found = env.find(name); found != env.end()) client[name] = found->second;
  }
  std::string path = to_inside(job_.paths.bin);
  for (const std::string& folder : job_.added_paths) path.append(":").append(to_inside(folder));
  for_network(env);
  for (auto& [name, value] : env) value = inside(value);
  env["PATH"] = path + ":" + (own_path.empty() ? container_path_ : own_path);
  env.erase("DOCKER_HOST");
  made.argv = {find_program("docker", client["PATH"], "/"), "exec", "-i", "--workdir", to_inside(directory)};
  pass_env(env, made.argv, client);
  made.argv.push_back(container_);
  made.argv.insert(made.argv.end(), argv.begin(), argv.end());
  for (const auto& [name, value] : client) made.env.push_back(fmt::format("{}={}", name, value));
  return made;
}

}  // namespace kaapi::actions::runner
