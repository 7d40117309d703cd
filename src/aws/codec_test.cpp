// Golden wire tests: what a client sends in, the structure or AWS's words out, and back.
#include "aws/codec.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/gen/ecr.h"
#include "aws/gen/ecs.h"
#include "aws/gen/logs.h"
#include "aws/gen/sts.h"
#include "aws/query.h"
#include "aws/xml_codec.h"

namespace kaapi::aws {
namespace {

using testing::HasSubstr;

template <class T>
std::string refusal(std::string_view text) {
  const Result<T> decoded = decode<T>(parse_json(text).value());
  return decoded ? "accepted" : decoded.error().code + ": " + decoded.error().message;
}

TEST(Codec, ReadsAndWritesACompleteRequest) {
  const std::string text =
      R"({"family":"web","networkMode":"bridge","containerDefinitions":[{"name":"app","image":"app:1","cpu":128,)"
      R"("portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp"}],"essential":true,)"
      R"("environment":[{"name":"A","value":"ü"}],"logConfiguration":{"logDriver":"awslogs",)"
      R"("options":{"awslogs-group":"/g"}}}],"tags":[{"key":"k","value":"v"}]})";
  const auto request = decode<ecs::RegisterTaskDefinitionRequest>(parse_json(text).value());
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->family, "web");
  EXPECT_EQ(request->networkMode, ecs::NetworkMode::bridge);
  ASSERT_EQ(request->containerDefinitions.size(), 1U);
  const ecs::ContainerDefinition& container = request->containerDefinitions[0];
  EXPECT_EQ(container.cpu, 128);
  EXPECT_EQ(container.essential, true);
  EXPECT_FALSE(container.command);
  EXPECT_EQ(container.portMappings->at(0).hostPort, 0);
  EXPECT_EQ(container.logConfiguration->options->at("awslogs-group"), "/g");
  EXPECT_EQ(decode<ecs::RegisterTaskDefinitionRequest>(parse_json(to_json(*request)).value()).value(), *request);
}

TEST(Codec, TellsAnEmptyListFromAnAbsentOne) {
  const auto request = decode<ecs::UpdateServiceRequest>(parse_json(R"({"service":"s","loadBalancers":[]})").value());
  ASSERT_TRUE(request->loadBalancers);
  EXPECT_TRUE(request->loadBalancers->empty());
  EXPECT_FALSE(request->serviceRegistries);
  EXPECT_EQ(to_json(*request), R"({"service":"s","loadBalancers":[]})");
}

TEST(Codec, NullAndUnknownMembersAreIgnored) {
  EXPECT_EQ(refusal<ecs::ListTasksRequest>(R"({"cluster":null,"futureMember":{"a":[1]}})"), "accepted");
}

TEST(Codec, TimesAreSecondsWithMilliseconds) {
  ecs::Task task;
  task.createdAt = from_millis(1'750'000'000'125);
  task.stoppedAt = from_millis(1'750'000'000'000);
  EXPECT_EQ(to_json(task), R"({"createdAt":1750000000.125,"stoppedAt":1750000000.000})");
  EXPECT_EQ(from_json<ecs::Task>(to_json(task)).value(), task);
  EXPECT_EQ(from_json<ecs::Task>(R"({"createdAt":1750000000})")->createdAt, from_millis(1'750'000'000'000));
  EXPECT_EQ(refusal<ecs::Task>(R"({"createdAt":"now"})"),
            "SerializationException: STRING_VALUE can not be converted to a Timestamp at 'createdAt'");
  EXPECT_THAT(refusal<ecs::Task>(R"({"createdAt":1e300})"), HasSubstr("Timestamp at 'createdAt'"));
}

TEST(Codec, WrongTypesNameTheMember) {
  EXPECT_EQ(refusal<ecs::ListTasksRequest>(R"({"cluster":5})"),
            "SerializationException: NUMBER_VALUE can not be converted to a String at 'cluster'");
  EXPECT_EQ(refusal<ecs::ListTasksRequest>(R"({"maxResults":"5"})"),
            "SerializationException: STRING_VALUE can not be converted to an Integer at 'maxResults'");
  EXPECT_THAT(refusal<ecs::ListTasksRequest>(R"({"maxResults":3000000000})"), HasSubstr("an Integer at 'maxResults'"));
  EXPECT_THAT(refusal<ecs::ListTasksRequest>(R"({"maxResults":1.5})"), HasSubstr("an Integer at 'maxResults'"));
  EXPECT_EQ(refusal<ecs::DescribeTasksRequest>(R"({"tasks":"t"})"),
            "SerializationException: STRING_VALUE can not be converted to a List at 'tasks'");
  EXPECT_EQ(refusal<ecs::DescribeTasksRequest>("[]"),
            "SerializationException: START_ARRAY can not be converted to a structure");
  EXPECT_THAT(refusal<ecs::RegisterTaskDefinitionRequest>(
                  R"({"family":"f","containerDefinitions":[{},{"environment":[{"name":true}]}]})"),
              HasSubstr("TRUE_VALUE can not be converted to a String at "
                        "'containerDefinitions.2.member.environment.1.member.name'"));
}

TEST(Codec, ConstraintsAreAnsweredInAwsWords) {
  EXPECT_EQ(
      refusal<ecs::DescribeTasksRequest>("{}"),
      "InvalidParameterException: 1 validation error detected: Value null at 'tasks' failed to satisfy constraint: "
      "Member must not be null");
  EXPECT_EQ(refusal<ecs::CreateServiceRequest>(R"({"serviceName":"s","launchType":"MOON"})"),
            "InvalidParameterException: 1 validation error detected: Value 'MOON' at 'launchType' failed to satisfy "
            "constraint: Member must satisfy enum value set: [EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES]");
  EXPECT_EQ(
      refusal<logs::DescribeLogGroupsRequest>(R"({"limit":51})"),
      "InvalidParameterException: 1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: "
      "Member must have value less than or equal to 50");
  EXPECT_EQ(
      refusal<logs::DescribeLogGroupsRequest>(R"({"limit":0})"),
      "InvalidParameterException: 1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
      "Member must have value greater than or equal to 1");
  EXPECT_EQ(
      refusal<logs::CreateLogGroupRequest>(R"({"logGroupName":"a b"})"),
      R"(InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy )"
      R"(constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+)");
  EXPECT_THAT(refusal<logs::CreateLogGroupRequest>(R"({"logGroupName":")" + std::string(513, 'a') + "\"}"),
              HasSubstr("Member must have length less than or equal to 512"));
  EXPECT_THAT(
      refusal<logs::PutLogEventsRequest>(R"({"logGroupName":"g","logStreamName":"s","logEvents":[]})"),
      HasSubstr("Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or "
                "equal to 1"));
  EXPECT_THAT(refusal<ecs::DescribeTasksRequest>(R"({"tasks":["a",null]})"), HasSubstr("at 'tasks.2.member'"));
}

