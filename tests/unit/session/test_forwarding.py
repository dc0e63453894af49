"""The request as the upstream gets it, and the calls the gateway answers itself."""

import gzip
import json
from typing import Any

import pytest

from extproc.session import forwarding
from extproc.session.actions import RequestBodyReply, RequestHeadersReply, Respond
from tests.unit.session.transcript import (
    CANARY,
    PROMPT,
    SECRET,
    TOKEN,
    Playbook,
    allowed,
    anthropic,
    body,
    chat,
    forwards,
    mcp,
    messages,
    openai,
    over,
    policy,
    refuses,
    request,
    rpc,
    sealed,
    tool,
)


def sent(headers: Any, said: Any) -> RequestBodyReply:
    kept: list[Any] = []
    assert Playbook() >> headers << RequestHeadersReply() >> said << forwards(kept)
    return kept[0]


@pytest.mark.promise("llm.rewrite")
@pytest.mark.promise("credentials.injected")
def test_a_chat_goes_to_the_policys_upstream_as_the_policys_model_with_its_credential() -> None:
    reply = sent(chat(), body())
    assert reply.set[0] == ("x-gatereeve-upstream", policy().providers["demo"].upstream.cluster)
    assert reply.set[1:] == (
        (":authority", "llm.example.com"),
        (":path", "/base/v1/chat/completions"),
        (":scheme", "https"),
        ("accept-encoding", "identity"),
        ("content-length", str(len(reply.body or b""))),
        ("content-type", "application/json"),
        ("authorization", f"Bearer {SECRET}"),
    )
    doc = json.loads(reply.body or b"")
    assert doc["model"] == "demo-large"
    assert doc["messages"][0]["content"] == PROMPT


def test_a_credential_goes_in_the_header_its_provider_reads() -> None:
    reply = sent(messages(), body(model="claude-sonnet"))
    assert dict(reply.set)["x-api-key"] == SECRET
    assert "authorization" in reply.remove
    assert "x-api-key" not in reply.remove


@pytest.mark.parametrize(
    ("method", "end"),
    [
        ("generateContent?key=stolen&alt=proto", "generateContent"),
        ("streamGenerateContent?alt=sse&key=stolen", "streamGenerateContent?alt=sse"),
        ("streamGenerateContent", "streamGenerateContent"),
    ],
)
def test_a_path_that_names_the_model_is_written_anew(method: str, end: str) -> None:
    headers = request(f"/v1beta/models/flash:{method}", authorization=None, x_goog_api_key=f"{TOKEN}-engineering")
    reply = sent(headers, body({"contents": [{"parts": [{"text": PROMPT}]}], "model": "models/dear"}))
    assert dict(reply.set)[":path"] == f"/v1beta/models/gemini-3-flash:{end}"
    assert dict(reply.set)["x-goog-api-key"] == SECRET
    assert json.loads(reply.body or b"") == {"contents": [{"parts": [{"text": PROMPT}]}]}


def test_a_deployment_of_azures_is_a_model_like_any_other() -> None:
    headers = request(
        "/openai/deployments/gpt-4/chat/completions?api-version=1", authorization=None, api_key=f"{TOKEN}-engineering"
    )
    reply = sent(headers, body(model="something-else"))
    assert dict(reply.set)[":path"] == "/base/v1/chat/completions"
    assert json.loads(reply.body or b"")["model"] == "demo-large"


