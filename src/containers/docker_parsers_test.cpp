#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "containers/docker_events.h"
#include "containers/docker_json.h"
#include "containers/docker_output.h"

namespace kaapi::containers {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string frame(int stream, const std::string& payload) {
  std::string header(8, '\0');
  header[0] = static_cast<char>(stream);
  for (std::size_t index = 0; index < 4; ++index) {
    header[4 + index] = static_cast<char>(payload.size() >> (24 - 8 * index) & 0xffU);
  }
  return header + payload;
}

// What a parser makes of `bytes` when they come in pieces of `step`.
struct Parsed {
  std::vector<OutputLine> lines;
  std::optional<Error> error;
};
Parsed parse(bool tty, std::string_view bytes, std::size_t step) {
  Parsed result;
  OutputParser parser(tty);
  const auto on_line = [&](OutputLine line) { result.lines.push_back(std::move(line)); };
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (const auto fed = parser.feed(bytes.substr(at, step), on_line); !fed) {
      result.error = fed.error();
      return result;
    }
  }
  if (const auto finished = parser.finish(on_line); !finished) {
    result.error = finished.error();
  }
  return result;
}

TEST(Timestamp, IsExactToTheNanosecond) {
  EXPECT_EQ(parse_rfc3339_nanos("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_rfc3339_nanos("2026-11-23T17:27:03.075268634Z"), 1'795'454'823'075'268'634);
  EXPECT_EQ(parse_rfc3339_nanos("2026-11-23T17:27:03.1Z"), 1'795'454'823'100'000'000);
  EXPECT_EQ(parse_rfc3339_nanos("2026-11-23T19:57:03.1+02:30"), 1'795'454'823'100'000'000);
  EXPECT_EQ(parse_rfc3339_nanos("1969-12-31T23:59:59.999999999Z"), -1);
  EXPECT_EQ(parse_rfc3339_nanos("2024-02-29T00:00:00Z"), 1'709'164'800'000'000'000);
}

TEST(Timestamp, RefusesWhatIsNone) {
  for (const char* text :
       {"", "never", "0001-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2026-11-23T17:27:03",
        "2026-11-23T17:27:03.Z", "2026-11-23T17:27:03.1234567890Z", "2026-11-23 17:27:03Z", "2026-11-23T24:00:00Z",
        "2026-11-23T17:27:03+2:00", "9999-01-01T00:00:00Z"}) {
    EXPECT_EQ(parse_rfc3339_nanos(text), std::nullopt) << text;
  }
}

TEST(Output, SplitsFramesAcrossEveryBorder) {
  const std::string bytes =
      frame(1, "2026-11-23T17:27:03.000000001Z one\n") + frame(2, "2026-11-23T17:27:03.000000002Z two words\n") +
      frame(1, "2026-11-23T17:27:03.000000003Z \n") + frame(1, "2026-11-23T17:27:03.000000004Z begin") +
      frame(1, "2026-11-23T17:27:03.000000004Z end\n");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const Parsed parsed = parse(false, bytes, step);
    ASSERT_FALSE(parsed.error) << parsed.error->message;
    ASSERT_EQ(parsed.lines.size(), 5U);
    EXPECT_EQ(parsed.lines[0].text, "one");
    EXPECT_EQ(parsed.lines[0].stream, OutputStream::out);
    EXPECT_EQ(parsed.lines[0].at_nanos, 1'795'454'823'000'000'001);
    EXPECT_EQ(parsed.lines[1].text, "two words");
    EXPECT_EQ(parsed.lines[1].stream, OutputStream::err);
    EXPECT_EQ(parsed.lines[2].text, "");
    EXPECT_TRUE(parsed.lines[3].partial);
    EXPECT_EQ(parsed.lines[3].text, "begin");
    EXPECT_FALSE(parsed.lines[4].partial);
  }
}

TEST(Output, RefusesDamage) {
  EXPECT_EQ(parse(false, "{\"message\":\"no frames\"}", 100).error->code, errc::damaged);
  EXPECT_EQ(parse(false, frame(1, "2026-11-23T17:27:03Z cut\n").substr(0, 20), 100).error->code, errc::damaged);
  EXPECT_EQ(parse(false, frame(1, "no time\n"), 100).error->code, errc::damaged);
  EXPECT_EQ(parse(false, std::string("\1\0\0\0\x7f\xff\xff\xff", 8), 100).error->code, errc::damaged);
  EXPECT_EQ(parse(true, std::string(100, 'x'), 7).error->code, errc::damaged);
  const Parsed reported = parse(false, frame(3, "Error grabbing logs: disk gone\n"), 100);
  EXPECT_EQ(reported.error->code, errc::internal);
  EXPECT_EQ(reported.error->message, "Error grabbing logs: disk gone");
}

TEST(Output, ReadsATerminalsLines) {
  const std::string long_piece(output_piece_bytes, 'x');
  const std::string bytes = "2026-11-23T17:27:03.000000001Z one\r\n2026-11-23T17:27:03.000000002Z " + long_piece +
                            "2026-11-23T17:27:03.000000002Z rest\r\n2026-11-23T17:27:03.000000003Z prompt> ";
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, bytes.size()}) {
    const Parsed parsed = parse(true, bytes, step);
    ASSERT_FALSE(parsed.error) << parsed.error->message;
    ASSERT_EQ(parsed.lines.size(), 4U);
    EXPECT_EQ(parsed.lines[0].text, "one");
    EXPECT_EQ(parsed.lines[1].text, long_piece);
    EXPECT_TRUE(parsed.lines[1].partial);
    EXPECT_EQ(parsed.lines[2].text, "rest");
    EXPECT_FALSE(parsed.lines[2].partial);
    EXPECT_EQ(parsed.lines[3].text, "prompt> ");
    EXPECT_TRUE(parsed.lines[3].partial);
  }
}

