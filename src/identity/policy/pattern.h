#pragma once
// Texts of a policy that are matched against texts of a request: wildcards and policy variables.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "identity/policy/context.h"

namespace kaapi::identity::policy {

// In a prepared pattern, wildcards are control characters, which the text of a policy cannot hold: so that the literal
// star of `${*}` and the wildcard differ.
inline constexpr char any_run = '\x01';             // "*"
inline constexpr char any_one = '\x02';             // "?": one UTF-8 character
inline constexpr char any_run_in_segment = '\x03';  // "*" that does not cross a colon
inline constexpr char any_one_in_segment = '\x04';  // "?" that is no colon

// Whether the whole of `text` matches a prepared pattern. At most |pattern| x |text| steps, whatever they hold.
bool wildcard_match(std::string_view pattern, std::string_view text);

// What "*" and "?" mean in a text.
enum class Wildcards {
  none,      // themselves: StringEquals
  anywhere,  // StringLike, actions
  // Resource: in the first five parts of an ARN, a star inside a part stays in it; a star that ends a part, and
  // everything in the last part, matches across colons. (User guide, "Resource": wildcards in ARNs.)
  resource,
  arn,  // ArnLike: each of the six parts is matched on its own
};

// One text of a policy, prepared once. Immutable; safe to share between threads.
class Pattern {
 public:
  // `variables`: the version of the document has them. Errors: `Invalid` with what is wrong ("${" without "}").
  static Result<Pattern> prepare(std::string_view text, Wildcards wildcards, bool variables);

  const std::string& source() const { return source_; }
  bool has_variables() const { return !pieces_.empty(); }
  // Adds the condition keys that the variables ask for.
  void add_keys(std::set<std::string>& keys) const;
  // The prepared pattern, ready for wildcard_match. nullopt: a variable has no value (absent, several values, or
  // characters that no policy holds) and no default. `missing` (may be null) collects the keys that were absent.
  // `storage` holds the text when variables were put in, and must outlive the answer.
  std::optional<std::string_view> resolve(const Context& context, std::string& storage,
                                          std::vector<std::string>* missing) const;

 private:
  struct Piece {
    std::string text;  // prepared; before the variable
    std::string key;   // lower case; empty: no variable follows
    std::optional<std::string> otherwise;
  };

  std::string source_;
  std::string fixed_;          // the whole, when there are no variables
  std::vector<Piece> pieces_;  // empty when there are no variables
};

}  // namespace kaapi::identity::policy
