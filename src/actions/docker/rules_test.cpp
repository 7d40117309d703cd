// What jobs may ask of Docker, and what not.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/docker/container_rules.h"
#include "actions/docker/relay.h"
#include "actions/docker/request.h"
#include "base/json.h"

namespace kaapi::actions::docker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Owner owner{"kaapi.job", "42.61184"};

json::object host_of(const ContainerWish& wish) {
  return wish.body.at("HostConfig").as_object();
}

TEST(DockerRules, CallsOfContainersAreRuledByTheirReference) {
  const Ruling logs = rule_of("GET", "/v1.41/containers/web_1.a/logs").value();
  EXPECT_EQ(logs.rule, Rule::container);
  EXPECT_EQ(logs.version, "/v1.41");
  EXPECT_EQ(logs.before, "/containers/");
  EXPECT_EQ(logs.reference, "web_1.a");
  EXPECT_EQ(logs.after, "/logs");
  EXPECT_EQ(rule_of("DELETE", "/containers/web").value().rule, Rule::remove_container);
  EXPECT_EQ(rule_of("POST", "/containers/create").value().rule, Rule::make_container);
  EXPECT_EQ(rule_of("GET", "/containers/json").value().rule, Rule::list);
  EXPECT_TRUE(rule_of("POST", "/v1.41/exec/abc/start").value().upgrades);
}

TEST(DockerRules, ImagesHaveNamesWithSlashes) {
  const Ruling push = rule_of("POST", "/v1.41/images/localhost:5000/team/app/push").value();
  EXPECT_EQ(push.rule, Rule::pass);
  EXPECT_EQ(push.reference, "localhost:5000/team/app");
  EXPECT_EQ(rule_of("GET", "/images/a%40sha256:12/json").value().reference, "a@sha256:12");
  EXPECT_EQ(rule_of("DELETE", "/images/app:1").value().rule, Rule::remove_image);
}

TEST(DockerRules, EverythingElseIsRefused) {
  for (const auto& [method, path] :
       std::vector<std::pair<const char*, const char*>>{{"POST", "/swarm/init"},
                                                        {"GET", "/secrets"},
                                                        {"GET", "/tasks"},
                                                        {"GET", "/system/df"},
                                                        {"POST", "/plugins/pull"},
                                                        {"POST", "/containers/a/update"},
                                                        {"POST", "/containers/a/checkpoints"},
                                                        {"GET", "/containers/a/attach/ws"},
                                                        {"PUT", "/containers/a/json"},
                                                        {"GET", "/v1.41"}}) {
    const auto ruling = rule_of(method, path);
    ASSERT_FALSE(ruling) << path;
    EXPECT_EQ(ruling.error().status, 403) << path;
  }
  for (const char* path :
       {"/containers/../secrets", "/containers//json", "/containers/%2e%2e/json", "/containers/a%2f..%2fb/json",
        "/containers/a%00/json", "containers/json", "/containers/json/", "/containers/%zz/json", ""}) {
    EXPECT_FALSE(rule_of("GET", path)) << path;
  }
  EXPECT_EQ(rule_of("GET", "/containers/team/app:1/json").error().status, 404) << "an image's name: clients go on";
}

TEST(DockerRules, ListsShowOnlyTheJobs) {
  EXPECT_EQ(with_label_filter("", "l", "v").value(), R"({"label":{"l=v":true}})");
  EXPECT_EQ(with_label_filter(R"({"label":["a"]})", "l", "v").value(), R"({"label":["a","l=v"]})");
  EXPECT_EQ(with_label_filter(R"({"status":{"exited":true},"label":{"a":true}})", "l", "v").value(),
            R"({"status":{"exited":true},"label":{"a":true,"l=v":true}})");
  EXPECT_FALSE(with_label_filter("[]", "l", "v"));
  EXPECT_FALSE(with_label_filter(R"({"label":"a"})", "l", "v"));
}