CREDENTIALS = {
    "x_api_key": f"{TOKEN}-engineering",
    "api_key": f"{TOKEN}-engineering",
    "x_goog_api_key": f"{TOKEN}-engineering",
    "proxy_authorization": CANARY,
    "cookie": f"session={CANARY}",
    "x_auth_token": CANARY,
    "x_amz_security_token": CANARY,
    "x_amz_date": "20260101",
    "openai_organization": "org-1",
    "x_gatereeve_subject": "root",
    "x_forwarded_for": "10.0.0.1",
    "x_forwarded_prefix": "/admin",
    "x_original_url": "/v1/files",
    "x_rewrite_url": "/v1/files",
    "x_http_method_override": "DELETE",
    "range": "bytes=8-",
    "if_range": "x",
    "expect": "100-continue",
    "content_digest": "sha-256=:x:",
    # Who the caller is, as proxies tell servers that believe them.
    "remote_user": "root",
    "x_remote_user": "root",
    "x_auth_request_email": "root@example.com",
    "x_authenticated_user": "root",
    "x_webauth_user": "root",
    "x_goog_authenticated_user_email": "root@example.com",
    "x_goog_iap_jwt_assertion": CANARY,
    "x_ms_client_principal_name": "root",
    "x_ms_token_aad_access_token": CANARY,
    "x_amzn_oidc_data": CANARY,
    "x_consumer_username": "root",
    "ssl_client_s_dn": "CN=root",
    "x_client_cert": CANARY,
    # Where the caller is.
    "cf_connecting_ip": "10.0.0.1",
    "cf_access_jwt_assertion": CANARY,
    "true_client_ip": "10.0.0.1",
    "x_client_ip": "10.0.0.1",
    # A credential by other names.
    "x_authorization": f"Bearer {CANARY}",
    "authentication": CANARY,
    "x_jwt_assertion": CANARY,
    "x_id_token": CANARY,
    "x_secret": CANARY,
    # Whatever it is called, it is the client's token.
    "x_tracing": f"{TOKEN}-engineering",
    "x_quoted": f'"a={TOKEN}-engineering;b"',
    "user_agent": f"agent/1.0 ({TOKEN}-engineering)",
}


@pytest.mark.promise("credentials.stripped")
@pytest.mark.parametrize("name", [*CREDENTIALS, "authorization"])
@pytest.mark.parametrize("plane", ["llm", "mcp", "mcp without a body"])
def test_no_upstream_sees_the_clients(name: str, plane: str) -> None:
    extra = {name: CREDENTIALS[name]} if name in CREDENTIALS else {}
    header = name.replace("_", "-")
    if plane == "llm":
        reply: Any = sent(messages(**extra), body(model="claude-sonnet"))
    elif plane == "mcp":
        reply = sent(mcp(**extra), tool("read_note"))
    else:
        kept: list[Any] = []
        assert Playbook() >> mcp(method="GET", **extra) << forwards(kept)
        reply = kept[0]
    if header in dict(reply.set):
        assert dict(reply.set)[header] == SECRET  # overwritten, so that it cannot be appended to
        assert header not in reply.remove
    else:
        assert header in reply.remove


@pytest.mark.promise("llm.survives")
def test_beta_and_version_headers_go_on() -> None:
    reply = sent(
        messages(anthropic_beta="a,b", x_stainless_os="Linux", idempotency_key="k", x_forwarded_proto="http"),
        body(model="claude-sonnet"),
    )
    touched = {name for name, _ in reply.set} | set(reply.remove)
    kept = {"anthropic-beta", "anthropic-version", "x-stainless-os", "idempotency-key", "x-note", "x-forwarded-proto"}
    assert not touched & kept


def test_the_clients_own_routing_header_is_overwritten_and_not_removed() -> None:
    reply = sent(chat(x_gatereeve_upstream="elsewhere"), body())
    assert dict(reply.set)["x-gatereeve-upstream"] != "elsewhere"
    assert "x-gatereeve-upstream" not in reply.remove


