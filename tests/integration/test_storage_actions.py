"""What jobs keep: actions/cache, actions/upload-artifact (also its merge) and actions/download-artifact in real runs, started by real pushes."""

import json

import pytest

import harness
import pipeline
from pipeline import workflow
from team_tree import REPOSITORY, Tree

FILE = ".github/workflows/keep.yml"


class Repository(pipeline.Team):
    """A working tree with `origin`, and nothing in the account: these workflows deploy nothing."""

    def __init__(self, platform):
        Tree.__init__(self, platform.work / "shop", harness.run, platform.env)
        self.platform = platform
        self.kaapi("repo", "create", REPOSITORY)
        self.create(platform.endpoint, harness.KAAPI, platform.data)

    def run(self, text, branch="main"):
        """Pushes this workflow and waits for its run: what the terminal and the log show, and how it ended."""
        self.git("checkout", "-q", "-B", branch)
        self.write(FILE, workflow(text))
        self.commit("A workflow to try")
        shown = self.push("-o", "wait", "origin", branch, check=False)
        run = self.newest_run()
        log = self.kaapi("run", "log", str(run["runId"]), "--repo", REPOSITORY, check=False).stdout
        self.git("checkout", "-q", "-B", "main")
        return shown + log, run["conclusion"]

    def artifacts(self):
        run = self.newest_run()["runId"]
        return json.loads(self.kaapi("run", "artifacts", str(run), "--repo", REPOSITORY, "--json").stdout)["artifacts"]


@pytest.fixture(scope="module")
def repository():
    platform = harness.Platform()
    try:
        yield Repository(platform.start())
    finally:
        platform.close()


def test_one_job_uploads_and_the_next_downloads(repository):
    log, conclusion = repository.run("""
        on: push
        jobs:
          make:
            runs-on: ubuntu-latest
            outputs:
              digest: ${{ steps.up.outputs.artifact-digest }}
            steps:
              - run: |
                  mkdir -p dist/css out/logs
                  echo app > dist/app.js
                  echo style > dist/css/a.css
                  echo hidden > dist/.env
                  head -c 30000000 /dev/urandom > dist/large.bin
                  sha256sum < dist/large.bin > dist/large.sum
                  echo report > out/report.txt
                  echo noise > out/logs/noise.log
              - id: up
                uses: actions/upload-artifact@v4
                with:
                  name: web
                  path: dist
              - uses: actions/upload-artifact@v6
                with:
                  name: all the rest
                  path: |
                    dist/*.js
                    out/
                    !out/logs/**
                  retention-days: 2
                  compression-level: 9
          use:
            needs: make
            runs-on: ubuntu-latest
            steps:
              - id: down
                uses: actions/download-artifact@v4
                with:
                  name: web
                  path: got
              - run: |
                  set -x
                  test "${{ steps.down.outputs.download-path }}" = "$PWD/got"
                  test "$(cat got/app.js got/css/a.css)" = "$(printf 'app\\nstyle')"
                  test "$(sha256sum < got/large.bin)" = "$(cat got/large.sum)"
                  test ! -e got/.env
                  echo "digest ${{ needs.make.outputs.digest }}"
              - uses: actions/download-artifact@v7
                with:
                  path: all
              - run: test "$(cd 'all/all the rest' && find . -type f | sort | xargs)" = "./dist/app.js ./out/report.txt"
              - uses: actions/download-artifact@v5
                with:
                  pattern: "*w*b"
                  path: merged
                  merge-multiple: true
              - run: test -f merged/app.js
        """)
    assert conclusion == "success", log
    kept = {one["name"]: one for one in repository.artifacts()}
    assert sorted(kept) == ["all the rest", "web"]
    assert "digest " + kept["web"]["digest"].removeprefix("sha256:") in log, log


def test_an_artifact_that_is_not_there_or_there_already_fails_with_the_reason(repository):
    log, conclusion = repository.run("""
        on: push
        jobs:
          twice:
            runs-on: ubuntu-latest
            steps:
              - run: head -c 20000000 /dev/urandom > file
              - uses: actions/upload-artifact@v4
                with: {name: one, path: file}
              - uses: actions/upload-artifact@v4
                with: {name: one, path: file, overwrite: true}
              - uses: actions/upload-artifact@v4
                with: {name: none, path: nothing/here}
              - id: again
                continue-on-error: true
                uses: actions/upload-artifact@v4
                with: {name: one, path: file}
              - run: test "${{ steps.again.outcome }}" = failure
              - uses: actions/download-artifact@v4
                with: {name: two}
        """)
    assert conclusion == "failure", log
    assert "No files were found with the provided path: nothing/here" in log, log
    assert "there is an artifact 'one' in this run already" in log, log
    assert "Artifact 'two' not found; this run has 'one'" in log, log


LATER = """
on: push
env:
  EARLIER: NUMBER
jobs:
  use:
    runs-on: ubuntu-latest
    permissions: GRANTED
    steps:
      - uses: actions/download-artifact@v4
        with:
          name: earlier
          run-id: ${{ env.EARLIER }}
          github-token: ${{ secrets.GITHUB_TOKEN }}
          path: got
      - run: test "$(cat got/file)" = kept
"""


def test_a_later_run_downloads_what_an_earlier_one_kept(repository):
    log, conclusion = repository.run("""
        on: push
        jobs:
          make:
            runs-on: ubuntu-latest
            steps:
              - run: mkdir out && echo kept > out/file
              - uses: actions/upload-artifact@v4
                with: {name: earlier, path: out}
        """)
    assert conclusion == "success", log
    later = LATER.replace("NUMBER", str(repository.newest_run()["runId"]))
    log, conclusion = repository.run(later.replace("GRANTED", "{actions: read}"))
    assert conclusion == "success", log
    log, conclusion = repository.run(later.replace("    permissions: GRANTED\n", ""))
    assert conclusion == "success", log
    log, conclusion = repository.run(later.replace("GRANTED", "{contents: read}"))
    assert conclusion == "failure" and "add `permissions: actions: read`" in log, log
    log, conclusion = repository.run(LATER.replace("NUMBER", "987654").replace("GRANTED", "read-all"))
    assert conclusion == "failure" and "there is no run 987654 in the repository" in log, log


