#pragma once
// An environment made of values at hand, perhaps on top of another one.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "actions/expression/expression.h"

namespace kaapi::actions::expression {

// What is not set here is asked of `below` (null: not available). `below` must outlive this. Not thread-safe while it
// is filled.
class Contexts : public Environment {
 public:
  explicit Contexts(const Environment* below = nullptr) : below_(below) {}

  void set(std::string_view name, Value value) { values_.insert_or_assign(std::string(name), std::move(value)); }

  std::optional<Value> context(std::string_view name) const override {
    if (const auto found = values_.find(name); found != values_.end()) return found->second;
    return below_ == nullptr ? std::nullopt : below_->context(name);
  }
  Result<std::string> hash_files(std::span<const std::string> patterns) const override {
    return below_ == nullptr ? Environment::hash_files(patterns) : below_->hash_files(patterns);
  }
  Result<bool> status(Function function, std::span<const std::string> jobs) const override {
    return below_ == nullptr ? Environment::status(function, jobs) : below_->status(function, jobs);
  }

 private:
  const Environment* below_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace kaapi::actions::expression
