#pragma once
// Keeps encoded answers of a polled operation for as long as nothing in the database has changed. Waiting clients ask
// the same question many times between two changes.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace kaapi::ecs {

inline constexpr std::size_t max_answer_cache_bytes = 2 * 1024 * 1024;

// Thread-safe.
class AnswerCache {
 public:
  // The answer that was kept for this question at this version of the database; nullptr when there is none.
  std::shared_ptr<const std::string> find(const std::string& question, std::uint64_t version) const;
  // `version` was taken before the answer was read.
  void keep(const std::string& question, std::uint64_t version, std::shared_ptr<const std::string> answer);

 private:
  mutable std::mutex mutex_;
  std::uint64_t version_ = 0;  // of all that is kept
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, std::shared_ptr<const std::string>> answers_;
};

}  // namespace kaapi::ecs