TEST(Lines, SplitAcrossEveryBorder) {
  const std::string bytes = "{\"a\":1}\n\r\n{\"b\":\"\\n\"}\r\n{\"c\":3}";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    LineSplitter splitter;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      ASSERT_TRUE(splitter.feed(std::string_view(bytes).substr(at, step),
                                [&](std::string_view line) { lines.emplace_back(line); }));
    }
    EXPECT_THAT(lines, ElementsAre("{\"a\":1}", "{\"b\":\"\\n\"}"));
    EXPECT_EQ(splitter.rest(), "{\"c\":3}");
  }
  LineSplitter endless;
  EXPECT_EQ(endless.feed(std::string(max_json_line_bytes + 1, 'x'), [](std::string_view) {}).error().code,
            errc::too_large);
}

TEST(Events, AreReadWithLabelsAndExitCode) {
  const auto object = parse_json(R"({"status":"die","Type":"container","Action":"die","Actor":{"ID":"c9e5","Attributes":
      {"exitCode":"137","image":"bb:1","kaapi.task":"t1","name":"web"}},"time":1795455195,"timeNano":1795455195344571403})");
  const auto event = parse_event(object.value());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->event.kind, EventKind::die);
  EXPECT_EQ(event->event.container, "c9e5");
  EXPECT_EQ(event->event.exit_code, 137);
  EXPECT_EQ(to_millis(event->event.at), 1'795'455'195'344);
  EXPECT_EQ(event->at_nanos, 1'795'455'195'344'571'403);
  EXPECT_THAT(event->event.labels, ElementsAre(std::pair<const std::string, std::string>("kaapi.task", "t1")));
  for (const char* other :
       {R"({"Type":"network","Action":"die","Actor":{"ID":"x"}})", R"({"Type":"container","Action":"die"})",
        R"({"Type":"container","Action":"exec_start: sh","Actor":{"ID":"x"}})", "[]", "1"}) {
    EXPECT_FALSE(parse_event(parse_json(other).value())) << other;
  }
}

TEST(Json, DescribesAContainerToTheEngine) {
  ContainerSpec spec;
  spec.name = "web";
  spec.image = "app:1";
  spec.entry_point = {"/bin/app"};
  spec.command = {"--port", "80"};
  spec.environment = {{"A", "1"}, {"B", "x=y"}};
  spec.labels = {{"k", "v"}};
  spec.network = "container:pause";
  spec.ports = {{80, 0, "tcp", ""}, {80, 8080, "tcp", "127.0.0.1"}};
  spec.memory_bytes = 64 << 20;
  spec.nano_cpus = 500'000'000;
  spec.init = true;
  const json::value body = parse_json(create_body(spec)).value();
  const json::value expected = parse_json(R"({
    "Image": "app:1", "Entrypoint": ["/bin/app"], "Cmd": ["--port", "80"], "Env": ["A=1", "B=x=y"], "Labels": {"k": "v"},
    "Tty": false, "Healthcheck": {"Test": ["NONE"]}, "ExposedPorts": {"80/tcp": {}},
    "HostConfig": {"NetworkMode": "container:pause",
      "PortBindings": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": ""}, {"HostIp": "127.0.0.1", "HostPort": "8080"}]},
      "Memory": 67108864, "NanoCpus": 500000000, "Init": true, "ReadonlyRootfs": false, "Privileged": false,
      "RestartPolicy": {"Name": "no"}, "LogConfig": {"Type": "json-file", "Config": {"max-size": "256m", "max-file": "2"}}}})")
                                   .value();
  EXPECT_EQ(body, expected) << json::serialize(body);
}

