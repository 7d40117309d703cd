#include "containers/conformance.h"
#include "containers/pause_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

namespace kaapi::containers {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

// What a subscription brought, for waiting on.
template <class T>
class Collected {
 public:
  void add(T item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_all();
  }
  bool wait(const std::function<bool(const std::vector<T>&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return condition(items_); });
  }
  std::vector<T> all() {
    const std::lock_guard lock(mutex_);
    return items_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> items_;
};

class Conformance : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { under_test_ = make_engine_under_test(); }
  static void TearDownTestSuite() { under_test_.reset(); }

  void TearDown() override {
    for (const std::string& id : created_) {
      const auto removed = engine().remove(id);
      EXPECT_TRUE(removed) << removed.error().message;
    }
  }

  static Engine& engine() { return under_test_->engine(); }
  static EngineUnderTest& under_test() { return *under_test_; }

  ContainerSpec spec(const std::string& name) {
    ContainerSpec result = under_test().obedient();
    result.name = under_test().unique(name);
    result.labels["kaapi.name"] = result.name;
    return result;
  }
  std::string create(const ContainerSpec& wanted) {
    const auto id = engine().create(wanted);
    EXPECT_TRUE(id) << id.error().message;
    created_.push_back(id.value());
    return *id;
  }
  std::string run(const ContainerSpec& wanted) {
    const std::string id = create(wanted);
    const auto started = engine().start(id);
    EXPECT_TRUE(started) << started.error().message;
    under_test().wait_ready(id);
    return id;
  }
  std::unique_ptr<Subscription> watch(const ContainerSpec& wanted, Collected<Event>& events) {
    return engine().watch(wanted.labels, [&](const Event& event) { events.add(event); });
  }
  static bool has(const std::vector<Event>& events, EventKind kind) {
    return std::any_of(events.begin(), events.end(), [&](const Event& event) { return event.kind == kind; });
  }
  void end_and_wait(const std::string& id, int exit_code) {
    Collected<Event> events;
    const auto subscription = engine().watch({{"kaapi.name", engine().inspect(id).value().name}},
                                             [&](const Event& event) { events.add(event); });
    under_test().end(id, exit_code);
    EXPECT_TRUE(events.wait([](const auto& all) { return has(all, EventKind::die); }));
  }

  std::vector<std::string> created_;

 private:
  static std::unique_ptr<EngineUnderTest> under_test_;
};

std::unique_ptr<EngineUnderTest> Conformance::under_test_;

template <class T>
std::string code_of(const Result<T>& result) {
  return result ? "success" : result.error().code;
}

TEST_F(Conformance, TellsItsVersion) {
  const auto info = engine().info();
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_FALSE(info->version.empty());
  EXPECT_TRUE(info->api_version.starts_with("1.")) << info->api_version;
}

TEST_F(Conformance, AnswersAPing) {
  EXPECT_EQ(code_of(engine().ping()), "success");
}

TEST_F(Conformance, KnowsItsImages) {
  const auto image = engine().inspect_image(under_test().image());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_TRUE(image->id.starts_with("sha256:"));
  EXPECT_EQ(engine().inspect_image(image->id).value().id, image->id);
  EXPECT_EQ(code_of(engine().inspect_image("no-such-image:1")), errc::not_found);
  ContainerSpec wanted = spec("image");
  wanted.image = "no-such-image:1";
  EXPECT_EQ(code_of(engine().create(wanted)), errc::not_found);
}

TEST_F(Conformance, CreatesOncePerName) {
  const ContainerSpec wanted = spec("once");
  const std::string id = create(wanted);
  EXPECT_EQ(engine().create(wanted).value(), id);
  ContainerSpec other = wanted;
  other.labels["kaapi.name"] = "another";
  const auto refused = engine().create(other);
  EXPECT_EQ(code_of(refused), errc::conflict);
  other.labels.clear();
  EXPECT_EQ(code_of(engine().create(other)), errc::conflict);
}

