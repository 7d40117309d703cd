// Policy documents: the first byte picks what is read. i, t, r: a document of that kind, and a few decisions with it;
// w: a pattern, a zero byte, a text; anything else: a value of a condition. Properties: no crash; a refusal has IAM's
// code and bounded text; statements stand where they are said to stand; a deny always wins, another allow never takes
// away; the matcher agrees with a plain one; two readings of a value agree.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/compare.h"
#include "identity/policy/evaluate.h"

namespace {

using namespace kaapi;
using namespace kaapi::identity::policy;

NamedPolicy fixed(std::string_view effect) {
  const std::string text =
      R"({"Statement": {"Effect": ")" + std::string(effect) + R"(", "Action": "*", "Resource": "*"}})";
  const auto document = parse(text, Kind::identity);
  if (!document) std::abort();
  return {std::string(effect), *document};
}

Subject subject_of(bool session) {
  Subject subject;
  subject.principal.account_id = "111122223333";
  subject.principal.arn =
      session ? "arn:aws:sts::111122223333:assumed-role/deploy/s1" : "arn:aws:iam::111122223333:user/dev";
  subject.principal.type = session ? "AssumedRole" : "User";
  if (session) subject.principal.role_arn = "arn:aws:iam::111122223333:role/deploy";
  return subject;
}

void check_decisions(const std::shared_ptr<const Document>& document, const Request& request, bool session) {
  const NamedPolicy policy{"fuzzed", document};
  Subject subject = subject_of(session);
  Trace trace;
  if (document->kind == Kind::trust) {
    const Decision decision = evaluate_trust(*document, subject.principal, request, &trace);
    if (decision.effect != evaluate_trust(*document, subject.principal, request).effect) std::abort();
    if (refusal(subject.principal, request, decision).empty()) std::abort();
    return;
  }
  const NamedPolicy* resource = document->kind == Kind::resource ? &policy : nullptr;
  if (resource == nullptr) subject.identity.push_back(policy);
  const Effect effect = evaluate(subject, request, resource, &trace).effect;
  if (evaluate(subject, request, resource).effect != effect) std::abort();
  subject.identity.push_back(fixed("Allow"));
  const Effect with_more = evaluate(subject, request, resource).effect;
  if ((with_more == Effect::explicit_deny) != (effect == Effect::explicit_deny)) std::abort();
  if (effect == Effect::allowed && with_more != Effect::allowed) std::abort();
  subject.identity.push_back(fixed("Deny"));
  if (evaluate(subject, request, resource).effect != Effect::explicit_deny) std::abort();
}

// Whether the statements stand where they say: from a brace to behind a brace.
void check_places(std::string_view text, const Document& document) {
  for (const Statement& statement : document.statements) {
    Position here{1, 1};
    bool begins = false;
    bool ends = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if ((static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) continue;
      if (here == statement.begin) begins = text[at] == '{';
      ++here.column;
      if (here == statement.end) ends = ends || text[at] == '}';
      if (text[at] == '\n') here = {here.line + 1, 1};
    }
    if (!begins || !ends) std::abort();
  }
}

void check_document(std::string_view text, Kind kind) {
  const auto document = parse(text, kind);
  if (!document) {
    constexpr std::size_t dots = 3;
    if (document.error().code != "MalformedPolicyDocument") std::abort();
    if (document.error().message.empty() || document.error().message.size() > max_refusal_bytes + dots) std::abort();
    return;
  }
  check_places(text, **document);
  static_cast<void>(context_keys(**document));
  MapContext context;
  context.set("aws:username", {"dev"});
  context.set("aws:SourceIp", {"10.0.0.1"});
  context.set("aws:TagKeys", {"team", "env"});
  for (const bool session : {false, true}) {
    check_decisions(*document, {"ecs:UpdateService", "arn:aws:ecs:us-east-1:111122223333:service/main/api", context},
                    session);
    check_decisions(*document, {"sts:AssumeRole", "arn:aws:iam::111122223333:role/deploy", context}, session);
  }
}

// One row of the table after the other: which beginnings of the pattern match which beginnings of the text.
bool plain_match(std::string_view pattern, std::string_view text) {
  std::vector<std::vector<char>> matches(pattern.size() + 1, std::vector<char>(text.size() + 1, 0));
  matches[0][0] = 1;
  for (std::size_t p = 1; p <= pattern.size(); ++p) {
    const char c = pattern[p - 1];
    const bool run = c == any_run || c == any_run_in_segment;
    const bool in_segment = c == any_run_in_segment || c == any_one_in_segment;
    matches[p][0] = run && matches[p - 1][0] != 0 ? 1 : 0;
    for (std::size_t t = 1; t <= text.size(); ++t) {
      const bool wild = (run || c == any_one || c == any_one_in_segment) && !(in_segment && text[t - 1] == ':');
      bool match = (wild || c == text[t - 1]) && matches[p - 1][t - 1] != 0;
      if (run) match = matches[p - 1][t] != 0 || (wild && matches[p][t - 1] != 0);
      matches[p][t] = match ? 1 : 0;
    }
  }
  return matches[pattern.size()][text.size()] != 0;
}

void check_wildcards(std::string_view input) {
  constexpr std::size_t max_bytes = 512;
  const std::size_t zero = input.find('\0');
  if (zero == std::string_view::npos || input.size() > max_bytes) return;
  const std::string_view pattern = input.substr(0, zero);
  const std::string_view text = input.substr(zero + 1);
  // Bytes outside of ASCII count as characters, not one by one; wildcards do not come in texts.
  for (const char c : input) {
    if (static_cast<unsigned char>(c) >= 0x80U) return;
  }
  for (const char c : text) {
    if (c <= any_one_in_segment) return;
  }
  if (wildcard_match(pattern, text) != plain_match(pattern, text)) std::abort();
}

void check_value(std::string_view text) {
  static_cast<void>(parse_date(text));
  static_cast<void>(parse_decimal(text));
  const auto range = parse_ip(text);
  if (range && !contains(*range, *range)) std::abort();
  for (const bool variables : {false, true}) {
    for (const Wildcards wildcards : {Wildcards::none, Wildcards::anywhere, Wildcards::resource, Wildcards::arn}) {
      const auto pattern = Pattern::prepare(text, wildcards, variables);
      if (!pattern || pattern->has_variables()) continue;
      const MapContext context;
      std::string storage;
      const auto resolved = pattern->resolve(context, storage, nullptr);
      // A text matches itself, whatever its wildcards are taken for; only an escape says something else.
      if (!resolved || (text.find("${") == std::string_view::npos && !wildcard_match(*resolved, text))) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'i':
      check_document(text, Kind::identity);
      break;
    case 't':
      check_document(text, Kind::trust);
      break;
    case 'r':
      check_document(text, Kind::resource);
      break;
    case 'w':
      check_wildcards(text);
      break;
    default:
      check_value(text);
  }
  return 0;
}