@pytest.mark.promise("credentials.stripped")
@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        pytest.param("", "", id="of nothing"),
        pytest.param("beta=true", "?beta=true", id="without a credential"),
        pytest.param("key=K", "", id="with only a key"),
        pytest.param("a=1&key=K&b=2", "?a=1&b=2", id="with a key in the middle"),
        pytest.param("%6bey=K&a=%20", "?a=%20", id="with an escaped key"),
        pytest.param("%6B%65%79=K", "", id="with a key that is all escapes"),
        pytest.param("KEY=K&Api_Key=K&api-key=K&access_token=K", "", id="with keys of many spellings"),
        pytest.param("+key=K", "", id="with a key after a space"),
        pytest.param("key[]=K", "", id="with a list of keys"),
        pytest.param("a=1;key=K", "", id="with a key behind a semicolon"),
        pytest.param("key", "", id="with a key without value"),
        pytest.param("monkey=1&keys=2", "?monkey=1&keys=2", id="with what only resembles a key"),
        pytest.param("&&a", "?&&a", id="with empty parts"),
        pytest.param("%ff=1", "?%ff=1", id="that is not UTF-8"),
        pytest.param(
            "authorization=K&Auth=K&subscription-key=K&sig=K&code=K&a=1", "?a=1", id="with keys by other names"
        ),
        pytest.param("X-Amz-Signature=K&x-goog-credential=K&client_secret=K&a=1", "?a=1", id="with a signature"),
        pytest.param("a=t0ken.of-the_client&b=1", "?b=1", id="with the client's token under any name"),
        pytest.param("a=x%740ken.of%2Dthe_clienty&b=1", "?b=1", id="with the client's token in escapes"),
        pytest.param("t0ken.of-the_client=1&b=1", "?b=1", id="with the client's token as a name"),
        pytest.param(
            "model=evil&models[]=evil&Deployment=evil&api_base=evil&a=1", "?a=1", id="with a model of its own"
        ),
        pytest.param("api-version=2025-01-01&beta=true", "?api-version=2025-01-01&beta=true", id="with versions"),
    ],
)
def test_the_query(raw: str, kept: str) -> None:
    assert forwarding.query(raw, "t0ken.of-the_client") == kept


@pytest.mark.promise("credentials.stripped")
def test_the_query_of_a_call_goes_on_without_its_key() -> None:
    reply = sent(request(f"/v1/messages?beta=true&%6bey={SECRET}"), body(model="claude-sonnet"))
    assert dict(reply.set)[":path"] == "/v1/messages?beta=true"
    assert dict(sent(request(f"/mcp/notes?key={SECRET}&a=b"), tool("read_note")).set)[":path"] == "/rpc?a=b"


@pytest.mark.promise("llm.survives")
def test_unknown_fields_key_order_and_big_integers_survive() -> None:
    big = 2**200
    said = f'{{"zeta":{big},"model":"gpt-4","x_new":{{"b":1.50,"a":null}},"messages":[],"seed":-0}}'
    reply = sent(chat(), body(said.encode()))
    assert reply.body is not None
    assert list(json.loads(reply.body)) == ["zeta", "model", "x_new", "messages", "seed"]
    assert str(big).encode() in reply.body
    assert b'"x_new":{"b":1.5,"a":null}' in reply.body


@pytest.mark.promise("llm.judged-is-sent")
@pytest.mark.promise("bad-input.duplicate-keys")
@pytest.mark.parametrize(
    ("first", "last", "passes"),
    [("secret-model", "gpt-4", True), ("gpt-4", "secret-model", False)],
    ids=["the last one is allowed", "the last one is not"],
)
def test_of_two_models_one_is_judged_and_the_same_one_is_sent_when(first: str, last: str, passes: bool) -> None:
    said = body(f'{{"model":"{first}","messages":[],"model":"{last}"}}'.encode())
    playbook = Playbook()
    playbook >> chat() << RequestHeadersReply() >> said
    (action,) = playbook._pending
    if passes:
        assert action.body == b'{"model":"demo-large","messages":[]}'
    else:
        assert playbook << refuses(403, "model-not-allowed")


@pytest.mark.promise("bad-input.compressed-request")
def test_a_gzipped_body_is_judged_and_sent_plain() -> None:
    reply = sent(chat(content_encoding="gzip"), body(gzip.compress(body().body)))
    assert json.loads(reply.body or b"")["model"] == "demo-large"
    assert "content-encoding" in reply.remove
    assert dict(reply.set)["content-length"] == str(len(reply.body or b""))


def test_the_clients_content_type_is_not_what_the_upstream_reads() -> None:
    reply = sent(chat(content_type="application/json; profile=x,multipart/form-data"), body())
    assert dict(reply.set)["content-type"] == "application/json"


@pytest.mark.promise("mcp.judged-is-sent")
def test_an_mcp_message_is_sent_as_it_was_judged() -> None:
    said = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"delete_note","name":"read_note"}}'
    reply = sent(mcp(), body(said))
    assert reply.body == b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_note"}}'
    assert dict(reply.set)["x-notes-key"] == SECRET
    assert dict(reply.set)[":authority"] == "mcp.example.com"


