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


def step_times(job):
    """Milliseconds of each step, in their order."""
    return [(step["name"], (step["endedAt"] - step["startedAt"]) * 1000) for step in job["steps"]]


def round_ms(team):
    """Milliseconds of one job, of the whole run since it was asked for, and of each step."""
    team.command("run", "start", FILE, "--repo", shop.REPOSITORY, "--watch")
    answer = team.newest_run()
    if answer["run"]["conclusion"] != "success":
        raise common.BenchError(f"the job of empty steps ended with {answer['run']['conclusion']}")
    job = answer["jobs"][0]
    whole = (answer["run"]["endedAt"] - answer["run"]["createdAt"]) * 1000
    return (job["endedAt"] - job["startedAt"]) * 1000, whole, step_times(job)


def say_steps(rounds):
    """Where the time of a job goes: the median of each step, and what is between them."""
    for step in zip(*rounds):
        say(f"    {step[0][0]:<20} {statistics.median(ms for _, ms in step):6.1f} ms")
    say(f"    {'all steps together':<20} {statistics.median(sum(ms for _, ms in steps) for steps in rounds):6.1f} ms")


def measure(build):
    jobs, whole, steps = [], [], []
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
                job, run, times = round_ms(team)
                jobs.append(job)
                whole.append(run)
                steps.append(times)
        finally:
            kaapi.clean_up()
    say(f"  job:       {common.summary(jobs)} ms\n  whole run: {common.summary(whole)} ms")
    say_steps(steps)
    median = statistics.median(jobs)
    return [Row(f"a job of {STEPS} empty steps", f"{median:.0f} ms", asked=f"≤ {ASKED_MS} ms", met=median <= ASKED_MS)]
