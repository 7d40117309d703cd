#include "identity/policy/policy_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "identity/policy/managed.h"

namespace kaapi::identity::policy {
namespace {

Error invalid(std::string message) {
  return make_error(errc::invalid, std::move(message));
}

// What a declaration's value is made into.
std::string document_text(std::string_view word, std::string_view value) {
  if (word == "condition") {
    return fmt::format(R"({{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "*", "Resource": "*",
                        "Condition": {}}}}})",
                       value);
  }
  if (word == "deny-condition") {
    return fmt::format(R"({{"Version": "2012-10-17", "Statement": [
                        {{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}},
                        {{"Sid": "Not", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {}}}]}})",
                       value);
  }
  return std::string(value);
}

std::optional<Kind> kind_of(std::string_view word) {
  if (word == "policy" || word == "condition" || word == "deny-condition") return Kind::identity;
  if (word == "trust") return Kind::trust;
  return word == "resource" ? std::optional(Kind::resource) : std::nullopt;
}

// The principal behind an ARN, "service NAME", or "web ARN-of-provider".
Principal principal_of(std::string_view text) {
  Principal who;
  if (text.starts_with("service ")) {
    who.service = trim(text.substr(8));
    who.type = "AWSService";
    return who;
  }
  if (text.starts_with("web ")) {
    who.federated = trim(text.substr(4));
    return who;
  }
  const std::vector<std::string> words = split(text, ' ');
  who.arn = words[0];
  const std::vector<std::string> parts = split(who.arn, ':');
  who.account_id = parts.size() > 4 ? parts[4] : "";
  const std::string last = parts.size() > 5 ? parts[5] : "";
  if (last == "root") {
    who.type = "Root";
  } else if (last.starts_with("user/")) {
    who.type = "User";
    who.user_name = last.substr(last.rfind('/') + 1);
    who.user_id = "AIDA" + std::string(16, 'X') + who.user_name;
  } else if (last.starts_with("assumed-role/")) {
    who.type = "AssumedRole";
    const std::vector<std::string> names = split(last, '/');
    who.role_arn = fmt::format("arn:aws:iam::{}:role/{}", who.account_id, names[1]);
    who.user_id = fmt::format("AROAEXAMPLEROLEID{}:{}", names[1] == "deploy" ? "1" : "2", names[2]);
  } else {
    who.type = "FederatedUser";
  }
  return who;
}

// "key=value; list=a,b; none=[]": what the request carries.
Result<MapContext> context_of(std::string_view text, const Principal& who) {
  MapContext context;
  // What every request carries.
  if (!who.user_name.empty()) context.set("aws:username", {who.user_name});
  if (!who.account_id.empty()) context.set("aws:PrincipalAccount", {who.account_id});
  if (!who.arn.empty()) context.set("aws:PrincipalArn", {who.role_arn.empty() ? who.arn : who.role_arn});
  for (const std::string& pair : split(text, ';')) {
    const std::string_view entry = trim(pair);
    if (entry.empty() || entry == "-") continue;
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) return invalid(fmt::format("expected key=value, not {}", entry));
    const std::string_view value = entry.substr(equals + 1);
    context.set(entry.substr(0, equals), value == "[]" ? std::vector<std::string>() : split(value, ','));
  }
  return context;
}

std::string_view word_of(const Decision& decision) {
  if (decision.effect == Effect::explicit_deny) return "deny";
  if (decision.effect == Effect::implicit_deny) return "implicit";
  return decision.through_account ? "account" : "allow";
}

// What stands in the last column: the policy, with its statement when the row says one; the layer where nothing
// decided.
std::string decider_of(const Decision& decision, std::string_view expected) {
  if (decision.effect == Effect::implicit_deny || decision.layer == "root") return decision.layer;
  if (expected.find('#') == std::string_view::npos) return decision.policy;
  return fmt::format("{}#{}", decision.policy,
                     decision.statement.starts_with("Sid ") ? decision.statement.substr(4) : decision.statement);
}

// Braces that stay open at the end of a line go on in the next one.
int open_braces(std::string_view text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '{') - std::count(text.begin(), text.end(), '}'));
}

}  // namespace

