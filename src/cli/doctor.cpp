#include "cli/doctor.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <iterator>
#include <ostream>

#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"
#include "cli/target.h"
#include "identity/account.h"
#include "identity/iam/database.h"

namespace kaapi::cli {
namespace {

constexpr mode_t others_rights = 077;
constexpr std::uint64_t bytes_per_mib = 1024 * 1024;
// Enough for a few images. Below the lower bound databases and pushes soon fail.
constexpr std::uint64_t little_disk_mib = 4'096;
constexpr std::uint64_t no_disk_mib = 512;
constexpr int min_engine_api_minor = 41;  // of 1.x: what containers/docker_engine.h needs
// Signatures of clients whose clock is further off are refused (aws::max_clock_skew).
constexpr std::chrono::seconds refused_skew{300};
constexpr std::chrono::seconds notable_skew{30};
constexpr int http_ok = 200;

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::problem:
      return "problem";
  }
  return "problem";
}

Tone tone_of(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return Tone::good;
    case Severity::note:
      return Tone::faint;
    case Severity::warning:
      return Tone::busy;
    case Severity::problem:
      return Tone::bad;
  }
  return Tone::bad;
}

// A file with a secret in it. nullopt when all is well.
std::optional<Finding> check_secret(const std::string& data_dir, std::string_view name, std::string_view if_missing) {
  const std::string path = fmt::format("{}/{}", data_dir, name);
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT && if_missing.empty()) return std::nullopt;
    if (errno == ENOENT) {
      return Finding{Severity::problem, "files", fmt::format("{} is missing", path), std::string(if_missing)};
    }
    return Finding{Severity::problem, "files", fmt::format("{} cannot be looked at: {}", path, std::strerror(errno)),
                   "run as the user who runs the platform"};
  }
  if (!S_ISREG(info.st_mode)) {
    return Finding{Severity::problem, "files", fmt::format("{} is no regular file", path),
                   "move it away and restore it from a backup"};
  }
  if ((info.st_mode & others_rights) == 0) return std::nullopt;
  return Finding{Severity::problem, "files",
                 fmt::format("{} holds a secret and others may use it (mode {:04o})", path, info.st_mode & 07777U),
                 fmt::format("chmod 600 {}; if others use this machine, replace what was in it", path)};
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Finding check_clock(std::string_view date, Time sent, Time received) {
  const std::optional<Time> theirs = parse_http_date(date);
  if (!theirs) {
    return {Severity::warning, "clock", "the platform's answer has no Date, so the clocks cannot be compared",
            "look whether something else answers on its port"};
  }
  // Date has whole seconds, cut off: half of one on average.
  const Time ours = sent + (received - sent) / 2;
  const auto skew = std::chrono::duration_cast<std::chrono::seconds>(*theirs + Duration(500) - ours);
  const auto off = std::chrono::abs(skew);
  if (off < notable_skew) return {Severity::ok, "clock", "agrees with the platform's", ""};
  const std::string what =
      fmt::format("the platform's clock is {} s {} this one", off.count(), skew.count() > 0 ? "ahead of" : "behind");
  if (off < refused_skew) {
    return {Severity::warning, "clock", what + "; from 5 min on requests are refused", "set the clocks, by NTP"};
  }
  return {Severity::problem, "clock", what + "; requests signed here are refused from 5 min on",
          "set the clocks, by NTP"};
}

int minor_of(std::string_view api_version) {
  const std::size_t dot = api_version.find('.');
  if (dot == std::string_view::npos || api_version.substr(0, dot) != "1") return -1;
  return static_cast<int>(parse_number(api_version.substr(dot + 1)).value_or(-1));
}

std::vector<Finding> check_rights(const DoctorCommand& command, const Surroundings& surroundings, const Clock& clock) {
  TargetOptions own;
  own.data_dir = command.data_dir;
  own.data_dir_given = true;  // the data directory's key, whoever the environment says one is
  const Result<Target> target = find_target(own, surroundings);
  // check_files() has looked at the file, but not into it.
  if (!target) return {{Severity::problem, "rights", target.error().message, ""}};
  aws::Client client = client_of(*target);
  const Result<RightsFacts> facts = ask_rights(client);
  if (facts) return judge_rights(*facts, clock.now());
  return {{Severity::problem, "rights",
           fmt::format("roles and keys could not be looked at: {}", explained(facts.error(), *target)),
           "look into the log of kaapi up"}};
}

}  // namespace