TEST(Codec, SeveralViolationsAreCountedAndBounded) {
  EXPECT_THAT(refusal<logs::PutLogEventsRequest>("{}"), HasSubstr("3 validation errors detected: Value null at "));
  std::string many = R"({"logGroupName":"g","logStreamName":"s","logEvents":[{})";
  for (int i = 0; i < 5000; ++i) many += ",{}";
  const std::string text = refusal<logs::PutLogEventsRequest>(many + "]}");
  EXPECT_THAT(text, HasSubstr("10002 validation errors detected"));
  EXPECT_THAT(text, testing::EndsWith("; and more"));
  EXPECT_LT(text.size(), 8000U);
}

TEST(Codec, LongValuesAreShortenedBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 400; ++i) name += "ü";
  const std::string text = refusal<ecr::CreateRepositoryRequest>(R"({"repositoryName":")" + name + "\"}");
  EXPECT_THAT(text, HasSubstr("Member must have length less than or equal to 256"));
  EXPECT_LT(text.size(), 800U);
  EXPECT_TRUE(parse_json('"' + text + '"')) << "must stay UTF-8";
}

TEST(Codec, LengthsAreInCharacters) {
  std::string key;
  for (int i = 0; i < 128; ++i) key += "ü";
  EXPECT_EQ(refusal<ecs::TagResourceRequest>(R"({"resourceArn":"a","tags":[{"key":")" + key + "\"}]}"), "accepted");
  EXPECT_THAT(
      refusal<ecs::TagResourceRequest>(R"({"resourceArn":"a","tags":[{"key":")" + key + "x\"}]}"),
      HasSubstr("'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 128"));
}