TEST(DockerRules, AQueryIsReadAsDockerReadsIt) {
  Query query = parse_query("t=a%3A1&container=x&container=y&q=a+b&flag").value();
  EXPECT_EQ(value_of(query, "container"), "x");
  set_value(query, "container", "z&w");
  EXPECT_EQ(to_text(query), "t=a%3A1&q=a%20b&flag=&container=z%26w");
  EXPECT_FALSE(parse_query("a=%zz"));
  const auto builds = [](const char* text) {
    Query build = parse_query(text).value();
    return check_build(build, owner).has_value();
  };
  EXPECT_TRUE(builds("networkmode=default&t=a&remote=client-session&ulimits=null&labels=%7B%7D&shmsize=0"));
  for (const char* text :
       {"networkmode=host", "networkmode=container:db", "t=a&networkmode=&networkmode=host", "cgroupparent=/",
        "securityopt=%5B%22seccomp%3Dunconfined%22%5D", "ulimits=%5B%7B%22Name%22%3A%22nice%22%7D%5D",
        "labels=%7B%22kaapi.task%22%3A%22t%22%7D", "remote=git%40github.com:a/b", "shmsize=99999999999"}) {
    EXPECT_FALSE(builds(text)) << text;
  }
}

TEST(DockerRules, AnOrdinaryContainerPassesWithTheJobsLabel) {
  // As `docker run -v ws:/w -p 80 --network net image` sends it, in part.
  const auto wish =
      check_container(R"({"Hostname":"","AttachStdout":true,"Env":["A=b"],"Cmd":["ls"],"Image":"bb","Volumes":{},
    "Labels":{"mine":"1"},"OnBuild":null,"HostConfig":{"Binds":["/w/job:/w:ro","cache:/c"],"ContainerIDFile":"",
    "LogConfig":{"Type":"","Config":{}},"NetworkMode":"net","PortBindings":{"80/tcp":[{"HostPort":""}]},"CapAdd":null,
    "Privileged":false,"MaskedPaths":null,"ReadonlyPaths":null,"Devices":[],"DeviceRequests":null,"OomScoreAdj":0,
    "RestartPolicy":{"Name":"no","MaximumRetryCount":0},"ConsoleSize":[0,0],"Memory":0,"PidMode":"","CgroupnsMode":"private"},
    "NetworkingConfig":{"EndpointsConfig":{"net":{"Links":null,"Aliases":["db"]}}}})",
                      owner);
  ASSERT_TRUE(wish) << wish.error().message;
  EXPECT_EQ(wish->body.at("Labels").at("kaapi.job"), "42.61184");
  EXPECT_EQ(wish->body.at("Labels").at("mine"), "1");
  EXPECT_EQ(wish->body.at("Labels").at("kaapi.instance"), "") << "an image could bring it along";
  EXPECT_THAT(wish->networks, ElementsAre("net", "net"));
  EXPECT_THAT(wish->volumes, ElementsAre("cache"));
  ASSERT_EQ(wish->binds.size(), 1U);
  EXPECT_EQ(wish->binds[0].source, "/w/job");
  EXPECT_TRUE(wish->binds[0].read_only);
  ContainerWish filled = *wish;
  filled.set_bind(0, "/run/pin/1");
  EXPECT_EQ(json::serialize(host_of(filled).at("Binds")), R"(["/run/pin/1:/w:ro","cache:/c"])");
  EXPECT_EQ(json::serialize(host_of(filled).at("CapDrop")), R"(["MKNOD","NET_RAW"])");
  EXPECT_EQ(json::serialize(host_of(filled).at("PortBindings").at("80/tcp")),
            R"([{"HostPort":"","HostIp":"127.0.0.1"}])");
  EXPECT_EQ(json::serialize(host_of(filled).at("RestartPolicy")), R"({"Name":"no"})");
  EXPECT_EQ(host_of(filled).at("PortBindings").as_object().size(), 1U);
  EXPECT_EQ(filled.body.at("NetworkingConfig").at("EndpointsConfig").at("net").at("Aliases").as_array().size(), 1U);
}

