"""What is decided, and what is written down about it, through the real Envoy."""

import json

import httpx2
import pytest

from tests.envoy import policies
from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import request, until

GROUPS = [{"groups": ["engineering"]}]


def _agent(name: str, /, **spec) -> dict:
    return policies.document("AgentPolicy", name, **{"subjects": GROUPS, **spec})


@pytest.fixture(scope="module")
def deciding():
    """One gateway with policies of every kind; nothing is changed while it runs."""
    made = scripted_gateway(start=False)
    folder = made.folder
    for entry in (
        policies.document("Model", "pilot", targets=[{"provider": "scripted"}]),
        _agent("watched", subjects=[{"groups": ["watched"]}], mode="observe", models={"allow": ["pilot"]}),
        _agent("onlooked", subjects=[{"groups": ["onlooked"]}], mode="observe", masking="all"),
        _agent("beside", subjects=[{"groups": ["beside"]}], models={"allow": ["small"]}),
        _agent("beside-pilot", subjects=[{"groups": ["beside"]}], mode="observe", models={"deny": ["small"]}),
        _agent("short", subjects=[{"groups": ["short"]}], models={"allow": ["small"]}, when="call.maxTokens <= 100"),
        _agent("by-claim", subjects=[{"when": "has(identity.claims.level) && identity.claims.level == 7"}],
               models={"allow": ["small"]}),
        _agent("by-mail", subjects=[{"emails": ["*@corp.test"], "tenants": ["t1"]}], models={"allow": ["small"]}),
        _agent("denying", subjects=[{"groups": ["half"]}], models={"allow": ["*"], "deny": ["large"]}),
        policies.document("LLMProvider", "forbidden", dialects=["openai-chat"], url="http://127.0.0.1:9",
                          approved=False),
        policies.document("Model", "unapproved", targets=[{"provider": "forbidden"}]),
        policies.document("LLMProvider", "narrow", dialects=["cohere-chat"], url="http://127.0.0.1:9"),
        policies.document("Model", "command", targets=[{"provider": "narrow"}]),
        _agent("all", subjects=[{"groups": ["all"]}], models={"allow": ["*"]}),
    ):  # fmt: skip
        folder.write(entry)
    made.gateway.start()
    yield made
    made.gateway.finish()
    made.upstream.close()


def _call(made: Scripted, *groups: str, claims: dict | None = None, **body) -> httpx2.Response:
    token = made.issuer.token(*groups, **(claims or {}))
    return request("POST", f"{made.gateway.url}/v1/chat/completions", json=policies.chat(**body), timeout=20,
                       headers={"authorization": f"Bearer {token}", "user-agent": "agent/7"})  # fmt: skip


@pytest.mark.promise("decisions.default-deny")
@pytest.mark.promise("decisions.conditions")
@pytest.mark.promise("decisions.reasons")
@pytest.mark.promise("identity.claims")
@pytest.mark.parametrize(
    ("groups", "claims", "body", "status", "reason"),
    [
        pytest.param(["nobody"], {"email": ""}, {}, 403, "no-policy", id="nobody's policy: denied"),
        pytest.param(["engineering"], {}, {"model": "pilot"}, 403, "model-not-allowed", id="allowed by none"),
        pytest.param(["half"], {}, {"model": "large"}, 403, "model-not-allowed", id="deny beats allow"),
        pytest.param(["half"], {}, {"model": "gpt-4"}, 403, "model-not-allowed", id="deny reaches the alias"),
        pytest.param(["half"], {}, {"model": "small"}, 200, "allowed", id="and only what it names"),
        pytest.param(["short"], {}, {"max_tokens": 100}, 200, "allowed", id="a condition that holds"),
        pytest.param(["short"], {}, {"max_tokens": 101}, 403, "condition-false", id="a condition that does not hold"),
        pytest.param(["short"], {}, {}, 403, "condition-false", id="a limit that is not given is no limit"),
        pytest.param([], {"tenant": "t1"}, {}, 200, "allowed", id="by e-mail and tenant"),
        pytest.param([], {"level": 7}, {}, 200, "allowed", id="by a claim"),
        pytest.param([], {"level": 8}, {}, 403, "no-policy", id="by a claim with another value"),
        pytest.param([], {"tenant": "t2"}, {}, 403, "no-policy", id="another tenant"),
        pytest.param(["watched"], {}, {"model": "small"}, 200, "observed", id="only observed: allowed"),
        pytest.param(["all"], {}, {"model": "unapproved"}, 403, "provider-not-approved", id="a provider not approved"),
        pytest.param(["all"], {}, {"model": "command"}, 400, "dialect-unsupported", id="not over this API"),
    ],
)  # fmt: skip
def test_is_decided_with_its_reason(deciding: Scripted, groups, claims, body, status, reason):
    answer = _call(deciding, *groups, claims=claims, **body)
    assert answer.status_code == status, answer.text
    record = deciding.gateway.record(answer)
    assert record["reason"] == reason
    assert record["verdict"] == ("allow" if status == 200 else "deny")
    if status != 200:
        assert answer.json()["error"]["code"] == reason
        assert answer.headers["x-should-retry"] == "false"


@pytest.mark.promise("decisions.observe")
def test_observing_is_recorded_and_not_enforced(deciding: Scripted):
    record = deciding.gateway.record(_call(deciding, "watched", model="small"))
    assert record["mode"] == "observe"
    assert "model-not-allowed" in record["observed"]
    beside = _call(deciding, "beside", model="small")
    assert beside.status_code == 200
    record = deciding.gateway.record(beside)
    assert record["mode"] == "enforce"
    assert "beside-pilot" in record["observed"]
    assert "deny" in record["observed"]


