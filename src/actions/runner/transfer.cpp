#include "actions/runner/transfer.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>

#include "actions/runner/patience.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

constexpr long status_not_ready = 503;

struct Exchange {
  const Transfer& what;
  CURL* handle;
  FileDescriptor from{-1}, into{-1};
  ActionHost::Answer answer{};
  bool too_large = false, disk_failed = false;
};

std::size_t on_read(char* buffer, std::size_t size, std::size_t count, void* at) {
  auto& exchange = *static_cast<Exchange*>(at);
  const ssize_t got = ::read(exchange.from.get(), buffer, size * count);
  if (got >= 0) return static_cast<std::size_t>(got);
  exchange.disk_failed = true;
  return CURL_READFUNC_ABORT;
}

int on_seek(void* at, curl_off_t offset, int origin) {
  const auto& exchange = *static_cast<Exchange*>(at);
  return ::lseek(exchange.from.get(), offset, origin) < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* at) {
  auto& exchange = *static_cast<Exchange*>(at);
  const std::string_view body(bytes, size * count);
  long status = 0;
  curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
  if (exchange.into && status >= 200 && status < 300) {
    if (write_all(exchange.into.get(), body)) return body.size();
    exchange.disk_failed = true;
    return 0;
  }
  if (exchange.answer.body.size() + body.size() > max_answer_bytes) {
    exchange.too_large = true;
    return 0;
  }
  exchange.answer.body += body;
  return body.size();
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* at) {
  auto& exchange = *static_cast<Exchange*>(at);
  const std::string_view line(bytes, size * count);
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    exchange.answer.headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
  }
  return line.size();
}

int on_progress(void* at, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& exchange = *static_cast<Exchange*>(at);
  return exchange.what.cancelled && exchange.what.cancelled() ? 1 : 0;
}

Result<void> open_files(Exchange& exchange) {
  const Transfer& what = exchange.what;
  if (!what.from_file.empty()) {
    exchange.from = FileDescriptor(::open(what.from_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!exchange.from) return file_error("read", what.from_file);
  }
  if (!what.into_file.empty()) {
    exchange.into = FileDescriptor(::open(what.into_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!exchange.into) return file_error("write", what.into_file);
  }
  return ok();
}

Error explain(CURLcode code, const Exchange& exchange) {
  if (exchange.too_large) {
    return make_error(errc::too_large, fmt::format("the platform's answer has more than {} bytes", max_answer_bytes));
  }
  if (exchange.disk_failed) {
    return make_error(errc::unavailable, fmt::format("cannot write {} or read {}: is the disk full?",
                                                     exchange.what.into_file, exchange.what.from_file));
  }
  if (code == CURLE_ABORTED_BY_CALLBACK) return make_error(errc::cancelled, "the step was cancelled");
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return make_error(errc::timed_out, fmt::format("the platform did not answer for {} s", transfer_stall_s));
  }
  return make_error(errc::unavailable, fmt::format("the platform cannot be reached: {}", curl_easy_strerror(code)));
}

// Not there, or gone in the middle, as it is while it restarts.
bool is_away(CURLcode code) {
  constexpr std::array<CURLcode, 6> codes = {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING,
                                             CURLE_SEND_ERROR,           CURLE_RECV_ERROR,      CURLE_PARTIAL_FILE};
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

struct Attempt {
  Result<ActionHost::Answer> answer;
  bool away = false;
};

Attempt attempt(const Transfer& what) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return {make_error(errc::unavailable, "libcurl cannot be used; install it: apt install libcurl4")};
  }
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), &curl_easy_cleanup);
  if (!handle) return {make_error(errc::unavailable, "libcurl cannot be used; install it: apt install libcurl4")};
  Exchange exchange{what, handle.get()};
  if (const Result<void> opened = open_files(exchange); !opened) return {opened.error()};
  curl_slist* list = curl_slist_append(nullptr, ("Authorization: Bearer " + what.token).c_str());
  // Without it every upload waits for a "100 Continue".
  list = curl_slist_append(list, "Expect:");
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list, &curl_slist_free_all);
  CURL* curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, what.url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  // The platform is reached directly: a proxy must not see the job's token.
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, transfer_stall_s);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  if (exchange.from) {
    struct stat about {};
    ::fstat(exchange.from.get(), &about);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(about.st_size));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &on_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, &on_seek);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, &exchange);
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, what.method.c_str());
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) return {explain(code, exchange), is_away(code)};
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  exchange.answer.status = static_cast<int>(status);
  return {std::move(exchange.answer), status == status_not_ready};
}

}  // namespace

Result<ActionHost::Answer> transfer(const Transfer& what) {
  Patience patience(what.lost_after);
  while (true) {
    Attempt made = attempt(what);
    const auto pause = made.away ? patience.not_answered(std::chrono::steady_clock::now()) : std::nullopt;
    if (!pause) return std::move(made.answer);
    if (what.pause && !what.pause(*pause)) return make_error(errc::cancelled, "the step was cancelled");
  }
}

}  // namespace kaapi::actions::runner
