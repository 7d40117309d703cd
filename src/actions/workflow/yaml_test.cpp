#include "actions/workflow/yaml.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/workflow/reader.h"

namespace kaapi::actions::workflow {
namespace {

using testing::HasSubstr;

YamlNode read(std::string_view text) {
  Faults faults;
  YamlNode node = read_yaml(text, faults);
  for (const Fault& fault : faults.take()) ADD_FAILURE() << format_fault("x.yml", fault);
  return node;
}

std::string fault_of(std::string_view text) {
  Faults faults;
  (void)read_yaml(text, faults);
  const std::vector<Fault> found = faults.take();
  return found.empty() ? "none" : format_fault("x.yml", found[0]);
}

TEST(Yaml, KnowsWhereThingsStand) {
  const YamlNode root = read("a: 1\nb:\n  - x\n  - \"y z\"\nc: |\n    one\n    two\n");
  EXPECT_EQ(root.find("b")->position, (Position{2, 1}));
  EXPECT_EQ(root.find("b")->value.items[1].position, (Position{4, 5}));
  EXPECT_EQ(locate(root.find("b")->value.items[1], 2), (Position{4, 8}));
  EXPECT_EQ(locate(root.find("c")->value, 5), (Position{7, 6}));
}

TEST(Yaml, ScalarsAreYaml12) {
  const YamlNode root = read("on: yes\na: True\nb: 0x1F\nc: '1'\nd: ~\ne: 1.50\nf: 1e3\ng: 007\nh: 1.2.3\ni: .5\nj:\n");
  const auto json = [&](const char* key) { return expression::to_json(scalar_value(root.find(key)->value)).value(); };
  EXPECT_EQ(json("on"), "\"yes\"");
  EXPECT_EQ(json("a"), "true");
  EXPECT_EQ(json("b"), "31");
  EXPECT_EQ(json("c"), "\"1\"");
  EXPECT_EQ(json("d"), "null");
  EXPECT_EQ(json("e"), "1.5");
  EXPECT_EQ(json("f"), "1000");
  EXPECT_EQ(json("g"), "7");
  EXPECT_EQ(json("h"), "\"1.2.3\"");
  EXPECT_EQ(json("i"), "0.5");
  EXPECT_EQ(json("j"), "null");
}

TEST(Yaml, AnchorsAliasesAndMergeKeysWork) {
  const YamlNode root = read("base: &b {x: 1, y: 2}\nd: *b\nc:\n  <<: *b\n  y: 3\n  z: 4\nm:\n  <<: [{q: 1}, *b]\n");
  EXPECT_EQ(root.find("d")->value.find("x")->value.text, "1");
  EXPECT_EQ(root.find("c")->value.find("x")->value.text, "1");
  EXPECT_EQ(root.find("c")->value.find("y")->value.text, "3");
  EXPECT_EQ(root.find("m")->value.find("q")->value.text, "1");
  EXPECT_EQ(root.find("m")->value.find("y")->value.text, "2");
}

TEST(Yaml, BillionLaughsAreRefused) {
  std::string text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 10; ++i) {
    text += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  }
  EXPECT_THAT(fault_of(text), HasSubstr("aliases"));
  std::string bytes = "a: &a \"" + std::string(100'000, 'x') + "\"\nb: [";
  for (int i = 0; i < 100; ++i) bytes += "*a, ";
  EXPECT_THAT(fault_of(bytes + "]\n"), HasSubstr("aliases"));
}

TEST(Yaml, EverythingIsBounded) {
  EXPECT_THAT(fault_of(std::string(60, '[') + std::string(60, ']')), HasSubstr("deep"));
  EXPECT_NE(fault_of(std::string(100'000, '[')), "none");
  EXPECT_THAT(fault_of(std::string(max_file_bytes + 1, ' ')), HasSubstr("at most"));
  EXPECT_THAT(fault_of(std::string("a: \0", 4)), HasSubstr("NUL"));
  std::string keys;
  for (std::size_t i = 0; i <= max_yaml_members; ++i) keys += fmt::format("k{}: 1\n", i);
  EXPECT_THAT(fault_of(keys), HasSubstr("keys"));
}

TEST(Yaml, BytesThatAreNoTextAreAFault) {
  EXPECT_EQ(fault_of("a: b\nc: caf\xE9\n"), "x.yml:2:7: the byte 0xE9 is no text: expected UTF-8");
}

TEST(Yaml, FaultsTellTheirPlace) {
  EXPECT_THAT(fault_of("a: 1\nb: 2\na: 3\n"), HasSubstr("x.yml:3:1: the key \"a\" stands twice"));
  EXPECT_THAT(fault_of("a: [1\nb: 2\n"), HasSubstr("no valid YAML"));
  EXPECT_THAT(fault_of("a: *nope\n"), HasSubstr("x.yml:1:"));
  EXPECT_THAT(fault_of("? [a]\n: 1\n"), HasSubstr("a key must be a text"));
  EXPECT_THAT(fault_of("a: 1\n---\nb: 2\n"), HasSubstr("several YAML documents"));
  EXPECT_THAT(fault_of("a: !!python/object x\n"), HasSubstr("the YAML tag"));
  EXPECT_THAT(fault_of("a:\n  <<: 5\n"), HasSubstr("merge key"));
  EXPECT_EQ(fault_of(""), "none");
}

}  // namespace
}  // namespace kaapi::actions::workflow