TEST(DockerRules, WhatReachesFurtherThanTheContainerIsRefusedByName) {
  const std::vector<std::pair<const char*, const char*>> refused_members = {
      {R"("Privileged":true)", "Privileged"},
      {R"("privileged":true)", "privileged"},
      {R"("CapAdd":["SYS_ADMIN"])", "CapAdd"},
      {R"("CapAdd":["ALL"])", "CapAdd"},
      {R"("CapAdd":["CAP_MKNOD"])", "CapAdd"},
      {R"("SecurityOpt":["apparmor=unconfined"])", "SecurityOpt"},
      {R"("MaskedPaths":[])", "MaskedPaths"},
      {R"("ReadonlyPaths":[])", "ReadonlyPaths"},
      {R"("PidMode":"host")", "PidMode"},
      {R"("IpcMode":"host")", "IpcMode"},
      {R"("UTSMode":"host")", "UTSMode"},
      {R"("UsernsMode":"host")", "UsernsMode"},
      {R"("CgroupnsMode":"host")", "CgroupnsMode"},
      {R"("NetworkMode":"host")", "network"},
      {R"("Devices":[{"PathOnHost":"/dev/sda"}])", "Devices"},
      {R"("DeviceCgroupRules":["b *:* rwm"])", "DeviceCgroupRules"},
      {R"("DeviceRequests":[{"Driver":"nvidia"}])", "DeviceRequests"},
      {R"("CgroupParent":"/")", "CgroupParent"},
      {R"("Runtime":"other")", "Runtime"},
      {R"("CapAdd":["NET_RAW"])", "CapAdd"},
      {R"("CpuRealtimeRuntime":1000)", "CpuRealtimeRuntime"},
      {R"("Ulimits":[{"Name":"rtprio","Soft":99,"Hard":99}])", "rtprio"},
      {R"("ShmSize":99999999999)", "ShmSize"},
      {R"("Tmpfs":{"/t":"size=99g"})", "Tmpfs"},
      {R"("Tmpfs":{"/t":"mpol=bind:0"})", "Tmpfs"},
      {R"("Mounts":[{"Type":"tmpfs","TmpfsOptions":{"SizeBytes":99999999999}}])", "SizeBytes"},
      {R"("Mounts":[{"Type":"volume","VolumeOptions":{"Labels":{"kaapi.task":"t"}}}])", "kaapi.task"},
      {R"("LogConfig":{"Config":{"syslog-address":"tcp://x"}})", "LogConfig"},
      {R"("PortBindings":{"80/tcp":[{"HostPort":"80"}]})", "port 80"},
      {R"("PortBindings":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"1000-2000"}]})", "port 1000"},
      {R"("PortBindings":{"80/tcp":[{"hostport":"80"}]})", "hostport"},
      {R"("OomScoreAdj":-1000)", "OomScoreAdj"},
      {R"("Annotations":{"a":"b"})", "Annotations"},
      {R"("VolumeDriver":"nfs")", "VolumeDriver"},
      {R"("LogConfig":{"Type":"syslog"})", "LogConfig"},
      {R"("Binds":["/a:/b:rshared"])", "rshared"},
      {R"("Binds":["/a"])", "Binds"},
      {R"("Binds":["/a:/b:ro:z"])", "Binds"},
      {R"("Mounts":[{"Type":"volume","Source":"v","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"o":"bind"}}}}])",
       "DriverConfig"},
      {R"("Mounts":[{"Type":"bind","Source":"/a","BindOptions":{"Propagation":"rshared"}}])", "Propagation"},
      {R"("Mounts":[{"type":"bind","source":"/"}])", "Mounts"},
      {R"("Mounts":[{"Type":"image","Source":"x"}])", "image"},
      {R"("SomethingNew":1)", "SomethingNew"}};
  for (const auto& [member, word] : refused_members) {
    const auto wish = check_container(fmt::format(R"({{"Image":"a","HostConfig":{{{}}}}})", member), owner);
    ASSERT_FALSE(wish) << member;
    EXPECT_EQ(wish.error().status, 403) << member;
    EXPECT_THAT(wish.error().message, HasSubstr(word));
  }
  for (const char* body :
       {R"({"hostconfig":{"Privileged":true}})", R"({"Labels":{"kaapi.task":"t"}})", R"({"HostConfig":[]})",
        R"({"HostConfig":{"CapAdd":"ALL"}})", R"({"MacAddress":"02:42:ac:11:00:02"})",
        R"({"NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02:42:ac:11:00:02"}}}})",
        R"({"NetworkingConfig":{"EndpointsConfig":{"n":{"IPAMConfig":{"LinkLocalIPs":["169.254.170.2"]}}}}})", "[]", "",
        "{"}) {
    EXPECT_FALSE(check_container(body, owner)) << body;
  }
}