@pytest.mark.promise("mcp.eras")
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_session_of_mcp_is_opened_and_closed_in_the_headers_phase(method: str) -> None:
    kept: list[Any] = []
    playbook = Playbook()
    headers = mcp(method=method, mcp_session_id=sealed("session", "s-1"), mcp_protocol_version="2025-11-25")
    assert playbook >> headers << forwards(kept)
    assert dict(kept[0].set)["mcp-session-id"] == "s-1"
    assert isinstance(kept[0], RequestHeadersReply)
    assert "content-length" not in dict(kept[0].set)
    assert "mcp-session-id" not in kept[0].remove
    assert over(playbook)["verdict"] == "allow"


@pytest.mark.parametrize("said", ["s-1", "~", sealed("task", "s-1"), sealed("session", "s-1", "other"), "x" * 70_000])
def test_a_session_that_is_not_the_callers_own_is_unknown(said: str) -> None:
    playbook = Playbook()
    assert playbook >> mcp(method="DELETE", mcp_session_id=said) << refuses(404, "session-unknown")


@pytest.mark.parametrize(
    "message",
    [
        rpc("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}}),
        rpc("notifications/initialized", id=None),
        rpc("ping"),
        rpc("tools/list"),
        body({"jsonrpc": "2.0", "id": 1, "result": {}}),
    ],
    ids=["initialize", "initialized", "ping", "tools/list", "a response"],
)
def test_an_mcp_client_may_say(message: Any) -> None:
    assert allowed(mcp(), message)


# -- answered here -----------------------------------------------------------------------------------------------------


def listed(playbook: Playbook) -> Any:
    (action,) = playbook._pending
    playbook._pending.clear()
    assert isinstance(action, Respond)
    assert action.rendered.status == 200
    headers = dict(action.rendered.headers)
    assert headers["cache-control"] == "no-store"
    assert headers["x-gatereeve-id"]
    return json.loads(action.rendered.body)


@pytest.mark.promise("llm.models")
def test_models_lists_what_the_caller_may_use_and_nothing_else() -> None:
    playbook = Playbook() >> request("/v1/models", "GET", end=True, group="bare")
    assert [model["id"] for model in listed(playbook)["data"]] == ["claude-sonnet", "gpt-4", "large"]
    entry = over(playbook)
    assert (entry["verdict"], entry["operation"], entry["status"]) == ("allow", "list_models", 200)
    playbook = Playbook() >> request("/v1/models", "GET", end=True, anthropic_version="2023-06-01", group="bare")
    assert listed(playbook)["has_more"] is False


@pytest.mark.promise("llm.models")
def test_one_model_is_told_only_to_who_may_use_it() -> None:
    playbook = Playbook() >> request("/v1/models/gpt-4", "GET", end=True)
    assert listed(playbook)["id"] == "gpt-4"
    playbook = Playbook()
    asked = request("/v1/models/secret-model", "GET", end=True)
    assert playbook >> asked << refuses(404, "model-unknown", shape=openai)
    assert over(playbook)["model"] == "secret-model"
    asked = request("/v1/models/x", "GET", end=True, anthropic_version="1")
    assert Playbook() >> asked << refuses(404, "model-unknown", shape=anthropic)


def test_who_may_use_no_model_gets_no_list() -> None:
    playbook = Playbook()
    assert playbook >> request("/v1/models", "GET", end=True, group="nobody") << refuses(403, "no-policy")


@pytest.mark.promise("llm.count-tokens")
def test_tokens_are_counted_by_the_provider_of_the_model_the_policy_names() -> None:
    reply = sent(request("/v1/messages/count_tokens"), body(model="claude-sonnet"))
    assert json.loads(reply.body or b"")["model"] == "demo-sonnet"
    assert dict(reply.set)[":path"] == "/v1/messages/count_tokens"
    assert (
        Playbook()
        >> request("/v1/messages/count_tokens")
        << RequestHeadersReply()
        >> body(model="secret-model")
        << refuses(403, "model-not-allowed", shape=anthropic)
    )