TEST(Codec, PatternsOfTheModels) {
  EXPECT_EQ(refusal<ecr::CreateRepositoryRequest>(R"({"repositoryName":"team/app-1.2_x"})"), "accepted");
  for (const std::string_view bad : {"Team", "a//b", "-a", "a-", "a..b"}) {
    EXPECT_THAT(refusal<ecr::CreateRepositoryRequest>(fmt::format(R"({{"repositoryName":"{}"}})", bad)),
                HasSubstr("regular expression"))
        << bad;
  }
  // A text made to cost a backtracking matcher much ends quickly, one way or the other.
  EXPECT_THAT(refusal<ecr::CreateRepositoryRequest>(R"({"repositoryName":")" + std::string(255, 'a') + "!\"}"),
              HasSubstr("regular expression"));
  EXPECT_EQ(refusal<ecs::TagResourceRequest>(R"({"resourceArn":"a","tags":[{"key":"größe: a/b=c+d-e@f"}]})"),
            "accepted");
  EXPECT_THAT(refusal<ecs::TagResourceRequest>(R"({"resourceArn":"a","tags":[{"key":"a;b"}]})"),
              HasSubstr("regular expression"));
  EXPECT_EQ(refusal<logs::GetLogEventsRequest>(R"({"logStreamName":"s","nextToken":"f/36é 1"})"), "accepted");
  EXPECT_THAT(refusal<logs::CreateLogStreamRequest>(R"({"logGroupName":"g","logStreamName":"a:b"})"),
              HasSubstr("[^:*]*"));
}

TEST(Codec, StoredTextIsReadWithoutTheWiresChecks) {
  const auto stored = from_json<ecs::CreateServiceRequest>(R"({"launchType":"MOON","role":"r"})");
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(stored->serviceName, "");
  EXPECT_EQ(stored->launchType, "MOON");
  EXPECT_EQ(from_json<ecs::Task>("{").error().code, errc::invalid);
  EXPECT_EQ(from_json<ecs::Task>(R"({"taskArn":1})").error().code, "SerializationException");
}

// Structures of the query protocol, written by hand as the generator writes them: no service of it with lists is served
// yet.
struct Pair {
  std::optional<std::string> Key;
  std::optional<std::string> Value;
  bool operator==(const Pair&) const = default;
};
struct Everything {
  std::string RoleName;
  std::optional<std::int32_t> Seconds;
  std::optional<bool> Flag;
  std::optional<Time> At;
  std::optional<std::vector<Pair>> Tags;
  std::optional<std::vector<std::string>> Flat;
  std::optional<std::map<std::string, std::string>> Context;
  bool operator==(const Everything&) const = default;
};
constexpr Rule plain;
constexpr Rule short_text{.max = 8};
constexpr Rule tag_list{.max = 2, .item = &plain};
constexpr Rule flat_list{.item = &plain, .flattened = true};
constexpr Rule context_map{.item = &plain, .key = &plain};

template <class V, class T>
void fields_pair(V& v, T& t) {
  v("Key", t.Key, short_text);
  v("Value", t.Value, plain);
}
template <class V, class T>
void fields_everything(V& v, T& t) {
  v("RoleName", t.RoleName, short_text);
  v("Seconds", t.Seconds, plain);
  v("Flag", t.Flag, plain);
  v("At", t.At, plain);
  v("Tags", t.Tags, tag_list);
  v("Flat", t.Flat, flat_list);
  v("Context", t.Context, context_map);
}
void read(Reader& reader, const json::value& from, Pair& to) {
  Reader::Members members(reader, from);
  if (members) fields_pair(members, to);
}
void encode(XmlWriter& out, const Pair& from) {
  XmlFields fields{out};
  fields_pair(fields, from);
}
void encode(FormWriter& out, const Pair& from) {
  FormFields fields{out};
  fields_pair(fields, from);
}
void read(Reader& reader, const json::value& from, Everything& to) {
  Reader::Members members(reader, from);
  if (members) fields_everything(members, to);
}

Everything everything() {
  Everything all;
  all.RoleName = "r&<>";
  all.Seconds = -5;
  all.Flag = true;
  all.At = from_millis(1'750'000'000'000);
  all.Tags = std::vector<Pair>{{"a", "1"}, {"b", std::nullopt}};
  all.Flat = std::vector<std::string>{"x", "y"};
  all.Context = std::map<std::string, std::string>{{"k", "v"}};
  return all;
}

