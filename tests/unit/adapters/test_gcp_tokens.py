"""Google's token endpoints, played on loopback and strict about what they are asked."""

import json
import subprocess
import sys
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from extproc.adapters import gcp_tokens
from extproc.errors import CredentialUnavailable, StartupError
from extproc.policy.runtime import GcpSource
from tests.unit.adapters.token_server import TokenServer, gives

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def cloud(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # a proxy that is not there: nothing here may use it
    server = TokenServer()
    server.answer = gives("google-token")
    yield server
    server.close()


def key_file(cloud, **other):
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k-1",
        "private_key": PEM,
        "client_email": "gw@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": cloud.url + "/token",
        **other,
    }


def federation(cloud, source, **other):
    return {
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": cloud.url + "/v1/token",
        "credential_source": source,
        **other,
    }


@pytest.fixture
def fetch(tmp_path):
    def fetch(info, environ=None, **of):
        path = tmp_path / "key.json"
        path.write_text(json.dumps(info))
        return gcp_tokens.fetcher(GcpSource("p", file=str(path), **of), environ or {})()

    return fetch


@pytest.mark.promise("credentials.gcp-sources")
def test_a_service_account_s_key_signs_the_assertion_that_google_asks_for(cloud, fetch):
    token = fetch(key_file(cloud))
    assert token.value == "google-token"
    assert 3590 < token.lifetime <= 3600
    (asked,) = cloud.asked
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.form.keys() == {"grant_type", "assertion"}
    assert asked.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assertion = asked.form["assertion"]
    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT", "kid": "k-1"}
    # Google's tools name its real endpoint as the audience, whatever the file's token_uri says.
    claims = jwt.decode(assertion, KEY.public_key(), ["RS256"], audience="https://oauth2.googleapis.com/token")
    assert (claims["iss"], claims["scope"]) == ("gw@p.iam.gserviceaccount.com", SCOPE)
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 60


def test_the_scope_is_the_source_s_and_the_file_may_be_named_by_the_environment(cloud, tmp_path):
    (tmp_path / "adc.json").write_text(json.dumps(key_file(cloud)))
    source = GcpSource("p", scope="https://www.googleapis.com/auth/generative-language")
    gcp_tokens.fetcher(source, {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "adc.json")})()
    claims = jwt.decode(cloud.asked[0].form["assertion"], options={"verify_signature": False})
    assert claims["scope"] == source.scope


@pytest.mark.parametrize("kind", ["text", "json"])
@pytest.mark.promise("credentials.gcp-sources")
def test_a_workload_s_token_is_exchanged_and_read_anew_each_time(cloud, fetch, tmp_path, kind):
    file, shape = tmp_path / "subject", {"type": kind}
    if kind == "json":
        shape["subject_token_field_name"] = "t"
    for subject in ("eyJ.old.x", "eyJ.new.x"):
        file.write_text(subject if kind == "text" else json.dumps({"t": subject}))
        assert fetch(federation(cloud, {"file": str(file), "format": shape})).value == "google-token"
        asked = cloud.asked[-1]
        assert (asked.method, asked.path) == ("POST", "/v1/token")
        assert asked.form == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": AUDIENCE,
            "scope": SCOPE,
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token": subject,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        }
        assert "authorization" not in asked.headers


def test_a_workload_impersonates_a_service_account_with_the_token_it_was_given(cloud, fetch, tmp_path):
    (tmp_path / "subject").write_text("eyJ.subject.x")
    path = "/v1/projects/-/serviceAccounts/gw@p.iam.gserviceaccount.com:generateAccessToken"
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1800))

    def answer(asked):
        if asked.path == "/v1/token":
            return gives("federated-token")(asked)
        return 200, {}, {"accessToken": "service-account-token", "expireTime": until}

    cloud.answer = answer
    info = federation(
        cloud,
        {"file": str(tmp_path / "subject")},
        service_account_impersonation_url=cloud.url + path,
        service_account_impersonation={"token_lifetime_seconds": 1800},
    )
    token = fetch(info)
    assert token.value == "service-account-token"
    assert 1790 < token.lifetime <= 1800
    exchange, impersonation = cloud.asked
    assert exchange.form["subject_token"] == "eyJ.subject.x"
    assert (impersonation.method, impersonation.path) == ("POST", path)
    assert impersonation.headers["authorization"] == "Bearer federated-token"
    said = json.loads(impersonation.body)
    assert (said["scope"], said["lifetime"]) == ([SCOPE], "1800s")


def test_a_workload_s_token_may_be_asked_for_at_a_url(cloud, fetch):
    def answer(asked):
        return (200, {}, b"eyJ.subject.x") if asked.path == "/subject" else gives("google-token")(asked)

    cloud.answer = answer
    fetch(federation(cloud, {"url": cloud.url + "/subject", "headers": {"Metadata": "True"}}))
    subject, exchange = cloud.asked
    assert (subject.method, subject.headers["metadata"]) == ("GET", "True")
    assert exchange.form["subject_token"] == "eyJ.subject.x"


