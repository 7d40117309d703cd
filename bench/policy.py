"""How long one decision of the policy evaluation takes, with 20 policies attached. No peer decides locally."""

import json
import pathlib

import common

ASKED_US = 20
SECONDS_PER_CASE = "1"


def measure(build):
    program = pathlib.Path(build) / "bench" / "policy_decisions"
    if not program.exists():
        raise common.BenchError(f"{program} is missing: cmake --build {build} --target policy_decisions")
    common.wait_for_quiet()
    took = json.loads(common.run([program, SECONDS_PER_CASE]))
    return [common.Row(f"decision, 20 policies: {case}", f"{us:.1f} µs", asked=f"≤ {ASKED_US} µs", met=us <= ASKED_US)
            for case, us in took.items()]
