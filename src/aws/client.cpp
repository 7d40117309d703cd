#include "aws/client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <mutex>
#include <vector>

#include "aws/xml.h"

namespace kaapi::aws {
namespace {

struct Exchange {
  long status = 0;
  std::string body;
  std::string error_type;  // the x-amzn-ErrorType header
  std::size_t max_body_bytes = 0;
  bool too_large = false;
};

std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.body.size() + size > exchange.max_body_bytes) {
    exchange.too_large = true;
    return 0;
  }
  exchange.body.append(bytes, size);
  return size;
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

HeaderList header_list(const http::Headers& headers) {
  HeaderList list;
  const auto append = [&list](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
  };
  for (const auto& [name, value] : headers) append(name + ": " + value);
  append("Expect:");  // no waiting for 100-continue
  return list;
}

// "http://host:1/path" without its scheme and path: what the Host header says.
std::string_view authority_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return url.substr(0, url.find('/'));
}

// "com.amazonaws.x#Name:http://…" is Name.
std::string_view bare_type(std::string_view type) {
  type = type.substr(0, type.find(':'));
  const std::size_t hash = type.rfind('#');
  return hash == std::string_view::npos ? type : type.substr(hash + 1);
}

Error json_error(const Exchange& exchange) {
  const Result<json::value> body = parse_json(exchange.body);
  const json::value& tree = body ? *body : json::value();
  std::string type = string_member(tree, "__type", exchange.error_type);
  std::string message = string_member(tree, "message", string_member(tree, "Message"));
  if (type.empty()) type = fmt::format("HTTP{}", exchange.status);
  if (message.empty()) message = fmt::format("the server answered {} without a reason", exchange.status);
  return make_error(bare_type(type), std::move(message), static_cast<int>(exchange.status));
}

Error query_error(const Exchange& exchange) {
  const Result<json::value> body = parse_xml(exchange.body);
  const json::value* root = body ? find_member(*body, "ErrorResponse") : nullptr;
  const json::value* error = root == nullptr ? nullptr : find_member(*root, "Error");
  if (error == nullptr) return json_error(exchange);
  return make_error(string_member(*error, "Code"), string_member(*error, "Message"), static_cast<int>(exchange.status));
}

// The inside of <OperationResponse><OperationResult>.
Result<json::value> query_result(const Exchange& exchange, std::string_view operation) {
  const Result<json::value> body = parse_xml(exchange.body);
  if (!body) return make_error(errc::invalid, fmt::format("the answer to {} is {}", operation, body.error().message));
  const json::value* root = find_member(*body, fmt::format("{}Response", operation));
  if (root == nullptr) return make_error(errc::invalid, fmt::format("the answer to {} is of another kind", operation));
  const json::value* result = find_member(*root, fmt::format("{}Result", operation));
  return result == nullptr ? json::value(json::object()) : *result;
}

void write_form(FormWriter& out, const json::value& value) {
  if (const json::object* object = value.if_object()) {
    for (const auto& [name, member] : *object) {
      out.enter(std::string_view(name.data(), name.size()));
      write_form(out, member);
      out.leave();
    }
  } else if (const json::array* items = value.if_array()) {
    out.enter("member");
    for (std::size_t i = 0; i < items->size(); ++i) {
      out.enter(i + 1);
      write_form(out, (*items)[i]);
      out.leave();
    }
    out.leave();
  } else if (const json::string* text = value.if_string()) {
    out.value({text->data(), text->size()});
  } else if (!value.is_null()) {
    out.value(json::serialize(value));
  }
}

std::size_t on_header(char* bytes, std::size_t, std::size_t size, void* user) {
  constexpr std::string_view wanted = "x-amzn-errortype:";
  const std::string_view line(bytes, size);
  if (line.size() > wanted.size() && curl_strnequal(line.data(), wanted.data(), wanted.size()) != 0) {
    std::string_view value = line.substr(wanted.size());
    while (!value.empty() && (value.back() == '\r' || value.back() == '\n')) value.remove_suffix(1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    static_cast<Exchange*>(user)->error_type = value;
  }
  return size;
}

}  // namespace

