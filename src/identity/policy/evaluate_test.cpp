// What decisions tell beside allow or deny: the trace, the refusal, what matched. The decisions: tests/policies.
#include "identity/policy/evaluate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kaapi::identity::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view service = "arn:aws:ecs:us-east-1:111122223333:service/main/api";

NamedPolicy policy(std::string name, std::string_view statements, Kind kind = Kind::identity) {
  const auto document = parse(fmt::format(R"({{"Version": "2012-10-17", "Statement": [{}]}})", statements), kind);
  EXPECT_TRUE(document) << document.error().message;
  return {std::move(name), *document};
}

NamedPolicy allow(std::string name, std::string_view action) {
  return policy(std::move(name),
                fmt::format(R"({{"Sid": "Yes", "Effect": "Allow", "Action": "{}", "Resource": "*"}})", action));
}
NamedPolicy deny(std::string name, std::string_view action) {
  return policy(std::move(name), fmt::format(R"({{"Effect": "Deny", "Action": "{}", "Resource": "*"}})", action));
}

Subject user() {
  Subject subject;
  subject.principal.arn = "arn:aws:iam::111122223333:user/ann";
  subject.principal.account_id = "111122223333";
  subject.principal.type = "User";
  return subject;
}

// The refusal of ecs:UpdateService for a subject.
std::string refused(const Subject& subject, const NamedPolicy* resource_policy = nullptr) {
  const MapContext context;
  const Request request{"ecs:UpdateService", service, context};
  const Decision decision = evaluate(subject, request, resource_policy);
  EXPECT_NE(decision.effect, Effect::allowed);
  return refusal(subject.principal, request, decision);
}

const std::string begin =
    "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: ecs:UpdateService on "
    "resource: arn:aws:ecs:us-east-1:111122223333:service/main/api ";

TEST(Refusal, SaysWhichAllowIsMissing) {
  Subject subject = user();
  EXPECT_EQ(refused(subject), begin + "because no identity-based policy allows the ecs:UpdateService action");
  subject.identity = {allow("wide", "*")};
  subject.boundary = allow("arn:aws:iam::111122223333:policy/limit", "ecr:*");
  EXPECT_EQ(refused(subject), begin +
                                  "because no permissions boundary allows the ecs:UpdateService action: "
                                  "arn:aws:iam::111122223333:policy/limit");
  subject.boundary.reset();
  subject.has_session_policies = true;
  EXPECT_EQ(refused(subject), begin + "because no session policy allows the ecs:UpdateService action");
}

TEST(Refusal, SaysWhichPolicyDenies) {
  Subject subject = user();
  subject.identity = {allow("wide", "*"), deny("arn:aws:iam::111122223333:policy/freeze", "ecs:Update*")};
  EXPECT_EQ(refused(subject), begin +
                                  "with an explicit deny in an identity-based policy: "
                                  "arn:aws:iam::111122223333:policy/freeze (statement 1)");
  subject.identity.pop_back();
  subject.boundary = deny("limit", "*");
  EXPECT_EQ(refused(subject), begin + "with an explicit deny in a permissions boundary: limit (statement 1)");
  subject.boundary.reset();
  subject.session = {deny("session", "*")};
  EXPECT_EQ(refused(subject), begin + "with an explicit deny in a session policy: session (statement 1)");
  subject.session.clear();
  const NamedPolicy closed =
      policy("of the service", R"({"Sid": "Shut", "Effect": "Deny", "Action": "*", "Principal": "*"})", Kind::resource);
  EXPECT_EQ(refused(subject, &closed),
            begin + "with an explicit deny in a resource-based policy: of the service (Sid Shut)");
}

