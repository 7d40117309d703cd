#include "actions/workflow/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "actions/workflow/yaml_events.h"
#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

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

// Of YAML's core schema (YAML 1.2.2, section 10.3), or none at all.
bool is_core_tag(std::string_view tag) {
  constexpr std::array<std::string_view, 7> core = {"str", "int", "float", "bool", "null", "map", "seq"};
  constexpr std::string_view prefix = "tag:yaml.org,2002:";
  if (tag.empty() || tag == "!") return true;
  return tag.starts_with(prefix) && std::find(core.begin(), core.end(), tag.substr(prefix.size())) != core.end();
}

bool is_null(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

// The column of the first line of a | block, behind its header; 0 when there is none.
std::size_t block_column(const YamlEvents& events, std::size_t line) {
  for (; line <= events.line_count(); ++line) {
    const std::size_t indent = events.line(line).find_first_not_of(" \r");
    if (indent != std::string_view::npos) return indent + 1;
  }
  return 0;
}

// Builds the tree from the events. Every list and mapping that is open is one frame.
class Builder {
 public:
  Builder(const YamlEvents& events, Faults& faults) : events_(events), faults_(faults) {}

  // False when the file is refused, of which `faults` has been told.
  bool take(const yaml_event_t& event);
  YamlNode root() { return std::move(root_); }

 private:
  struct Frame {
    YamlNode node;
    std::string anchor;
    std::optional<std::pair<std::string, Position>> key;  // of a mapping: read, its value is awaited
    std::vector<YamlNode> merges;                         // what stood behind `<<`
  };
  struct Anchored {
    YamlNode node;
    Size size;
  };

  bool expects_key() const {
    return !frames_.empty() && frames_.back().node.kind == YamlKind::mapping && !frames_.back().key;
  }
  bool refuse(Position position, std::string message) {
    faults_.add(position, std::move(message));
    return false;
  }
  bool too_deep(Position position) {
    return refuse(position, fmt::format("lists and mappings are nested more than {} deep", max_yaml_depth));
  }
  // What this is no place for: tags that make a program build something.
  bool good_tag(std::string_view tag, Position position) {
    if (is_core_tag(tag)) return true;
    return refuse(position, fmt::format("the YAML tag {} is unknown: expected no tag", quoted(tag)));
  }

  bool alias(const yaml_event_t& event);
  bool scalar(const yaml_event_t& event);
  void locate_text(YamlNode& node, const yaml_event_t& event) const;
  bool open(YamlKind kind, Position position, std::string_view tag, std::string_view anchor);
  bool close();
  bool merge(YamlNode& into, YamlNode&& from);
  bool add_member(YamlNode& mapping, YamlMember member);
  bool finish(YamlNode node, std::string_view anchor);
  bool count(const Size& more, Position position);
  bool place(YamlNode node);

  const YamlEvents& events_;
  Faults& faults_;
  std::vector<Frame> frames_;
  std::unordered_map<std::string, Anchored> anchors_;
  YamlNode root_;
  std::size_t documents_ = 0;
  std::size_t nodes_ = 0;
  std::size_t text_bytes_ = 0;
};

bool Builder::take(const yaml_event_t& event) {
  switch (event.type) {
    case YAML_DOCUMENT_START_EVENT:
      if (++documents_ == 1) return true;
      return refuse(events_.position(event.start_mark),
                    "the file has several YAML documents: expected one, without --- in between");
    case YAML_ALIAS_EVENT:
      return alias(event);
    case YAML_SCALAR_EVENT:
      return scalar(event);
    case YAML_SEQUENCE_START_EVENT:
      return open(YamlKind::list, events_.position(event.start_mark), yaml_text(event.data.sequence_start.tag),
                  yaml_text(event.data.sequence_start.anchor));
    case YAML_MAPPING_START_EVENT:
      return open(YamlKind::mapping, events_.position(event.start_mark), yaml_text(event.data.mapping_start.tag),
                  yaml_text(event.data.mapping_start.anchor));
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      return close();
    default:
      return true;
  }
}

bool Builder::alias(const yaml_event_t& event) {
  const Position position = events_.position(event.start_mark);
  const std::string name(yaml_text(event.data.alias.anchor));
  const auto is_it = [&](const Frame& frame) { return frame.anchor == name; };
  if (std::any_of(frames_.begin(), frames_.end(), is_it)) {
    return refuse(position, fmt::format("the alias {} refers to the node that it stands in", quoted("*" + name)));
  }
  const auto found = anchors_.find(name);
  if (found == anchors_.end()) {
    return refuse(position,
                  fmt::format("the alias {} refers to nothing: expected its anchor before it", quoted("*" + name)));
  }
  if (!count(found->second.size, position)) return false;
  YamlNode copy = found->second.node;
  copy.position = position;
  copy.text_at = {0, 0};
  return place(std::move(copy));
}

bool Builder::scalar(const yaml_event_t& event) {
  const auto& found = event.data.scalar;
  const std::string_view tag = yaml_text(found.tag);
  YamlNode node;
  node.position = events_.position(event.start_mark);
  node.plain = found.style == YAML_PLAIN_SCALAR_STYLE && found.tag == nullptr;
  const std::string_view text = yaml_text(found.value, found.length);
  if (!node.plain || !is_null(text) || expects_key()) {
    node.kind = YamlKind::text;
    node.text = text;
    locate_text(node, event);
  }
  return good_tag(tag, node.position) && finish(std::move(node), yaml_text(found.anchor));
}

// Where in the file the text stands as it is, if it does.
void Builder::locate_text(YamlNode& node, const yaml_event_t& event) const {
  const Position at = node.position;
  const yaml_scalar_style_t style = event.data.scalar.style;
  if (style == YAML_LITERAL_SCALAR_STYLE) {
    const std::size_t column = block_column(events_, at.line + 1);
    if (column == 0 || node.text.starts_with('\n')) return;
    node.text_at = {at.line + 1, column};
    node.lines = true;
    return;
  }
  if (style == YAML_FOLDED_SCALAR_STYLE) return;
  const std::string_view line = events_.line(at.line);
  const std::size_t column = at.column + (style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1);  // behind the quote
  if (column - 1 <= line.size() && line.substr(column - 1, node.text.size()) == node.text) {
    node.text_at = {at.line, column};
  }
}

bool Builder::open(YamlKind kind, Position position, std::string_view tag, std::string_view anchor) {
  if (expects_key()) return refuse(position, "a key must be a text, not a list or a mapping");
  if (!good_tag(tag, position)) return false;
  if (frames_.size() >= max_yaml_depth) return too_deep(position);
  Frame& frame = frames_.emplace_back();
  frame.node.kind = kind;
  frame.node.position = position;
  frame.anchor = anchor;
  return true;
}

bool Builder::close() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  for (YamlNode& merged : frame.merges) {
    if (!merge(frame.node, std::move(merged))) return false;
  }
  return finish(std::move(frame.node), frame.anchor);
}

