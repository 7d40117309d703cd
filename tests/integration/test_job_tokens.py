"""What the tokens of jobs and runners open: a real job tries them all, and the platform's records tell of it."""

import base64
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import harness
from harness import ACCOUNT, REGION
from team_tree import REPOSITORY
from test_storage_actions import Repository

CALL = 'code() { curl -s -o "$RUNNER_TEMP/answer" -w "%{http_code}" "$@"; }; job="$AWS_ENDPOINT_URL/runner/v1/jobs/${ACTIONS_ID_TOKEN_REQUEST_URL##*/jobs/}"; job=${job%%/id-token*}'
RUN_ARN = f"arn:aws:kaapi:{REGION}:{ACCOUNT}:repository/{REPOSITORY}/run"


@pytest.fixture(scope="module")
def repository():
    platform = harness.Platform()
    try:
        yield Repository(platform.start())
    finally:
        platform.close()


def claims_in(log):
    # Not the script's own line, which the log has too.
    text = re.search(r"claims=(eyJ[\w-]+)", log).group(1)
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_each_token_of_a_job_is_for_one_thing(repository):
    log, conclusion = repository.run(f"""
        on: push
        permissions: {{contents: read, id-token: write}}
        jobs:
          try:
            runs-on: ubuntu-latest
            environment: staging
            steps:
              - uses: actions/checkout@v4
              - env:
                  GITHUB_TOKEN: ${{{{ github.token }}}}
                run: |
                  {CALL}
                  git fetch --quiet origin && echo git=fetched
                  for token in "$GITHUB_TOKEN" "$ACTIONS_ID_TOKEN_REQUEST_TOKEN"; do
                    echo "end=$(code -d '{{"conclusion":"success"}}' -H "Authorization: Bearer $token" "$job/complete")"
                    echo "log=$(code -d forged -H "Authorization: Bearer $token" "$job/log?offset=0")"
                    echo "list=$(code -H "Authorization: Bearer $token" "$job/artifacts")"
                  done
                  echo "ask=$(code -H "Authorization: Bearer $GITHUB_TOKEN" "$job/id-token"): $(cat "$RUNNER_TEMP/answer")"
                  login="x-access-token:$ACTIONS_ID_TOKEN_REQUEST_TOKEN"
                  echo "pull=$(code -u "$login" "$AWS_ENDPOINT_URL/git/{REPOSITORY}.git/info/refs?service=git-upload-pack")"
                  curl -s -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=me" > "$RUNNER_TEMP/jwt"
                  echo "claims=$(sed 's/.*"value":"[^.]*\\.\\([^.]*\\)\\..*/\\1/' "$RUNNER_TEMP/jwt")"
                  echo "at=$RUNNER_ENVIRONMENT id=$GITHUB_REPOSITORY_ID"
                  for what in environ mem; do if (: < /proc/$PPID/$what) 2> /dev/null; then echo "open=$what"; fi; done
        """)
    assert conclusion == "success", log
    assert "git=fetched" in log, log
    assert log.count("end=403") == 4 and log.count("log=403") == 4 and log.count("list=403") == 4, log  # in the push, and in the log
    assert "ask=403" in log and "GITHUB_TOKEN, which is for git only" in log, log
    assert "pull=401" in log, log
    assert "open=environ" not in log and "open=mem" not in log, log
    claims = claims_in(log)
    shown = json.loads(repository.kaapi("repo", "show", REPOSITORY, "--json").stdout)
    job = json.loads(repository.kaapi("run", "show", "--repo", REPOSITORY, "--json").stdout)["jobs"][0]
    assert claims["repository_id"] == shown["id"] and f"at=github-hosted id={shown['id']}" in log, (claims, log)
    assert claims["runner_environment"] == "github-hosted" and claims["check_run_id"] == job["jobId"], claims
    assert claims["actor_id"] == ACCOUNT, claims  # the root's


def test_what_jobs_are_given_is_recorded(repository):
    events = [json.loads(line) for line in
              repository.kaapi("audit", "--json", "--last", "200").stdout.splitlines()]
    acquired = next(event for event in events if event["eventName"] == "AcquireJob")
    assert acquired["resources"][0]["ARN"].startswith(RUN_ARN), acquired
    assert acquired["resources"][1]["ARN"].endswith("/environment/staging"), acquired
    assert acquired["userIdentity"]["arn"].endswith(":own-runner"), acquired
    issued = [event for event in events if event["eventName"] == "GetIdToken"]
    assert [event["decision"]["allowed"] for event in issued] == [False, True], issued
    assert f"audience me, sub repo:{REPOSITORY}:environment:staging" in issued[1]["decision"]["reason"], issued
    assert issued[1]["userIdentity"]["arn"].startswith(RUN_ARN), issued


def test_the_token_of_a_runner_is_taken_back(repository, tmp_path):
    platform = repository.platform
    secret = repository.kaapi("run", "token", "elsewhere").stdout
    file = tmp_path / "token"
    file.write_text(secret)
    file.chmod(0o600)
    work = pathlib.Path(tempfile.mkdtemp(prefix="kaapi-runner-", dir="/var/tmp"))
    work.chmod(0o711)  # jobs have users of their own
    command = [str(harness.KAAPI), "runner", "--server", platform.endpoint, "--token-file", str(file), "--name", "local", "--label", "far",
               "--work", str(work)]
    with (platform.work / "elsewhere.log").open("wb") as log:
        runner = subprocess.Popen(command, env=platform.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        log, conclusion = repository.run("""
            on: push
            jobs:
              there:
                runs-on: far
                steps:
                  - run: echo at=$RUNNER_ENVIRONMENT
            """)
        assert conclusion == "success" and "at=self-hosted" in log, log
        tokens = json.loads(repository.kaapi("run", "tokens", "--json").stdout)["tokens"]
        assert [token["name"] for token in tokens] == ["elsewhere"] and tokens[0]["lastUsedAt"], tokens
        assert "elsewhere" in repository.kaapi("run", "tokens").stdout
        repository.kaapi("run", "token", "--delete", "elsewhere")
        assert "No runner tokens" in repository.kaapi("run", "tokens").stdout
        again = repository.kaapi("run", "token", "--delete", "elsewhere", check=False)
        assert again.returncode == 1 and "no runner token elsewhere" in again.stderr, again
        harness.eventually("the runner is refused", lambda: "was taken back" in (platform.work / "elsewhere.log").read_text(), 30)
    finally:
        runner.terminate()
        runner.wait(30)
        shutil.rmtree(work)
