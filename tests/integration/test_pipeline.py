"""`git push` deploys: the two workflow files as they are, driven by the real git, docker and aws, and what people see when a run goes wrong."""

import base64
import json
import os
import pathlib
import re
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
import pipeline
import team_tree
from pipeline import workflow
from team_tree import ENVIRONMENT, PRODUCTION, REPOSITORY, STAGING

# What a person cannot see in the log, in whatever form.
SECRET = "swordfish-31337"


@pytest.fixture(scope="module")
def platform():
    platform = harness.Platform(region=team_tree.REGION, account=team_tree.ACCOUNT)
    try:
        yield platform.start()
    finally:
        platform.close()


@pytest.fixture(scope="module")
def team(platform, backend_image):
    return pipeline.Team(platform, backend_image)


@pytest.fixture
def deployed(team):
    """Staging runs what was last pushed there, whatever a test before has left."""
    if not getattr(team, "version", None):
        deploy(team, "v1")
    return team


def deploy(team, version):
    team.commit(f"Version {version}", version=version)
    shown = team.push("-o", "wait", "origin", "main")
    team.version = version
    return shown


def primary(team, stage):
    return next(one["id"] for one in team.platform.service(stage.cluster, stage.service)["deployments"] if one["status"] == "PRIMARY")


def test_a_push_to_main_deploys_staging(team):
    before = team.versions(PRODUCTION)
    shown = deploy(team, "v1")
    assert "Deploy staging #1 started" in shown, shown
    assert "2 of 2 tasks run" in shown, shown
    assert "Deploy staging #1: success" in shown, shown
    assert team.versions(STAGING) == ["v1", "v1"]
    assert team.versions(PRODUCTION) == before


def test_a_version_tag_deploys_production(deployed):
    team = deployed
    staging = team.versions(STAGING)
    team.commit("Version 1.0.0", version="v1.0.0")
    team.git("tag", "v1.0.0")
    shown = team.push("-o", "wait", "origin", "v1.0.0")
    assert "Deploy production #1: success" in shown, shown
    assert team.versions(PRODUCTION) == ["v1.0.0", "v1.0.0"]
    assert team.versions(STAGING) == staging
    team.git("reset", "-q", "--hard", "HEAD~1")


def test_a_push_does_not_wait_for_the_run_unless_asked(deployed):
    team = deployed
    team.commit("Version v2", version="v2")
    shown = team.push()
    assert "kaapi run watch" in shown, shown
    assert "success" not in shown, shown
    run = team.newest_run()
    text, code = team.watch(run["runId"])
    assert code == 0, text
    assert "latest: digest: sha256:" in text, text  # of docker push, whatever built the image
    team.version = "v2"
    assert team.versions(STAGING) == ["v2", "v2"]


def test_a_failing_build_deploys_nothing_and_the_push_tells_why(deployed):
    team = deployed
    serving = team.versions(STAGING)
    deployment = primary(team, STAGING)
    team.write("backend/Dockerfile", "FROM scratch\nCOPY no-such-file /\n")
    team.commit("A build that cannot succeed")
    done = team.git("push", "-o", "wait", "origin", "main", check=False)
    shown = done.stdout + done.stderr
    assert done.returncode != 0, shown
    assert "no-such-file" in shown, shown
    assert "! [remote rejected] main -> main (pushed, but " in shown and "ended with failure)" in shown, shown
    assert "sideband" not in shown, shown
    assert "> Build and push the backend: failure" in shown, shown
    assert team.newest_run()["conclusion"] == "failure"
    assert primary(team, STAGING) == deployment
    assert team.versions(STAGING) == serving


def test_a_deployment_that_never_gets_healthy_is_rolled_back_and_its_run_is_red(deployed):
    team = deployed
    serving = team.versions(STAGING)
    team.write("backend/Dockerfile", team_tree.DOCKERFILE.format(version="sick").replace("PORT=8080", "PORT=8080 UNHEALTHY_AFTER_S=0"))
    team.commit("A version whose health never comes")
    done = team.git("push", "-o", "wait", "origin", "main", check=False)
    shown = done.stdout + done.stderr
    assert done.returncode != 0, shown
    assert "> Follow deployments: failure" in shown, shown
    assert "roll" in shown and "health" in shown, shown
    team.platform.wait_stable(STAGING.cluster, STAGING.service)
    assert team.versions(STAGING) == serving


