#include <fmt/format.h>

#include <functional>

#include "base/text.h"
#include "logs/ingest.h"
#include "logs/operations_internal.h"

namespace kaapi::logs {
namespace {

wire::RejectedLogEventsInfo to_wire(const Admission& admission) {
  const auto index = [](const std::optional<std::size_t>& value) -> std::optional<std::int32_t> {
    if (!value) return std::nullopt;
    return static_cast<std::int32_t>(*value);
  };
  wire::RejectedLogEventsInfo info;
  info.tooNewLogEventStartIndex = index(admission.too_new_start);
  info.tooOldLogEventEndIndex = index(admission.too_old_end);
  info.expiredLogEventEndIndex = index(admission.expired_end);
  return info;
}

Result<wire::PutLogEventsResponse> put_log_events(Service service, const CallContext& context,
                                                  const wire::PutLogEventsRequest& request) {
  const GroupName group{context.region, request.logGroupName};
  std::vector<NewEvent> events;
  events.reserve(request.logEvents.size());
  for (const wire::InputLogEvent& event : request.logEvents) events.push_back({event.timestamp, event.message});
  const Result<std::optional<std::int64_t>> retention_days = service.store.retention_of(group, request.logStreamName);
  if (!retention_days) return retention_days.error();
  const Time now = service.clock.now();
  const Result<Admission> admission = admit(events, *retention_days, now);
  if (!admission) return admission.error();
  const std::span<const NewEvent> kept =
      std::span<const NewEvent>(events).subspan(admission->first, admission->end - admission->first);
  const Result<void> stored = service.store.put(group, request.logStreamName, kept, now);
  if (!stored) return stored.error();
  wire::PutLogEventsResponse response;
  response.nextSequenceToken = fmt::format("49{:054}", to_millis(now));
  if (admission->rejected_any()) response.rejectedLogEventsInfo = to_wire(*admission);
  return response;
}

Result<wire::GetLogEventsResponse> get_log_events(Service service, const CallContext& context,
                                                  const wire::GetLogEventsRequest& request) {
  const Result<GroupName> group = group_of(context, request.logGroupName, request.logGroupIdentifier);
  if (!group) return group.error();
  ReadQuery query;
  query.stream = request.logStreamName;
  query.start_ms = request.startTime.value_or(0);
  query.end_ms = request.endTime.value_or(end_of_time_ms);
  query.direction = request.startFromHead.value_or(false) ? Direction::forward : Direction::backward;
  if (request.nextToken) {
    const std::optional<EventToken> token = decode_event_token(*request.nextToken);
    if (!token) return invalid_next_token();
    query.direction = token->direction;
    query.from = token->position;
  }
  if (request.limit) query.limit = static_cast<std::size_t>(*request.limit);
  Result<ReadPage> page = service.store.read(*group, query, service.clock.now());
  if (!page) return page.error();
  wire::GetLogEventsResponse response;
  response.nextForwardToken = encode_event_token({Direction::forward, page->forward});
  response.nextBackwardToken = encode_event_token({Direction::backward, page->backward});
  std::vector<wire::OutputLogEvent>& events = response.events.emplace();
  events.reserve(page->events.size());
  for (StoredEvent& event : page->events) {
    wire::OutputLogEvent& out = events.emplace_back();
    out.timestamp = event.position.at_ms;
    out.ingestionTime = event.ingested_at_ms;
    out.message = std::move(event.message);
  }
  return response;
}

Result<FilterQuery> filter_query(const wire::FilterLogEventsRequest& request) {
  FilterQuery query;
  query.streams = request.logStreamNames.value_or(std::vector<std::string>());
  query.stream_prefix = request.logStreamNamePrefix.value_or("");
  if (!query.streams.empty() && !query.stream_prefix.empty()) {
    return invalid_parameter("logStreamNames and logStreamNamePrefix cannot be used together.");
  }
  query.start_ms = request.startTime.value_or(0);
  query.end_ms = request.endTime.value_or(end_of_time_ms);
  Result<FilterPattern> pattern = FilterPattern::parse(request.filterPattern.value_or(""));
  if (!pattern) return pattern.error();
  query.pattern = std::move(*pattern);
  if (request.limit) query.limit = static_cast<std::size_t>(*request.limit);
  return query;
}

wire::FilteredLogEvent to_wire(StoredEvent event) {
  wire::FilteredLogEvent out;
  out.eventId = encode_event_id(event.position);
  out.timestamp = event.position.at_ms;
  out.ingestionTime = event.ingested_at_ms;
  out.logStreamName = std::move(event.stream);
  out.message = std::move(event.message);
  return out;
}

Result<wire::FilterLogEventsResponse> filter_log_events(Service service, const CallContext& context,
                                                        const wire::FilterLogEventsRequest& request) {
  const Result<GroupName> group = group_of(context, request.logGroupName, request.logGroupIdentifier);
  if (!group) return group.error();
  Result<FilterQuery> query = filter_query(request);
  if (!query) return query.error();
  const std::string scope =
      fmt::format("FilterLogEvents\n{}\n{}\n{}\n{}\n{}", group->region, group->name, fmt::join(query->streams, "\n"),
                  query->stream_prefix, request.filterPattern.value_or(""));
  const Result<std::optional<std::string>> after = page_position(scope, request.nextToken);
  if (!after) return after.error();
  if (*after) {
    query->after = decode_event_id(**after);
    if (!query->after) return invalid_next_token();
  }
  Result<FilterPage> page = service.store.filter(*group, *query, service.clock.now());
  if (!page) return page.error();
  wire::FilterLogEventsResponse response;
  if (page->next) response.nextToken = encode_page_token(scope, encode_event_id(*page->next));
  response.searchedLogStreams.emplace();  // always empty, says the API reference
  std::vector<wire::FilteredLogEvent>& events = response.events.emplace();
  events.reserve(page->events.size());
  for (StoredEvent& event : page->events) events.push_back(to_wire(std::move(event)));
  return response;
}

}  // namespace

void add_event_operations(aws::Dispatcher& dispatcher, Service service) {
  using std::placeholders::_1;
  using std::placeholders::_2;
  dispatcher.handle<wire::PutLogEvents>(std::bind(put_log_events, service, _1, _2));
  dispatcher.handle<wire::GetLogEvents>(std::bind(get_log_events, service, _1, _2));
  dispatcher.handle<wire::FilterLogEvents>(std::bind(filter_log_events, service, _1, _2));
}

}  // namespace kaapi::logs
