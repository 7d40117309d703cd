"""`kaapi doctor`: a healthy platform, what it warns of in the rights, and what it calls a problem."""

import json

ISSUER = "token.actions.githubusercontent.com"


def doctor(platform, code):
    """The findings, by check; each run must end with this code."""
    done = platform.cli("doctor", "--data", platform.data, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    shown = json.loads(done.stdout)
    assert (shown["problems"] > 0) == (code == 1)
    return shown["findings"]


def severities(findings):
    return {finding["check"]: finding["severity"] for finding in findings}


def test_a_fresh_platform_is_healthy(fresh_platform):
    platform = fresh_platform.start()
    findings = severities(doctor(platform, 0))
    assert set(findings) == {"files", "docker", "disk", "platform", "clock", "trust", "keys"}
    assert findings.pop("disk") in ("ok", "warning")  # this machine's own business
    assert set(findings.values()) == {"ok"}
    lines = platform.cli("doctor", "--data", platform.data).stdout.splitlines()
    assert [line.split()[:2] for line in lines if "platform" in line.split()[1]] == [["ok", "platform"]]


def test_it_warns_of_rights_that_are_too_wide(fresh_platform):
    platform = fresh_platform.start()
    iam = platform.boto("iam")
    provider = iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])
    for name, claim, value in [("loose", "aud", "sts.amazonaws.com"), ("tight", "sub", "repo:team/backend:ref:refs/heads/main")]:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
            "Condition": {"StringEquals": {f"{ISSUER}:{claim}": value}}}]}))
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    findings = doctor(platform, 0)
    told = {(finding["check"], finding["severity"]): finding["what"] for finding in findings}
    assert "role loose" in told["trust", "warning"] and f"{ISSUER}:sub" in told["trust", "warning"]
    assert not any("tight" in finding["what"] for finding in findings)
    assert key["AccessKeyId"] in told["keys", "warning"] and "never been used" in told["keys", "warning"]
    assert "user alice" in told["administrators", "note"]
    assert key["SecretAccessKey"] not in json.dumps(findings)


def test_what_is_broken_is_a_problem(fresh_platform):
    platform = fresh_platform
    assert severities(doctor(platform, 1))["files"] == "problem"  # nothing was ever started there
    platform.start()
    (platform.data / "identity.key").chmod(0o644)
    problem = next(finding for finding in doctor(platform, 1) if finding["severity"] == "problem")
    assert "identity.key" in problem["what"] and "chmod 600" in problem["advice"]
    (platform.data / "identity.key").chmod(0o600)
    doctor(platform, 0)

    docker_host = platform.env.get("DOCKER_HOST")
    platform.env["DOCKER_HOST"] = f"unix://{platform.work}/no.sock"
    assert severities(doctor(platform, 1))["docker"] == "problem"
    del platform.env["DOCKER_HOST"]
    if docker_host:
        platform.env["DOCKER_HOST"] = docker_host

    platform.stop()
    stopped = severities(doctor(platform, 1))
    assert stopped["platform"] == "problem" and "keys" not in stopped
