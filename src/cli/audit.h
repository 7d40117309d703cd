#pragma once
// `kaapi audit`: the audit log of a data directory, for people or as it is.

#include <iosfwd>
#include <string>

#include "audit/event.h"
#include "cli/commands.h"
#include "cli/program.h"

namespace kaapi::cli {

// With --follow it ends only when `out` does.
int run_audit(const AuditCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);

// The parts below are pure.

// What to look for, as of `now`.
audit::Filter audit_filter(const AuditCommand& command, Time now);
std::string audit_heading(bool colors);
// One call as one line: when, who, what, on what, from where, and what became of it. Columns have fixed widths (longer
// texts push the rest aside), because lines are shown as they come.
std::string audit_line(const audit::Event& event, bool colors);

}  // namespace kaapi::cli
