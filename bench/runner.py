"""What the runner adds to a job: ten steps that do nothing."""

import statistics

import common
import shop
from common import Row, say

ROUNDS = 9
STEPS = 10
ASKED_MS = 150
FILE = "empty.yml"
WORKFLOW = "on: workflow_dispatch\njobs:\n  empty:\n    runs-on: ubuntu-latest\n    steps:\n" + "      - run: ''\n" * STEPS


def round_ms(team):
    """Milliseconds of one job, and of the whole run since it was asked for."""
    team.command("run", "start", FILE, "--repo", shop.REPOSITORY, "--watch")
    answer = team.newest_run()
    if answer["run"]["conclusion"] != "success":
        raise common.BenchError(f"the job of empty steps ended with {answer['run']['conclusion']}")
    job = answer["jobs"][0]
    return (job["endedAt"] - job["startedAt"]) * 1000, (answer["run"]["endedAt"] - answer["run"]["createdAt"]) * 1000


def measure(build):
    jobs, whole = [], []
    with common.work_folder() as folder:
        kaapi = shop.platform(build, folder)
        try:
            team = shop.Shop(kaapi.start(), build, folder)
            team.write(f".github/workflows/{FILE}", WORKFLOW)
            team.commit("ten empty steps")
            team.git("push", "-q", "origin", "main")
            round_ms(team)  # the first one makes the runner's folders
            for _ in range(ROUNDS):
                common.wait_for_quiet()
                job, run = round_ms(team)
                jobs.append(job)
                whole.append(run)
        finally:
            kaapi.clean_up()
    say(f"  job:       {common.summary(jobs)} ms\n  whole run: {common.summary(whole)} ms")
    median = statistics.median(jobs)
    return [Row(f"a job of {STEPS} empty steps", f"{median:.0f} ms", asked=f"≤ {ASKED_MS} ms", met=median <= ASKED_MS)]