std::vector<Finding> check_files(const std::string& data_dir) {
  struct stat info {};
  if (::stat(data_dir.c_str(), &info) != 0) {
    if (errno != ENOENT) {
      return {{Severity::problem, "files", fmt::format("{} cannot be looked at: {}", data_dir, std::strerror(errno)),
               "run as the user who runs the platform"}};
    }
    return {{Severity::problem, "files", fmt::format("no platform has been started in {} yet", data_dir),
             "start one with kaapi up, or name the directory of yours with --data DIR"}};
  }
  if (!S_ISDIR(info.st_mode)) {
    return {{Severity::problem, "files", fmt::format("{} is no directory", data_dir),
             "name the data directory with --data DIR"}};
  }
  std::vector<Finding> findings;
  if ((info.st_mode & others_rights) != 0) {
    findings.push_back({Severity::problem, "files",
                        fmt::format("others may look into {} (mode {:04o}): logs, images and audit log are in it",
                                    data_dir, info.st_mode & 07777U),
                        fmt::format("chmod 700 {}", data_dir)});
  }
  const bool has_identity = exists(fmt::format("{}/{}", data_dir, identity::database_file_name));
  const std::pair<std::string_view, std::string_view> secrets[] = {
      {identity::account_file_name,
       "if a platform has run here, restore it from a backup; else start one with kaapi up"},
      {identity::key_file_name,
       has_identity ? "restore it from a backup: without it the stored keys cannot be opened" : ""},
      {"registry-token.key", ""},
      {"settings.key", ""},
      {"actions-issuer.keys", ""},
      {"runner.token", ""}};
  for (const auto& [name, if_missing] : secrets) {
    if (std::optional<Finding> finding = check_secret(data_dir, name, if_missing)) findings.push_back(*finding);
  }
  if (findings.empty()) {
    findings.push_back(
        {Severity::ok, "files", fmt::format("{} and its secrets are their owner's alone", data_dir), ""});
  }
  return findings;
}

std::vector<Finding> check_platform(const std::string& data_dir, const Surroundings& surroundings, const Clock& clock) {
  const std::optional<std::string> endpoint = surroundings.running_endpoint(data_dir);
  if (!endpoint) {
    return {{Severity::problem, "platform",
             fmt::format("does not run in {}: nobody answers, and its roles and keys cannot be looked at", data_dir),
             fmt::format("start it with kaapi up --data {}", data_dir)}};
  }
  const Time sent = clock.now();
  const Result<HealthAnswer> answer = surroundings.health(*endpoint);
  const Time received = clock.now();
  if (!answer) {
    return {{Severity::problem, "platform",
             fmt::format("runs, but does not answer at {}: {}", *endpoint, answer.error().message),
             "look into the log of kaapi up, and restart it; tasks go on meanwhile"}};
  }
  if (answer->status != http_ok) {
    return {{Severity::problem, "platform",
             fmt::format("answers at {}, but is not well (HTTP {}): its database does not answer", *endpoint,
                         answer->status),
             "look at the disk and into the log of kaapi up"}};
  }
  const Result<json::value> body = parse_json(answer->body);
  const std::string version = body ? string_member(*body, "version", "?") : "?";
  std::vector<Finding> findings = {
      {Severity::ok, "platform", fmt::format("kaapi {} answers at {}", version, *endpoint), ""}};
  if (version != surroundings.version) {
    findings.push_back({Severity::warning, "platform",
                        fmt::format("kaapi {} runs, but this program is {}", version, surroundings.version),
                        "restart the platform with this program; tasks go on meanwhile"});
  }
  findings.push_back(check_clock(answer->date, sent, received));
  return findings;
}

