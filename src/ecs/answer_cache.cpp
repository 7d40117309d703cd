#include "ecs/answer_cache.h"

#include <utility>

namespace kaapi::ecs {

std::shared_ptr<const std::string> AnswerCache::find(const std::string& question, std::uint64_t version) const {
  const std::lock_guard lock(mutex_);
  if (version_ != version) return nullptr;
  const auto found = answers_.find(question);
  return found == answers_.end() ? nullptr : found->second;
}

void AnswerCache::keep(const std::string& question, std::uint64_t version, std::shared_ptr<const std::string> answer) {
  const std::lock_guard lock(mutex_);
  if (version < version_) return;  // read before a change that others have seen already
  const std::size_t size = question.size() + answer->size();
  if (version_ != version || bytes_ + size > max_answer_cache_bytes) {
    answers_.clear();
    bytes_ = 0;
    version_ = version;
  }
  if (size > max_answer_cache_bytes) return;
  if (answers_.emplace(question, std::move(answer)).second) bytes_ += size;
}

}  // namespace kaapi::ecs