def test_a_role_that_lacks_a_right_is_told_which(deployed):
    team = deployed
    serving = team.versions(STAGING)
    policy = json.loads(team_tree.filled("deploy-policy.json"))
    policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != "RollOut"]
    team.allow(json.dumps(policy))
    try:
        team.commit("Version v3", version="v3")
        done = team.git("push", "-o", "wait", "origin", "main", check=False)
    finally:
        team.allow(team_tree.filled("deploy-policy.json"))
    shown = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, shown
    assert "AccessDeniedException" in shown and "not authorized to perform: ecs:UpdateService on resource: " in shown, shown
    assert f"assumed-role/{team_tree.ROLE}/" in shown, shown
    assert "because no identity-based policy allows the ecs:UpdateService action" in shown, shown
    assert team.versions(STAGING) == serving


# --- reviewers


@pytest.fixture
def reviewer(deployed):
    """An IAM user who must approve every job of the environment; returns the shell variables of her key."""
    iam = deployed.platform.boto("iam")
    user = iam.create_user(UserName="ann")["User"]
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    iam.put_user_policy(UserName="ann", PolicyName="review", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["kaapi:ReviewDeployment", "kaapi:GetRun", "kaapi:DescribeRun", "kaapi:ListRuns"], "Resource": "*"}]}))
    deployed.kaapi("env", "create", ENVIRONMENT, "--repo", REPOSITORY, "--replace", "--reviewer", user["Arn"])
    yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    deployed.kaapi("env", "create", ENVIRONMENT, "--repo", REPOSITORY, "--replace")
    iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="ann", PolicyName="review")
    iam.delete_user(UserName="ann")


def as_reviewer(team, reviewer, *arguments, check=True):
    env = {**team.platform.env, **reviewer}
    return harness.run([harness.KAAPI, "run", *arguments, "--repo", REPOSITORY, "--endpoint", team.platform.endpoint], check=check, env=env)


def test_a_required_reviewer_lets_the_run_go_on(deployed, reviewer):
    team = deployed
    serving = team.versions(STAGING)
    team.commit("Version v4", version="v4")
    shown = team.push()
    run = team.newest_run()
    waiting = team.wait_run(run["runId"], "waiting")
    assert "user/ann" in json.dumps(waiting), waiting
    assert team.versions(STAGING) == serving
    # Whoever is no reviewer decides nothing, not even the account's root.
    refused = team.kaapi("run", "approve", run["runId"], "--repo", REPOSITORY, check=False)
    assert refused.returncode != 0 and "reviewer" in refused.stderr, refused
    as_reviewer(team, reviewer, "approve", run["runId"], "-m", "looks good")
    text, code = team.watch(run["runId"])
    assert code == 0, text + shown
    team.version = "v4"
    assert team.versions(STAGING) == ["v4", "v4"]


def test_a_reviewer_who_refuses_stops_it(deployed, reviewer):
    team = deployed
    serving = team.versions(STAGING)
    team.commit("Version v5", version="v5")
    team.push()
    run = team.newest_run()
    team.wait_run(run["runId"], "waiting")
    as_reviewer(team, reviewer, "reject", run["runId"], "-m", "not on a Friday")
    text, code = team.watch(run["runId"])
    assert code != 0, text
    assert "not on a Friday" in text, text
    assert team.versions(STAGING) == serving


# --- many at once