TEST(DockerRules, WhatWouldOutliveTheJobIsMadeToEnd) {
  const auto policy = [](const char* given) {
    const auto wish = check_container(fmt::format(R"({{"HostConfig":{{"RestartPolicy":{}}}}})", given), owner);
    return wish ? json::serialize(host_of(*wish).at("RestartPolicy")) : wish.error().message;
  };
  EXPECT_EQ(policy(R"({"Name":"always"})"), R"({"Name":"no"})");
  EXPECT_EQ(policy(R"({"Name":"unless-stopped","MaximumRetryCount":0})"), R"({"Name":"no"})");
  EXPECT_EQ(policy(R"({"Name":"on-failure"})"), R"({"Name":"on-failure","MaximumRetryCount":10})");
  EXPECT_EQ(policy(R"({"Name":"on-failure","MaximumRetryCount":3})"), R"({"Name":"on-failure","MaximumRetryCount":3})");
  EXPECT_THAT(policy(R"({"name":"always"})"), HasSubstr("RestartPolicy.name"));
}

TEST(DockerRules, MemoryThatAContainerTakesHasABound) {
  const auto wish = check_container(
      R"({"HostConfig":{"ContainerIDFile":"/tmp/id","ShmSize":67108864,"Tmpfs":{"/a":"","/b":"rw,size=64m,mode=1777"},
          "Mounts":[{"Type":"tmpfs","Target":"/c"},{"Type":"volume","Target":"/d"}]}})",
      owner);
  ASSERT_TRUE(wish) << wish.error().message;
  EXPECT_EQ(json::serialize(host_of(*wish).at("Tmpfs")), R"({"/a":"size=1073741824","/b":"rw,size=64m,mode=1777"})");
  EXPECT_EQ(host_of(*wish).at("Mounts").at(0).at("TmpfsOptions").at("SizeBytes"), 1073741824);
  EXPECT_EQ(host_of(*wish).at("Mounts").at(1).at("VolumeOptions").at("Labels").at("kaapi.job"), "42.61184")
      << "it has no name by which it would be found";
  EXPECT_FALSE(host_of(*wish).contains("ContainerIDFile"));
}

TEST(DockerRules, OneCallNamesOnlySoMuch) {
  std::string binds;
  for (std::size_t i = 0; i <= max_listed; ++i) binds += fmt::format(R"({}"/w:/w{}")", i == 0 ? "" : ",", i);
  EXPECT_THAT(check_container(fmt::format(R"({{"HostConfig":{{"Binds":[{}]}}}})", binds), owner).error().message,
              HasSubstr("64 of them"));
}

TEST(DockerRules, OlderVersionsMeanOtherThings) {
  EXPECT_FALSE(rule_of("POST", "/v1.23/containers/a/start"));
  EXPECT_FALSE(rule_of("POST", "/v1/containers/a/start"));
  EXPECT_TRUE(rule_of("POST", "/v1.24/containers/a/start"));
  EXPECT_TRUE(rule_of("POST", "/v2.0/containers/a/start"));
}