// Members that the mapping does not have itself, the first merge first.
bool Builder::merge(YamlNode& into, YamlNode&& from) {
  if (from.kind == YamlKind::list) {
    return std::all_of(from.items.begin(), from.items.end(),
                       [&](YamlNode& item) { return merge(into, std::move(item)); });
  }
  if (from.kind != YamlKind::mapping) {
    return refuse(from.position, "a merge key << expects a mapping, or a list of mappings");
  }
  return std::all_of(from.members.begin(), from.members.end(), [&](YamlMember& member) {
    return into.find(member.key) != nullptr || add_member(into, std::move(member));
  });
}

bool Builder::add_member(YamlNode& mapping, YamlMember member) {
  if (mapping.members.size() >= max_yaml_members) {
    return refuse(member.position, fmt::format("a mapping has more than {} keys", max_yaml_members));
  }
  mapping.members.push_back(std::move(member));
  return true;
}

bool Builder::finish(YamlNode node, std::string_view anchor) {
  if (!count({1, node.text.size(), 0}, node.position)) return false;
  if (!anchor.empty()) {
    const Size size = measure(node);
    // What is kept for aliases is a copy of its own.
    if (!count(size, node.position)) return false;
    anchors_.insert_or_assign(std::string(anchor), Anchored{node, size});
  }
  return place(std::move(node));
}

