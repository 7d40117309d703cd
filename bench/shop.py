"""A team's repository on a platform of its own: the tree of the pipeline tests, a role that its jobs assume, a service."""

import json
import pathlib
import subprocess
import sys

import backend_service
import common

sys.path.append(str(common.ROOT / "tests" / "integration"))
from team_tree import ACCOUNT, ENVIRONMENT, PREFIX, REGION, REPOSITORY, ROLE, STAGING, Tree, filled  # noqa: E402


def platform(build, folder):
    """One for which the workflow files were written."""
    return common.Kaapi(build, folder, ["--account-id", ACCOUNT], REGION)


class Shop(Tree):
    """The working tree in `folder` whose `origin` is the platform."""

    def __init__(self, kaapi, build, folder):
        self.kaapi, self.build = kaapi, pathlib.Path(build)
        super().__init__(folder / "shop", common.run, {**kaapi.client_environment(), "HOME": str(folder)})
        self.command("repo", "create", REPOSITORY)
        self.create(f"http://127.0.0.1:{kaapi.port}", kaapi.program.resolve(), kaapi.data)

    def command(self, *words):
        """What `kaapi WORDS` prints."""
        return common.run([self.kaapi.program, *words, "--data", self.kaapi.data], env=self.env)

    def newest_run(self):
        """With its jobs."""
        newest = json.loads(self.command("run", "list", "--repo", REPOSITORY, "--json"))["runs"][0]["runId"]
        return json.loads(self.command("run", "show", str(newest), "--repo", REPOSITORY, "--json"))

    def deployable(self):
        """All that a push needs to deploy, with a first version running: two tasks. Answers the client of its service."""
        self.add_backend(backend_service.program(self.build))
        self.command("env", "create", ENVIRONMENT, "--repo", REPOSITORY)
        self.command("env", "set", f"AWS_RESOURCE_PREFIX={PREFIX}", "--repo", REPOSITORY, "--env", ENVIRONMENT)
        aws = self.kaapi.aws
        aws("iam", "create-open-id-connect-provider", "--url", "https://token.actions.githubusercontent.com",
            "--client-id-list", "sts.amazonaws.com", "--thumbprint-list", "0" * 40)
        aws("iam", "create-role", "--role-name", ROLE, "--assume-role-policy-document", filled("trust-policy.json"))
        aws("iam", "put-role-policy", "--role-name", ROLE, "--policy-name", "deploy", "--policy-document", filled("deploy-policy.json"))
        image = backend_service.push_image(self.kaapi, STAGING.repository)
        ecs = self.kaapi.client()
        backend_service.create(ecs, image, STAGING.cluster, STAGING.service)
        return ecs

    def remove_image(self):
        """What the jobs' builds left in the engine under the platform's name."""
        subprocess.run(["docker", "rmi", "-f", f"localhost:{self.kaapi.port}/{STAGING.repository}:latest"], capture_output=True, check=False)
