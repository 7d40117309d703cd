"""`git push` deploys: the two workflow files as they are, driven by the real git, docker and aws, and what people see when a run goes wrong."""

import pytest

import harness
import pipeline
from pipeline import PRODUCTION, STAGING


@pytest.fixture(scope="module")
def platform():
    platform = harness.Platform(region=pipeline.REGION, account=pipeline.ACCOUNT)
    try:
        yield platform.start()
    finally:
        platform.close()


@pytest.fixture(scope="module")
def team(platform, backend_image):
    return pipeline.Team(platform, backend_image)


def test_a_push_to_main_deploys_staging(team):
    team.commit("The first version of ours", version="v1")
    shown = team.push("-o", "wait", "origin", "main")
    print(shown); assert 0
    assert team.versions(STAGING) == ["v1", "v1"]
    assert team.versions(PRODUCTION) == ["1", "1"]  # the image that the services began with
