// Properties that hold for every set of policies, over a seeded generator. KAAPI_SEED=N replays one seed.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "identity/policy/evaluate.h"

namespace kaapi::identity::policy {
namespace {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
  bool one_in(std::size_t chances) { return below(chances) == 0; }
  std::string of(const std::vector<std::string>& choices) { return choices[below(choices.size())]; }

  std::string text(const std::string& alphabet, std::size_t max_size) {
    std::string out(below(max_size + 1), ' ');
    for (char& c : out) c = alphabet[below(alphabet.size())];
    return out;
  }

  std::string action() { return of({"ecs:ListClusters", "ecs:UpdateService", "ecr:PutImage", "iam:PassRole"}); }
  std::string action_pattern() { return of({"*", "ecs:*", "ecs:List*", "ECR:put?mage", "iam:PassRole", "logs:*"}); }
  std::string resource() {
    return of({"*", "arn:aws:ecs:us-east-1:111122223333:service/main/api", "arn:aws:iam::111122223333:role/task"});
  }
  std::string resource_pattern() {
    return of({"*", "arn:aws:ecs:*:*:service/main/*", "arn:aws:ecs:*", "arn:aws:iam::*:role/${aws:username}",
               "arn:aws:iam::111122223333:role/t?sk"});
  }
  std::string condition() {
    const std::string op = of({"", "ForAllValues:", "ForAnyValue:"}) +
                           of({"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "ArnNotLike"}) +
                           of({"", "IfExists"});
    const std::string value =
        op.find("Arn") == std::string::npos ? of({"a", "b*", "${aws:username}"}) : "arn:aws:iam::*:role/x";
    return fmt::format(R"({{"{}": {{"aws:TagKeys": ["{}", "{}"]}}}})", op, value, value);
  }

  std::string statement(std::string_view effect, Kind kind) {
    std::string out =
        fmt::format(R"({{"Effect": "{}", "{}Action": "{}")", effect, one_in(6) ? "Not" : "", action_pattern());
    out += fmt::format(R"(, "{}Resource": "{}")", one_in(6) ? "Not" : "", resource_pattern());
    if (one_in(2)) out += fmt::format(R"(, "Condition": {})", condition());
    if (kind == Kind::resource) {
      out += fmt::format(
          R"(, "{}Principal": {{"AWS": "{}"}})", one_in(6) ? "Not" : "",
          of({"*", "111122223333", "arn:aws:iam::111122223333:user/dev", "arn:aws:iam::111122223333:role/deploy",
              "arn:aws:sts::111122223333:assumed-role/deploy/s1"}));
    }
    return out + "}";
  }

  NamedPolicy policy(const std::string& name, Kind kind) {
    std::string statements = statement(of({"Allow", "Allow", "Deny"}), kind);
    for (std::size_t more = below(3); more > 0; --more)
      statements += ", " + statement(of({"Allow", "Allow", "Deny"}), kind);
    return parsed(name, statements, kind);
  }

  static NamedPolicy parsed(const std::string& name, const std::string& statements, Kind kind) {
    const auto document = parse(fmt::format(R"({{"Version": "2012-10-17", "Statement": [{}]}})", statements), kind);
    EXPECT_TRUE(document) << statements << ": " << document.error().message;
    return {name, *document};
  }

  Subject subject() {
    Subject subject;
    const bool user = one_in(2);
    subject.principal.account_id = "111122223333";
    subject.principal.arn =
        user ? "arn:aws:iam::111122223333:user/dev" : "arn:aws:sts::111122223333:assumed-role/deploy/s1";
    subject.principal.type = user ? "User" : "AssumedRole";
    if (!user) subject.principal.role_arn = "arn:aws:iam::111122223333:role/deploy";
    for (std::size_t count = below(4); count > 0; --count) {
      subject.identity.push_back(policy(fmt::format("identity-{}", count), Kind::identity));
    }
    if (one_in(3)) subject.boundary = policy("boundary", Kind::identity);
    if (one_in(3)) subject.session.push_back(policy("session", Kind::identity));
    subject.has_session_policies = !subject.session.empty();
    return subject;
  }

  MapContext context() {
    MapContext context;
    if (one_in(2)) context.set("aws:username", {of({"task", "a"})});
    if (one_in(2))
      context.set("aws:TagKeys", one_in(4) ? std::vector<std::string>{}
                                           : std::vector<std::string>{of({"a", "b", "c"}), of({"a", "bc", ""})});
    return context;
  }

 private:
  std::mt19937_64 random_;
};

std::uint64_t first_seed() {
  const char* seed = std::getenv("KAAPI_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

// Calls `body` with a generator of its own for each seed.
template <class Body>
void for_seeds(std::uint64_t count, Body&& body) {
  const bool one = std::getenv("KAAPI_SEED") != nullptr;
  for (std::uint64_t seed = first_seed(); seed < first_seed() + (one ? 1 : count); ++seed) {
    SCOPED_TRACE(fmt::format("KAAPI_SEED={}", seed));
    Generator generator(seed);
    body(generator);
    if (testing::Test::HasFailure()) return;
  }
}

constexpr std::string_view allow_all = R"({"Effect": "Allow", "Action": "*", "Resource": "*"})";
constexpr std::string_view deny_all = R"({"Effect": "Deny", "Action": "*", "Resource": "*"})";

TEST(Property, AnExplicitDenyAlwaysWins) {
  for_seeds(3'000, [](Generator& generator) {
    Subject subject = generator.subject();
    const NamedPolicy resource_policy = generator.policy("resource", Kind::resource);
    const MapContext context = generator.context();
    const std::string action = generator.action();
    const std::string resource = generator.resource();
    const NamedPolicy deny = Generator::parsed("deny", std::string(deny_all), Kind::identity);
    switch (generator.below(3)) {
      case 0:
        subject.identity.push_back(deny);
        break;
      case 1:
        subject.boundary = deny;
        break;
      default:
        subject.session.push_back(deny);
        subject.has_session_policies = true;
    }
    const Decision decision = evaluate(subject, {action, resource, context}, &resource_policy);
    EXPECT_EQ(decision.effect, Effect::explicit_deny);
  });
}

TEST(Property, AnotherAllowNeverTakesAway) {
  std::size_t allowed = 0;
  for_seeds(5'000, [&](Generator& generator) {
    Subject subject = generator.subject();
    const NamedPolicy resource_policy = generator.policy("resource", Kind::resource);
    const bool with_resource = generator.one_in(2);
    const MapContext context = generator.context();
    const std::string action = generator.action();
    const std::string resource = generator.resource();
    const Request request{action, resource, context};
    const Decision before = evaluate(subject, request, with_resource ? &resource_policy : nullptr);
    subject.identity.push_back(Generator::parsed("more", generator.statement("Allow", Kind::identity), Kind::identity));
    const Decision after = evaluate(subject, request, with_resource ? &resource_policy : nullptr);
    if (before.effect == Effect::allowed) {
      ++allowed;
      EXPECT_EQ(after.effect, Effect::allowed);
    }
    EXPECT_EQ(before.effect == Effect::explicit_deny, after.effect == Effect::explicit_deny);
  });
  if (std::getenv("KAAPI_SEED") == nullptr) {
    EXPECT_GT(allowed, 500U) << "the generator must reach allowed requests";
  }
}

TEST(Property, ALimitNeverGives) {
  for_seeds(5'000, [](Generator& generator) {
    Subject subject = generator.subject();
    const MapContext context = generator.context();
    const std::string action = generator.action();
    const std::string resource = generator.resource();
    const Request request{action, resource, context};
    Subject unlimited = subject;
    unlimited.boundary.reset();
    unlimited.session.clear();
    unlimited.has_session_policies = false;
    if (evaluate(subject, request).effect == Effect::allowed) {
      EXPECT_EQ(evaluate(unlimited, request).effect, Effect::allowed);
    }
    // A boundary that allows everything limits nothing.
    Subject wide = unlimited;
    wide.boundary = Generator::parsed("wide", std::string(allow_all), Kind::identity);
    EXPECT_EQ(evaluate(wide, request).effect, evaluate(unlimited, request).effect);
  });
}

TEST(Property, TheOrderOfPoliciesDoesNotCount) {
  for_seeds(3'000, [](Generator& generator) {
    Subject subject = generator.subject();
    const MapContext context = generator.context();
    const std::string action = generator.action();
    const std::string resource = generator.resource();
    const Effect effect = evaluate(subject, {action, resource, context}).effect;
    std::reverse(subject.identity.begin(), subject.identity.end());
    EXPECT_EQ(evaluate(subject, {action, resource, context}).effect, effect);
    Trace trace;
    EXPECT_EQ(evaluate(subject, {lower(action), resource, context}, nullptr, &trace).effect, effect) << "case, trace";
    EXPECT_GE(trace.steps.size(), 2U);
  });
}

TEST(Property, NegationOfOneValueIsTheOpposite) {
  for_seeds(3'000, [](Generator& generator) {
    const std::string alphabet = "ab*?";
    const std::string policy_value = generator.text(alphabet, 4);
    MapContext context;
    context.set("t:k", {generator.text("ab", 4)});
    for (const auto& [plain, negated] :
         {std::pair("StringEquals", "StringNotEquals"), std::pair("StringLike", "StringNotLike"),
          std::pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase")}) {
      const auto positive = make_condition(plain, "t:k", {policy_value}, false);
      const auto negative = make_condition(negated, "t:k", {policy_value}, false);
      ASSERT_TRUE(positive && negative);
      EXPECT_NE(evaluate(*positive, context, true, false, nullptr).holds,
                evaluate(*negative, context, true, false, nullptr).holds)
          << plain << " " << policy_value;
    }
  });
}

// The plainest thing that could be right.
bool naive_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  const std::string_view rest = pattern.substr(1);
  switch (pattern[0]) {
    case any_run:
      return naive_match(rest, text) || (!text.empty() && naive_match(pattern, text.substr(1)));
    case any_run_in_segment:
      return naive_match(rest, text) || (!text.empty() && text[0] != ':' && naive_match(pattern, text.substr(1)));
    case any_one:
      return !text.empty() && naive_match(rest, text.substr(1));
    case any_one_in_segment:
      return !text.empty() && text[0] != ':' && naive_match(rest, text.substr(1));
    default:
      return !text.empty() && text[0] == pattern[0] && naive_match(rest, text.substr(1));
  }
}

TEST(Property, TheWildcardMatcherAgreesWithANaiveOne) {
  std::size_t matched = 0;
  for_seeds(40'000, [&](Generator& generator) {
    const std::string pattern =
        generator.text({'a', 'b', ':', any_run, any_one, any_run_in_segment, any_one_in_segment, any_run}, 8);
    const std::string text = generator.text("aab:", 10);
    EXPECT_EQ(wildcard_match(pattern, text), naive_match(pattern, text)) << to_hex(pattern) << " " << text;
    if (naive_match(pattern, text)) ++matched;
  });
  if (std::getenv("KAAPI_SEED") == nullptr) {
    EXPECT_GT(matched, 500U);
  }
}

}  // namespace
}  // namespace kaapi::identity::policy
