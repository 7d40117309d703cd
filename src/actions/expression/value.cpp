#include "actions/expression/value.h"

#include <algorithm>

#include "base/text.h"

namespace kaapi::actions::expression {
namespace {

// Larger objects get an index.
constexpr std::size_t max_scanned_members = 8;

}  // namespace

Value::Value(Array array) : data_(std::make_shared<const Array>(std::move(array))) {}
Value::Value(Object object) : data_(std::make_shared<const Object>(std::move(object))) {}

Value Value::operator[](std::string_view key) const {
  if (!is(Kind::object)) return {};
  const Value* found = object().find(key);
  return found == nullptr ? Value() : *found;
}

std::size_t Object::position(std::string_view key) const {
  if (!index_.empty()) {
    const auto found = index_.find(case_ == Case::sensitive ? std::string(key) : lower(key));
    return found == index_.end() ? members_.size() : found->second;
  }
  const auto same = [&](const auto& member) {
    return case_ == Case::sensitive ? member.first == key : equal_ignoring_case(member.first, key);
  };
  return static_cast<std::size_t>(std::find_if(members_.begin(), members_.end(), same) - members_.begin());
}

void Object::set(std::string_view key, Value value) {
  const std::size_t at = position(key);
  if (at < members_.size()) {
    members_[at].second = std::move(value);
    return;
  }
  members_.emplace_back(std::string(key), std::move(value));
  const auto indexed = [&](const std::string& name) { return case_ == Case::sensitive ? name : lower(name); };
  if (!index_.empty()) {
    index_.emplace(indexed(members_.back().first), at);
  } else if (members_.size() > max_scanned_members) {
    for (std::size_t i = 0; i < members_.size(); ++i) index_.emplace(indexed(members_[i].first), i);
  }
}

const Value* Object::find(std::string_view key) const {
  const std::size_t at = position(key);
  return at < members_.size() ? &members_[at].second : nullptr;
}

}  // namespace kaapi::actions::expression
