#pragma once
// Reads the tables of tests/policies (its README.md has the format) and decides their rows.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "identity/policy/evaluate.h"

namespace kaapi::identity::policy {

struct TableRow {
  int line = 0;
  std::string subject;  // "dev with push-api boundary ecs-only"
  std::string action;
  std::string resource;
  std::string context;
  std::string effect;  // "allow", "deny", "implicit", "account"
  std::string decider;
};

// One file. Policies and principals are known from the line of their declaration on.
class PolicyTable {
 public:
  // Errors: `Invalid` with the line.
  static Result<PolicyTable> read(std::string_view text);

  const std::vector<TableRow>& rows() const { return rows_; }
  // Empty when the row comes out as it says; otherwise what came out, and how.
  std::string check(const TableRow& row) const;

 private:
  using Documents = std::map<std::string, std::shared_ptr<const Document>, std::less<>>;
  struct Situation {
    Subject subject;
    std::vector<NamedPolicy> resource;
    std::vector<NamedPolicy> trust;
  };

  Result<void> declare(std::string_view word, std::string_view name, std::string_view value);
  Result<void> add_row(std::string_view text, int line);
  Result<Situation> situation_of(std::string_view text) const;

  Documents documents_;
  std::map<std::string, Principal, std::less<>> principals_;
  std::vector<TableRow> rows_;
};

}  // namespace kaapi::identity::policy