def test_two_pushes_at_once_both_deploy(deployed, tmp_path):
    """Two clones: one pushes main, the other a tag, in the same moment."""
    team = deployed
    shutil.copytree(team.folder, tmp_path / "other")
    other = team_tree.Tree(tmp_path / "other", harness.run, team.platform.env)
    team.commit("Version v6", version="v6")
    other.commit("Version 2.0.0", version="v2.0.0")
    other.git("tag", "v2.0.0")
    start = threading.Barrier(2)

    def push(tree, ref):
        start.wait()
        done = tree.git("push", "-o", "wait", "origin", ref, check=False)
        return done.stdout + done.stderr, done.returncode

    with ThreadPoolExecutor(2) as pool:
        pushes = [pool.submit(push, team, "main"), pool.submit(push, other, "v2.0.0")]
        for (shown, code), name in zip([done.result() for done in pushes], ("Deploy staging", "Deploy production")):
            assert code == 0 and re.search(rf"{name} #\d+: success", shown), shown
    team.version = "v6"
    assert team.versions(STAGING) == ["v6", "v6"]
    assert team.versions(PRODUCTION) == ["v2.0.0", "v2.0.0"]


def test_pushes_in_a_row_deploy_in_their_order_in_a_concurrency_group(deployed):
    """Without a group both would build at the same time, and whoever pushes the image last serves, as on GitHub."""
    team = deployed
    file = ".github/workflows/cd-staging.yml"
    plain = (team.folder / file).read_text()
    team.write(file, plain + "\nconcurrency: staging\n")
    known = {run["runId"] for run in team.runs()}
    try:
        for version in ("v7", "v8"):
            team.commit(f"Version {version}", version=version)
            team.push()
    finally:
        team.write(file, plain)
    mine = sorted((run["runId"] for run in team.runs() if run["runId"] not in known), key=int)
    assert len(mine) == 2
    first, second = (team.wait_run(run, "completed") for run in mine)
    assert (first["conclusion"], second["conclusion"]) == ("success", "success"), (first, second)
    assert second["jobs"][0]["startedAt"] >= first["jobs"][0]["endedAt"], (first, second)
    team.version = "v8"
    team.platform.wait_stable(STAGING.cluster, STAGING.service)
    assert team.versions(STAGING) == ["v8", "v8"]


# --- workflows of our own in the same repository


ON_OTHER = "on: {push: {branches: [other]}, workflow_dispatch: }"


def push_other(team, files, *options):
    """Pushes a commit with these workflow files to the branch `other`, which deploys nothing."""
    team.git("checkout", "-q", "-B", "other", "main")
    try:
        for name, text in files.items():
            team.write(f".github/workflows/{name}", workflow(text))
        team.tries = getattr(team, "tries", 0) + 1
        team.commit(f"Workflows to try, {team.tries}")
        done = team.git("push", "--force", *options, "origin", "other", check=False)
    finally:
        team.git("checkout", "-q", "-f", "main")
    return done.stdout + done.stderr, done.returncode


def pushed_run(team, files):
    shown, code = push_other(team, files)
    assert code == 0, shown
    return team.newest_run()["runId"]


def wait_log(team, run_id, text):
    return harness.eventually(f"'{text}' is in the log of run {run_id}", lambda: text in team.kaapi(
        "run", "log", str(run_id), "--repo", REPOSITORY, check=False).stdout)


def waiting_processes():
    """Those of LONG's step. By name: jobs count their processes themselves."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(b"waits-for-ever\0"):
                found.append(folder.name)
        except OSError:  # it has just ended
            pass
    return found


LONG = f"""
{ON_OTHER}
concurrency: {{group: "one at a time", cancel-in-progress: CANCEL}}
jobs:
  long:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo "the process waits"
          exec -a waits-for-ever tail -f /dev/null
