#include "actions/runs/commit_workflows.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "actions/workflow/call.h"
#include "actions/workflow/parse.h"
#include "base/log.h"

namespace kaapi::actions::runs {
namespace {

std::shared_ptr<const CommitWorkflows> read(const std::vector<SourceFile>& sources) {
  auto commit = std::make_shared<CommitWorkflows>();
  for (const SourceFile& source : sources) {
    if (!source.fault.empty()) {
      commit->faults.push_back(fmt::format("{}: {}", source.path, source.fault));
      continue;
    }
    workflow::ParsedWorkflow parsed = workflow::parse_workflow(source.path, source.text);
    for (const workflow::Fault& fault : parsed.faults) commit->faults.push_back(format_fault(source.path, fault));
    if (!parsed.workflow || !parsed.faults.empty()) continue;
    commit->files.texts[source.path] = source.text;
    commit->files.parsed[source.path] = std::make_shared<const workflow::Workflow>(std::move(*parsed.workflow));
  }
  const workflow::WorkflowLookup lookup = [&](std::string_view path) { return commit->files.find(path); };
  for (const auto& [path, parsed] : commit->files.parsed) {
    const workflow::ExpandedCalls calls = workflow::expand_calls(*parsed, lookup);
    for (const workflow::FileFault& fault : calls.faults) {
      std::string line = format_fault(fault.path, fault.fault);
      const bool told = std::find(commit->faults.begin(), commit->faults.end(), line) != commit->faults.end();
      if (!told) commit->faults.push_back(std::move(line));
    }
    if (calls.faults.empty()) commit->startable.push_back(path);
  }
  return commit;
}

}  // namespace

bool CommitWorkflows::can_start(std::string_view path) const {
  return std::find(startable.begin(), startable.end(), path) != startable.end();
}

std::shared_ptr<const RunFiles> files_of(const CommitWorkflows& commit, const workflow::Workflow& workflow) {
  auto files = std::make_shared<RunFiles>();
  const std::function<void(const std::string&)> take = [&](const std::string& path) {
    const auto parsed = commit.files.parsed.find(path);
    if (parsed == commit.files.parsed.end() || files->parsed.count(path) > 0) return;
    files->parsed[path] = parsed->second;
    files->texts[path] = commit.files.texts.find(path)->second;
    for (const workflow::Job& job : parsed->second->jobs) {
      if (job.call) take(job.call->workflow.path);
    }
  };
  take(workflow.path);
  return files;
}

std::shared_ptr<const CommitWorkflows> WorkflowCache::known(const std::string& key) {
  const auto found =
      std::find_if(recent_.begin(), recent_.end(), [&](const auto& entry) { return entry.first == key; });
  if (found == recent_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, found);
  return recent_.front().second;
}

Result<std::shared_ptr<const CommitWorkflows>> WorkflowCache::get(std::string_view repository, std::string_view sha) {
  const std::string key = fmt::format("{} {}", repository, sha);
  {
    std::unique_lock lock(mutex_);
    read_.wait(lock, [&] { return reading_.count(key) == 0; });
    if (auto there = known(key)) return there;
    reading_.insert(key);
  }
  // git may take a minute; other commits do not wait for it.
  const Result<std::vector<SourceFile>> sources = source_.workflow_files(repository, sha);
  const std::shared_ptr<const CommitWorkflows> commit = sources ? read(*sources) : nullptr;
  const std::lock_guard lock(mutex_);
  reading_.erase(key);
  read_.notify_all();
  if (!sources) return sources.error();
  recent_.emplace_front(key, commit);
  if (recent_.size() > max_cached_commits) recent_.pop_back();
  return commit;
}

RunFiles parse_files(std::map<std::string, std::string, std::less<>> texts) {
  RunFiles files;
  for (const auto& [path, text] : texts) {
    workflow::ParsedWorkflow parsed = workflow::parse_workflow(path, text);
    if (!parsed.workflow) {
      // It could be read when the run was made, by an older build perhaps.
      log::warn("runs", "{}", parsed.faults.empty() ? path : workflow::format_fault(path, parsed.faults.front()));
      continue;
    }
    files.parsed[path] = std::make_shared<const workflow::Workflow>(std::move(*parsed.workflow));
  }
  files.texts = std::move(texts);
  return files;
}

}  // namespace kaapi::actions::runs
