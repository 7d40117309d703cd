"""A team's place for the pipeline tests: two stages, a role that jobs may assume, a git repository with the two workflow files."""

import json
import re
import subprocess

import harness
from team_tree import ENVIRONMENT, PREFIX, PRODUCTION, REPOSITORY, ROLE, STAGING, Tree, filled

RUN_TIMEOUT_S = 120


class Team(Tree):
    """The account's resources and a working tree with `origin`."""

    def __init__(self, platform, backend_image):
        super().__init__(platform.work / "shop", harness.run, platform.env)
        self.platform = platform
        for stage in (STAGING, PRODUCTION):
            self.make_stage(stage, backend_image)
        self.make_role(filled("deploy-policy.json"))
        self.kaapi("repo", "create", REPOSITORY)
        self.kaapi("env", "create", ENVIRONMENT, "--repo", REPOSITORY)
        self.kaapi("env", "set", f"AWS_RESOURCE_PREFIX={PREFIX}", "--repo", REPOSITORY, "--env", ENVIRONMENT)
        self.create(platform.endpoint, harness.KAAPI, platform.data)
        self.add_backend(harness.BUILD / "examples" / "backend" / "backend")

    def kaapi(self, *arguments, check=True, **options):
        return harness.run([harness.KAAPI, *arguments, "--data", self.platform.data], check=check, env=self.platform.env, **options)

    # --- the account

    def make_stage(self, stage, backend_image):
        platform = self.platform
        image = platform.push(backend_image, stage.repository)
        platform.cluster(stage.cluster)
        platform.register(stage.family, image, portMappings=[{"containerPort": 8080}], stopTimeout=5,
                          healthCheck={"command": ["CMD", "/backend", "--health"], "interval": 5, "timeout": 2, "retries": 2})
        platform.create_service(stage.cluster, stage.service, stage.family, deploymentConfiguration={
            "deploymentCircuitBreaker": {"enable": True, "rollback": True}})
        platform.wait_stable(stage.cluster, stage.service)

    def make_role(self, policy):
        iam = self.platform.boto("iam")
        iam.create_open_id_connect_provider(Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"])
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=filled("trust-policy.json"))
        self.allow(policy)

    def allow(self, policy):
        self.platform.boto("iam").put_role_policy(RoleName=ROLE, PolicyName="deploy", PolicyDocument=policy)

    def versions(self, stage):
        tasks = self.platform.tasks(stage.cluster, stage.service)
        return sorted(json.loads(harness.fetch(harness.url(task, "/")))["version"] for task in tasks)

    # --- the working tree

    def push(self, *arguments, check=True):
        """What the pushing terminal shows."""
        done = self.git("push", *(arguments or ("origin", "main")), check=check)
        return done.stdout + done.stderr

    # --- runs

    def runs(self):
        """Newest first."""
        return json.loads(self.kaapi("run", "list", "--repo", REPOSITORY, "--json").stdout)["runs"]

    def newest_run(self):
        return self.runs()[0]

    def watch(self, run_id):
        """Follows a run to its end: what was shown, and the exit code."""
        command = [str(harness.KAAPI), "run", "watch", str(run_id), "--data", str(self.platform.data)]
        done = subprocess.run(command, capture_output=True, text=True, env=self.platform.env, timeout=RUN_TIMEOUT_S)
        return done.stdout + done.stderr, done.returncode

    def describe(self, run_id):
        answer = json.loads(self.kaapi("run", "show", str(run_id), "--repo", REPOSITORY, "--json").stdout)
        return {**answer["run"], "jobs": answer["jobs"]}

    def wait_run(self, run_id, status, timeout_s=RUN_TIMEOUT_S):
        return harness.eventually(f"run {run_id} is {status}", lambda: (run := self.describe(run_id))["status"] == status and run, timeout_s)


def workflow(text):
    """A workflow file written in a test, without its indentation."""
    lines = text.strip("\n").splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines) + "\n"


def run_ids(text):
    """Numbers of the runs that a push started, as its output names them."""
    return [int(number) for number in re.findall(r"run (?:watch )?(\d+)", text)]