bool Builder::count(const Size& more, Position position) {
  if (frames_.size() + more.depth > max_yaml_depth + 1) return too_deep(position);
  nodes_ += more.nodes;
  text_bytes_ += more.text_bytes;
  if (nodes_ > max_yaml_nodes) {
    return refuse(position,
                  fmt::format("the file unfolds to more than {} YAML nodes: use fewer aliases", max_yaml_nodes));
  }
  if (text_bytes_ <= max_yaml_text_bytes) return true;
  return refuse(position,
                fmt::format("the file unfolds to more than {} bytes of text: use fewer aliases", max_yaml_text_bytes));
}

// Into the list or mapping that is open.
bool Builder::place(YamlNode node) {
  if (frames_.empty()) {
    root_ = std::move(node);
    return true;
  }
  Frame& frame = frames_.back();
  if (frame.node.kind == YamlKind::list) {
    frame.node.items.push_back(std::move(node));
    return true;
  }
  if (!frame.key) {
    if (node.kind != YamlKind::text) return refuse(node.position, "a key must be a text, not a list or a mapping");
    frame.key.emplace(std::move(node.text), node.position);
    return true;
  }
  auto [key, position] = *std::exchange(frame.key, std::nullopt);
  if (key == "<<") {
    frame.merges.push_back(std::move(node));
    return true;
  }
  if (const YamlMember* first = frame.node.find(key)) {
    faults_.add(position, fmt::format("the key {} stands twice in one mapping, first in line {}: expected it once",
                                      quoted(key), first->position.line));
    return true;
  }
  return add_member(frame.node, {std::move(key), position, std::move(node)});
}

// libyaml compares each %TAG with all before it.
bool few_directives(std::string_view text, Faults& faults) {
  std::size_t line = 1, count = 0;
  for (std::size_t at = 0; at < text.size(); ++at, ++line) {
    if (text[at] == '%' && ++count > max_yaml_directives) {
      faults.add({line, 1}, fmt::format("the file has more than {} YAML directives", max_yaml_directives));
      return false;
    }
    at = text.find('\n', at);
    if (at == std::string_view::npos) break;
  }
  return true;
}

// False when the text cannot be YAML at all, whatever its grammar.
bool is_text(std::string_view text, Faults& faults) {
  if (text.size() > max_file_bytes) {
    faults.add({}, fmt::format("the file has {} bytes: expected at most {}", text.size(), max_file_bytes));
    return false;
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    faults.add({}, fmt::format("the file has a NUL byte at offset {}: expected text in UTF-8", nul));
    return false;
  }
  const auto broken = find_broken_utf8(text);
  if (!broken) return true;
  const std::string_view before = text.substr(0, *broken);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_begin = line == 0 ? 0 : before.rfind('\n') + 1;
  faults.add({line + 1, *broken - line_begin + 1},
             fmt::format("the byte 0x{:02X} is no text: expected UTF-8", static_cast<unsigned char>(text[*broken])));
  return false;
}

}  // namespace

const YamlMember* YamlNode::find(std::string_view key) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const YamlMember& member) { return member.key == key; });
  return found == members.end() ? nullptr : &*found;
}

YamlNode read_yaml(std::string_view text, Faults& faults) {
  if (!is_text(text, faults) || !few_directives(text, faults)) return {};
  YamlEvents events(text);
  Builder builder(events, faults);
  while (events.next()) {
    if (events.event().type == YAML_STREAM_END_EVENT) return builder.root();
    if (!builder.take(events.event())) return {};
  }
  Fault problem = events.problem();
  faults.add(problem.position, "this is no valid YAML: " + problem.message);
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
