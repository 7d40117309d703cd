"""What an environment keeps from whom, by real pushes: its policy, its reviewers, its timer, its secrets; and tokens that nobody asked for."""

import hashlib
import json
import urllib.parse

import pytest

import harness
from pipeline import workflow
from team_tree import ENVIRONMENT, REPOSITORY
from test_storage_actions import Repository

SECRET = "swordfish-31337"


@pytest.fixture(scope="module")
def repository():
    platform = harness.Platform()
    try:
        yield Repository(platform.start())
    finally:
        platform.close()


def create(repository, name, *options):
    repository.kaapi("env", "create", name, "--repo", REPOSITORY, "--replace", *options)


def set_secret(repository, environment):
    command = [harness.KAAPI, "secret", "set", "PASSWORD", "--repo", REPOSITORY, "--env", environment, "--data", repository.platform.data]
    harness.run(command, env=repository.platform.env, input=SECRET)


def job_of(environment, step="echo it runs"):
    return f"""
        on: push
        jobs:
          deploy:
            runs-on: ubuntu-latest
            environment: {environment}
            steps:
              - run: {step}
        """


def push_without_waiting(repository, text):
    repository.write(".github/workflows/keep.yml", workflow(text))
    repository.commit("A workflow that waits")
    repository.push()
    return repository.newest_run()["runId"]


def test_a_branch_that_the_policy_does_not_name_gets_nothing(repository):
    create(repository, ENVIRONMENT, "--branch", "main")
    set_secret(repository, ENVIRONMENT)
    text = job_of(ENVIRONMENT, """echo "length ${#PASSWORD}"\n                env: {PASSWORD: "${{ secrets.PASSWORD }}"}""")
    log, conclusion = repository.run(text, branch="other")
    assert conclusion == "failure", log
    assert f"refs/heads/other may not deploy to the environment {ENVIRONMENT}: its deployment policy allows branches main" in log, log
    assert "length" not in log and SECRET not in log, log
    log, conclusion = repository.run(text)
    assert conclusion == "success" and f"length {len(SECRET)}" in log, log


def test_a_secret_of_an_environment_reaches_its_jobs_only(repository):
    create(repository, "vault")
    set_secret(repository, "vault")
    steps = """
              - env: {PASSWORD: "${{ secrets.PASSWORD }}"}
                run: echo "$GITHUB_JOB=$(printf %s "$PASSWORD" | sha256sum | cut -d' ' -f1)"
        """
    log, conclusion = repository.run(f"""
        on: push
        jobs:
          inside:
            runs-on: ubuntu-latest
            environment: vault
            steps:{steps.rstrip()}
          outside:
            runs-on: ubuntu-latest
            steps:{steps.rstrip()}
        """)
    assert conclusion == "success", log
    assert f"inside={hashlib.sha256(SECRET.encode()).hexdigest()}" in log, log
    assert f"outside={hashlib.sha256(b'').hexdigest()}" in log, log
    assert SECRET not in log, log


def test_an_environment_that_does_not_exist_is_warned_of(repository):
    log, conclusion = repository.run(job_of("AWS_ENV_VRAS"))
    assert conclusion == "success", log
    assert "there is no environment AWS_ENV_VRAS: no variables, secrets or rules of one. Make it: kaapi env create AWS_ENV_VRAS" in log, log


def test_a_wait_timer_keeps_its_jobs_waiting(repository):
    create(repository, "slow", "--wait", "1m")
    run = push_without_waiting(repository, job_of("slow"))
    waiting = repository.wait_run(run, "waiting")
    assert "the wait timer of the environment slow" in json.dumps(waiting["jobs"]), waiting
    repository.kaapi("run", "cancel", run, "--repo", REPOSITORY)
    ended = repository.wait_run(run, "completed")
    assert ended["conclusion"] == "cancelled" and "startedAt" not in ended["jobs"][0], ended


def test_who_pushed_may_not_approve_where_that_is_forbidden(repository):
    platform = repository.platform
    iam = platform.boto("iam")
    users = {}
    for name in ("ann", "bea"):
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        key = iam.create_access_key(UserName=name)["AccessKey"]
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "kaapi:*", "Resource": "*"}]}))
        users[name] = (arn, key)
    create(repository, "guarded", "--prevent-self-review", *(f"--reviewer={arn}" for arn, _ in users.values()))

    def approve(name, run):
        key = users[name][1]
        env = {**platform.env, "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        command = [harness.KAAPI, "run", "approve", str(run), "--repo", REPOSITORY, "--endpoint", platform.endpoint]
        return harness.run(command, check=False, env=env)

    repository.write(".github/workflows/keep.yml", workflow(job_of("guarded")))
    repository.commit("Somebody else must agree")
    key = users["ann"][1]
    login = ":".join(urllib.parse.quote(key[part], safe="") for part in ("AccessKeyId", "SecretAccessKey"))
    repository.git("-c", "credential.helper=", "push", platform.endpoint.replace("://", f"://{login}@") + f"/git/{REPOSITORY}.git", "main")
    run = repository.newest_run()["runId"]
    repository.wait_run(run, "waiting")
    refused = approve("ann", run)
    assert refused.returncode == 1 and "forbids who started a run to approve it" in refused.stderr, refused
    assert repository.describe(run)["status"] == "waiting"
    assert approve("bea", run).returncode == 0
    text, code = repository.watch(run)
    assert code == 0, text


def test_without_the_permission_there_is_no_token(repository):
    log, conclusion = repository.run("""
        on: push
        jobs:
          ask:
            runs-on: ubuntu-latest
            steps:
              - env:
                  GITHUB_TOKEN: ${{ github.token }}
                run: |
                  echo "variables=[$ACTIONS_ID_TOKEN_REQUEST_URL$ACTIONS_ID_TOKEN_REQUEST_TOKEN]"
                  if curl -sf "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=me"; then echo asked=well; else echo asked=badly; fi
                  for id in 1 2 3 4 5 6 7 8 9 10; do
                    curl -s -o answer -w "code=%{http_code}\\n" -H "Authorization: Bearer $GITHUB_TOKEN" "$AWS_ENDPOINT_URL/runner/v1/jobs/$id/id-token"
                  done
        """)
    assert conclusion == "success", log
    assert "variables=[]" in log and "asked=badly" in log, log
    assert "code=403" in log and "code=200" not in log, log
