#include "actions/runner/action_line.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include "actions/protocol/fields.h"
#include "base/json.h"

namespace kaapi::actions::runner {
namespace {

struct Request {
  std::int64_t number = 0;
  std::string owner, name, ref;
  bool withdrawn = false;  // the job does not wait for this one any more
};

std::string line_of(const Request& request) {
  return json::serialize(json::object{{"number", request.number},
                                      {"owner", request.owner},
                                      {"name", request.name},
                                      {"ref", request.ref},
                                      {"withdrawn", request.withdrawn}}) +
         "\n";
}

Result<Request> request_from(std::string_view line) {
  const Result<json::value> value = parse_json(line);
  if (!value) return value.error();
  Request request;
  Fields fields(*value, "request for an action");
  fields.read("number", request.number);
  fields.read("owner", request.owner);
  fields.read("name", request.name);
  fields.read("ref", request.ref);
  fields.read("withdrawn", request.withdrawn);
  if (const Result<void> done = fields.done(); !done) return done.error();
  return request;
}

std::string answer_line(std::int64_t number, const Result<FetchedAction>& fetched) {
  json::object answer = {{"number", number}};
  if (fetched) {
    answer["folder"] = fetched->folder;
    answer["commit"] = fetched->commit;
  } else {
    answer["code"] = fetched.error().code;
    answer["message"] = fetched.error().message;
  }
  return json::serialize(answer) + "\n";
}

Result<FetchedAction> answer_from(const json::value& value) {
  if (find_member(value, "folder") == nullptr) {
    return make_error(string_member(value, "code", errc::unavailable), string_member(value, "message"));
  }
  return FetchedAction{string_member(value, "folder"), string_member(value, "commit")};
}

Error gone() {
  return make_error(errc::unavailable, "the runner does not answer; it may have been stopped");
}

bool say(int line, std::string_view text, int flags = 0) {
  return ::send(line, text.data(), text.size(), MSG_NOSIGNAL | flags) == static_cast<ssize_t>(text.size());
}

// Adds what has come, without waiting; false: nothing comes any more.
bool read_more(int line, std::string& into) {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::recv(line, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0) into.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

std::optional<std::string> take_line(std::string& from) {
  const std::size_t end = from.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = from.substr(0, end);
  from.erase(0, end + 1);
  return line;
}

}  // namespace

Result<FetchedAction> AskedActions::fetch(std::string_view owner, std::string_view name, std::string_view ref) {
  const StopLevel since = stop_.level();
  Request request{++last_, std::string(owner), std::string(name), std::string(ref)};
  if (!say(line_, line_of(request))) return gone();
  while (true) {
    const Result<std::string> line = next_line(since);
    if (!line) {
      request.withdrawn = true;
      say(line_, line_of(request));
      return line.error();
    }
    const Result<json::value> answer = parse_json(*line);
    if (!answer) return answer.error();
    // Otherwise it is of one that was withdrawn.
    if (int_member(*answer, "number") == last_) return answer_from(*answer);
  }
}

Result<std::string> AskedActions::next_line(StopLevel since) {
  while (true) {
    if (std::optional<std::string> line = take_line(read_)) return *std::move(line);
    if (read_.size() > max_action_answer_bytes) return gone();
    if (!stop_.wait(since, std::nullopt, line_)) return make_error(errc::cancelled, stop_.reason());
    if (!read_more(line_, read_)) return gone();
  }
}

struct ActionDesk::Fetch {
  std::int64_t number = 0;
  StopSource stop{};
  std::atomic<bool> done = false;
  std::thread thread{};
};

ActionDesk::ActionDesk(FileDescriptor line, ActionCache& actions) : line_(std::move(line)), actions_(actions) {}

ActionDesk::~ActionDesk() {
  for (Fetch& fetch : fetches_) fetch.stop.raise(StopLevel::kill, "the job is over");
  for (Fetch& fetch : fetches_) fetch.thread.join();
}

void ActionDesk::read() {
  over_ = !read_more(line_.get(), read_);
  while (const std::optional<std::string> line = take_line(read_)) take(*line);
  if (read_.size() > max_request_bytes) over_ = true;
}

void ActionDesk::forget_done() {
  for (Fetch& fetch : fetches_) {
    if (fetch.done) fetch.thread.join();
  }
  std::erase_if(fetches_, [](const Fetch& fetch) { return !fetch.thread.joinable(); });
}

// Whatever a line says, the answer is one line.
void ActionDesk::take(std::string_view line) {
  Result<Request> request = request_from(line);
  if (!request) return answer(0, request.error());
  forget_done();
  if (request->withdrawn) {
    for (Fetch& fetch : fetches_) {
      if (fetch.number == request->number) fetch.stop.raise(StopLevel::kill, "the job does not wait for it any more");
    }
    return;
  }
  if (fetches_.size() >= max_requests) {
    return answer(request->number, make_error(errc::unavailable, fmt::format("more than {} actions are asked for at "
                                                                             "once: try again",
                                                                             max_requests)));
  }
  Fetch& fetch = fetches_.emplace_back();
  fetch.number = request->number;
  fetch.thread = std::thread([this, &fetch, what = std::move(*request)] {
    answer(what.number, actions_.fetch(what.owner, what.name, what.ref, fetch.stop));
    fetch.done = true;
  });
}

// A job that does not read gets no answers: nobody waits for it.
void ActionDesk::answer(std::int64_t number, const Result<FetchedAction>& fetched) {
  const std::lock_guard lock(writing_);
  if (!say(line_.get(), answer_line(number, fetched), MSG_DONTWAIT)) ::shutdown(line_.get(), SHUT_RDWR);
}

}  // namespace kaapi::actions::runner
