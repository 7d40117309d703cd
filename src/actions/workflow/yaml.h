#pragma once
// YAML read into a bounded tree that knows where everything stood. Anchors, aliases and merge keys work and are bounded
// by the size of the tree that they unfold to; a key that stands twice is refused.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "actions/workflow/fault.h"

namespace kaapi::actions::workflow {

inline constexpr std::size_t max_file_bytes = 512UL * 1024;            // of a workflow file or action.yml
inline constexpr std::size_t max_yaml_depth = 50;                      // nested lists and mappings
inline constexpr std::size_t max_yaml_members = 1'000;                 // of one mapping
inline constexpr std::size_t max_yaml_directives = 100;                // lines that begin with %
inline constexpr std::size_t max_yaml_nodes = 50'000;                  // after aliases are unfolded
inline constexpr std::size_t max_yaml_text_bytes = 4UL * 1024 * 1024;  // of all texts, after aliases are unfolded

enum class YamlKind { null, text, list, mapping };

struct YamlMember;

// One node. Owned by its parent; immutable once read.
struct YamlNode {
  YamlKind kind = YamlKind::null;
  Position position;
  // Of a text: without quotes and escapes.
  std::string text;
  // A plain scalar, which may be a number or a boolean; not when it was quoted, a block, or tagged !!str.
  bool plain = false;
  // Where the first byte of `text` stands, when the file has the text as it is: a scalar on one line, or, with `lines`,
  // a | block, whose lines all begin in that column. Line 0: unknown (folded or escaped).
  Position text_at{0, 0};
  bool lines = false;
  std::vector<YamlNode> items;      // of a list
  std::vector<YamlMember> members;  // of a mapping, in the order of the file

  const YamlMember* find(std::string_view key) const;  // nullptr when there is none
};

struct YamlMember {
  std::string key;
  Position position;
  YamlNode value;
};

// Reads the one document of a file. On a fault the tree is empty, except that duplicate keys leave the rest readable.
// `on`, `yes` and `off` stay texts: a workflow's `on` is no boolean.
YamlNode read_yaml(std::string_view text, Faults& faults);

// Where the byte at `offset` of a text stands; where the text begins when that is not known.
Position locate(const YamlNode& node, std::size_t offset);

// What kind of thing it is, for messages: "a list", "a mapping", "the text \"x\"", "nothing".
std::string describe(const YamlNode& node);

}  // namespace kaapi::actions::workflow