def test_whom_only_an_observing_policy_selects_is_let_through_and_masked(deciding: Scripted):
    answer = _call(deciding, "onlooked", model="small", messages=[{"role": "user", "content": "4111 1111 1111 1111"}])
    assert answer.json()["choices"][0]["message"]["content"] == "[masked:card]"
    record = deciding.gateway.record(answer)
    assert (record["verdict"], record["reason"], record["mode"]) == ("allow", "observed", "observe")
    assert record["obligations"][-1] == "mask all"


@pytest.mark.promise("decisions.audit")
def test_the_record_tells_who_asked_what_became_of_it_and_why(deciding: Scripted):
    answer = _call(deciding, "engineering", model="gpt-4", claims={"tenant": "t9"})
    record = deciding.gateway.record(answer)
    expected = {
        "plane": "llm", "dialect": "openai-chat", "operation": "chat", "status": 200, "verdict": "allow",
        "reason": "allowed", "mode": "enforce", "subject": "ada", "provider": "tests", "groups": ["engineering"],
        "email": "ada@corp.test", "tenant": "t9", "model": "gpt-4", "upstream": "LLMProvider/scripted",
        "upstream_model": "upstream-large", "stream": False, "user_agent": "agent/7", "aborted": False,
        "guards_not_applied": [],
    }  # fmt: skip
    assert {name: record.get(name) for name in expected} == expected
    assert record["issuer"] == deciding.issuer.issuer
    assert record["source"].startswith("127.0.0.1:")
    assert "agentpolicy-engineering.yaml" in record["rule"]
    assert set(record["obligations"]) == {"route", "credential", "model", "mask all"}
    assert record["usage"]["input_tokens"] == 1
    assert record["usage"]["output_tokens"] == 2
    assert record["bytes"]["request"] > 0
    assert record["bytes"]["response"] > 0
    assert 0 < record["ms"]["upstream"] <= record["ms"]["total"]
    assert record["policy"] in deciding.gateway.policy_version()
    assert record["ts"].endswith("+00:00")


def test_a_refused_mcp_call_is_recorded_with_its_tool(deciding: Scripted):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "drop_all", "arguments": {}}}
    with deciding.client() as client:
        answer = client.post("/mcp/tools", json=message, headers={"accept": "application/json, text/event-stream"})
    record = deciding.gateway.record(answer)
    assert {name: record[name] for name in ("plane", "server", "method", "name", "verdict", "reason")} == {
        "plane": "mcp", "server": "tools", "method": "tools/call", "name": "drop_all", "verdict": "deny",
        "reason": "tool-not-allowed"}  # fmt: skip


@pytest.mark.promise("decisions.audit")
def test_every_exchange_has_exactly_one_record_and_all_are_written_before_the_end(own):
    made: Scripted = own()
    ids = [made.chat().headers["x-gatereeve-id"] for _ in range(30)]
    ids += [made.chat(model="none").headers["x-gatereeve-id"] for _ in range(30)]
    made.gateway.finish()
    written = [entry["id"] for entry in made.gateway.audit()]
    assert sorted(written) == sorted(ids)
    assert len(set(ids)) == 60


@pytest.mark.promise("decisions.audit-sinks")
def test_records_go_to_stdout_as_one_json_line_each(own):
    made: Scripted = own("--audit", "stdout:json")
    ids = {made.chat().headers["x-gatereeve-id"] for _ in range(10)}

    def lines() -> list[dict]:
        text = (made.gateway.state / "stdout").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    until("all lines are there", lambda: len(lines()) == 10)
    assert {entry["id"] for entry in lines()} == ids


@pytest.mark.promise("decisions.audit-sinks")
def test_an_audit_file_is_rotated_and_loses_nothing(own):
    made: Scripted = own("--audit-max-bytes", "4KiB", "--audit-backups", "50")
    ids = [made.chat().headers["x-gatereeve-id"] for _ in range(30)]
    made.gateway.finish()
    files = [path for path in made.gateway.state.glob("audit.jsonl*") if path.suffix != ".lock"]
    written = [json.loads(line)["id"] for path in files for line in path.read_bytes().splitlines()]
    assert len(files) > 3
    assert sorted(written) == sorted(ids)
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_metrics_count_decisions_tokens_and_masked_texts(own):
    made: Scripted = own()
    with made.client() as client:
        masked = client.post("/v1/chat/completions", json=policies.chat("card 4111 1111 1111 1111"))
    answers = [masked, made.chat(model="none"), made.chat()]
    for answer in answers:
        made.gateway.record(answer)
    # Workers add up for a moment before they count.
    until("all is counted", lambda: made.gateway.metric("gatereeve_decisions_total") == 3)
    assert made.gateway.metric('gatereeve_decisions_total{plane="llm",reason="model-unknown",verdict="deny"}') == 1
    assert made.gateway.metric('gatereeve_decisions_total{plane="llm",reason="allowed",verdict="allow"}') == 2
    assert made.gateway.metric("gen_ai_client_token_usage_sum") == 6
    assert made.gateway.metric('gatereeve_masked_total{rule="card"}') == 1
    assert made.gateway.metric("gatereeve_audit_dropped_total") == 0
