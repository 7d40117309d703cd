#include "daemon/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_directory.h"
#include "containers/fake_engine.h"
#include "daemon/platform.h"

namespace kaapi::daemon {
namespace {

using testing::HasSubstr;

TEST(MachineTest, AsksAPlatformForItsHealth) {
  const TestDirectory directory;
  const SystemClock clock;
  containers::FakeEngine engine(clock);
  PlatformConfig config;
  config.data_dir = directory.path();
  config.listen_port = 0;
  config.version = "1.2.3";
  Result<std::unique_ptr<Platform>> platform = Platform::open(config, engine);
  ASSERT_TRUE(platform) << platform.error().message;
  ASSERT_TRUE((*platform)->start());
  const Result<cli::HealthAnswer> answer = ask_health((*platform)->endpoint());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->body, HasSubstr("1.2.3"));
  EXPECT_THAT(answer->date, HasSubstr(" GMT"));
  const std::string endpoint = (*platform)->endpoint();
  (*platform)->stop();
  platform->reset();
  EXPECT_EQ(ask_health(endpoint).error().code, errc::unavailable);
}

TEST(MachineTest, RefusesWhatIsNoAddressOfAPlatform) {
  for (const char* url :
       {"", "https://127.0.0.1:1", "http://127.0.0.1", "http://:80", "http://h:70000", "http://h:x"}) {
    const Result<cli::HealthAnswer> answer = ask_health(url);
    ASSERT_FALSE(answer) << url;
    EXPECT_EQ(answer.error().code, errc::invalid) << url;
  }
}

TEST(MachineTest, MeasuresTheDiskOfAFolder) {
  const TestDirectory directory;
  const Result<cli::DiskSpace> disk = disk_space(directory.path());
  ASSERT_TRUE(disk) << disk.error().message;
  EXPECT_GT(disk->total_bytes, 0U);
  EXPECT_LE(disk->free_bytes, disk->total_bytes);
  EXPECT_THAT(disk_space(directory.file("none")).error().message, HasSubstr("No such file"));
}

TEST(MachineTest, NamesTheInterfacesThatHaveAnAddress) {
  EXPECT_THAT(interfaces_with("127.0.0.1"), testing::ElementsAre("lo"));
  EXPECT_THAT(interfaces_with("192.0.2.254"), testing::IsEmpty());
  EXPECT_THAT(interfaces_with("localhost"), testing::IsEmpty());
}

}  // namespace
}  // namespace kaapi::daemon
