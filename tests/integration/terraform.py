"""The real Terraform with the real AWS provider, in a directory of its own. The provider must be on this machine: nothing is downloaded."""

import json
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
COMMAND_TIMEOUT_S = 600
# Where a machine keeps providers: Terraform's own places, and /opt. Below them: HOST/hashicorp/aws/VERSION/PLATFORM.
PLUGIN_ROOTS = (pathlib.Path.home() / ".terraform.d", pathlib.Path("/usr/local/share/terraform"),
                pathlib.Path("/usr/share/terraform"), pathlib.Path("/opt"))


def plugin_directory():
    """The folder to give to `terraform init -plugin-dir`; KAAPI_TERRAFORM_PLUGINS says it where it is none of the usual ones."""
    if "KAAPI_TERRAFORM_PLUGINS" in os.environ:
        return pathlib.Path(os.environ["KAAPI_TERRAFORM_PLUGINS"])
    for root in PLUGIN_ROOTS:
        for found in sorted(root.glob("*/*/hashicorp/aws")):
            return found.parents[2]
    raise AssertionError("no terraform-provider-aws on this machine; put it into ~/.terraform.d/plugins or name its folder in "
                         "KAAPI_TERRAFORM_PLUGINS")


class Terraform:
    """One configuration of tests/integration/terraform/, applied to a platform (harness.Platform)."""

    def __init__(self, platform, configuration, directory):
        self.directory = pathlib.Path(directory)
        shutil.copytree(HERE / "terraform" / configuration, self.directory, dirs_exist_ok=True)
        self.env = {**platform.env, "AWS_ENDPOINT_URL": platform.endpoint, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1",
                    "TF_CLI_CONFIG_FILE": os.devnull, "AWS_MAX_ATTEMPTS": "2"}
        self.run("init", "-input=false", f"-plugin-dir={plugin_directory()}")

    def run(self, *arguments, expect=(0,)):
        done = subprocess.run(["terraform", arguments[0], "-no-color", *arguments[1:]], cwd=self.directory, env=self.env,
                              capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
        if done.returncode not in expect:
            raise AssertionError(f"terraform {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    @staticmethod
    def _variables(variables):
        return [f"-var={name}={value}" for name, value in variables.items()]

    def apply(self, **variables):
        self.run("apply", "-auto-approve", "-input=false", *self._variables(variables))

    def assert_nothing_to_do(self, **variables):
        """A second plan is empty: what is read back is what was asked for."""
        planned = self.run("plan", "-input=false", "-detailed-exitcode", *self._variables(variables), expect=(0, 2))
        assert planned.returncode == 0, f"the plan is not empty:\n{planned.stdout}"

    def destroy(self, **variables):
        self.run("destroy", "-auto-approve", "-input=false", *self._variables(variables))

    def output(self, name):
        return json.loads(self.run("output", "-json", name).stdout)
