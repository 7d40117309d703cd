#include "daemon/platform.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <optional>
#include <thread>

#include "audit/log.h"
#include "audit/operations.h"
#include "aws/dispatch.h"
#include "aws/front_door.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/addresses.h"
#include "daemon/data_directory.h"
#include "daemon/deployment_watch.h"
#include "daemon/housekeeper.h"
#include "daemon/identity_rooms.h"
#include "daemon/images.h"
#include "daemon/metrics.h"
#include "daemon/output.h"
#include "daemon/pipeline_rooms.h"
#include "daemon/scheduler_thread.h"
#include "daemon/task_credentials.h"
#include "daemon/thread_executor.h"
#include "ecs/definition.h"
#include "ecs/facts.h"
#include "ecs/operations.h"
#include "http/listener.h"
#include "http/server.h"
#include "logs/facts.h"
#include "logs/janitor.h"
#include "logs/operations.h"
#include "registry/facts.h"
#include "registry/http_api.h"
#include "registry/operations.h"

namespace kaapi::daemon {
namespace {

constexpr Duration aws_settle{40'000};
constexpr std::int64_t cpu_units_per_cpu = 1024;
constexpr std::int64_t bytes_per_mib = 1024 * 1024;
constexpr std::size_t min_audit_files = 2;

// What was opened before anything is wired.
struct Opened {
  DataDirectory directory;
  identity::Account account;
  std::uint16_t port;
  std::unique_ptr<store::Database> control;
  std::unique_ptr<store::Database> logs;
  std::unique_ptr<store::Database> registry;
  IdentityStore identity;
  std::unique_ptr<PipelineRooms> pipeline;
  registry::TokenIssuer tokens;
};

ecs::OperationsConfig machine() {
  const std::int64_t memory_bytes =
      static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::int64_t>(::sysconf(_SC_PAGE_SIZE));
  ecs::OperationsConfig config;
  config.cpu_units = static_cast<std::int64_t>(std::thread::hardware_concurrency()) * cpu_units_per_cpu;
  config.memory_mib = std::max<std::int64_t>(memory_bytes, 0) / bytes_per_mib;
  return config;
}

http::ServerConfig server_config(const PlatformConfig& config, std::uint16_t port) {
  http::ServerConfig server;
  server.address = config.listen_address;
  server.port = port;
  server.max_stream_threads = actions::runs::min_stream_threads;
  return server;
}

ImagesConfig images_config(const identity::Account& account, const Addresses& addresses) {
  return {account.account_id, account.root_arn(), addresses.own_hosts, addresses.pull_host};
}

registry::Config registry_config(const PlatformConfig& config, const Opened& opened, const Addresses& addresses) {
  registry::Config registry;
  registry.data_dir = opened.directory.file("registry");
  registry.account_id = opened.account.account_id;
  registry.default_region = opened.account.region;
  registry.host = addresses.registry_host;
  registry.auth = config.auth;
  return registry;
}

Result<std::uint16_t> choose_port(const PlatformConfig& config) {
  if (config.listen_port != 0) return config.listen_port;
  // The registry's name holds the port, so it must be known before anybody listens.
  const Result<http::Listener> probe = http::listen_on(config.listen_address, 0);
  if (!probe) return probe.error();
  ::close(probe->fd);
  return probe->port;
}

Result<void> check(const PlatformConfig& config) {
  if (config.auth || is_loopback(config.listen_address)) return ok();
  return make_error(errc::invalid,
                    fmt::format("--auth off lets everybody in, so it goes with a loopback address only, not {}; listen "
                                "on 127.0.0.1, or leave auth on",
                                config.listen_address));
}

}  // namespace

// Every room, in the order in which one needs the other: they end in the opposite order.
struct Platform::Rooms {
  Rooms(PlatformConfig given, Opened opened, Addresses names, containers::Engine& the_engine);
  // What can fail though its files are open.
  Result<void> open(IdentityStore identity_store, const registry::Config& for_registry);
  void wire();
  void add_operations();
  void add_routes();
  http::Response metrics() const;

