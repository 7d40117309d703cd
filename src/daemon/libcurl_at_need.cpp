// libcurl, loaded when a command first uses it. Linked in the ordinary way, its thirty libraries would cost `kaapi up`,
// which uses it for the keys of token issuers only, 13 ms of its start and 6 MiB of its memory (measured). These are
// the functions that aws/client.cpp and identity/oidc/https_fetcher.cpp call; the program's own definitions go before
// the library's.

#include <dlfcn.h>

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

// Hidden: the library itself must go on using its own.
#define KAAPI_AT_NEED extern "C" __attribute__((visibility("hidden")))

namespace {

void* library() {
  static void* const loaded = [] {
    void* handle = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      std::fprintf(stderr, "kaapi: libcurl cannot be loaded (%s); install it: apt install libcurl4\n", ::dlerror());
    }
    return handle;
  }();
  return loaded;
}

template <class Function>
Function* function(const char* name) {
  void* found = ::dlsym(library(), name);
  if (found == nullptr) {
    std::fprintf(stderr, "kaapi: libcurl has no %s; install a newer one: apt install libcurl4\n", name);
    std::exit(1);
  }
  return reinterpret_cast<Function*>(found);
}

// Every optional argument that libcurl takes (long, curl_off_t, a pointer) travels as one machine word.
static_assert(sizeof(void*) == sizeof(long) && sizeof(void*) == sizeof(long long));

}  // namespace

// Whoever uses libcurl begins with these two. A server must not end because a library is missing that only one kind of
// request needs, so here that is a failure like any other.
KAAPI_AT_NEED int curl_global_init(long flags) {
  constexpr int failed_init = 2;  // CURLE_FAILED_INIT
  if (library() == nullptr) return failed_init;
  return function<int(long)>("curl_global_init")(flags);
}
KAAPI_AT_NEED void* curl_easy_init() {
  if (library() == nullptr) return nullptr;
  return function<void*()>("curl_easy_init")();
}
KAAPI_AT_NEED void curl_easy_cleanup(void* handle) {
  function<void(void*)>("curl_easy_cleanup")(handle);
}
KAAPI_AT_NEED void curl_easy_reset(void* handle) {
  function<void(void*)>("curl_easy_reset")(handle);
}
KAAPI_AT_NEED int curl_easy_perform(void* handle) {
  return function<int(void*)>("curl_easy_perform")(handle);
}
KAAPI_AT_NEED const char* curl_easy_strerror(int code) {
  if (library() == nullptr) return "libcurl cannot be loaded; install it: apt install libcurl4";
  return function<const char*(int)>("curl_easy_strerror")(code);
}
KAAPI_AT_NEED int curl_easy_setopt(void* handle, int option, ...) {
  std::va_list arguments;
  va_start(arguments, option);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return function<int(void*, int, ...)>("curl_easy_setopt")(handle, option, argument);
}
KAAPI_AT_NEED int curl_easy_getinfo(void* handle, int info, ...) {
  std::va_list arguments;
  va_start(arguments, info);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return function<int(void*, int, ...)>("curl_easy_getinfo")(handle, info, argument);
}
KAAPI_AT_NEED void* curl_slist_append(void* list, const char* text) {
  return function<void*(void*, const char*)>("curl_slist_append")(list, text);
}
KAAPI_AT_NEED void curl_slist_free_all(void* list) {
  function<void(void*)>("curl_slist_free_all")(list);
}
KAAPI_AT_NEED int curl_strnequal(const char* a, const char* b, std::size_t length) {
  return function<int(const char*, const char*, std::size_t)>("curl_strnequal")(a, b, length);
}