struct Client::State {
  explicit State(ClientConfig given) : config(std::move(given)) {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)started;
  }
  ~State() {
    for (CURL* handle : idle) curl_easy_cleanup(handle);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // A handle keeps its connection; each thread that calls at the same time gets its own.
  CURL* take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return curl_easy_init();
    CURL* handle = idle.back();
    idle.pop_back();
    return handle;
  }
  void give_back(CURL* handle) {
    constexpr std::size_t max_idle = 8;
    {
      const std::lock_guard lock(mutex);
      if (idle.size() < max_idle) {
        idle.push_back(handle);
        return;
      }
    }
    curl_easy_cleanup(handle);
  }

  Result<Exchange> send(const std::string& url, const http::Headers& headers, const std::string& body);

  ClientConfig config;
  std::mutex mutex;
  std::vector<CURL*> idle;
};

Result<Exchange> Client::State::send(const std::string& url, const http::Headers& headers, const std::string& body) {
  CURL* handle = take();
  if (handle == nullptr) return internal_error("libcurl gives no handle");
  const HeaderList list = header_list(headers);
  Exchange exchange;
  exchange.max_body_bytes = config.max_body_bytes;
  curl_easy_reset(handle);  // keeps connections
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(config.connect_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(config.timeout.count()));
  const CURLcode code = curl_easy_perform(handle);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &exchange.status);
  give_back(handle);
  if (code == CURLE_OK) return exchange;
  if (exchange.too_large) {
    return make_error(errc::too_large,
                      fmt::format("the answer of {} is larger than {} bytes", url, config.max_body_bytes));
  }
  return make_error(code == CURLE_OPERATION_TIMEDOUT ? errc::timed_out : errc::unavailable,
                    fmt::format("cannot reach {}: {}", url, curl_easy_strerror(code)), 503);
}

Client::Client(ClientConfig config) : state_(std::make_unique<State>(std::move(config))) {}
Client::~Client() = default;

Result<json::value> Client::exchange(const ServiceInfo& service, std::string_view operation, std::string body) {
  const ClientConfig& config = state_->config;
  std::string url = config.endpoint_url;
  if (url.empty()) url = fmt::format("https://{}.{}.amazonaws.com", service.endpoint_prefix, config.region);

  http::Headers headers;
  headers.add("Host", std::string(authority_of(url)));
  if (service.protocol == Protocol::json) {
    headers.add("Content-Type", fmt::format("application/x-amz-json-{}", service.json_version));
    headers.add("X-Amz-Target", fmt::format("{}.{}", service.target_prefix, operation));
  } else {
    headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    body = fmt::format("Action={}&Version={}{}{}", operation, service.api_version, body.empty() ? "" : "&", body);
  }
  if (!config.credentials.access_key_id.empty()) {
    sign(headers, "POST", "/", body, config.credentials, config.region, service.signing_name, SystemClock().now());
  }
  const Result<Exchange> answer = state_->send(url + (url.ends_with('/') ? "" : "/"), headers, body);
  if (!answer) return answer.error();
  const bool is_json = service.protocol == Protocol::json;
  if (answer->status != 200) return is_json ? json_error(*answer) : query_error(*answer);
  if (!is_json) return query_result(*answer, operation);
  if (answer->body.empty()) return json::value(json::object());
  Result<json::value> tree = parse_json(answer->body);
  if (!tree) return make_error(errc::invalid, fmt::format("the answer to {} is {}", operation, tree.error().message));
  return tree;
}

Result<json::value> Client::call(std::string_view service, std::string_view operation, const json::value& request) {
  const ServiceInfo* info = find_service(service);
  if (info == nullptr)
    return make_error(errc::invalid, fmt::format("no model of the service '{}' is built in", service));
  std::string body;
  if (info->protocol == Protocol::json) {
    body = json::serialize(request);
  } else {
    FormWriter out(body);
    write_form(out, request);
  }
  return exchange(*info, operation, std::move(body));
}

}  // namespace kaapi::aws
