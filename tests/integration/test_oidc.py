"""A pipeline's token instead of a stored key: a local HTTPS issuer with a CA of its own, as GitHub's is one on the Internet."""

import json
import time

import boto3
import botocore
import botocore.config
import botocore.exceptions
import pytest

import harness
from harness import ACCOUNT, REGION
from oidc_issuer import AUDIENCE, SUBJECT, Issuer, SigningKey, base64url

PUBLIC = botocore.config.Config(signature_version=botocore.UNSIGNED, retries={"max_attempts": 0})
RETRY_ONCE = botocore.config.Config(retries={"max_attempts": 0})


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    issuer = Issuer(tmp_path_factory.mktemp("issuer"))
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def platform(issuer):
    platform = harness.Platform("--oidc-ca", str(issuer.ca))
    try:
        register(platform.start(), issuer)
        yield platform
    finally:
        platform.close()


def trust(issuer, subject="repo:octo/app:*"):
    """The trust policy that GitHub's documentation shows, for this issuer."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.name}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{issuer.name}:aud": AUDIENCE}, "StringLike": {f"{issuer.name}:sub": subject}},
    }]})


def register(platform, issuer):
    """The provider, and a role `pipeline` that may list clusters and nothing else."""
    iam = platform.boto("iam")
    iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=[AUDIENCE], ThumbprintList=["f" * 40])
    make_role(platform, issuer, "pipeline")


def make_role(platform, issuer, name):
    iam = platform.boto("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(issuer))
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:ListClusters", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="list", PolicyDocument=json.dumps(allow))


def assume(platform, token, role="pipeline"):
    """As a pipeline does: nobody has a key, so nothing is signed."""
    sts = boto3.client("sts", region_name=REGION, endpoint_url=platform.endpoint, config=PUBLIC)
    return sts.assume_role_with_web_identity(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="run-7", WebIdentityToken=token)


def refusal(platform, token, role="pipeline"):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        assume(platform, token, role)
    error = refused.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def with_credentials(platform, service, answer):
    credentials = answer["Credentials"]
    return boto3.client(service, region_name=REGION, endpoint_url=platform.endpoint, aws_access_key_id=credentials["AccessKeyId"],
                        aws_secret_access_key=credentials["SecretAccessKey"], aws_session_token=credentials["SessionToken"],
                        config=RETRY_ONCE)


def code_of(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_a_token_becomes_the_roles_rights_and_no_others(platform, issuer):
    answer = assume(platform, issuer.token())
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Audience"] == AUDIENCE
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/pipeline/run-7"
    assert with_credentials(platform, "sts", answer).get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]
    ecs = with_credentials(platform, "ecs", answer)
    ecs.list_clusters()
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        ecs.create_cluster(clusterName="not-mine")
    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "assumed-role/pipeline/run-7 is not authorized to perform: ecs:CreateCluster" in error["Message"]


def test_the_aws_client_takes_a_token_too(platform, issuer):
    answer = platform.aws("sts", "assume-role-with-web-identity", "--role-arn", f"arn:aws:iam::{ACCOUNT}:role/pipeline",
                          "--role-session-name", "cli", "--web-identity-token", issuer.token(), "--duration-seconds", "900")
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_every_part_of_the_credentials_is_needed(platform, issuer):
    for part in ("SecretAccessKey", "SessionToken", "AccessKeyId"):
        answer = assume(platform, issuer.token())
        answer["Credentials"][part] = answer["Credentials"][part][:-4] + "AAAA"
        assert code_of(with_credentials(platform, "ecs", answer).list_clusters) in (
            "UnrecognizedClientException", "InvalidSignatureException")


def test_tokens_that_nobody_should_take(platform, issuer, tmp_path):
    now = int(time.time())
    forger = SigningKey(tmp_path, issuer.key.kid)
    unsigned = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "none", "kid": "key-1"}, issuer.claims())) + "."
    assert refusal(platform, unsigned).startswith("InvalidIdentityToken")
    assert "The token's signature is not that of key" in refusal(platform, forger.sign(issuer.claims()))
    assert "brings its own key (jwk)" in refusal(platform, forger.sign(issuer.claims(), jwk=forger.jwk()))
    assert "Incorrect token audience" in refusal(platform, issuer.token(aud="https://github.com/octo"))
    assert refusal(platform, issuer.token(iat=now - 900, exp=now - 300)).startswith("ExpiredTokenException: Token expired")
    assert refusal(platform, issuer.token(nbf=now + 600)).startswith("InvalidIdentityToken")
    assert "No OpenIDConnect provider found" in refusal(platform, issuer.token(iss="https://localhost:1"))
    assert refusal(platform, "not.a.token").startswith("InvalidIdentityToken")
    reason = refusal(platform, issuer.token(sub="repo:octo/other:ref:refs/heads/main"))
    assert reason.startswith("AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity")
    assert "repo:octo/other" in reason


def test_unknown_keys_do_not_make_the_platform_ask_again_and_again(platform, issuer, tmp_path):
    assume(platform, issuer.token())
    asked = len(issuer.asked)
    stranger = SigningKey(tmp_path, "unknown")
    for _ in range(5):
        assert "publishes no key 'unknown'" in refusal(platform, stranger.sign(issuer.claims()))
    assert len(issuer.asked) <= asked + 2  # at most one look at the configuration and the keys


def test_an_issuer_whose_certificate_nobody_vouches_for_is_not_believed(platform, tmp_path):
    impostor = Issuer(tmp_path)
    try:
        platform.boto("iam").create_open_id_connect_provider(Url=impostor.url, ClientIDList=[AUDIENCE])
        assert refusal(platform, impostor.token()).startswith("IDPCommunicationError")
        assert impostor.asked == []
    finally:
        impostor.close()


@pytest.mark.parametrize("jwks, why", [
    ({"keys": [], "padding": "x" * 70_000}, "larger than 65536 bytes"),
    ("http://127.0.0.1:1/jwks", "HTTP status 302"),
    (None, "HTTP status 404"),
    ({"keys": "none"}, "no list of keys"),
])
def test_answers_of_issuers_that_cannot_be_used(platform, issuer, tmp_path, jwks, why):
    odd = Issuer(tmp_path, issuer.ca)
    odd.documents["/jwks"] = jwks
    try:
        platform.boto("iam").create_open_id_connect_provider(Url=odd.url, ClientIDList=[AUDIENCE])
        reason = refusal(platform, odd.token())
        assert reason.startswith("IDPCommunicationError") and why in reason
    finally:
        odd.close()


def test_a_certificate_counts_only_for_the_name_in_it(platform, issuer):
    elsewhere = issuer.url.replace("localhost", "127.0.0.1")
    platform.boto("iam").create_open_id_connect_provider(Url=elsewhere, ClientIDList=[AUDIENCE])
    reason = refusal(platform, issuer.token(iss=elsewhere))
    assert reason.startswith("IDPCommunicationError") and "certificate" in reason


def test_a_session_ends_with_its_role(platform, issuer):
    make_role(platform, issuer, "short-lived")
    ecs = with_credentials(platform, "ecs", assume(platform, issuer.token(), "short-lived"))
    ecs.list_clusters()
    platform.boto("iam").delete_role_policy(RoleName="short-lived", PolicyName="list")
    assert code_of(ecs.list_clusters) == "AccessDeniedException"
    platform.boto("iam").delete_role(RoleName="short-lived")
    assert code_of(ecs.list_clusters) == "UnrecognizedClientException"


def test_a_session_outlives_the_process_and_is_sealed_on_disk(platform, issuer):
    answer = assume(platform, issuer.token())
    platform.restart_after_kill()
    with_credentials(platform, "ecs", answer).list_clusters()
    for part in ("SecretAccessKey", "SessionToken"):
        secret = answer["Credentials"][part].encode()
        for path in platform.work.rglob("*"):
            assert not path.is_file() or secret not in path.read_bytes(), path


def test_the_environment_may_name_the_ca(fresh_platform, issuer):
    fresh_platform.env["SSL_CERT_FILE"] = str(issuer.ca)
    register(fresh_platform.start(), issuer)
    assume(fresh_platform, issuer.token())
