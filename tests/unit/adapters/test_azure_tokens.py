"""Entra ID and the managed identity's services, played on loopback and strict about what they are asked."""

import time

import pytest

from extproc.adapters import azure_tokens
from extproc.errors import CredentialUnavailable
from extproc.policy.runtime import AzureSource
from tests.unit.adapters.token_server import TokenServer, gives

SCOPE = "https://cognitiveservices.azure.com/.default"


@pytest.fixture
def cloud(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # a proxy that is not there: nothing here may use it
    server = TokenServer()
    server.answer = gives("entra-token")
    yield server
    server.close()


def fetch(cloud, environ=None, **of):
    source = AzureSource("p", authority=cloud.url, **{"tenant": "t-1", "client_id": "c-1", **of})
    return azure_tokens.fetcher(source, environ or {})()


@pytest.mark.parametrize("kept", ["file", "environment"])
@pytest.mark.promise("credentials.azure-sources")
def test_a_client_secret_is_exchanged(cloud, tmp_path, kept):
    (tmp_path / "secret").write_text("s3cret & =\n")
    where = {"secret_file": str(tmp_path / "secret")} if kept == "file" else {"secret_env": "S"}
    token = fetch(cloud, {"S": "s3cret & ="}, **where)
    assert (token.value, token.lifetime) == ("entra-token", 3600)
    (asked,) = cloud.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/t-1/oauth2/v2.0/token", {})
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form == {
        "grant_type": "client_credentials",
        "client_id": "c-1",
        "client_secret": "s3cret & =",
        "scope": SCOPE,
    }


@pytest.mark.promise("credentials.azure-sources")
def test_a_federated_assertion_is_read_anew_at_each_exchange(cloud, tmp_path):
    file = tmp_path / "assertion"
    for assertion in ("eyJ.old.x", "eyJ.new.x"):
        file.write_text(assertion + "\n")
        fetch(cloud, token_file=str(file))
        assert cloud.asked[-1].form == {
            "grant_type": "client_credentials",
            "client_id": "c-1",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "scope": SCOPE,
        }


def test_tenant_and_client_may_come_from_the_environment_as_aks_sets_it(cloud):
    environ = {"AZURE_TENANT_ID": "t-2", "AZURE_CLIENT_ID": "c-2", "S": "secret"}
    fetch(cloud, environ, tenant="", client_id="", secret_env="S")
    assert (cloud.asked[0].path, cloud.asked[0].form["client_id"]) == ("/t-2/oauth2/v2.0/token", "c-2")


def test_a_tenant_cannot_lead_to_another_path(cloud):
    fetch(cloud, {"S": "secret"}, tenant="../x?y#", secret_env="S")
    assert cloud.asked[0].path == "/..%2Fx%3Fy%23/oauth2/v2.0/token"


@pytest.mark.parametrize("client", ["", "c-1"])
@pytest.mark.promise("credentials.azure-sources")
def test_the_managed_identity_of_a_machine(cloud, client):
    cloud.answer = gives("machine-token", expires_in="86399", expires_on="1")  # numbers are texts there
    token = fetch(cloud, {"AZURE_POD_IDENTITY_AUTHORITY_HOST": cloud.url + "/"}, client_id=client, instance=True)
    assert (token.value, token.lifetime) == ("machine-token", 86399)
    (asked,) = cloud.asked
    assert (asked.method, asked.path) == ("GET", "/metadata/identity/oauth2/token")
    named = {"client_id": client} if client else {}
    assert asked.query == {"api-version": "2018-02-01", "resource": "https://cognitiveservices.azure.com", **named}
    assert asked.headers["metadata"] == "true"


def test_the_managed_identity_of_an_app(cloud):
    def answer(asked):
        return 200, {}, {"access_token": "app-token", "token_type": "Bearer", "expires_on": str(int(time.time()) + 600)}

    cloud.answer = answer
    environ = {"IDENTITY_ENDPOINT": cloud.url + "/msi/token", "IDENTITY_HEADER": "header-secret"}
    token = fetch(cloud, environ, client_id="", instance=True)
    assert token.value == "app-token"
    assert 590 < token.lifetime <= 600
    (asked,) = cloud.asked
    assert (asked.path, asked.headers["x-identity-header"]) == ("/msi/token", "header-secret")
    assert asked.query == {"api-version": "2019-08-01", "resource": "https://cognitiveservices.azure.com"}


@pytest.mark.parametrize(
    ("of", "environ", "says"),
    [
        pytest.param({"secret_env": "S"}, {}, "environment variable S is not set", id="the variable is not set"),
        pytest.param({"secret_env": "S"}, {"S": ""}, "S is empty or too long", id="the variable is empty"),
        pytest.param({"secret_file": "/nowhere"}, {}, "/nowhere cannot be read (FileNotFoundError)", id="no file"),
        pytest.param({"token_file": "/dev/null"}, {}, "/dev/null cannot be read (OSError)", id="it is a device"),
        pytest.param({"secret_env": "S", "tenant": ""}, {"S": "s"}, "the tenant or the client", id="no tenant"),
        pytest.param({"secret_env": "S", "authority": "http://e.example"}, {"S": "s"}, "is not https", id="plain http"),
    ],
)
def test_what_cannot_be_asked_for_is_told_before_anything_is_sent(cloud, of, environ, says):
    source = AzureSource("p", **{"tenant": "t", "client_id": "c", "authority": cloud.url, **of})
    with pytest.raises(CredentialUnavailable) as told:
        azure_tokens.fetcher(source, environ)()
    assert says in str(told.value)
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(
            (401, {}, {"error": "invalid_client", "error_description": "AADSTS7000215: secret 'leak' is wrong"}),
            "the authority answered with status 401 (invalid_client)",
            id="the secret is wrong",
        ),
        pytest.param((400, {}, {"error": "leak"}), "the authority answered with status 400", id="an unknown error"),
        pytest.param((500, {}, b"leak"), "the authority answered with status 500", id="a fault"),
        pytest.param((302, {"location": "/leak"}, {}), "the authority answered with status 302", id="a redirect"),
        pytest.param((200, {}, b"leak"), "the answer of the authority is not JSON", id="no JSON"),
        pytest.param((200, {}, ["leak"]), "the answer of the authority is not a JSON object", id="no object"),
        pytest.param((200, {}, {"access_token": "leak"}), "does not say when the token expires", id="no expiry"),
        pytest.param(
            (200, {}, {"access_token": "leak", "token_type": "pop", "expires_in": 1}),
            "the authority gave no bearer token",
            id="bound to a key",
        ),
        pytest.param((200, {}, b"x" * 300_000), "more than 262144 bytes", id="it is too large"),
    ],
)
def test_what_is_no_token_is_told_without_quoting_it(cloud, answer, says):
    cloud.answer = lambda asked: answer
    with pytest.raises(CredentialUnavailable) as told:
        fetch(cloud, {"S": "my-secret"}, secret_env="S")
    assert str(told.value).endswith(says) or says in str(told.value)
    assert "leak" not in str(told.value)
    assert "my-secret" not in str(told.value)
    assert len(cloud.asked) == 1, "asked once, and nobody followed"
