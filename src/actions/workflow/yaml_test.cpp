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

TEST(Yaml, ColumnsCountBytes) {
  const YamlNode root = read("caf\xC3\xA9: {\xE2\x82\xAC: x, b: \"yz\"}\nc: d\n");
  const YamlNode& value = root.find("caf\xC3\xA9")->value;
  EXPECT_EQ(value.find("b")->position, (Position{1, 17}));
  EXPECT_EQ(locate(value.find("b")->value, 1), (Position{1, 22}));
  EXPECT_EQ(root.find("c")->position, (Position{2, 1}));
}

TEST(Yaml, FilesOfEveryEditorAreRead) {
  const YamlNode root = read("\xEF\xBB\xBFon: push\r\nrun: |\r\n  one\r\n  two\r\n");
  EXPECT_EQ(root.find("on")->position, (Position{1, 1}));
  EXPECT_EQ(root.find("run")->value.text, "one\ntwo\n");
  EXPECT_EQ(locate(root.find("run")->value, 4), (Position{4, 3}));
  EXPECT_EQ(read("--- \na: 1\n...\n").find("a")->value.text, "1");
  EXPECT_EQ(read("%YAML 1.2\n---\na: 1\n").find("a")->position, (Position{3, 1}));
}

// Lines are those that editors count, whatever else YAML takes for a line's end.
TEST(Yaml, LinesEndAtNewlinesAlone) {
  const YamlNode root = read("a: \"x\xE2\x80\xA8y\"\nb: 1\n");
  EXPECT_EQ(root.find("b")->position, (Position{2, 1}));
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
  std::string directives;
  for (std::size_t i = 0; i <= max_yaml_directives; ++i) directives += fmt::format("%TAG !a{}! b\n", i);
  EXPECT_THAT(fault_of(directives + "---\na: 1\n"),
              HasSubstr("x.yml:101:1: the file has more than 100 YAML directives"));
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
  EXPECT_EQ(fault_of("a: *nope\n"), "x.yml:1:4: the alias \"*nope\" refers to nothing: expected its anchor before it");
  EXPECT_THAT(fault_of("a: &x [*x]\n"), HasSubstr("x.yml:1:8: the alias \"*x\" refers to the node that it stands in"));
  EXPECT_THAT(fault_of("a:\n\t- b\n"), HasSubstr("x.yml:2:1: this is no valid YAML: found a tab: expected spaces"));
  EXPECT_THAT(fault_of("a: @b\n"), HasSubstr("x.yml:1:4: this is no valid YAML: found \"@\""));
  EXPECT_THAT(fault_of("a: b\nc: \x1B[0m\n"), HasSubstr("x.yml:2:4: this is no valid YAML: control characters"));
  EXPECT_THAT(fault_of("a: b\nc\nd: e\n"),
              HasSubstr("could not find expected ':' while scanning a simple key that begins in line 2"));
  EXPECT_THAT(fault_of("? [a]\n: 1\n"), HasSubstr("a key must be a text"));
  EXPECT_THAT(fault_of("a: 1\n---\nb: 2\n"), HasSubstr("several YAML documents"));
  EXPECT_THAT(fault_of("a: !!python/object x\n"), HasSubstr("the YAML tag"));
  EXPECT_THAT(fault_of("a:\n  <<: 5\n"), HasSubstr("merge key"));
  EXPECT_EQ(fault_of(""), "none");
}

}  // namespace
}  // namespace kaapi::actions::workflow
