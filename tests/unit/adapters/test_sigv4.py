"""Signatures, checked by a verifier written from AWS's published algorithm, which in turn must accept AWS's published
example and whatever boto3 itself signs."""

import hashlib
import hmac
import sys
from urllib.parse import quote, unquote, urlsplit

import boto3
import pytest
import time_machine
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from extproc.adapters import sigv4
from extproc.errors import StartupError
from extproc.exchange import bedrock_path

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
LONG = sigv4.Keys("AKIDEXAMPLE", SECRET)
SHORT = sigv4.Keys("AKIDEXAMPLE", SECRET, "session-token")
HOST = "bedrock-runtime.eu-west-1.amazonaws.com"


def verify(method, url, headers, body, secret=SECRET):
    """Whether AWS would accept a request as it arrives: `headers` are all of them, lower-case."""
    parts = urlsplit(url)
    scheme, _, rest = headers["authorization"].partition(" ")
    said = dict(item.strip().split("=", 1) for item in rest.split(","))
    _, day, region, service, end = said["Credential"].split("/")
    names = said["SignedHeaders"].split(";")
    assert (scheme, end, names) == ("AWS4-HMAC-SHA256", "aws4_request", sorted(names))
    assert {"host", "x-amz-date"} <= set(names)
    present = {**headers, "host": parts.netloc}
    assert {name for name in present if name.startswith("x-amz-")} <= set(names)  # AWS asks for all of them
    assert headers["x-amz-date"].startswith(day)
    path = "/".join(quote(segment, safe="-_.~") for segment in (parts.path or "/").split("/"))
    query = sorted(
        tuple(quote(unquote(half), safe="-_.~") for half in pair.partition("=")[::2])
        for pair in parts.query.split("&")
        if pair
    )
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(f"{key}={value}" for key, value in query),
            *[f"{name}:{' '.join(present[name].split())}" for name in names],
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    signed = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for step in (day, region, service, "aws4_request", signed):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.compare_digest(key.hex(), said["Signature"])


def ours(method="POST", path="/model/m/converse", headers=None, body=b"{}", keys=LONG, service="bedrock"):
    url = f"https://{HOST}{path}"
    sent = {"content-type": "application/json", **(headers or {})}
    added = dict(sigv4.sign(keys, method, url, sent, body, "eu-west-1", service))
    return url, {**sent, **added}, added


def test_the_verifier_accepts_the_example_that_aws_publishes():
    signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    said = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
    headers = {"x-amz-date": "20150830T123600Z", "authorization": said}
    assert verify("GET", "https://example.amazonaws.com/", headers, b"")
    assert not verify("GET", "https://example.amazonaws.com/x", headers, b"")


@pytest.mark.parametrize("token", [None, "session-token"])
def test_the_verifier_accepts_what_boto3_signs(token):
    seen = []

    def answer(request, **_):
        seen.append(request)
        return AWSResponse(request.url, 500, {}, None)

    client = boto3.client(
        "bedrock-runtime", region_name="eu-west-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key=SECRET,
        aws_session_token=token, config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    client.meta.events.register("before-send", answer)
    with pytest.raises(Exception):  # noqa: B017, PT011  (there is no answer to parse)
        client.converse(modelId="arn:aws:bedrock:x:1:inference-profile/eu.y-v1:0", messages=[])
    (request,) = seen
    headers = {name.lower(): v.decode() if isinstance(v, bytes) else v for name, v in request.headers.items()}
    assert verify("POST", request.url, headers, request.body)
    assert not verify("POST", request.url, headers, request.body + b" ")


@pytest.mark.parametrize("keys", [LONG, SHORT], ids=["long-lived", "temporary"])
def test_a_signed_request_is_accepted_and_any_change_of_it_is_not(keys):
    path = bedrock_path.encode("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.x-v1:0", "converse")
    url, headers, added = ours(path=path, keys=keys)
    assert verify("POST", url, headers, b"{}")
    assert ("x-amz-security-token" in added) == (keys is SHORT)
    assert not verify("GET", url, headers, b"{}")
    assert not verify("POST", url, headers, b"{} ")
    assert not verify("POST", url.replace("%3A", ":"), headers, b"{}")
    assert not verify("POST", url.replace("eu-west", "us-west"), headers, b"{}")
    assert not verify("POST", url + "?a=1", headers, b"{}")
    assert not verify("POST", url, {**headers, "content-type": "text/plain"}, b"{}")
    assert not verify("POST", url, headers, b"{}", secret="another")


def test_only_what_nothing_on_the_way_rewrites_is_signed_and_the_clients_own_signature_is_not_kept():
    theirs = {
        "content-length": "2",
        "user-agent": "x",
        "traceparent": "x",
        "accept-encoding": "identity",
        "x-forwarded-proto": "https",
        "authorization": "AWS4-HMAC-SHA256 theirs",
        "x-amz-date": "20000101T000000Z",
        "x-amz-security-token": "theirs",
        "x-amz-content-sha256": "theirs",
    }
    _, _, added = ours(headers=theirs)
    assert "SignedHeaders=content-type;host;x-amz-date," in added["authorization"]
    assert set(added) == {"authorization", "x-amz-date"}
    assert "theirs" not in str(added)


def test_the_scope_names_day_region_and_service():
    with time_machine.travel("2026-11-21T23:59:59Z", tick=False):
        _, _, added = ours(service="bedrock-mantle")
    assert "Credential=AKIDEXAMPLE/20261121/eu-west-1/bedrock-mantle/aws4_request," in added["authorization"]
    assert added["x-amz-date"] == "20261121T235959Z"


@given(
    model=st.text("abcXYZ019-._~:@+/ é%", min_size=1, max_size=30).filter(
        lambda m: not set(m.split("/")) & {"", ".", ".."}
    ),
    query=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c%20d"]), st.sampled_from(["", "1", "%2F", "x~y"])), max_size=3
    ),
    body=st.binary(max_size=200),
    keys=st.sampled_from([LONG, SHORT]),
)
def test_whatever_is_signed_is_accepted(model, query, body, keys):
    path = bedrock_path.encode(model, "converse-stream")
    path += "?" + "&".join(f"{key}={value}" for key, value in query) if query else ""
    url, headers, _ = ours(path=path, body=body, keys=keys)
    assert verify("POST", url, headers, body)


def test_keys_show_nothing():
    assert SECRET not in repr(SHORT)
    assert "session-token" not in f"{SHORT} {[SHORT]}"


def test_without_botocore_the_remedy_is_named(monkeypatch):
    sigv4._botocore.cache_clear()
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    with pytest.raises(StartupError, match=r"gatereeve\[aws\]"):
        ours()
    sigv4._botocore.cache_clear()