"""


def test_cancel_ends_the_run_and_its_processes(deployed):
    team = deployed
    shown, _ = push_other(team, {"long.yml": LONG.replace("CANCEL", "false")})
    run = team.newest_run()["runId"]
    wait_log(team, run, "waits")
    harness.eventually("the step's process runs", waiting_processes)
    team.kaapi("run", "cancel", run, "--repo", REPOSITORY)
    text, code = team.watch(run)
    assert code == 3, text
    assert team.describe(run)["conclusion"] == "cancelled"
    harness.eventually("the step's process is gone", lambda: not waiting_processes())


def test_a_concurrency_group_runs_one_at_a_time_and_the_newest_next(deployed):
    team = deployed
    file = {"long.yml": LONG.replace("CANCEL", "false")}
    push_other(team, file)
    first = team.newest_run()["runId"]
    wait_log(team, first, "waits")
    second = pushed_run(team, file)
    third = pushed_run(team, file)
    assert team.wait_run(second, "completed")["conclusion"] == "cancelled"
    assert team.describe(third)["status"] in ("pending", "queued", "waiting")
    team.kaapi("run", "cancel", first, "--repo", REPOSITORY)
    wait_log(team, third, "waits")
    # With cancel-in-progress the newer one does not wait.
    fourth = pushed_run(team, {"long.yml": LONG.replace("CANCEL", "true")})
    assert team.wait_run(third, "completed")["conclusion"] == "cancelled"
    wait_log(team, fourth, "waits")
    team.kaapi("run", "cancel", fourth, "--repo", REPOSITORY)
    team.wait_run(fourth, "completed")


def test_a_fault_in_a_workflow_file_is_told_in_the_push(deployed):
    shown, code = push_other(deployed, {"long.yml": """
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            stepps:
              - run: echo
        """})
    assert code == 0, shown  # the push itself is done
    assert ".github/workflows/long.yml:5:" in shown and "stepps" in shown, shown


def test_secrets_do_not_reach_a_log(deployed):
    team = deployed
    harness.run([harness.KAAPI, "secret", "set", "PASSWORD", "--repo", REPOSITORY, "--data", team.platform.data], env=team.platform.env, input=SECRET)
    shown, code = push_other(team, {"long.yml": f"""
        {ON_OTHER}
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - env:
                  PASSWORD: ${{{{ secrets.PASSWORD }}}}
                run: |
                  test "$PASSWORD" = "{SECRET[:9]}""{SECRET[9:]}"
                  echo "it is $PASSWORD"
                  echo "$PASSWORD" | base64
                  printf '%s' "${{PASSWORD:0:7}}"
                  printf '%s\\n' "${{PASSWORD:7}}"
        """}, "-o", "wait")
    assert code == 0, shown
    log = shown + team.kaapi("run", "log", team.newest_run()["runId"], "--repo", REPOSITORY).stdout
    assert "it is ***" in log, log
    assert SECRET not in log and base64.b64encode(SECRET.encode()).decode()[:12] not in log, log


def test_a_job_outlives_the_platform(deployed):
    team = deployed
    push_other(team, {"long.yml": f"""
        {ON_OTHER}
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - run: |
                  mkfifo gate
                  chmod 666 gate
                  echo "waits at $PWD/gate"
                  cat gate
                  echo "after the platform has come back"
        """})
    run = team.newest_run()["runId"]
    wait_log(team, run, "waits at /")
    gate = team.kaapi("run", "log", run, "--repo", REPOSITORY).stdout.split("waits at ")[-1].split()[0]
    team.platform.kill()
    with open(gate, "w") as file:
        file.write("said while the platform was away\n")
    team.platform.start()
    text, code = team.watch(run)
    assert code == 0, text
    assert "said while the platform was away" in text and "after the platform has come back" in text, text


def test_a_job_whose_runner_died_is_lost_with_the_reason_and_started_again(deployed):
    team = deployed
    push_other(team, {"long.yml": LONG.replace("CANCEL", "true")})
    run = team.newest_run()["runId"]
    wait_log(team, run, "waits")
    before = harness.eventually("the step's process runs", waiting_processes)
    team.platform.kill()
    os.kill(int((team.platform.data / "runner.pid").read_text().split()[0]), signal.SIGKILL)
    team.platform.start()
    harness.eventually("nothing of the lost job runs", lambda: not set(before) & set(waiting_processes()))
    jobs = harness.eventually("the job runs again", lambda: len(jobs := team.describe(run)["jobs"]) == 2 and jobs)
    assert "does not run it any more: it was started again" in json.dumps(jobs), jobs
    team.kaapi("run", "cancel", run, "--repo", REPOSITORY)
    assert team.wait_run(run, "completed")["conclusion"] == "cancelled"
