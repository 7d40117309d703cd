// Texts that clients hand back or type: page tokens, base64, percent escapes, query bodies, image names. Properties:
// what we make is read back; what is accepted is what we would have made; the parts of a name do not hold its
// separators.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "aws/query.h"
#include "base/text.h"
#include "containers/docker_json.h"
#include "daemon/image_name.h"
#include "http/message.h"

namespace {

using namespace kaapi;

void check_page_tokens(std::string_view text) {
  if (decode_page_token("ListTasks", encode_page_token("ListTasks", text)) != text) std::abort();
  if (decode_page_token("ListServices", encode_page_token("ListTasks", text))) std::abort();
  const std::optional<std::string> position = decode_page_token("ListTasks", text);
  if (position && encode_page_token("ListTasks", *position) != text) std::abort();
}

void check_escapes(std::string_view text) {
  if (base64_decode(base64_encode(text)) != text) std::abort();
  if (percent_decode(percent_encode(text)) != text) std::abort();
  const std::optional<std::string> bytes = base64_decode(text);
  if (bytes && base64_encode(*bytes) != text) std::abort();
}

// The quick look for one parameter finds what the whole reading finds.
void check_form(std::string_view text) {
  const std::string_view quick = aws::form_parameter(text, "Action");
  const Result<json::value> form = aws::parse_form(text);
  if (form && !quick.empty() && string_member(*form, "Action").empty() && percent_decode(quick, true) != "") {
    const json::value* action = find_member(*form, "Action");
    if (action == nullptr) std::abort();
  }
  http::RequestHead head;
  head.query = text;
  static_cast<void>(head.query_parameter("Action"));
}

void check_image_name(std::string_view text) {
  const daemon::ImageName name = daemon::parse_image_name(text);
  if (name.reference.empty() || name.path.find_first_of("@") != std::string::npos) std::abort();
  const containers::PullTarget target = containers::split_reference(text);
  if (target.tag_or_digest.empty() || target.name.find('@') != std::string::npos) std::abort();
  static_cast<void>(daemon::ecr_region(name.host, "123456789012"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_page_tokens(text);
  check_escapes(text);
  check_form(text);
  check_image_name(text);
  return 0;
}
