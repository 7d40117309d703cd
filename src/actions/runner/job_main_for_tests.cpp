// The job process alone, for tests of the runner: what `kaapi run-job` is in the program.

#include "actions/runner/job_process.h"

int main() {
  return kaapi::actions::runner::run_job_process(nullptr);
}
