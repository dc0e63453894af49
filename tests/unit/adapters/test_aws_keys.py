"""Where AWS keys come from, with botocore's own resolver against local stand-ins for STS and pod identity."""

import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog
import time_machine

from extproc.adapters.aws_keys import AwsKeys
from extproc.session.ports import Outgoing

REQUEST = Outgoing("POST", "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse", {}, b"{}")
STS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn>
<AssumedRoleId>x:s</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>AKID{n}</AccessKeyId>
<SecretAccessKey>secret</SecretAccessKey><SessionToken>session-token{n}</SessionToken><Expiration>{expires}</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


class Cloud:
    """STS and the pod identity agent on one port. `seen` is what was asked; `fail` answers 500."""

    def __init__(self):
        self.seen = []
        self.fail = False
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                cloud.answer(self, b"")

            def do_POST(self):
                cloud.answer(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, handler, body):
        self.seen.append((handler.path, dict(handler.headers), body))
        expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        if handler.command == "POST":
            out = STS.format(n=len(self.seen), expires=expires)
        else:
            out = json.dumps(
                {
                    "AccessKeyId": f"AKID{len(self.seen)}",
                    "SecretAccessKey": "secret",
                    "Token": f"token{len(self.seen)}",
                    "Expiration": expires,
                }
            )
        handler.send_response(500 if self.fail else 200)
        handler.end_headers()
        handler.wfile.write(b"secret failure" if self.fail else out.encode())

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def cloud():
    cloud = Cloud()
    yield cloud
    cloud.close()


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch, tmp_path):
    """No key of the machine the tests run on, and no metadata service."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def access_key(keys):
    """Which key a signature names; None when there is none."""
    found = keys.inject(REQUEST, "eu-west-1", "bedrock")
    return found and found.headers[0][1].partition("Credential=")[2].partition("/")[0]


def test_before_anything_was_looked_for_there_are_no_keys():
    keys = AwsKeys("p")
    assert (keys.ready, keys.problem) == (False, "not looked for yet")
    assert access_key(keys) is None


@pytest.mark.promise("credentials.aws-keys")
def test_keys_of_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    keys = AwsKeys("p")
    keys.load()
    assert (access_key(keys), keys.ready, keys.problem) == ("AKIDENV", True, "")
    assert "secret" not in repr(keys)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    keys.load()
    assert (keys.ready, keys.problem.startswith("none in the environment")) == (False, True)


@pytest.mark.promise("credentials.aws-keys")
def test_keys_of_a_shared_file_are_read_anew_when_it_is_rotated(tmp_path):
    keys, other = AwsKeys("p"), AwsKeys("q", profile="other")
    for name in ("AKIDOLD", "AKIDNEW"):
        (tmp_path / "credentials").write_text(
            f"[default]\naws_access_key_id = {name}\naws_secret_access_key = s\n"
            f"[other]\naws_access_key_id = {name}2\naws_secret_access_key = s\n"
        )
        keys.load()
        other.load()
        assert (access_key(keys), access_key(other)) == (name, name + "2")


def test_a_profile_that_does_not_exist_is_a_problem_and_no_crash():
    keys = AwsKeys("p", profile="nowhere")
    keys.load()
    assert (keys.ready, keys.problem) == (False, "they cannot be fetched (ProfileNotFound)")


def test_a_program_in_the_configuration_is_not_run(tmp_path):
    (tmp_path / "config").write_text(f"[default]\ncredential_process = touch {tmp_path}/ran\n")
    keys = AwsKeys("p")
    keys.load()
    assert not keys.ready
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def web_identity(monkeypatch, tmp_path, cloud):
    (tmp_path / "token").write_text("a.web.identity")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", cloud.url)
    return AwsKeys("p")


@pytest.mark.promise("credentials.aws-keys")
@pytest.mark.promise("credentials.ahead")
def test_keys_of_a_web_identity_are_refreshed_ahead_of_time_and_off_the_request_path(web_identity, cloud):
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as clock:
        web_identity.load()
        assert access_key(web_identity) == "AKID1"
        assert b"WebIdentityToken=a.web.identity" in cloud.seen[0][2]
        clock.shift(timedelta(minutes=40))
        web_identity.load()
        assert len(cloud.seen) == 1  # twenty minutes are left
        clock.shift(timedelta(minutes=10))
        assert access_key(web_identity) == "AKID1"
        assert len(cloud.seen) == 1  # signing never asks
        web_identity.load()
        assert (access_key(web_identity), len(cloud.seen)) == ("AKID2", 2)


def test_when_refreshing_fails_the_keys_are_used_until_they_expire_and_not_longer(web_identity, cloud):
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as clock:
        web_identity.load()
        cloud.fail = True
        clock.shift(timedelta(minutes=55))
        web_identity.load()
        assert (access_key(web_identity), web_identity.ready) == ("AKID1", True)
        assert web_identity.problem.startswith("they cannot be fetched (")
        assert "failure" not in web_identity.problem
        clock.shift(timedelta(minutes=6))
        assert not web_identity.ready
        assert access_key(web_identity) is None
        cloud.fail = False
        web_identity.load()
        assert (web_identity.ready, web_identity.problem) == (True, "")


@pytest.mark.promise("credentials.aws-keys")
def test_keys_of_a_pod_identity(monkeypatch, tmp_path, cloud):
    (tmp_path / "pod-token").write_text("pod.token")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud.url + "/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "pod-token"))
    keys = AwsKeys("p")
    keys.load()
    assert access_key(keys) == "AKID1"
    path, headers, _ = cloud.seen[0]
    assert (path, headers["Authorization"]) == ("/v1/credentials", "pod.token")


@pytest.mark.usefixtures("cloud")
def test_the_session_token_is_the_secret_because_aws_quotes_what_was_signed(web_identity, monkeypatch):
    web_identity.load()
    found = web_identity.inject(REQUEST, "eu-west-1", "bedrock")
    assert dict(found.headers)["x-amz-security-token"].encode() == found.secret == b"session-token1"
    assert "token1" not in repr(found)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    long_lived = AwsKeys("q")
    long_lived.load()
    assert long_lived.inject(REQUEST, "eu-west-1", "bedrock").secret == b""


def test_a_url_that_cannot_be_read_is_not_signed_and_does_not_raise(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    keys = AwsKeys("p")
    keys.load()
    assert keys.inject(REQUEST._replace(url="https://[::/x"), "eu-west-1", "bedrock") is None


@pytest.mark.promise("credentials.extras")
def test_without_botocore_the_remedy_is_the_problem_and_nothing_is_raised(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    keys = AwsKeys("p")
    keys.load()
    assert (keys.ready, keys.problem) == (False, "botocore is not installed: install gatereeve[aws]")
    assert access_key(keys) is None


def test_an_sts_that_refuses_is_asked_once_and_nothing_of_its_answer_is_told(web_identity, cloud):
    cloud.fail = True
    with structlog.testing.capture_logs() as logs:
        web_identity.load()
    assert (web_identity.ready, len(cloud.seen)) == (False, 1)
    assert "secret failure" not in str(logs) + web_identity.problem