@pytest.mark.promise("credentials.gcp-sources")
def test_the_metadata_server_is_asked_without_any_library(cloud, monkeypatch):
    for name in ("google", "google.auth", "requests"):
        monkeypatch.setitem(sys.modules, name, None)
    cloud.answer = lambda asked: (200, {"Metadata-Flavor": "Google"}, gives("machine-token", 299)(asked)[2])
    token = gcp_tokens.fetcher(GcpSource("p", instance=True), {"GCE_METADATA_HOST": cloud.host})()
    assert (token.value, token.lifetime) == ("machine-token", 299)
    (asked,) = cloud.asked
    assert (asked.method, asked.path) == ("GET", "/computeMetadata/v1/instance/service-accounts/default/token")
    assert (asked.query, asked.headers["metadata-flavor"]) == ({"scopes": SCOPE}, "Google")


def test_what_answers_without_the_metadata_server_s_header_is_not_it(cloud):
    with pytest.raises(CredentialUnavailable, match="not the metadata server"):
        gcp_tokens.fetcher(GcpSource("p", instance=True), {"GCE_METADATA_HOST": cloud.host})()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"type": "authorized_user"}, "a person's credentials", id="a person"),
        pytest.param({"type": "external_account_authorized_user"}, "a person's credentials", id="a person of a pool"),
        pytest.param({"type": "impersonated_service_account"}, "by way of other credentials", id="an impersonation"),
        pytest.param({"type": "leak"}, "of a type that is not known", id="an unknown type"),
        pytest.param({"type": None}, "of no type", id="no type"),
        pytest.param({"private_key": "leak"}, "cannot be used (", id="a key that is none"),
        pytest.param({"private_key": None}, "has no private_key", id="no key"),
        pytest.param({"token_uri": "http://leak.example/token"}, "is not https", id="a token_uri in plain http"),
        pytest.param(
            {"token_uri": "https://leak@e.example/"}, "names no host, or a user", id="a token_uri with a user"
        ),
    ],
)
def test_a_key_file_that_is_not_one_is_refused_before_anything_is_sent(cloud, fetch, change, says):
    with pytest.raises(CredentialUnavailable) as told:
        fetch(key_file(cloud, **change))
    assert says in str(told.value)
    assert "leak" not in str(told.value)
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("source", "other"),
    [
        pytest.param({"executable": {"command": "touch ran"}}, {}, id="a program"),
        pytest.param({"executable": {"command": "touch ran"}, "file": "subject"}, {}, id="a program beside a file"),
        pytest.param({"certificate": {"use_default_certificate_config": True}}, {}, id="a certificate"),
        pytest.param({"environment_id": "aws1", "url": "http://169.254.169.254/x"}, {}, id="a machine of AWS"),
        pytest.param({}, {}, id="nothing"),
        pytest.param("file", {}, id="no object"),
        pytest.param({"url": "http://e.example/x"}, {}, id="a URL in plain http"),
        pytest.param({"file": "subject"}, {"token_url": "http://e.example"}, id="an exchange in plain http"),
        pytest.param(
            {"file": "subject"}, {"service_account_impersonation_url": "ftp://e"}, id="an impersonation elsewhere"
        ),
        pytest.param({"file": "subject"}, {"subject_token_type": None}, id="no type of token"),
    ],
)
def test_a_federation_that_runs_a_program_or_sends_secrets_in_the_open_is_refused(
    cloud, fetch, source, other, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    (tmp_path / "subject").write_text("eyJ.subject.x")
    with pytest.raises(CredentialUnavailable):
        fetch(federation(cloud, source, **other))
    assert cloud.asked == []
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_refusal_of_google_is_asked_for_once_and_told_without_quoting_it(cloud, fetch, status):
    cloud.answer = lambda asked: (status, {}, {"error": "invalid_grant", "error_description": "leak"})
    with pytest.raises(CredentialUnavailable) as told:
        fetch(key_file(cloud))
    assert str(told.value) == f"the token endpoint answered with status {status} (invalid_grant)"
    assert len(cloud.asked) == 1


def test_a_file_that_is_not_there_or_not_json_is_told(tmp_path):
    (tmp_path / "bad").write_text("leak")
    for name, says in (
        (str(tmp_path / "bad"), "is not JSON"),
        ("/nowhere", "cannot be read"),
        ("", "no file is named"),
    ):
        with pytest.raises(CredentialUnavailable, match=says):
            gcp_tokens.fetcher(GcpSource("p", file=name), {})()


@pytest.mark.promise("credentials.extras")
def test_without_google_auth_the_remedy_is_named(cloud, fetch, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.oauth2.service_account", None)
    with pytest.raises(StartupError, match=r"install gatereeve\[gcp\]"):
        fetch(key_file(cloud))


def test_google_auth_needs_nothing_that_the_extra_does_not_bring(cloud, tmp_path):
    (tmp_path / "subject").write_text("eyJ.subject.x")
    (tmp_path / "key.json").write_text(json.dumps(key_file(cloud)))
    (tmp_path / "pool.json").write_text(json.dumps(federation(cloud, {"file": str(tmp_path / "subject")})))
    script = f"""
import sys
sys.modules["requests"] = sys.modules["urllib3"] = None
from extproc.adapters.gcp_tokens import fetcher
from extproc.policy.runtime import GcpSource
for name in ("key", "pool"):
    print(fetcher(GcpSource("p", file=f"{tmp_path}/{{name}}.json"), {{}})().value)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["google-token", "google-token"], "")
