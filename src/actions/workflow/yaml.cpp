#include "actions/workflow/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

// Leaves the parser from within a callback; caught in read_yaml.
struct Refused {
  Position position;
  std::string message;
};

Position position_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

struct Size {
  std::size_t nodes = 0;
  std::size_t text_bytes = 0;
  std::size_t depth = 0;
};

Size measure(const YamlNode& node) {
  Size size{1, node.text.size(), 1};
  const auto add = [&](const Size& child) {
    size.nodes += child.nodes;
    size.text_bytes += child.text_bytes;
    size.depth = std::max(size.depth, child.depth + 1);
  };
  for (const YamlNode& item : node.items) add(measure(item));
  for (const YamlMember& member : node.members) {
    size.text_bytes += member.key.size();
    add(measure(member.value));
  }
  return size;
}

// Builds the tree from the parser's events. Every list and mapping that is open is one frame.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(Faults& faults) : faults_(faults) {}

  std::optional<YamlNode> take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.position = position_of(mark);
    finish(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{position_of(mark), "an alias refers to the node that it stands in"};
    count(found->second.second, position_of(mark));
    YamlNode copy = found->second.first;
    copy.position = position_of(mark);
    place(std::move(copy));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.position = position_of(mark);
    node.plain = tag == "?";
    const bool null =
        node.plain && (value.empty() || value == "~" || value == "null" || value == "Null" || value == "NULL");
    if (!null || expects_key()) {
      node.kind = YamlKind::text;
      node.text = value;
    }
    check_tag(tag, node.position);
    finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlKind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlKind::mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::optional<std::pair<std::string, Position>> key;  // of a mapping: read, its value is awaited
    std::vector<YamlNode> merges;                         // what stood behind `<<`
  };

  bool expects_key() const {
    return !frames_.empty() && frames_.back().node.kind == YamlKind::mapping && !frames_.back().key;
  }

  static void check_tag(const std::string& tag, Position position) {
    constexpr std::array<std::string_view, 7> core = {"str", "int", "float", "bool", "null", "map", "seq"};
    constexpr std::string_view prefix = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?" || tag == "!") return;
    const std::string_view name = tag;
    if (name.starts_with(prefix) && std::find(core.begin(), core.end(), name.substr(prefix.size())) != core.end())
      return;
    throw Refused{position, fmt::format("the YAML tag {} is unknown: expected no tag", quoted(tag))};
  }

  void open(YamlKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const Position position = position_of(mark);
    if (expects_key()) throw Refused{position, "a key must be a text, not a list or a mapping"};
    check_tag(tag, position);
    if (frames_.size() >= max_yaml_depth) {
      throw Refused{position, fmt::format("lists and mappings are nested more than {} deep", max_yaml_depth)};
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.position = position;
    frame.anchor = anchor;
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    for (YamlNode& merged : frame.merges) merge(frame.node, std::move(merged));
    finish(std::move(frame.node), frame.anchor);
  }

  // Members that the mapping does not have itself, the first merge first.
  void merge(YamlNode& into, YamlNode&& from) {
    if (from.kind == YamlKind::list) {
      for (YamlNode& item : from.items) merge(into, std::move(item));
      return;
    }
    if (from.kind != YamlKind::mapping) {
      throw Refused{from.position, "a merge key << expects a mapping, or a list of mappings"};
    }
    for (YamlMember& member : from.members) {
      if (into.find(member.key) == nullptr) add_member(into, std::move(member));
    }
  }

  static void add_member(YamlNode& mapping, YamlMember member) {
    if (mapping.members.size() >= max_yaml_members) {
      throw Refused{member.position, fmt::format("a mapping has more than {} keys", max_yaml_members)};
    }
    mapping.members.push_back(std::move(member));
  }

  void finish(YamlNode node, YAML::anchor_t anchor) {
    count({1, node.text.size(), 0}, node.position);
    if (anchor != YAML::NullAnchor) {
      const Size size = measure(node);
      // What is kept for aliases is a copy of its own.
      count(size, node.position);
      anchors_.insert_or_assign(anchor, std::pair(node, size));
    }
    place(std::move(node));
  }

  void count(const Size& more, Position position) {
    if (frames_.size() + more.depth > max_yaml_depth + 1) {
      throw Refused{position, fmt::format("lists and mappings are nested more than {} deep", max_yaml_depth)};
    }
    nodes_ += more.nodes;
    text_bytes_ += more.text_bytes;
    if (nodes_ > max_yaml_nodes) {
      throw Refused{position,
                    fmt::format("the file unfolds to more than {} YAML nodes: use fewer aliases", max_yaml_nodes)};
    }
    if (text_bytes_ > max_yaml_text_bytes) {
      throw Refused{position, fmt::format("the file unfolds to more than {} bytes of text: use fewer aliases",
                                          max_yaml_text_bytes)};
    }
  }

  // Into the list or mapping that is open.
  void place(YamlNode node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == YamlKind::list) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    if (!frame.key) {
      if (node.kind != YamlKind::text) throw Refused{node.position, "a key must be a text, not a list or a mapping"};
      frame.key.emplace(std::move(node.text), node.position);
      return;
    }
    auto [key, position] = *std::exchange(frame.key, std::nullopt);
    if (key == "<<") {
      frame.merges.push_back(std::move(node));
    } else if (const YamlMember* first = frame.node.find(key)) {
      faults_.add(position, fmt::format("the key {} stands twice in one mapping, first in line {}: expected it once",
                                        quoted(key), first->position.line));
    } else {
      add_member(frame.node, {std::move(key), position, std::move(node)});
    }
  }

  Faults& faults_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, std::pair<YamlNode, Size>> anchors_;
  std::optional<YamlNode> root_;
  std::size_t nodes_ = 0;
  std::size_t text_bytes_ = 0;
};

