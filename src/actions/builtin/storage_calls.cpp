#include "actions/builtin/storage_calls.h"

#include <fmt/format.h>

#include <atomic>
#include <filesystem>

#include "base/json.h"

namespace kaapi::actions {

TemporaryFile::TemporaryFile(const ActionHost& host, std::string_view name) {
  static std::atomic<unsigned> last{0};
  path_ = fmt::format("{}/{}-{}", host.temp(), name, ++last);
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

TemporaryFile::~TemporaryFile() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string refusal(const ActionHost::Answer& answer) {
  const Result<json::value> body = parse_json(answer.body);
  std::string message = body ? string_member(*body, "message") : std::string();
  return message.empty() ? fmt::format("the platform answered {}", answer.status) : message;
}

}  // namespace kaapi::actions
