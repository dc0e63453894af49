"""Who may receive which data, through the real Envoy: a call goes nowhere that its class may not, in any attempt."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import Ports, request
from tests.envoy.issuer import AUDIENCE
from tests.envoy.policies import chat, completion, document
from tests.envoy.upstream import Line, Upstream

CARD = "4111 1111 1111 1111"
RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"ok"}],"isError":false}}'


@dataclass
class Site:
    """A gateway before a provider in the cloud, which may have internal data, one in the house, and two MCP servers."""

    made: Scripted
    cloud: Upstream
    house: Upstream

    def ask(self, model: str = "both", text: str = "hello", **claims: Any) -> httpx2.Response:
        return self._post("/v1/chat/completions", chat(text, model=model), **claims)

    def use(self, server: str, method: str = "tools/call", **claims: Any) -> httpx2.Response:
        params = {"name": "read_x", "arguments": {}} if method == "tools/call" else {}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        accept = {"accept": "application/json, text/event-stream", "x-script": "mcp"}
        return self._post(f"/mcp/{server}", message, accept, **claims)

    def _post(self, path: str, body: Any, headers: dict[str, str] | None = None, **claims: Any) -> httpx2.Response:
        token = self.made.issuer.token("analysts", **claims)
        told = {"authorization": f"Bearer {token}", **(headers or {})}
        return request("POST", self.made.gateway.url + path, json=body, headers=told, timeout=20.0)

    def served(self, answer: httpx2.Response) -> str:
        assert answer.status_code == 200, answer.text
        return str(answer.headers["x-gatereeve-model"]).partition("/")[0]


async def ill(line: Line) -> None:
    await line.whole(b"{}", "503 Service Unavailable")


async def well(line: Line) -> None:
    await line.whole(completion("well"))


async def used(line: Line) -> None:
    await line.whole(RESULT)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = scripted_gateway(start=False, workers=2)
    built = Site(made, Upstream(Ports.take(1)), Upstream(Ports.take(1)))
    made.upstream.scripts["mcp"] = used
    built.cloud.scripts[""] = built.house.scripts[""] = well
    for entry in (
        document("IdentityProvider", "tests", issuer=made.issuer.issuer, audiences=[AUDIENCE],
                 keys={"inline": made.issuer.jwks()}, claims={"dataClass": "handles"}),
        document("LLMProvider", "cloud", dialects=["openai-chat"], url=f"http://127.0.0.1:{built.cloud.port}"),
        document("LLMProvider", "house", dialects=["openai-chat"], url=f"http://127.0.0.1:{built.house.port}",
                 dataClass="restricted"),
        document("Model", "both", targets=[{"provider": "cloud"}, {"provider": "house"}]),
        document("Model", "house-first", targets=[{"provider": "house"}, {"provider": "cloud"}]),
        document("Model", "cloud-only", targets=[{"provider": "cloud"}]),
        document("MCPServer", "salaries", url=f"http://127.0.0.1:{made.upstream.port}/mcp", dataClass="restricted",
                 rememberFor="1h"),
        document("MCPServer", "weather", url=f"http://127.0.0.1:{made.upstream.port}/mcp"),
        document("MaskProfile", "cards", rules=["card"]),
        document("AgentPolicy", "analysts", subjects=[{"groups": ["analysts"]}], showModel=True,
                 models={"allow": ["both", "house-first", "cloud-only"]},
                 mcp=[{"server": "*", "tools": {"allow": ["*"]}}],
                 detect=[{"profile": "cards", "dataClass": "confidential"}]),
    ):  # fmt: skip
        made.folder.write(entry)
    made.gateway.start()
    yield built
    made.gateway.finish()
    for upstream in (built.cloud, built.house, made.upstream):
        upstream.close()


def test_an_ordinary_call_goes_to_whoever_is_first(site: Site):
    answer = site.ask(sub="plain")
    assert site.served(answer) == "cloud"
    assert site.made.gateway.record(answer)["data_class"] == "internal"


@pytest.mark.promise("sensitivity.found")
@pytest.mark.promise("sensitivity.cleared")
def test_what_is_found_in_a_call_keeps_it_in_the_house(site: Site):
    site.cloud.seen.clear()
    answer = site.ask(text=f"my card is {CARD}", sub="careless")
    assert site.served(answer) == "house"
    assert site.cloud.seen == []
    record = site.made.gateway.record(answer)
    assert (record["data_class"], record["upstream"]) == ("confidential", "LLMProvider/house")
    assert "4111" not in str(record)


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        pytest.param("internal", "cloud", id="a class that the first may receive"),
        pytest.param("confidential", "house", id="one that it may not"),
        pytest.param("top secret", "house", id="a word that is no class counts as the highest"),
    ],
)
@pytest.mark.promise("sensitivity.claimed")
def test_the_tokens_word_counts(site: Site, said: str, provider: str):
    assert site.served(site.ask(handles=said, sub="claimed")) == provider


@pytest.mark.promise("sensitivity.exposed")
def test_who_has_used_a_server_is_held_to_its_class_by_every_worker(site: Site):
    assert site.served(site.ask(sub="reader")) == "cloud"
    assert site.use("weather", sub="reader").status_code == 200
    assert site.use("salaries", "tools/list", sub="reader").status_code == 200
    assert site.served(site.ask(sub="reader")) == "cloud", "to list is to see nothing yet"
    assert site.use("salaries", sub="reader").status_code == 200
    answers = [site.ask(sub="reader") for _ in range(20)]
    assert {site.served(answer) for answer in answers} == {"house"}
    ids = {answer.headers["x-gatereeve-id"].split("-")[2] for answer in answers}
    assert ids == {"0", "1"}, "both workers were asked"
    assert site.made.gateway.record(answers[0])["data_class"] == "restricted"
    assert site.served(site.ask(sub="another")) == "cloud", "others have seen nothing"


@pytest.mark.promise("sensitivity.refused")
def test_a_call_that_nobody_may_receive_is_refused_and_sent_nowhere(site: Site):
    site.cloud.seen.clear()
    answer = site.ask("cloud-only", f"my card is {CARD}", sub="careless")
    assert (answer.status_code, answer.headers["x-should-retry"]) == (403, "false")
    assert answer.json()["error"]["code"] == "provider-not-cleared"
    assert "Leave it out, or choose another model" in answer.json()["error"]["message"]
    assert site.cloud.seen == []
    record = site.made.gateway.record(answer)
    assert (record["verdict"], record["reason"], record["data_class"]) == (
        "deny",
        "provider-not-cleared",
        "confidential",
    )
    assert record["rule"].startswith("LLMProvider/cloud ")


@pytest.mark.promise("sensitivity.cleared")
def test_a_failure_goes_over_to_nobody_who_may_not_receive_the_call(site: Site):
    site.house.scripts[""] = ill
    try:
        site.cloud.seen.clear()
        answer = site.ask("house-first", f"my card is {CARD}", sub="unlucky")
        assert answer.status_code == 503
        assert site.cloud.seen == []
        assert site.served(site.ask("house-first", sub="unlucky")) == "cloud"
    finally:
        site.house.scripts[""] = well
