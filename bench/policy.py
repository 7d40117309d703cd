"""How long one decision of the policy evaluation takes, with 20 policies attached. No peer decides locally."""

import common

ASKED_US = 20


def measure(build):
    return common.measured_by(build, "policy_decisions", "decision, 20 policies", ASKED_US)
