"""How long the check of one signed request takes, signing key cached. The peer, moto, checks none by default."""

import json
import pathlib

import common

ASKED_US = 15
SECONDS_PER_CASE = "1"


def measure(build):
    program = pathlib.Path(build) / "bench" / "signature_verification"
    if not program.exists():
        raise common.BenchError(f"{program} is missing: cmake --build {build} --target signature_verification")
    common.wait_for_quiet()
    took = json.loads(common.run([program, SECONDS_PER_CASE]))
    return [common.Row(f"signature checked: {case}", f"{us:.1f} µs", asked=f"≤ {ASKED_US} µs", met=us <= ASKED_US)
            for case, us in took.items()]
