"""A call as one target gets it: made from the client's own call alone, whoever was tried before."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from extproc.exchange import classify, json_body
from extproc.exchange.model import LlmCall
from extproc.exchange.refusal import Reason, Refusal
from extproc.policy.decision import Leg
from extproc.policy.load import load
from extproc.policy.routing import leg_of
from extproc.policy.runtime import CredentialSource, Policy
from extproc.session.outgoing import NOTHING, Asking, Sent, authenticated, outgoing, slim
from extproc.session.ports import Credential, Injected, Outgoing

KEYS = {"FIRST_KEY": "key-of-first-canary", "SECOND_KEY": "key-of-second-canary"}
TOKEN = "token-of-the-client"
CLIENT = {
    ":method": "POST",
    ":path": "/v1/chat/completions",
    "content-type": "application/json; charset=x",
    "authorization": f"Bearer {TOKEN}",
    "x-api-key": "client-key",
    "x-weird": f"also {TOKEN}",
    "cookie": "a=b",
    "x-gatereeve-plan": "p",
    "x-note": "n",
    "openai-beta": "assistants=v2",
    "user-agent": "sdk/1",
}


@cache
def several() -> Policy:
    return load(Path(__file__).parent / "several.yaml")


class Keys:
    """Warm secrets; remembers what it was asked to authenticate."""

    def __init__(self) -> None:
        self.asked: list[Outgoing] = []

    def header(self, source: CredentialSource) -> tuple[str, str] | None:
        raise NotImplementedError

    def inject(self, source: Credential, request: Outgoing) -> Injected | None:
        assert isinstance(source, CredentialSource)
        self.asked.append(request)
        secret = KEYS.get(source.env)
        if secret is None:
            return None
        return Injected(((source.header, source.format.replace("{}", secret)),), secret.encode())


def leg(model: str = "both", place: int = 0) -> Leg:
    found = leg_of(several().models[model].targets[place], "openai-chat")
    assert found is not None
    return found


def call(**more: object) -> LlmCall:
    doc = {"model": "both", "messages": [{"role": "user", "content": "hello"}], **more}
    return classify.DIALECTS["openai-chat"].read("chat", json_body.decode(json.dumps(doc).encode()), asking().place)


def asking(query: str = "", **headers: str) -> Asking:
    route = classify.classify("POST", "/v1/chat/completions", CLIENT)
    assert not isinstance(route, Refusal)
    return Asking({**CLIENT, **headers}, query, route.place, TOKEN)


def sent(made: LlmCall, where: Leg, who: Asking | None = None, keys: Keys | None = None, **more: object) -> Sent:
    found = outgoing(made, where, who or asking(), keys or Keys(), **more)  # type: ignore[arg-type]
    assert isinstance(found, Sent)
    return found


def test_each_target_gets_its_own_and_nothing_of_the_others():
    made = call(seed=7)
    first, second = sent(made, leg()), sent(made, leg(place=1))
    assert (first.secret, second.secret) == (b"key-of-first-canary", b"key-of-second-canary")
    assert "second" not in repr(dict(first.reply.set))
    assert "first" not in repr(dict(second.reply.set))
    assert (first.dropped, second.dropped) == ((), ("seed",))
    assert json.loads(first.reply.body or b"")["model"] == "up-1"
    assert json.loads(second.reply.body or b"")["model"] == "up-2"


def test_the_same_call_gives_the_same_request_whoever_was_tried_before():
    alone = sent(call(seed=7), leg(place=1))
    made = call(seed=7)
    sent(made, leg())
    assert isinstance(outgoing(made, leg("keyless-first"), asking(), Keys()), Refusal)
    after = sent(made, leg(place=1))
    assert (after.reply.body, after.reply.set, after.reply.remove) == (
        alone.reply.body, alone.reply.set, alone.reply.remove,
    )  # fmt: skip
    assert made.doc == call(seed=7).doc


@pytest.mark.parametrize("place", [0, 1])
def test_no_credential_of_the_clients_goes_on(place: int):
    reply = sent(call(), leg(place=place)).reply
    sets = dict(reply.set)
    for name in ("authorization", "x-api-key", "x-weird", "cookie", "x-gatereeve-plan"):
        assert name in reply.remove or name in sets
        assert TOKEN not in sets.get(name, "")
    assert "x-note" not in reply.remove
    assert sets["content-type"] == "application/json"
    assert not set(reply.remove) & set(sets), "what is set must not be removed"


def test_headers_of_the_clients_api_stay_out_of_another():
    assert "openai-beta" not in sent(call(), leg()).reply.remove
    assert "openai-beta" in sent(call(), leg(place=1)).reply.remove


def test_credentials_sign_the_request_that_is_sent():
    keys = Keys()
    made = sent(call(), leg(), keys=keys)
    (asked,) = keys.asked
    assert asked.method == "POST"
    assert asked.url == "https://first.example.com/base/v1/chat/completions"
    assert asked.body == made.reply.body
    assert asked.headers == {"content-type": "application/json"}
    assert dict(made.reply.set)[":path"] == "/base/v1/chat/completions"


def test_the_query_goes_on_without_credentials_and_only_in_the_same_api():
    who = asking("x=1&key=secret&model=other&t=" + TOKEN)
    assert dict(sent(call(), leg(), who).reply.set)[":path"] == "/base/v1/chat/completions?x=1"
    assert dict(sent(call(), leg(place=1), who).reply.set)[":path"] == "/v1/messages"


def test_without_a_credential_there_is_no_request():
    found = outgoing(call(), leg("keyless-first"), asking(), Keys())
    assert isinstance(found, Refusal)
    assert found.reason is Reason.CREDENTIAL_UNAVAILABLE


def test_what_cannot_be_translated_is_refused_with_why():
    found = outgoing(call(n=3), leg(place=1), asking(), Keys())
    assert isinstance(found, Refusal)
    assert found.reason is Reason.UNTRANSLATABLE
    assert found.message


def test_a_provider_without_a_credential_is_sent_none():
    target = leg().target
    open_to_all = replace(target.provider, upstream=replace(target.provider.upstream, credential=None))
    made = sent(call(), Leg(replace(target, provider=open_to_all), "openai-chat"))
    assert made.secret == b""
    assert "authorization" in made.reply.remove
    assert authenticated(open_to_all.upstream, "/", b"", Keys()) is NOTHING


def test_a_cluster_and_headers_may_be_named_besides():
    reply = sent(call(), leg(), cluster="llm_first+", more=(("x-envoy-y", "1"),)).reply
    assert dict(reply.set)["x-gatereeve-upstream"] == "llm_first+"
    assert dict(reply.set)["x-envoy-y"] == "1"
    assert dict(sent(call(), leg()).reply.set)["x-gatereeve-upstream"] == leg().target.provider.upstream.cluster


def test_nothing_that_is_kept_holds_the_prompt_or_a_secret():
    made = sent(call(), leg())
    assert slim(call(stream=True)).stream
    shown = repr((made, asking("q=" + TOKEN)))
    for secret in (TOKEN, "hello", "canary", "client-key"):
        assert secret not in shown
