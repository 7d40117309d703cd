#include "daemon/addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kaapi::daemon {
namespace {

using testing::UnorderedElementsAre;

TEST(AddressesTest, KnowsLoopbackFromTheRest) {
  for (const auto* address : {"127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"}) {
    EXPECT_TRUE(is_loopback(address)) << address;
  }
  for (const auto* address : {"0.0.0.0", "::", "[::]", "10.0.0.5", "1270.0.0.1", "::11", "example.com"}) {
    EXPECT_FALSE(is_loopback(address)) << address;
  }
}

TEST(AddressesTest, OnLoopbackTheRegistryIsLocalhost) {
  const Addresses addresses = addresses_of("127.0.0.1", 4566, "");
  EXPECT_EQ(addresses.endpoint, "http://127.0.0.1:4566");
  EXPECT_EQ(addresses.registry_host, "localhost:4566");
  EXPECT_EQ(addresses.pull_host, "localhost:4566");
  EXPECT_THAT(addresses.own_hosts, UnorderedElementsAre("localhost:4566", "127.0.0.1:4566"));
}

TEST(AddressesTest, OnEveryAddressClientsHereUseLoopback) {
  const Addresses addresses = addresses_of("[::]", 80, "");
  EXPECT_EQ(addresses.endpoint, "http://127.0.0.1:80");
  EXPECT_EQ(addresses.registry_host, "localhost:80");
}

TEST(AddressesTest, OnOneAddressTheRegistryIsThere) {
  const Addresses addresses = addresses_of("10.0.0.5", 4566, "");
  EXPECT_EQ(addresses.endpoint, "http://10.0.0.5:4566");
  EXPECT_EQ(addresses.registry_host, "10.0.0.5:4566");
  EXPECT_EQ(addresses.pull_host, "10.0.0.5:4566");
  EXPECT_EQ(addresses_of("::1", 1, "").endpoint, "http://[::1]:1");
  EXPECT_EQ(addresses_of("[fd00::1]", 1, "").endpoint, "http://[fd00::1]:1");
}

TEST(AddressesTest, APublicHostNamesTheRegistryButTheEngineStaysLocal) {
  const Addresses addresses = addresses_of("127.0.0.1", 4566, "registry.example.com");
  EXPECT_EQ(addresses.registry_host, "registry.example.com:4566");
  EXPECT_EQ(addresses.pull_host, "localhost:4566");
  EXPECT_THAT(addresses.own_hosts,
              UnorderedElementsAre("localhost:4566", "127.0.0.1:4566", "registry.example.com:4566"));
  EXPECT_EQ(addresses_of("0.0.0.0", 4566, "registry.example.com:443").registry_host, "registry.example.com:443");
  EXPECT_EQ(addresses_of("0.0.0.0", 4566, "fd00::1").registry_host, "[fd00::1]:4566");
  EXPECT_EQ(addresses_of("0.0.0.0", 4566, "[fd00::1]:443").registry_host, "[fd00::1]:443");
}

}  // namespace
}  // namespace kaapi::daemon