Result<PolicyTable> PolicyTable::read(std::string_view text) {
  PolicyTable table;
  for (const AwsManagedPolicy& managed : aws_managed_policies()) {
    if (const Result<void> known = table.declare("policy", managed.name, managed.document); !known)
      return known.error();
  }
  int number = 0;
  int first = 0;
  std::string pending;
  for (const std::string& whole : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(whole);
    if (pending.empty() && (line.empty() || line.starts_with('#'))) continue;
    if (pending.empty()) first = number;
    pending += fmt::format("{}{}", pending.empty() ? "" : "\n", line);
    if (pending.find('|') == std::string::npos && open_braces(pending) > 0) continue;
    Result<void> done = ok();
    const std::size_t equals = pending.find('=');
    const std::vector<std::string> head = split(trim(std::string_view(pending).substr(0, equals)), ' ');
    if (equals != std::string::npos && head.size() == 2 && pending.find('|') == std::string::npos) {
      done = table.declare(head[0], head[1], trim(std::string_view(pending).substr(equals + 1)));
    } else {
      done = table.add_row(pending, first);
    }
    if (!done) return invalid(fmt::format("line {}: {}", first, done.error().message));
    pending.clear();
  }
  if (!pending.empty()) return invalid(fmt::format("line {}: the braces are not closed", first));
  return table;
}

Result<void> PolicyTable::declare(std::string_view word, std::string_view name, std::string_view value) {
  if (word == "principal") {
    principals_[std::string(name)] = principal_of(value);
    return ok();
  }
  const std::optional<Kind> kind = kind_of(word);
  if (!kind) return invalid(fmt::format("'{}' is no declaration", word));
  Result<std::shared_ptr<const Document>> document = parse(document_text(word, value), *kind);
  if (!document) return document.error();
  if (!documents_.emplace(name, *document).second) return invalid(fmt::format("{} stands twice", name));
  return ok();
}

Result<void> PolicyTable::add_row(std::string_view text, int line) {
  const std::vector<std::string> columns = split(text, '|');
  constexpr std::size_t column_count = 6;
  if (columns.size() != column_count) return invalid(fmt::format("expected {} columns: {}", column_count, text));
  const auto column = [&](std::size_t index) { return std::string(trim(columns[index])); };
  TableRow row{line, column(0), column(1), column(2), column(3), column(4), column(5)};
  const Result<Situation> situation = situation_of(row.subject);
  if (!situation) return situation.error();
  rows_.push_back(std::move(row));
  return ok();
}

Result<PolicyTable::Situation> PolicyTable::situation_of(std::string_view text) const {
  static constexpr std::string_view keywords[] = {"with", "boundary", "session", "resource", "trust"};
  Situation situation;
  std::string_view role = "principal";
  for (std::string word : split(text, ' ')) {
    if (word.ends_with(',')) word.pop_back();
    if (word.empty()) continue;
    const auto* keyword = std::find(std::begin(keywords), std::end(keywords), word);
    if (keyword != std::end(keywords)) {
      role = *keyword;
      continue;
    }
    if (role == "principal") {
      const auto known = principals_.find(word);
      if (known == principals_.end()) return invalid(fmt::format("no principal is named {}", word));
      situation.subject.principal = known->second;
      situation.subject.root = known->second.type == "Root";
      continue;
    }
    const auto known = documents_.find(word);
    if (known == documents_.end()) return invalid(fmt::format("no policy is named {}", word));
    const NamedPolicy policy{word, known->second};
    if (role == "with") situation.subject.identity.push_back(policy);
    if (role == "boundary") situation.subject.boundary = policy;
    if (role == "session") situation.subject.session.push_back(policy);
    if (role == "resource") situation.resource.push_back(policy);
    if (role == "trust") situation.trust.push_back(policy);
  }
  situation.subject.has_session_policies = !situation.subject.session.empty();
  return situation;
}

std::string PolicyTable::check(const TableRow& row) const {
  const Result<Situation> situation = situation_of(row.subject);
  if (!situation) return situation.error().message;
  const Result<MapContext> context = context_of(row.context, situation->subject.principal);
  if (!context) return context.error().message;
  const Request request{row.action, row.resource, *context};
  Trace trace;
  Decision decision;
  if (situation->trust.empty()) {
    const NamedPolicy* resource = situation->resource.empty() ? nullptr : situation->resource.data();
    decision = evaluate(situation->subject, request, resource, &trace);
  } else {
    decision = evaluate_trust(*situation->trust[0].document, situation->subject.principal, request, &trace);
    if (!decision.policy.empty()) decision.policy = situation->trust[0].name;
  }
  const std::string decider = decider_of(decision, row.decider);
  if (word_of(decision) == row.effect && decider == row.decider) return {};
  return fmt::format("expected {} by {}, but it is {} by {}\n    {}", row.effect, row.decider, word_of(decision),
                     decider, fmt::join(trace.steps, "\n    "));
}

}  // namespace kaapi::identity::policy