TEST(DockerRules, ThePartsOfAMountAreFilledIn) {
  const auto wish = check_container(
      R"({"HostConfig":{"VolumesFrom":["one:ro"],"NetworkMode":"container:two","Mounts":[{"Type":"tmpfs","Target":"/t"},
      {"Type":"bind","Source":"/w/x","Target":"/x","BindOptions":{"Propagation":"rprivate"}},{"Type":"volume","Source":"v"}]}})",
      owner);
  ASSERT_TRUE(wish) << wish.error().message;
  ContainerWish filled = *wish;
  EXPECT_THAT(filled.containers, ElementsAre("two", "one"));
  filled.set_container(0, "id2");
  filled.set_container(1, "id1");
  filled.set_bind(0, "/run/1");
  EXPECT_EQ(host_of(filled).at("NetworkMode"), "container:id2");
  EXPECT_EQ(host_of(filled).at("VolumesFrom").at(0), "id1:ro");
  EXPECT_EQ(host_of(filled).at("Mounts").at(1).at("Source"), "/run/1");
  EXPECT_FALSE(wish->binds[0].make_missing) << "as Docker: only -v makes it";
}

TEST(DockerRules, NetworksAndVolumesAreTheJobs) {
  EXPECT_THAT(
      check_network(
          R"({"Name":"n","CheckDuplicate":true,"Driver":"bridge","IPAM":{"Driver":"default","Options":{},"Config":[]},"Options":{},"Labels":{}})",
          owner, "kaapi-job-42")
          .value(),
      HasSubstr("42.61184"));
  for (const char* body :
       {R"({"Name":"n","Driver":"macvlan"})", R"({"Name":"n","IPAM":{"Config":[{"Subnet":"8.8.8.0/24"}]}})",
        R"({"Name":"n","Options":{"com.docker.network.bridge.name":"docker0"}})", R"({"Name":"kaapi-t"})",
        R"({"Name":"n","Ingress":true})", R"({"Name":"kaapi-job-43-1"})"}) {
    EXPECT_FALSE(check_network(body, owner, "kaapi-job-42")) << body;
  }
  EXPECT_THAT(check_volume(R"({"Name":"v","Driver":"local","DriverOpts":{}})", owner).value(), HasSubstr("kaapi.job"));
  EXPECT_FALSE(check_volume(R"({"Name":"v","DriverOpts":{"type":"none","o":"bind","device":"/"}})", owner));
  EXPECT_FALSE(check_volume(R"({"Name":"v","driveropts":{"device":"/"}})", owner));
  EXPECT_FALSE(check_exec(R"({"Cmd":["sh"],"Privileged":true})"));
  EXPECT_TRUE(check_exec(R"({"Cmd":["sh"],"Privileged":false,"User":"0"})"));
  EXPECT_EQ(check_member(R"({"Container":"c","EndpointConfig":null})").value().container, "c");
  EXPECT_FALSE(check_member(R"({"Container":"c","container":"d"})"));
}

TEST(DockerRules, ABodyEndsWhereItsRequestEnds) {
  RequestBody sized = RequestBody::sized(3);
  EXPECT_EQ(sized.take("ab").value(), "ab");
  EXPECT_FALSE(sized.whole());
  EXPECT_EQ(sized.take("cGET / HTTP/1.1").value(), "c");
  EXPECT_TRUE(sized.whole());
  RequestBody chunked = RequestBody::chunked();
  EXPECT_EQ(chunked.take("2\r\nab\r\n1").value(), "2\r\nab\r\n");
  EXPECT_EQ(chunked.take("\r\nc\r\n0\r\n\r\nGET /").value(), "1\r\nc\r\n0\r\n\r\n");
  EXPECT_TRUE(chunked.whole());
  EXPECT_FALSE(RequestBody::chunked().take("zz\r\n"));
}

TEST(DockerRules, NamesOfImages) {
  EXPECT_EQ(whole_image_name("app"), "app:latest");
  EXPECT_EQ(whole_image_name("localhost:5000/app"), "localhost:5000/app:latest");
  EXPECT_EQ(whole_image_name("app:1"), "app:1");
  EXPECT_EQ(whole_image_name("docker.io/library/app"), "app:latest");
  EXPECT_EQ(whole_image_name("docker.io/team/app:1"), "team/app:1");
  EXPECT_EQ(whole_image_name("library/team/app"), "library/team/app:latest");
}

}  // namespace
}  // namespace kaapi::actions::docker
