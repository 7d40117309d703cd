"""How long the check of one signed request takes, signing key cached. The peer, moto, checks none by default."""

import common

ASKED_US = 15


def measure(build):
    return common.measured_by(build, "signature_verification", "signature checked", ASKED_US)