// The column of the first line of a | block, behind its header; 0 when there is none.
std::size_t block_column(const std::vector<std::string_view>& lines, std::size_t line) {
  for (; line <= lines.size(); ++line) {
    const std::size_t indent = lines[line - 1].find_first_not_of(" \r");
    if (indent != std::string_view::npos) return indent + 1;
  }
  return 0;
}

// yaml-cpp tells no scalar's style, so it is taken from what stands at the mark.
void locate_texts(YamlNode& node, const std::vector<std::string_view>& lines) {
  for (YamlNode& item : node.items) locate_texts(item, lines);
  for (YamlMember& member : node.members) locate_texts(member.value, lines);
  const Position at = node.position;
  if (node.kind != YamlKind::text || at.line > lines.size()) return;
  const std::string_view line = lines[at.line - 1];
  const std::size_t lead = node.plain ? 0 : 1;  // the quote
  const std::size_t begin = at.column - 1 + lead;
  if (begin <= line.size() && line.substr(begin, node.text.size()) == node.text) {
    node.text_at = {at.line, at.column + lead};
  } else if (!node.plain && begin <= line.size() && line[begin - 1] == '|') {
    const std::size_t column = block_column(lines, at.line + 1);
    if (column == 0 || node.text.starts_with('\n')) return;
    node.text_at = {at.line + 1, column};
    node.lines = true;
  }
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

const YamlMember* YamlNode::find(std::string_view key) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const YamlMember& member) { return member.key == key; });
  return found == members.end() ? nullptr : &*found;
}

YamlNode read_yaml(std::string_view text, Faults& faults) {
  if (text.size() > max_file_bytes) {
    faults.add({}, fmt::format("the file has {} bytes: expected at most {}", text.size(), max_file_bytes));
    return {};
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    faults.add({}, fmt::format("the file has a NUL byte at offset {}: expected text in UTF-8", nul));
    return {};
  }
  Builder builder(faults);
  if (const auto broken = find_broken_utf8(text)) {
    const std::string_view before = text.substr(0, *broken);
    const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    const std::size_t line_begin = line == 0 ? 0 : before.rfind('\n') + 1;
    faults.add({line + 1, *broken - line_begin + 1},
               fmt::format("the byte 0x{:02X} is no text: expected UTF-8", static_cast<unsigned char>(text[*broken])));
    return {};
  }
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) return {};
    std::optional<YamlNode> root = builder.take();
    Faults ignored;
    Builder second(ignored);
    if (parser.HandleNextDocument(second)) {
      faults.add({}, "the file has several YAML documents: expected one, without --- in between");
      return {};
    }
    if (!root) return {};
    locate_texts(*root, lines_of(text));
    return *std::move(root);
  } catch (const Refused& refused) {
    faults.add(refused.position, refused.message);
  } catch (const YAML::Exception& error) {
    faults.add(position_of(error.mark), fmt::format("this is no valid YAML: {}", error.msg));
  }
  return {};
}

Position locate(const YamlNode& node, std::size_t offset) {
  if (node.text_at.line == 0) return node.position;
  if (!node.lines) return {node.text_at.line, node.text_at.column + offset};
  const std::string_view before = std::string_view(node.text).substr(0, offset);
  const std::size_t breaks = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_begin = breaks == 0 ? 0 : before.rfind('\n') + 1;
  return {node.text_at.line + breaks, node.text_at.column + offset - line_begin};
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlKind::null:
      return "nothing";
    case YamlKind::text:
      return quoted(node.text);
    case YamlKind::list:
      return "a list";
    case YamlKind::mapping:
      return "a mapping";
  }
  return {};
}

}  // namespace kaapi::actions::workflow