TEST_F(Conformance, CreatesOneContainerWhenManyAsk) {
  const ContainerSpec wanted = spec("crowd");
  std::vector<Result<std::string>> ids(8, internal_error("not asked yet"));
  std::vector<std::thread> threads;
  for (Result<std::string>& id : ids) {
    threads.emplace_back([&] { id = engine().create(wanted); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string id = create(wanted);
  for (const Result<std::string>& each : ids) {
    ASSERT_TRUE(each) << each.error().message;
    EXPECT_EQ(*each, id);
  }
  EXPECT_EQ(engine().list(wanted.labels).value().size(), 1U);
}

TEST_F(Conformance, ShowsAContainerThroughItsLife) {
  const ContainerSpec wanted = spec("life");
  const std::string id = create(wanted);
  Container container = engine().inspect(id).value();
  EXPECT_EQ(container.id, id);
  EXPECT_EQ(container.name, wanted.name);
  EXPECT_EQ(container.image, wanted.image);
  EXPECT_EQ(container.image_id, engine().inspect_image(wanted.image).value().id);
  EXPECT_EQ(container.labels, wanted.labels);
  EXPECT_EQ(container.status, ContainerStatus::created);
  EXPECT_FALSE(container.started_at);
  EXPECT_FALSE(container.finished_at);
  EXPECT_TRUE(container.addresses.empty());

  ASSERT_TRUE(engine().start(id));
  ASSERT_TRUE(engine().start(id));
  under_test().wait_ready(id);
  container = engine().inspect(wanted.name).value();
  EXPECT_EQ(container.status, ContainerStatus::running);
  EXPECT_TRUE(container.started_at);
  EXPECT_FALSE(container.finished_at);
  ASSERT_TRUE(container.addresses.contains("bridge"));
  EXPECT_EQ(std::count(container.addresses["bridge"].begin(), container.addresses["bridge"].end(), '.'), 3);
  EXPECT_EQ(container.mac_addresses["bridge"].size(), 17U);

  end_and_wait(id, 7);
  container = engine().inspect(id).value();
  EXPECT_EQ(container.status, ContainerStatus::exited);
  EXPECT_EQ(container.exit_code, 7);
  EXPECT_FALSE(container.oom_killed);
  ASSERT_TRUE(container.finished_at && container.started_at);
  EXPECT_GE(*container.finished_at, *container.started_at);
  EXPECT_TRUE(container.addresses.empty());
}

TEST_F(Conformance, ReportsEventsOfItsLabelsOnly) {
  const ContainerSpec wanted = spec("events");
  const ContainerSpec other = spec("other");
  Collected<Event> events;
  const auto subscription = watch(wanted, events);
  run(other);
  const std::string id = run(wanted);
  under_test().end(id, 9);
  ASSERT_TRUE(events.wait([](const auto& all) { return has(all, EventKind::die); }));
  ASSERT_TRUE(engine().remove(id));
  ASSERT_TRUE(events.wait([](const auto& all) { return has(all, EventKind::destroy); }));
  const std::vector<Event> all = events.all();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].kind, EventKind::start);
  EXPECT_EQ(all[1].kind, EventKind::die);
  EXPECT_EQ(all[1].exit_code, 9);
  EXPECT_EQ(all[2].kind, EventKind::destroy);
  for (const Event& event : all) {
    EXPECT_EQ(event.container, id);
    EXPECT_EQ(event.labels, wanted.labels);
  }
}

TEST_F(Conformance, SendsSignals) {
  const ContainerSpec wanted = spec("signal");
  const std::string id = run(wanted);
  Collected<Event> events;
  const auto subscription = watch(wanted, events);
  EXPECT_EQ(code_of(engine().signal(id, "SIGNOSUCH")), errc::invalid);
  ASSERT_TRUE(engine().signal(id, "SIGTERM"));
  ASSERT_TRUE(events.wait([](const auto& all) { return has(all, EventKind::die); }));
  EXPECT_EQ(engine().inspect(id).value().exit_code, 143);
  EXPECT_TRUE(engine().signal(id, "SIGTERM"));
  EXPECT_EQ(code_of(engine().signal("no-such-container", "SIGTERM")), errc::not_found);
}

TEST_F(Conformance, SendsTheStopSignalByDefault) {
  const ContainerSpec wanted = spec("stop");
  const std::string id = run(wanted);
  Collected<Event> events;
  const auto subscription = watch(wanted, events);
  ASSERT_TRUE(engine().signal(id, ""));
  ASSERT_TRUE(events.wait([](const auto& all) { return has(all, EventKind::die); }));
  EXPECT_EQ(engine().inspect(id).value().exit_code, 143);
}

TEST_F(Conformance, KillsAndRemoves) {
  const ContainerSpec wanted = spec("remove");
  const std::string id = run(wanted);
  Collected<Event> events;
  const auto subscription = watch(wanted, events);
  ASSERT_TRUE(engine().remove(id));
  ASSERT_TRUE(events.wait([](const auto& all) { return has(all, EventKind::destroy); }));
  EXPECT_EQ(events.all().front().kind, EventKind::die);
  EXPECT_EQ(events.all().front().exit_code, 137);
  EXPECT_EQ(code_of(engine().inspect(id)), errc::not_found);
  EXPECT_EQ(code_of(engine().start(id)), errc::not_found);
  EXPECT_TRUE(engine().remove(id));
}

TEST_F(Conformance, ListsByAllLabels) {
  ContainerSpec one = spec("list");
  ContainerSpec two = spec("list");
  one.labels["kaapi.group"] = two.labels["kaapi.group"] = one.name;
  const std::string first = create(one);
  const std::string second = run(two);
  const auto both = engine().list({{"kaapi.group", one.name}});
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(both->size(), 2U);
  const auto exact = engine().list({{"kaapi.group", one.name}, {"kaapi.name", two.name}}).value();
  ASSERT_EQ(exact.size(), 1U);
  EXPECT_EQ(exact[0].id, second);
  EXPECT_EQ(exact[0].name, two.name);
  EXPECT_EQ(exact[0].status, ContainerStatus::running);
  EXPECT_EQ(exact[0].labels, two.labels);
  EXPECT_EQ(exact[0].addresses, engine().inspect(second).value().addresses);
  EXPECT_TRUE(engine().list({{"kaapi.group", "nobody"}}).value().empty());
}

TEST_F(Conformance, RunsCommandsInside) {
  const std::string id = run(spec("exec"));
  const auto failed = engine().exec(id, exec_prints_and_fails, patience);
  ASSERT_TRUE(failed) << failed.error().message;
  EXPECT_EQ(failed->exit_code, 3);
  EXPECT_EQ(failed->output, "out\n");
  EXPECT_EQ(engine().exec(id, exec_floods, patience).value().output, std::string(4096, 'x'));
  EXPECT_NE(engine().exec(id, exec_missing, patience).value().exit_code, 0);
  EXPECT_EQ(code_of(engine().exec(id, exec_hangs, milliseconds(300))), errc::timed_out);
  end_and_wait(id, 0);
  EXPECT_EQ(code_of(engine().exec(id, exec_prints_and_fails, patience)), errc::conflict);
  EXPECT_EQ(code_of(engine().exec("no-such-container", exec_prints_and_fails, patience)), errc::not_found);
}

TEST_F(Conformance, PublishesPorts) {
  ContainerSpec dynamic = spec("ports");
  dynamic.ports = {PortBinding{80, 0, "tcp", ""}, PortBinding{81, 0, "tcp", "127.0.0.1"}};
  const std::string first = run(dynamic);
  auto ports = engine().inspect(first).value().ports;
  std::sort(ports.begin(), ports.end(),
            [](const auto& a, const auto& b) { return a.container_port < b.container_port; });
  ASSERT_EQ(ports.size(), 2U);
  EXPECT_EQ(ports[0].host_ip, "0.0.0.0");
  EXPECT_EQ(ports[1].host_ip, "127.0.0.1");
  EXPECT_NE(ports[0].host_port, 0);
  EXPECT_NE(ports[0].host_port, ports[1].host_port);
  EXPECT_EQ(engine().list(dynamic.labels).value().front().ports.size(), 2U);

  ContainerSpec fixed = spec("ports");
  fixed.ports = {PortBinding{80, ports[0].host_port, "tcp", ""}};
  const std::string second = create(fixed);
  const auto refused = engine().start(second);
  ASSERT_EQ(code_of(refused), errc::conflict);
  EXPECT_NE(refused.error().message.find("port is already allocated"), std::string::npos) << refused.error().message;
  EXPECT_EQ(engine().inspect(second).value().status, ContainerStatus::created);
  EXPECT_FALSE(engine().inspect(second).value().error.empty());

  end_and_wait(first, 0);
  const auto started = engine().start(second);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(engine().inspect(second).value().ports.at(0).host_port, ports[0].host_port);
}

TEST_F(Conformance, MakesNetworks) {
  const std::string name = under_test().unique("network");
  NetworkSpec plain;
  plain.name = name;
  plain.labels = {{"kaapi.test", "1"}};
  ASSERT_TRUE(engine().ensure_network(plain));
  ASSERT_TRUE(engine().ensure_network(plain));
  ContainerSpec wanted = spec("network");
  wanted.network = name;
  const std::string id = run(wanted);
  const Container container = engine().inspect(id).value();
  ASSERT_EQ(container.addresses.size(), 1U);
  EXPECT_EQ(container.addresses.begin()->first, name);
  EXPECT_EQ(code_of(engine().remove_network(name)), errc::conflict);
  ASSERT_TRUE(engine().remove(id));
  const auto removed = engine().remove_network(name);
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(code_of(engine().remove_network(name)), errc::not_found);
  EXPECT_EQ(code_of(engine().remove_network("bridge")), errc::conflict);
  EXPECT_EQ(code_of(engine().ensure_network(NetworkSpec{"host", {}, {}, {}})), errc::conflict);

  ContainerSpec lost = spec("network");
  lost.network = name;
  EXPECT_EQ(code_of(engine().start(create(lost))), errc::not_found);
}

TEST_F(Conformance, MakesANetworkWithTheAddressesAskedFor) {
  NetworkSpec wanted;
  wanted.name = under_test().unique("planned");
  wanted.subnet = "198.18.77.0/24";
  wanted.gateway = "198.18.77.2";
  wanted.internal = true;
  wanted.isolated = true;
  const auto made = engine().ensure_network(wanted);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(engine().ensure_network(wanted));
  ContainerSpec first = spec("planned");
  first.network = wanted.name;
  ContainerSpec second = first;
  second.name += "-second";
  for (const std::string& id : {run(first), run(second)}) {
    const std::string address = engine().inspect(id).value().addresses.at(wanted.name);
    EXPECT_TRUE(address.starts_with("198.18.77.")) << address;
    EXPECT_NE(address, wanted.gateway);
  }

  NetworkSpec other = wanted;
  other.gateway = "198.18.77.3";
  EXPECT_EQ(code_of(engine().ensure_network(other)), errc::conflict);
  other.gateway = wanted.gateway;
  other.name = under_test().unique("overlapping");
  EXPECT_EQ(code_of(engine().ensure_network(other)), errc::conflict);
}

TEST_F(Conformance, ConnectsAContainerToOneMoreNetwork) {
  NetworkSpec own{under_test().unique("own"), {}, {}, {}};
  NetworkSpec more{under_test().unique("more"), {}, {}, {}};
  ASSERT_TRUE(engine().ensure_network(own));
  ASSERT_TRUE(engine().ensure_network(more));
  ContainerSpec wanted = spec("connected");
  wanted.network = own.name;
  for (const bool running : {false, true}) {
    wanted.name = under_test().unique("connected");
    const std::string id = create(wanted);
    if (running) {
      ASSERT_TRUE(engine().start(id));
    }
    EXPECT_EQ(code_of(engine().connect(more.name, id)), "success");
    EXPECT_EQ(code_of(engine().connect(more.name, id)), "success");
    EXPECT_EQ(code_of(engine().start(id)), "success");
    const auto addresses = engine().inspect(id).value().addresses;
    EXPECT_EQ(addresses.size(), 2U);
    EXPECT_TRUE(addresses.contains(own.name) && addresses.contains(more.name));
    const auto listed = engine().list(wanted.labels).value();
    const auto entry = std::find_if(listed.begin(), listed.end(), [&](const Container& each) { return each.id == id; });
    ASSERT_NE(entry, listed.end());
    EXPECT_EQ(entry->addresses, addresses);
    EXPECT_EQ(code_of(engine().remove_network(more.name)), errc::conflict);
    ASSERT_TRUE(engine().remove(id));
  }
  EXPECT_EQ(code_of(engine().connect(more.name, "no-such-container")), errc::not_found);
  wanted.name = under_test().unique("connected");
  const std::string lost = create(wanted);
  if (const auto connected = engine().connect("no-such-network", lost)) {
    EXPECT_EQ(code_of(engine().start(lost)), errc::not_found);
  } else {
    EXPECT_EQ(connected.error().code, errc::not_found);
  }
  for (const char* network : {"none", "host"}) {
    wanted.name = under_test().unique("connected");
    wanted.network = network;
    EXPECT_EQ(code_of(engine().connect(more.name, create(wanted))), errc::invalid) << network;
  }
}

TEST_F(Conformance, JoinsTheNetworkOfAContainer) {
  ContainerSpec owner = spec("owner");
  ContainerSpec guest = spec("guest");
  guest.network = "container:" + owner.name;
  const std::string owner_id = create(owner);
  const std::string guest_id = create(guest);
  EXPECT_EQ(code_of(engine().start(guest_id)), errc::conflict);
  ASSERT_TRUE(engine().start(owner_id));
  const auto started = engine().start(guest_id);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_TRUE(engine().inspect(guest_id).value().addresses.empty());
  guest.name = under_test().unique("guest");
  guest.ports = {PortBinding{80, 0, "tcp", ""}};
  EXPECT_EQ(code_of(engine().create(guest)), errc::invalid);
  guest.ports.clear();
  guest.hostname = "guest";
  EXPECT_EQ(code_of(engine().create(guest)), errc::invalid);
}

TEST_F(Conformance, JoinsNoNetworkOfAContainerThatIsGone) {
  ContainerSpec owner = spec("owner");
  const std::string owner_id = create(owner);
  ContainerSpec guest = spec("guest");
  guest.network = "container:" + owner.name;
  const std::string guest_id = create(guest);
  ASSERT_TRUE(engine().remove(owner_id));
  EXPECT_EQ(code_of(engine().start(guest_id)), errc::not_found);
  EXPECT_EQ(engine().inspect(guest_id).value().status, ContainerStatus::created);
}

TEST_F(Conformance, ImportsImages) {
  const std::string reference = under_test().unique("imported") + ":1";
  EXPECT_EQ(code_of(engine().inspect_image(reference)), errc::not_found);
  const auto image = engine().import_image(reference, under_test().archive(), {"/bin/sleep", "1000"});
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(engine().inspect_image(reference).value().id, image->id);
  ContainerSpec wanted = spec("imported");
  wanted.image = reference;
  wanted.command.clear();  // the image's entry point alone runs
  const std::string id = create(wanted);
  const auto started = engine().start(id);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(engine().inspect(id).value().status, ContainerStatus::running);
  EXPECT_EQ(engine().inspect(id).value().image_id, image->id);
}

TEST_F(Conformance, HasThePauseImageOnceItIsAskedFor) {
  const auto made = ensure_pause_image(engine());
  ASSERT_TRUE(made) << made.error().message;
  const std::string image = engine().inspect_image(pause_image_reference()).value().id;
  ASSERT_TRUE(ensure_pause_image(engine()));
  EXPECT_EQ(engine().inspect_image(pause_image_reference()).value().id, image);
}

// One follow_output() with what it brought.
struct Followed {
  Collected<OutputLine> lines;
  Collected<Result<void>> end;
  std::unique_ptr<Subscription> subscription;

  void start(Engine& engine, const std::string& id, std::int64_t since_nanos) {
    subscription = engine.follow_output(
        id, since_nanos, [this](OutputLine line) { lines.add(std::move(line)); },
        [this](Result<void> result) { end.add(std::move(result)); });
  }
  bool wait_lines(std::size_t count) {
    return lines.wait([count](const auto& all) { return all.size() >= count; });
  }
  Result<void> wait_end() {
    return end.wait([](const auto& all) { return !all.empty(); }) ? end.all().front()
                                                                  : make_error(errc::timed_out, "no end came");
  }
  std::vector<std::string> texts() {
    std::vector<std::string> result;
    for (const OutputLine& line : lines.all()) {
      result.push_back(line.text);
    }
    return result;
  }
};

TEST_F(Conformance, FollowsOutputToItsEnd) {
  const std::string id = run(spec("output"));
  Followed followed;
  followed.start(engine(), id, 0);
  under_test().say(id, OutputStream::out, "one");
  ASSERT_TRUE(followed.wait_lines(1));
  under_test().say(id, OutputStream::err, "two");
  under_test().say(id, OutputStream::out, "");
  under_test().end(id, 0);
  const auto end = followed.wait_end();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_THAT(followed.texts(), ElementsAre("one", "two", ""));
  const std::vector<OutputLine> lines = followed.lines.all();
  EXPECT_EQ(lines[0].stream, OutputStream::out);
  EXPECT_EQ(lines[1].stream, OutputStream::err);
  EXPECT_FALSE(lines[0].partial);
  EXPECT_LT(lines[0].at_nanos, lines[1].at_nanos);

  Followed again;
  again.start(engine(), id, lines[1].at_nanos);
  ASSERT_TRUE(again.wait_end());
  EXPECT_THAT(again.texts(), ElementsAre("two", ""));
  Followed after;
  after.start(engine(), id, lines[1].at_nanos + 1);
  ASSERT_TRUE(after.wait_end());
  EXPECT_THAT(after.texts(), ElementsAre(""));
}

TEST_F(Conformance, RefusesOutputThatCannotBe) {
  Followed missing;
  missing.start(engine(), "no-such-container", 0);
  EXPECT_EQ(code_of(missing.wait_end()), errc::not_found);
  Followed unstarted;
  unstarted.start(engine(), create(spec("unstarted")), 0);
  EXPECT_EQ(code_of(unstarted.wait_end()), errc::conflict);
}

TEST_F(Conformance, IsSilentOnceUnsubscribed) {
  const ContainerSpec wanted = spec("silent");
  const std::string id = run(wanted);
  Followed dropped;
  Followed kept;
  dropped.start(engine(), id, 0);
  kept.start(engine(), id, 0);
  under_test().say(id, OutputStream::out, "one");
  ASSERT_TRUE(dropped.wait_lines(1));
  dropped.subscription.reset();
  under_test().say(id, OutputStream::out, "two");
  under_test().end(id, 0);
  ASSERT_TRUE(kept.wait_end());
  EXPECT_THAT(kept.texts(), ElementsAre("one", "two"));
  EXPECT_THAT(dropped.texts(), ElementsAre("one"));
  EXPECT_TRUE(dropped.end.all().empty());
}

}  // namespace
}  // namespace kaapi::containers
