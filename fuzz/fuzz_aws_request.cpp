// Request bodies: the first byte picks JSON, a form or XML. Properties: no crash; what a decoder accepts is read back
// from what the encoder makes of it; a refusal has a code and bounded text.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "aws/gen/ecr.h"
#include "aws/gen/ecs.h"
#include "aws/gen/logs.h"
#include "aws/gen/sts.h"
#include "aws/query.h"
#include "aws/xml.h"

namespace {

using namespace kaapi;

template <class T>
void check_json(const json::value& tree) {
  const Result<T> decoded = aws::decode<T>(tree);
  if (!decoded) {
    constexpr std::size_t max_message_bytes = 64 * 1024;
    if (decoded.error().code.empty() || decoded.error().message.size() > max_message_bytes) std::abort();
    return;
  }
  const Result<T> again = aws::from_json<T>(aws::to_json(*decoded));
  if (!again || !(*again == *decoded)) std::abort();
}

void check_form(const json::value& tree) {
  aws::Reader reader(aws::Wire::query, aws::Strictness::wire);
  aws::sts::GetCallerIdentityResponse response;
  read(reader, tree, response);
  if (!reader.finish(aws::sts::info())) return;
  std::string form;
  aws::FormWriter out(form);
  encode(out, response);
  if (!aws::parse_form(form)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'f') {
    if (const auto tree = aws::parse_form(text)) check_form(*tree);
  } else if (data[0] == 'x') {
    static_cast<void>(aws::parse_xml(text));
  } else if (const auto tree = parse_json(text)) {
    check_json<aws::ecs::RegisterTaskDefinitionRequest>(*tree);
    check_json<aws::ecs::CreateServiceRequest>(*tree);
    check_json<aws::ecs::Task>(*tree);
    check_json<aws::ecr::CreateRepositoryRequest>(*tree);
    check_json<aws::logs::PutLogEventsRequest>(*tree);
    check_json<aws::logs::FilterLogEventsRequest>(*tree);
  }
  return 0;
}
