// Expressions, templates and conditions: none may crash, and what is printed parses to the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "actions/expression/contexts.h"
#include "actions/expression/template.h"

using namespace kaapi::actions::expression;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Contexts contexts;
  contexts.set("github",
               from_json(R"({"ref": "refs/heads/main", "list": [1, {"a": "b"}, [2]], "event": null})").value());
  if (const auto parsed = Expression::parse(text)) {
    const auto again = Expression::parse(parsed->print());
    // Printing adds parentheses and spaces, so it may go over the limit of length.
    if (again && again->print() != parsed->print()) std::abort();
    if (!again && again.error().code != kaapi::errc::too_large) std::abort();
    if (const auto value = parsed->evaluate(contexts)) {
      if (loose_equal(*value, "1") != loose_equal("1", *value)) std::abort();
      (void)to_json(*value);
    }
  } else if (parsed.error().position > size) {
    std::abort();
  }
  if (const auto parsed = Template::parse(text)) (void)parsed->evaluate(contexts);
  if (const auto parsed = Condition::parse(text)) (void)parsed->evaluate(contexts);
  return 0;
}