def test_the_artifacts_of_a_matrix_are_merged_into_one(repository):
    log, conclusion = repository.run("""
        on: push
        jobs:
          part:
            runs-on: ubuntu-latest
            strategy:
              matrix:
                part: [one, two]
            steps:
              - run: mkdir out && echo ${{ matrix.part }} > out/${{ matrix.part }}.txt
              - uses: actions/upload-artifact@v4
                with: {name: "part-${{ matrix.part }}", path: out}
          merge:
            needs: part
            runs-on: ubuntu-latest
            steps:
              - uses: actions/upload-artifact/merge@v4
                with: {name: apart, pattern: "part-*", separate-directories: true}
              - id: merge
                uses: actions/upload-artifact/merge@v4
                with: {name: whole, pattern: "part-*", delete-merged: true}
              - run: echo "digest ${{ steps.merge.outputs.artifact-digest }}"
              - uses: actions/download-artifact@v4
                with: {path: got}
              - run: find got -type f | sort | xargs echo found
              - uses: actions/upload-artifact/merge@v4
                with: {name: none, pattern: "part-*"}
        """)
    assert conclusion == "failure" and "No artifacts found matching pattern 'part-*'" in log, log
    assert "found got/apart/part-one/one.txt got/apart/part-two/two.txt got/whole/one.txt got/whole/two.txt" in log, log
    kept = {one["name"]: one for one in repository.artifacts()}
    assert sorted(kept) == ["apart", "whole"]
    assert "digest " + kept["whole"]["digest"].removeprefix("sha256:") in log, log


CACHED = """
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - id: cache
        uses: actions/cache@v4
        with:
          path: |
            node_modules
            ~/.cache/tool
          key: modules-KEY
          restore-keys: |
            modules-
      - run: echo "hit=[${{ steps.cache.outputs.cache-hit }}] matched=[${{ steps.cache.outputs.cache-matched-key }}]"
      - if: steps.cache.outputs.cache-hit != 'true'
        run: |
          mkdir -p node_modules/.bin node_modules/left ~/.cache/tool
          echo 'echo built' > node_modules/left/run.sh
          chmod +x node_modules/left/run.sh
          ln -sf ../left/run.sh node_modules/.bin/run
          echo KEY > ~/.cache/tool/state
      - run: |
          sh node_modules/.bin/run
          test -x node_modules/left/run.sh
          echo "state $(cat ~/.cache/tool/state)"
      - run: THEN
"""


def cached(repository, key, then="true", branch="main"):
    return repository.run(CACHED.replace("KEY", key).replace("THEN", then), branch)


def test_a_cache_is_saved_by_one_run_and_hit_by_the_next(repository):
    # What fails leaves nothing behind.
    log, conclusion = cached(repository, "1", then="false")
    assert conclusion == "failure" and "Cache saved" not in log, log
    log, conclusion = cached(repository, "1")
    assert conclusion == "success", log
    assert "hit=[] matched=[]" in log and "Cache saved with key: modules-1" in log, log
    log, conclusion = cached(repository, "1", then="rm -rf node_modules")
    assert conclusion == "success", log
    assert "hit=[true] matched=[modules-1]" in log and "state 1" in log, log
    assert "Cache hit occurred on the primary key modules-1, not saving cache." in log, log
    # A branch sees what the default branch has kept; its own is for itself.
    log, conclusion = cached(repository, "2", branch="other")
    assert conclusion == "success", log
    assert "hit=[false] matched=[modules-1]" in log and "state 2" in log, log
    assert "Cache saved with key: modules-2" in log, log
    log, conclusion = cached(repository, "2")
    assert conclusion == "success", log
    assert "hit=[false] matched=[modules-1]" in log, log


def test_restore_and_save_as_steps_of_their_own(repository):
    log, conclusion = repository.run("""
        on: push
        jobs:
          save:
            runs-on: ubuntu-latest
            steps:
              - run: mkdir -p out && echo kept > out/file && echo left > out/file.tmp
              - uses: actions/cache/save@v4
                with: {path: "out\\n!out/*.tmp", key: "own-${{ github.run_id }}"}
          restore:
            needs: save
            runs-on: ubuntu-latest
            steps:
              - id: look
                uses: actions/cache/restore@v4
                with: {path: "out\\n!out/*.tmp", key: "own-${{ github.run_id }}", lookup-only: true}
              - run: test "${{ steps.look.outputs.cache-hit }}" = true && test ! -e out
              - uses: actions/cache/restore@v4
                with: {path: "out\\n!out/*.tmp", key: "own-${{ github.run_id }}", fail-on-cache-miss: true}
              - run: test "$(cat out/file)" = kept && test ! -e out/file.tmp
              - uses: actions/cache/restore@v4
                with: {path: out, key: never, fail-on-cache-miss: true}
        """)
    assert conclusion == "failure", log
    assert "Exiting as fail-on-cache-miss is set. Input key: never" in log, log
    jobs = {job["name"]: job for job in repository.describe(repository.newest_run()["runId"])["jobs"]}
    failed = [step["name"] for step in jobs["restore"]["steps"] if step["conclusion"] == "failure"]
    assert jobs["save"]["conclusion"] == "success" and len(failed) == 1, log