TEST(QueryCodec, FormsRoundTrip) {
  std::string form;
  FormWriter out(form);
  FormFields fields{out};
  const Everything all = everything();
  fields_everything(fields, all);
  EXPECT_EQ(
      form,
      "RoleName=r%26%3C%3E&Seconds=-5&Flag=true&At=2025-06-15T15%3A06%3A40.000Z&Tags.member.1.Key=a&"
      "Tags.member.1.Value=1&Tags.member.2.Key=b&Flat.1=x&Flat.2=y&Context.entry.1.key=k&Context.entry.1.value=v");
  Reader reader(Wire::query, Strictness::wire);
  Everything back;
  read(reader, parse_form(form).value(), back);
  const Result<void> checked = reader.finish(sts::info());
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(back, everything());
}

TEST(QueryCodec, ListsAreInTheOrderOfTheirNumbers) {
  Reader reader(Wire::query, Strictness::wire);
  Everything back;
  read(reader, parse_form("RoleName=r&Flat.10=c&Flat.2=b&Flat.1=a").value(), back);
  EXPECT_EQ(back.Flat, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(QueryCodec, ViolationsNameMembersInLowerCamelCase) {
  Reader reader(Wire::query, Strictness::wire);
  Everything back;
  read(reader, parse_form("Tags.member.1.Key=123456789").value(), back);
  EXPECT_EQ(
      reader.finish(sts::info()).error().message,
      "2 validation errors detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null; "
      "Value '123456789' at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or "
      "equal to 8");
  EXPECT_EQ(reader.finish(sts::info()).error().code, "ValidationError");
}

TEST(QueryCodec, XmlIsEscaped) {
  std::string xml;
  XmlWriter out(xml);
  XmlFields fields{out};
  const Everything all = everything();
  fields_everything(fields, all);
  EXPECT_EQ(xml,
            "<RoleName>r&amp;&lt;&gt;</RoleName><Seconds>-5</Seconds><Flag>true</Flag><At>2025-06-15T15:06:40.000Z</At>"
            "<Tags><member><Key>a</Key><Value>1</Value></member><member><Key>b</Key></member></Tags>"
            "<Flat>x</Flat><Flat>y</Flat><Context><entry><key>k</key><value>v</value></entry></Context>");
}

TEST(QueryForm, RefusesWhatIsBrokenOrTooMuch) {
  EXPECT_FALSE(parse_form("a=%"));
  EXPECT_FALSE(parse_form("a=1&a=2"));
  EXPECT_FALSE(parse_form("a=1&a.b=2"));
  EXPECT_FALSE(parse_form("a.b=2&a=1"));
  EXPECT_FALSE(parse_form("=1"));
  std::string deep = "a";
  for (std::size_t i = 0; i < max_form_depth; ++i) deep += ".a";
  EXPECT_FALSE(parse_form(deep + "=1"));
  EXPECT_FALSE(parse_form(std::string(max_form_name_bytes + 1, 'a') + "=1"));
  std::string many;
  for (std::size_t i = 0; i <= max_form_parameters; ++i) many += fmt::format("p{}=1&", i);
  EXPECT_THAT(parse_form(many).error().message, HasSubstr("4000 parameters"));
  EXPECT_EQ(json::serialize(parse_form("A=x+y%2B&&B.c=&D").value()), R"({"A":"x y+","B":{"c":""},"D":""})");
}

TEST(Model, TablesKnowServedAndOtherOperations) {
  EXPECT_NE(find_operation(ecs::info(), "CreateCluster"), nullptr);
  EXPECT_EQ(find_operation(ecs::info(), "CreateTaskSet"), nullptr);
  EXPECT_TRUE(is_operation(ecs::info(), "CreateTaskSet"));
  EXPECT_FALSE(is_operation(ecs::info(), "MakeCoffee"));
  EXPECT_EQ(error_status(ecs::info(), "ServerException"), 500);
  EXPECT_EQ(error_status(ecs::info(), "ClusterNotFoundException"), 400);
  EXPECT_EQ(error_status(ecs::info(), "NoSuchException"), 0);
  EXPECT_EQ(ecr::info().signing_name, "ecr");
  EXPECT_EQ(find_service("logs"), &logs::info());
  EXPECT_EQ(find_service("dynamodb"), nullptr);
}

}  // namespace
}  // namespace kaapi::aws
