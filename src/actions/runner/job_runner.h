#pragma once
// One job from its message to its end: "Set up job", the steps, the post steps in reverse order, "Complete job".

#include "actions/runner/channel.h"
#include "actions/runner/job_state.h"

namespace kaapi::actions::runner {

// What a job needs of the world around it.
struct JobTools {
  ActionSource& actions;
  BuiltInFinder find_builtin = nullptr;  // nullptr: there are none
  StopSource& stop;
  std::string base_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
};

// Where the job's progress goes. Channel sends it to the platform; tests keep it.
class JobReports {
 public:
  virtual ~JobReports() = default;
  virtual LogSink& log() = 0;
  virtual void step(StepUpdate update) = 0;
};

// Runs on the calling thread, starts processes below this one. A fault of the message itself (a workflow that cannot be
// read, no such job) is a failed job too.
Completion run_job(const JobMessage& message, const JobPlace& place, const JobTools& tools, JobReports& reports);

}  // namespace kaapi::actions::runner