Finding check_engine(const Surroundings& surroundings) {
  const Result<EngineVersion> engine = surroundings.engine();
  if (!engine) {
    return {Severity::problem, "docker", engine.error().message,
            "start Docker, or name its socket: DOCKER_HOST=unix:///path"};
  }
  if (minor_of(engine->api) < min_engine_api_minor) {
    return {Severity::problem, "docker",
            fmt::format("Docker {} has API {}, and 1.{} is needed", engine->version, engine->api, min_engine_api_minor),
            "install Docker 20.10 or newer"};
  }
  return {Severity::ok, "docker", fmt::format("Docker {} answers (API {})", engine->version, engine->api), ""};
}

Finding check_disk(const std::string& data_dir, const Surroundings& surroundings) {
  const Result<DiskSpace> disk = surroundings.disk(data_dir);
  if (!disk) {
    return {Severity::problem, "disk", disk.error().message, "look whether the disk is mounted"};
  }
  const std::uint64_t free_mib = disk->free_bytes / bytes_per_mib;
  const std::string what =
      fmt::format("{} MiB of {} MiB are free under {}", free_mib, disk->total_bytes / bytes_per_mib, data_dir);
  if (free_mib >= little_disk_mib) return {Severity::ok, "disk", what, ""};
  const std::string advice =
      "make room: docker system df, old images (ECR lifecycle policies), log retention, kaapi up --audit-max-mib";
  if (free_mib >= no_disk_mib) {
    return {Severity::warning, "disk", what + "; a few images or a talkative task fill it", advice};
  }
  return {Severity::problem, "disk", what + "; on a full disk changes and pushes fail and audit records are lost",
          advice};
}

std::optional<Time> parse_http_date(std::string_view text) {
  std::tm fields{};
  const std::string zero_terminated(text);
  const char* end = ::strptime(zero_terminated.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &fields);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return from_millis(static_cast<std::int64_t>(::timegm(&fields)) * 1'000);
}

std::string render_findings(const std::vector<Finding>& findings, bool colors) {
  constexpr std::size_t severity_width = 7;
  constexpr std::size_t check_width = 14;
  std::string text;
  for (const Finding& finding : findings) {
    const std::string_view severity = name_of(finding.severity);
    text += painted(severity, tone_of(finding.severity), colors);
    text.append(severity_width - severity.size() + 2, ' ');
    text += fmt::format("{:<{}}  ", finding.check, check_width);
    text += harmless(finding.what);
    if (!finding.advice.empty()) text += "; " + harmless(finding.advice);
    text += "\n";
  }
  return text;
}

std::string render_findings_json(const std::vector<Finding>& findings, const std::string& data_dir) {
  const auto count = [&](Severity severity) {
    return static_cast<std::int64_t>(std::count_if(
        findings.begin(), findings.end(), [&](const Finding& finding) { return finding.severity == severity; }));
  };
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  out.key("dataDirectory");
  out.value(data_dir);
  out.key("problems");
  out.value(count(Severity::problem));
  out.key("warnings");
  out.value(count(Severity::warning));
  out.key("findings");
  out.begin_array();
  for (const Finding& finding : findings) {
    out.begin_object();
    out.key("check");
    out.value(finding.check);
    out.key("severity");
    out.value(name_of(finding.severity));
    out.key("what");
    out.value(finding.what);
    out.key("advice");
    out.value(finding.advice);
    out.end_object();
  }
  out.end_array();
  out.end_object();
  return text + "\n";
}

int run_doctor(const DoctorCommand& command, const Surroundings& surroundings, std::ostream& out) {
  const SystemClock clock;
  std::vector<Finding> findings = check_files(command.data_dir);
  const auto add = [&](std::vector<Finding> more) {
    findings.insert(findings.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  const bool started = exists(command.data_dir);
  findings.push_back(check_engine(surroundings));
  if (started) {
    findings.push_back(check_disk(command.data_dir, surroundings));
    std::vector<Finding> platform = check_platform(command.data_dir, surroundings, clock);
    const bool answers = platform.front().severity == Severity::ok;
    add(std::move(platform));
    if (answers) add(check_rights(command, surroundings, clock));
  }
  out << (command.json ? render_findings_json(findings, command.data_dir)
                       : render_findings(findings, surroundings.is_terminal));
  const bool bad = std::any_of(findings.begin(), findings.end(),
                               [](const Finding& finding) { return finding.severity == Severity::problem; });
  return bad ? exit_failure : exit_success;
}

}  // namespace kaapi::cli
