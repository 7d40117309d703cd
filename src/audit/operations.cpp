#include "audit/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "audit/event.h"
#include "audit/reader.h"
#include "aws/gen/cloudtrail.h"
#include "base/text.h"

namespace kaapi::audit {
namespace {

namespace wire = aws::cloudtrail;
using aws::CallContext;

Error invalid_token() {
  return make_error(
      wire::error::InvalidNextTokenException,
      "The NextToken is not one that this lookup gave out. Pass it with the same attributes and times, or "
      "begin again without it.");
}

Result<void> set_attribute(Filter& filter, const wire::LookupAttribute& attribute) {
  namespace key = wire::LookupAttributeKey;
  const std::string& value = attribute.AttributeValue;
  if (attribute.AttributeKey == key::ReadOnly) {
    if (value != "true" && value != "false") {
      return make_error(wire::error::InvalidLookupAttributesException,
                        fmt::format("The attribute ReadOnly takes true or false, not '{}'.", value));
    }
    filter.read_only = value == "true";
    return ok();
  }
  const std::array<std::pair<std::string_view, std::string*>, 7> members = {
      {{key::EventId, &filter.id},
       {key::EventName, &filter.name},
       {key::EventSource, &filter.source},
       {key::Username, &filter.who},
       {key::AccessKeyId, &filter.access_key_id},
       {key::ResourceName, &filter.resource},
       {key::ResourceType, &filter.resource_type}}};
  for (const auto& [name, member] : members) {
    if (attribute.AttributeKey == name) *member = value;
  }
  return ok();
}

// Events have whole seconds.
std::optional<Time> whole_second(const std::optional<Time>& time) {
  if (!time) return std::nullopt;
  return std::chrono::floor<std::chrono::seconds>(*time);
}

Result<Filter> filter_of(const wire::LookupEventsRequest& request) {
  Filter filter;
  if (request.LookupAttributes) {
    if (request.LookupAttributes->size() > 1) {
      return make_error(wire::error::InvalidLookupAttributesException,
                        "LookupAttributes takes one attribute; filter the events found for a second one.");
    }
    for (const wire::LookupAttribute& attribute : *request.LookupAttributes) {
      if (const Result<void> set = set_attribute(filter, attribute); !set) return set.error();
    }
  }
  if (request.StartTime && request.EndTime && *request.StartTime > *request.EndTime) {
    return make_error(wire::error::InvalidTimeRangeException, "StartTime is after EndTime.");
  }
  filter.start = whole_second(request.StartTime);
  filter.end = whole_second(request.EndTime);
  return filter;
}

Result<std::size_t> limit_of(const wire::LookupEventsRequest& request) {
  const std::int32_t limit = request.MaxResults.value_or(max_lookup_results);
  if (limit < 1 || limit > max_lookup_results) {
    return make_error(wire::error::InvalidMaxResultsException,
                      fmt::format("MaxResults takes 1 to {}, not {}.", max_lookup_results, limit));
  }
  return static_cast<std::size_t>(limit);
}

// What makes a token one of this look-up.
std::string scope_of(const wire::LookupEventsRequest& request) {
  std::string scope = "LookupEvents";
  const auto add_time = [&](const std::optional<Time>& time) {
    scope += time ? fmt::format("\n{}", to_millis(*time)) : std::string("\n-");
  };
  add_time(request.StartTime);
  add_time(request.EndTime);
  if (!request.LookupAttributes) return scope;
  for (const wire::LookupAttribute& attribute : *request.LookupAttributes) {
    scope += "\n" + attribute.AttributeKey + "=" + attribute.AttributeValue;
  }
  return scope;
}

std::string token_of(std::string_view scope, Position position) {
  return encode_page_token(scope, fmt::format("{}:{}", position.file, position.offset));
}

Result<std::optional<Position>> position_of(std::string_view scope, const std::optional<std::string>& token) {
  if (!token) return std::optional<Position>();
  const std::optional<std::string> text = decode_page_token(scope, *token);
  if (!text) return invalid_token();
  const std::size_t colon = std::min(text->find(':'), text->size() - 1);
  const auto file = parse_number(std::string_view(*text).substr(0, colon));
  const auto offset = parse_number(std::string_view(*text).substr(colon + 1));
  if (!file || !offset) return invalid_token();
  return std::optional(Position{static_cast<std::uint64_t>(*file), static_cast<std::uint64_t>(*offset)});
}

std::optional<std::string> unless_empty(std::string text) {
  if (text.empty()) return std::nullopt;
  return text;
}

wire::Event to_wire(Event event, std::string_view line) {
  wire::Event out;
  out.EventId = std::move(event.id);
  out.EventName = std::move(event.name);
  out.ReadOnly = event.read_only ? "true" : "false";
  out.AccessKeyId = unless_empty(std::move(event.access_key_id));
  out.EventTime = event.time;
  out.EventSource = std::move(event.source);
  out.Username = unless_empty(std::move(event.user_name));
  std::vector<wire::Resource>& resources = out.Resources.emplace();
  for (EventResource& resource : event.resources) {
    wire::Resource& named = resources.emplace_back();
    named.ResourceType = unless_empty(std::move(resource.type));
    named.ResourceName = std::move(resource.arn);
  }
  out.CloudTrailEvent = std::string(line);
  return out;
}

// Newest first, from `before` on. `scope` goes into the token of the next page.
Result<wire::LookupEventsResponse> look_up(const std::string& folder, const Filter& filter, std::size_t limit,
                                           std::optional<Position> before, std::string_view scope) {
  wire::LookupEventsResponse response;
  std::vector<wire::Event>& events = response.Events.emplace();
  BackwardReader reader(folder, before);
  const std::vector<std::string> texts = texts_of(filter);
  while (true) {
    const Result<std::optional<BackwardReader::Line>> line = reader.next();
    if (!line && line.error().code == errc::invalid) return invalid_token();
    if (!line) return line.error();
    if (!*line) return response;
    const BackwardReader::Line& found = **line;
    const std::optional<Time> time = time_of(found.text);
    if (time && filter.start && *time + max_disorder < *filter.start) return response;
    if (may_match(texts, found.text)) {
      Result<Event> event = parse_event(found.text);
      if (event && matches(filter, *event)) events.push_back(to_wire(std::move(*event), found.text));
    }
    if (events.size() == limit || reader.bytes_read() >= max_lookup_bytes) {
      response.NextToken = token_of(scope, found.at);
      return response;
    }
  }
}

Result<wire::LookupEventsResponse> lookup_events(const Log& log, const CallContext&,
                                                 const wire::LookupEventsRequest& request) {
  const Result<std::size_t> limit = limit_of(request);
  if (!limit) return limit.error();
  const Result<Filter> filter = filter_of(request);
  if (!filter) return filter.error();
  const std::string scope = scope_of(request);
  const Result<std::optional<Position>> before = position_of(scope, request.NextToken);
  if (!before) return before.error();
  if (request.EventCategory) {
    // Insight events, the only other category there is: none are made here, so none are found.
    wire::LookupEventsResponse none;
    none.Events.emplace();
    return none;
  }
  return look_up(log.folder(), *filter, *limit, *before, scope);
}

}  // namespace

void add_operations(aws::Dispatcher& dispatcher, const Log& log) {
  using std::placeholders::_1;
  using std::placeholders::_2;
  dispatcher.handle<wire::LookupEvents>(std::bind(lookup_events, std::cref(log), _1, _2));
}

}  // namespace kaapi::audit