TEST(Json, ReadsAContainer) {
  const json::value inspected = parse_json(R"({"Id": "c9", "Name": "/web", "Image": "sha256:ab",
    "Config": {"Image": "app:1", "Labels": {"k": "v"}},
    "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true, "Error": "words", "StartedAt": "2026-11-23T17:33:15.292043959Z",
              "FinishedAt": "0001-01-01T00:00:00Z"},
    "NetworkSettings": {"Networks": {"net": {"IPAddress": "10.0.0.2", "MacAddress": "02:42:ac:11:00:02"}, "old": {"IPAddress": ""}},
      "Ports": {"80/tcp": [{"HostIp": "::", "HostPort": "8080"}, {"HostIp": "0.0.0.0", "HostPort": "8080"}], "81/udp": null}}})")
                                    .value();
  const Container container = parse_container(inspected);
  EXPECT_EQ(container.id, "c9");
  EXPECT_EQ(container.name, "web");
  EXPECT_EQ(container.image, "app:1");
  EXPECT_EQ(container.image_id, "sha256:ab");
  EXPECT_EQ(container.status, ContainerStatus::exited);
  EXPECT_EQ(container.exit_code, 137);
  EXPECT_TRUE(container.oom_killed);
  EXPECT_EQ(container.error, "words");
  EXPECT_EQ(to_millis(container.started_at.value()), 1'795'455'195'292);
  EXPECT_FALSE(container.finished_at);
  EXPECT_THAT(container.addresses, ElementsAre(std::pair<const std::string, std::string>("net", "10.0.0.2")));
  ASSERT_EQ(container.ports.size(), 1U);
  EXPECT_EQ(container.ports[0].host_port, 8080);
  EXPECT_EQ(container.ports[0].host_ip, "0.0.0.0");
  EXPECT_THAT(parse_container(parse_json("{}").value()).addresses, IsEmpty());
}

TEST(Json, SplitsReferences) {
  const auto check = [](const char* reference, const char* name, const char* rest) {
    const PullTarget target = split_reference(reference);
    EXPECT_EQ(target.name, name) << reference;
    EXPECT_EQ(target.tag_or_digest, rest) << reference;
  };
  check("app", "app", "latest");
  check("app:1", "app", "1");
  check("localhost:4566/team/app", "localhost:4566/team/app", "latest");
  check("localhost:4566/team/app:2", "localhost:4566/team/app", "2");
  check("localhost:4566/app@sha256:ab", "localhost:4566/app", "sha256:ab");
  check("app:1@sha256:ab", "app", "sha256:ab");
}

TEST(Json, SendsALoginAsBase64Url) {
  const std::string encoded = encode_login({"AWS", "p\xc3\xbf\xc3\xbf\xc3\xbe>>>???"}, "localhost:4566/app:1");
  EXPECT_EQ(encoded.find_first_of("+/"), std::string::npos);
  std::string plain = encoded;
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  const json::value login = parse_json(base64_decode(plain).value()).value();
  EXPECT_EQ(string_member(login, "username"), "AWS");
  EXPECT_EQ(string_member(login, "serveraddress"), "localhost:4566");
}

TEST(Json, RecognisesItsOwnContainerByLabels) {
  EXPECT_TRUE(carries_labels({{"a", "1"}, {"of.the.image", "x"}}, {{"a", "1"}}));
  EXPECT_FALSE(carries_labels({{"a", "2"}}, {{"a", "1"}}));
  EXPECT_FALSE(carries_labels({}, {{"a", "1"}}));
  EXPECT_FALSE(carries_labels({{"a", "1"}}, {}));
  EXPECT_TRUE(carries_labels({}, {}));
}

TEST(Errors, KeepTheEnginesWords) {
  const auto check = [](int status, const char* body, std::string_view code, const char* message) {
    const Error error = engine_error(status, body);
    EXPECT_EQ(error.code, code) << body;
    EXPECT_EQ(error.message, message);
  };
  check(404, R"({"message":"No such container: x"})", errc::not_found, "No such container: x");
  check(409, R"({"message":"Container x is not running"})", errc::conflict, "Container x is not running");
  check(500, R"({"message":"Bind for 0.0.0.0:80 failed: port is already allocated"})", errc::conflict,
        "Bind for 0.0.0.0:80 failed: port is already allocated");
  check(500, R"({"message":"listen tcp4 0.0.0.0:80: bind: address already in use"})", errc::conflict,
        "listen tcp4 0.0.0.0:80: bind: address already in use");
  check(400, R"({"message":"invalid reference format"})", errc::invalid, "invalid reference format");
  check(500, "page not found\n", errc::internal, "page not found");
  check(500, "", errc::internal, "the Docker Engine answered with status 500 and no message");
}

TEST(Errors, OfPullsAreSorted) {
  EXPECT_EQ(pull_error("manifest for app:1 not found: manifest unknown: x", 404).code, errc::not_found);
  EXPECT_EQ(pull_error("manifest unknown", 200).code, errc::not_found);
  EXPECT_EQ(pull_error("pull access denied for app, repository does not exist or may require 'docker login'", 404).code,
            access_denied);
  EXPECT_EQ(pull_error("unauthorized: authentication required", 500).code, access_denied);
  EXPECT_EQ(pull_error("Get \"http://localhost:9/v2/\": dial tcp 127.0.0.1:9: connect: connection refused", 500).code,
            errc::unavailable);
  EXPECT_EQ(pull_error("failed to register layer: no space left on device", 200).code, errc::internal);
}

}  // namespace
}  // namespace kaapi::containers