TEST(Refusal, OfTrustNamesTheRoleAndWhoAsked) {
  const MapContext context;
  constexpr std::string_view role = "arn:aws:iam::111122223333:role/deploy";
  const NamedPolicy trust = policy(
      "trust", R"({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs.amazonaws.com"}})",
      Kind::trust);
  const Request request{"sts:AssumeRole", role, context};
  const Principal ann = user().principal;
  EXPECT_EQ(refusal(ann, request, evaluate_trust(*trust.document, ann, request)),
            "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: sts:AssumeRole on resource: "
            "arn:aws:iam::111122223333:role/deploy because no role trust policy allows the sts:AssumeRole action");
  Principal web;
  web.federated = "arn:aws:iam::111122223333:oidc-provider/example.com";
  const Request by_token{"sts:AssumeRoleWithWebIdentity", role, context};
  EXPECT_THAT(
      refusal(web, by_token, evaluate_trust(*trust.document, web, by_token)),
      testing::StartsWith("Not authorized to perform sts:AssumeRoleWithWebIdentity on resource: arn:aws:iam::"));
  const NamedPolicy shut = policy("trust", R"({"Effect": "Deny", "Action": "sts:*", "Principal": "*"})", Kind::trust);
  EXPECT_THAT(refusal(ann, request, evaluate_trust(*shut.document, ann, request)),
              HasSubstr("with an explicit deny in the role trust policy (statement 1)"));
}

TEST(Trace, TellsOfEveryStatementWhyItAppliesOrNot) {
  Subject subject = user();
  subject.identity = {
      allow("a", "ecr:*"),
      policy("b", R"({"Effect": "Allow", "Action": "ecs:*", "Resource": "arn:aws:ecs:*:*:service/other/*"},
      {"Effect": "Allow", "NotAction": "ecs:*", "Resource": "*"},
      {"Sid": "Office", "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
      {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:ecs:*"},
      {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ecs:*:*:service/${aws:PrincipalTag/team}/*"},
      {"Effect": "Allow", "Action": "*", "Resource": "*"})")};
  MapContext context;
  context.set("aws:SourceIp", {"192.0.2.1"});
  Trace trace;
  const Decision decision = evaluate(subject, {"ecs:UpdateService", service, context}, nullptr, &trace);
  EXPECT_EQ(decision.effect, Effect::allowed);
  EXPECT_EQ(decision.statement, "statement 6");
  EXPECT_THAT(decision.missing_context_keys, ElementsAre("aws:principaltag/team"));
  ASSERT_EQ(decision.matched.size(), 1U);
  EXPECT_EQ(decision.matched[0].policy, "b");
  EXPECT_EQ(decision.matched[0].layer, "identity");
  EXPECT_THAT(
      trace.steps,
      ElementsAre("arn:aws:iam::111122223333:user/ann asks for ecs:UpdateService on " + std::string(service),
                  "identity policy a, Sid Yes (Allow): does not apply: Action does not name it",
                  "identity policy b, statement 1 (Allow): does not apply: Resource does not name it",
                  "identity policy b, statement 2 (Allow): does not apply: NotAction names it: ecs:*",
                  "identity policy b, Sid Office (Allow): does not apply: IpAddress does not hold: aws:sourceip is "
                  "\"192.0.2.1\" (the policy says \"10.0.0.0/8\")",
                  "identity policy b, statement 4 (Allow): does not apply: NotResource names it: arn:aws:ecs:*",
                  "identity policy b, statement 5 (Allow): does not apply: Resource does not name it (a policy "
                  "variable has no value)",
                  "identity policy b, statement 6 (Allow): applies: action and resource match",
                  "allowed by identity policy b, statement 6"));
}

// A tag of a resource costs a look-up, so it is asked for only where action and resource match.
TEST(Evaluate, AsksTheContextOnlyWhenAPolicyNeedsIt) {
  struct Counting final : Context {
    mutable int asked = 0;
    std::optional<std::vector<std::string>> find(std::string_view) const override {
      ++asked;
      return std::nullopt;
    }
  };
  Subject subject = user();
  subject.identity = {policy("p", R"({"Effect": "Allow", "Action": "ecr:*", "Resource": "*",
      "Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}}})")};
  const Counting context;
  EXPECT_EQ(evaluate(subject, {"ecs:UpdateService", service, context}).effect, Effect::implicit_deny);
  EXPECT_EQ(context.asked, 0);
  EXPECT_EQ(evaluate(subject, {"ecr:PutImage", service, context}).effect, Effect::implicit_deny);
  EXPECT_EQ(context.asked, 1);
}

}  // namespace
}  // namespace kaapi::identity::policy