  PlatformConfig config;
  Addresses addresses;
  containers::Engine& engine;
  SystemClock clock;
  SecureIds ids;
  Time started_at = clock.now();

  DataDirectory directory;
  identity::Account account;
  std::uint16_t port;
  std::unique_ptr<store::Database> control_database;
  std::unique_ptr<store::Database> logs_database;
  std::unique_ptr<store::Database> registry_database;

  logs::LogStore log_store;
  logs::Janitor janitor;
  logs::Collector collector;
  CollectedOutput output;

  registry::TokenIssuer tokens;
  std::unique_ptr<registry::Registry> registry;

  // The driver's work in flight asks them to the end.
  std::unique_ptr<IdentityRooms> identity;
  std::optional<identity::TaskCredentials> task_credentials;
  std::optional<TaskCredentialsDoor> task_door;

  // After the registry has been opened.
  std::optional<RegistryImages> images;
  std::optional<ecs::TaskDriver> driver;
  ThreadExecutor executor;
  std::optional<ecs::Scheduler> scheduler;
  std::optional<SchedulerThread> scheduler_thread;
  std::optional<ecs::Operations> operations;
  std::optional<Housekeeper> housekeeper;

  std::unique_ptr<audit::Log> audit;
  Deployments deployments;
  std::unique_ptr<PipelineRooms> pipeline;
  ecs::ResourceFacts ecs_facts;
  logs::LogGroupFacts log_facts;
  std::optional<registry::RepositoryFacts> registry_facts;
  aws::Dispatcher dispatcher;
  std::optional<aws::FrontDoor> front_door;
  std::optional<registry::HttpApi> registry_api;
  http::Server server;
  std::unique_ptr<containers::Subscription> events;
  bool running = false;
};

Platform::Rooms::Rooms(PlatformConfig given, Opened opened, Addresses names, containers::Engine& the_engine)
    : config(std::move(given)),
      addresses(std::move(names)),
      engine(the_engine),
      directory(std::move(opened.directory)),
      account(std::move(opened.account)),
      port(opened.port),
      control_database(std::move(opened.control)),
      logs_database(std::move(opened.logs)),
      registry_database(std::move(opened.registry)),
      log_store(*logs_database),
      janitor(log_store, clock),
      collector(engine, log_store, clock),
      output(collector),
      tokens(std::move(opened.tokens)),
      deployments(*control_database, clock),
      pipeline(std::move(opened.pipeline)),
      ecs_facts(*control_database, account.account_id),
      log_facts(log_store, account.account_id),
      server(server_config(config, port)) {}

Result<void> Platform::Rooms::open(IdentityStore identity_store, const registry::Config& for_registry) {
  Result<std::unique_ptr<registry::Registry>> made =
      registry::Registry::open(for_registry, *registry_database, clock, ids);
  if (!made) return made.error();
  registry = std::move(*made);
  Result<std::unique_ptr<IdentityRooms>> rooms =
      IdentityRooms::open(std::move(identity_store), account, clock, ids, config.oidc_ca_file);
  if (!rooms) return rooms.error();
  identity = std::move(*rooms);
  audit::LogConfig audit_config;
  audit_config.folder = directory.file("audit");
  audit_config.account_id = account.account_id;
  audit_config.max_files =
      std::max<std::size_t>(config.audit_max_mib * bytes_per_mib / audit_config.max_file_bytes, min_audit_files);
  Result<std::unique_ptr<audit::Log>> log = audit::Log::open(std::move(audit_config), clock, ids);
  if (!log) return log.error();
  audit = std::move(*log);
  return ok();
}

void Platform::Rooms::wire() {
  images.emplace(*registry, tokens, engine, clock, images_config(account, addresses));
  const std::string& instance = directory.instance();
  task_credentials.emplace(*identity->directory, *identity->sessions, clock);
  TaskCredentialsConfig door;
  door.instance = instance;
  door.account_id = account.account_id;
  door.max_body_bytes = max_api_body_bytes;
  task_door.emplace(
      engine, *task_credentials, [this](const http::Request& request) { return (*front_door)(request); }, door);
  driver.emplace(engine, *images, output, clock,
                 ecs::DriverConfig{instance, account.account_id, fmt::format("kaapi-{}", instance)}, &*task_door);
  ecs::RolloutTiming timing;
  if (config.aws_timing) timing.settle = aws_settle;
  const auto factory = [this](store::Session& session, const ecs::Service& service, const ecs::Deployment& deployment,
                              Time now) { return ecs::make_service_task(session, service, deployment, ids, now); };
  scheduler.emplace(*control_database, *driver, executor, clock, ids, factory, timing);
  scheduler_thread.emplace(*scheduler);
  scheduler_thread->on_round([this] { deployments.look(); });
  output.on_drained([this](const std::string& source_key) { scheduler->output_drained(source_key); });
  housekeeper.emplace([this] {
    if (const Result<void> done = registry->collect_garbage(); !done) {
      log::warn("daemon", "the registry could not be tidied up and will be tomorrow: {}", done.error().message);
    }
    pipeline->tidy();
  });

  add_operations();
  add_routes();
}

void Platform::Rooms::add_operations() {
  operations.emplace(*control_database, *scheduler, clock, ids, machine());
  operations->add_to(dispatcher);
  logs::add_operations(dispatcher, log_store, clock);
  registry::add_operations(dispatcher, *registry, tokens, check_resource_policy);
  identity->add_operations(dispatcher, directory.path(), config.auth);
  audit::add_operations(dispatcher, *audit);
  pipeline->wire({addresses.endpoint, config.auth, config.pipeline}, account, *identity, dispatcher, audit.get(),
                 deployments);
  registry_facts.emplace(*registry);
  identity->access->facts_of("ecs", ecs_facts);
  identity->access->facts_of("logs", log_facts);
  identity->access->facts_of("ecr", *registry_facts);
  dispatcher.guard(identity->access.get());
}

void Platform::Rooms::add_routes() {
  front_door.emplace(dispatcher, *identity->keys, clock,
                     aws::FrontDoorConfig{config.auth, account.account_id, account.region}, audit.get());
  if (config.auth) {
    registry_api.emplace(*registry, tokens, identity->keys.get(), identity->access.get(), audit.get());
  } else {
    registry_api.emplace(*registry, tokens, nullptr, nullptr, audit.get());
  }
  server.route("/", max_api_body_bytes, [this](const http::Request& request) { return (*front_door)(request); });
  server.route_stream(
      "/v2/", [this](const http::RequestHead& head, http::BodyReader& body) { return (*registry_api)(head, body); });
  pipeline->add_routes(server);
  server.route("/healthz", 0, [this](const http::Request&) { return health(*control_database, config.version); });
  server.route("/metrics", 0, [this](const http::Request&) { return metrics(); });
}

http::Response Platform::Rooms::metrics() const {
  Observed observed;
  observed.version = config.version;
  observed.started_at = started_at;
  observed.http = server.counters();
  observed.slow = executor.load(ecs::Lane::slow);
  observed.quick = executor.load(ecs::Lane::quick);
  observed.aws = front_door->metrics() + audit->metrics();
  return http::Response::text(200, metrics_text(observed), "text/plain; version=0.0.4; charset=utf-8");
}

Platform::Platform(std::unique_ptr<Rooms> rooms) : rooms_(std::move(rooms)) {}

Platform::~Platform() {
  stop();
}

Result<std::unique_ptr<Platform>> Platform::open(PlatformConfig config, containers::Engine& engine) {
  if (const Result<void> checked = check(config); !checked) return checked.error();
  SecureIds ids;
  Result<DataDirectory> directory = DataDirectory::open(config.data_dir, ids);
  if (!directory) return directory.error();
  Result<identity::Account> account = identity::open_account(directory->path(), config.account, ids);
  if (!account) return account.error();
  const Result<std::uint16_t> port = choose_port(config);
  if (!port) return port.error();
  Result<registry::TokenIssuer> tokens = registry::TokenIssuer::open(directory->file("registry-token.key"), ids);
  if (!tokens) return tokens.error();
  // A new database costs a few syncs of the disk: side by side they cost one's time.
  const auto open_database = [&](std::string_view name, store::Migrations migrations) {
    return std::async(std::launch::async,
                      [path = directory->file(name), migrations] { return store::Database::open(path, migrations); });
  };
  auto logs_opening = open_database("logs.db", logs::migrations());
  auto registry_opening = open_database("registry.db", registry::migrations());
  const Addresses names = addresses_of(config.listen_address, *port, config.public_host);
  auto pipeline_opening =
      std::async(std::launch::async, [&] { return PipelineRooms::open(*directory, names.endpoint, config.pipeline); });
  auto identity_opening = std::async(std::launch::async, [&directory] { return IdentityStore::open(*directory); });
  Result<std::unique_ptr<store::Database>> control =
      store::Database::open(directory->file(control_database_name), ecs::migrations());
  Result<std::unique_ptr<store::Database>> logs = logs_opening.get();
  Result<std::unique_ptr<store::Database>> registry = registry_opening.get();
  Result<IdentityStore> identity = identity_opening.get();
  Result<std::unique_ptr<PipelineRooms>> pipeline = pipeline_opening.get();
  for (const auto* opened : {&control, &logs, &registry}) {
    if (!*opened) return opened->error();
  }
  if (!identity) return identity.error();
  if (!pipeline) return pipeline.error();

  Opened opened{std::move(*directory), std::move(*account),  *port,
                std::move(*control),   std::move(*logs),     std::move(*registry),
                std::move(*identity),  std::move(*pipeline), std::move(*tokens)};
  const registry::Config for_registry = registry_config(config, opened, names);
  IdentityStore identity_store = std::move(opened.identity);
  auto rooms = std::make_unique<Rooms>(std::move(config), std::move(opened), names, engine);
  if (const Result<void> made = rooms->open(std::move(identity_store), for_registry); !made) return made.error();
  rooms->wire();
  return std::unique_ptr<Platform>(new Platform(std::move(rooms)));
}

Result<void> Platform::start() {
  Rooms& rooms = *rooms_;
  // Told before anybody is answered: who waited for an answer may ask for the endpoint next.
  if (const Result<void> told = rooms.directory.publish_endpoint(rooms.addresses.endpoint); !told) return told.error();
  if (const Result<void> listening = rooms.server.start(); !listening) return listening.error();
  rooms.running = true;
  if (const Result<void> resumed = rooms.task_door->resume(*rooms.control_database); !resumed) return resumed.error();
  // First the ear, then the look: what happens in between is heard.
  rooms.events = rooms.engine.watch(rooms.driver->our_labels(),
                                    [&rooms](const containers::Event& event) { rooms.scheduler->engine_event(event); });
  rooms.scheduler->begin();
  if (const Result<void> scheduling = rooms.scheduler_thread->start(); !scheduling) return scheduling.error();
  return rooms.pipeline->start();
}

bool Platform::stop() {
  Rooms& rooms = *rooms_;
  if (!std::exchange(rooms.running, false)) return true;
  rooms.pipeline->stop();
  rooms.deployments.stop();
  rooms.server.stop(request_grace);
  rooms.task_door->stop(request_grace);
  rooms.events.reset();
  rooms.scheduler_thread->stop();
  rooms.output.on_drained(nullptr);
  return rooms.executor.stop(engine_call_grace);
}

std::uint16_t Platform::port() const {
  return rooms_->port;
}
const std::string& Platform::endpoint() const {
  return rooms_->addresses.endpoint;
}
const std::string& Platform::registry_host() const {
  return rooms_->addresses.registry_host;
}
const identity::Account& Platform::account() const {
  return rooms_->account;
}
const std::string& Platform::instance() const {
  return rooms_->directory.instance();
}
const std::string& Platform::data_dir() const {
  return rooms_->directory.path();
}

}  // namespace kaapi::daemon
