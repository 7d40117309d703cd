#include "aws/pattern.h"

#include <boost/regex.hpp>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace kaapi::aws {
namespace {

// Bounded by the number of patterns in the models.
class Patterns {
 public:
  const boost::regex& find(std::string_view regex) {
    {
      const std::shared_lock lock(mutex_);
      const auto found = compiled_.find(regex.data());
      if (found != compiled_.end()) return *found->second;
    }
    auto made = std::make_unique<boost::regex>(regex.begin(), regex.end(), boost::regex::perl);
    const std::unique_lock lock(mutex_);
    return *compiled_.try_emplace(regex.data(), std::move(made)).first->second;
  }

 private:
  std::shared_mutex mutex_;
  std::unordered_map<const char*, std::unique_ptr<boost::regex>> compiled_;
};

}  // namespace

bool matches_pattern(std::string_view regex, std::string_view text) {
  static Patterns patterns;
  const boost::regex& compiled = patterns.find(regex);
  try {
    // One line: "^" and "$" only stand for the text's ends.
    return boost::regex_match(text.begin(), text.end(), compiled, boost::match_default | boost::match_single_line);
  } catch (const std::runtime_error&) {
    return false;  // Boost gave up: more steps than the square of the text's length
  }
}

}  // namespace kaapi::aws
