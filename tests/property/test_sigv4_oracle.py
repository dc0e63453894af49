"""Signatures over generated requests, judged by two that do not share our code: botocore's signer, given the same
headers, and a verifier written here from AWS's published algorithm ("Create a signed AWS API request"), which sees the
request as it arrives. The verifier must itself accept AWS's published example and refuse any change."""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

import pytest
import time_machine
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from extproc.adapters import sigv4
from extproc.exchange import bedrock_path

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEYS = [sigv4.Keys("AKIDEXAMPLE", SECRET), sigv4.Keys("ASIDEXAMPLE", SECRET, "IQoJb3JpZ2luX2VjE/+a==" * 30)]
HOSTS = ["bedrock-runtime.eu-west-1.amazonaws.com", "bedrock-mantle.us-east-2.api.aws", "bedrock.example:8443"]
SAID = re.compile(r"AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})")


def accepted(method, host, target, headers, body, secret=SECRET):
    """Whether AWS takes a request: `target` is path and query as on the wire, `headers` lower-case."""
    credential, names, signature = SAID.fullmatch(headers["authorization"]).groups()
    _, day, region, service, end = credential.split("/")
    signed = names.split(";")
    present = {**headers, "host": host}
    # "The host header and any x-amz-* headers in the request must be included"; names are sorted.
    must = {"host", *(name for name in present if name.startswith("x-amz-"))}
    if signed != sorted(set(signed)) or not must <= set(signed) or end != "aws4_request":
        return False
    if not headers["x-amz-date"].startswith(day):
        return False
    path, _, query = target.partition("?")
    # Every service but S3: the path as it was sent, each segment URI-encoded once more.
    canonical_path = "/".join(spelled(segment.encode()) for segment in path.split("/")) or "/"
    pairs = sorted(
        (spelled(unquote_to_bytes(name)), spelled(unquote_to_bytes(value)))
        for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)
    )
    canonical = (
        f"{method}\n{canonical_path}\n"
        + "&".join(f"{name}={value}" for name, value in pairs)
        + "\n"
        + "".join(f"{name}:{re.sub(' +', ' ', present[name].strip())}\n" for name in signed)
        + f"\n{names}\n{hashlib.sha256(body).hexdigest()}"
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest(), signature)


def spelled(raw):
    return quote(raw, safe="-_.~")


def botocores(keys, method, url, headers, body, region, service):
    """What botocore itself sends: a plain use of its signer, with its own idea of which headers to sign."""
    request = AWSRequest(method, url, headers=headers, data=body)
    SigV4Auth(ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token), service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


SEGMENTS = st.lists(
    st.sampled_from(
        ["a", "Z9", "-", "_", "~", ".x", "%3A", "%2F", "%25", "%20", "%C3%A9", "%E2%82%AC", ":", "@", "+", "!"]
    ),
    min_size=1,
    max_size=6,
).map("".join)
MODELS = st.text("abcXYZ019-._~:@+/ é%€", min_size=1, max_size=30).filter(
    lambda model: not set(model.split("/")) & {"", ".", ".."}
)
PATHS = st.one_of(
    st.lists(SEGMENTS, min_size=1, max_size=5).map(lambda segments: "/" + "/".join(segments)),
    MODELS.map(lambda model: bedrock_path.encode(model, "converse-stream")),
)
HALVES = st.lists(
    st.sampled_from(["a", "B", "1", "~", "%3A", "%2F", "%c3%a9", "%20", ":", "/", "@", "%7E"]), max_size=4
)
QUERIES = st.lists(
    st.tuples(HALVES.filter(bool).map("".join), HALVES.map("".join)).map("=".join), max_size=4, unique=True
).map("&".join)
BODIES = st.one_of(st.binary(max_size=300), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")))
VALUES = st.text("abcXYZ 019/+=;,", max_size=20).map(str.strip).filter(bool)
HEADERS = st.fixed_dictionaries(
    {"content-type": st.sampled_from(["application/json", "application/json;  charset=utf-8"])},
    optional={
        "accept": st.just("application/vnd.amazon.eventstream"),
        "user-agent": VALUES,
        "traceparent": VALUES,
        "x-amzn-bedrock-trace": VALUES,
        "x-amz-target": VALUES,
        "x-amz-date": st.just("20000101T000000Z"),
        "x-amz-security-token": st.just("the client's"),
        "authorization": st.just("the client's"),
    },
)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))


@given(
    keys=st.sampled_from(KEYS),
    method=st.sampled_from(["POST", "GET"]),
    host=st.sampled_from(HOSTS),
    path=PATHS,
    query=QUERIES,
    headers=HEADERS,
    body=BODIES,
    region=st.sampled_from(["eu-west-1", "us-gov-west-1"]),
    service=st.sampled_from(["bedrock", "bedrock-mantle"]),
    now=TIMES,
)
@example(KEYS[1], "POST", HOSTS[0], "/model/arn%3Aaws%3A%252F/converse", "b=2&a=%2F&a=:", {"content-type": "x"}, b"",
         "eu-west-1", "bedrock", datetime(2026, 11, 21, tzinfo=UTC))  # fmt: skip
@pytest.mark.promise("credentials.sigv4")
def test_whatever_is_signed_is_signed_as_botocore_does_and_as_aws_checks(
    keys, method, host, path, query, headers, body, region, service, now
):
    target = f"{path}?{query}" if query else path
    url = f"https://{host}{target}"
    with time_machine.travel(now, tick=False):
        added = dict(sigv4.sign(keys, method, url, headers, body, region, service))
        # botocore takes the query for spelled as AWS hashes it; that is its caller's part.
        same = {name: value for name, value in headers.items() if name in ("content-type", "x-amz-target")}
        canonical = "&".join(
            "=".join(spelled(unquote_to_bytes(half)) for half in pair.split("=")) for pair in query.split("&") if pair
        )
        oracle = botocores(keys, method, f"https://{host}{path}?{canonical}", same, body, region, service)
    assert added == {name: oracle[name] for name in added}
    assert set(added) == {"authorization", "x-amz-date"} | ({"x-amz-security-token"} if keys.token else set())
    assert added["x-amz-date"] == now.strftime("%Y%m%dT%H%M%SZ")
    theirs = {"x-amz-date", "x-amz-security-token", "authorization"}  # which Envoy replaces or removes
    sent = {**{name: value for name, value in headers.items() if name not in theirs}, **added}
    assert accepted(method, host, target, sent, body)
    assert not accepted(method, host, target, sent, body + b" ")
    assert not accepted(method, host, target + "x", sent, body)
    assert not accepted(method, "other.example", target, sent, body)
    assert not accepted(method, host, target, {**sent, "content-type": "text/plain"}, body)
    assert not accepted(method, host, target, sent, body, secret="another")
    assert not accepted(method, host, target, {**sent, "x-amz-added": "1"}, body)


@pytest.mark.parametrize("spelling", ["a=b:c", "a=b%3Ac", "a=b%3ac"])
def test_a_query_that_means_the_same_has_the_same_signature(spelling):
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False):
        signed = [
            sigv4.sign(KEYS[0], "POST", f"https://{HOSTS[0]}/x?{query}", {}, b"", "eu-west-1", "bedrock")
            for query in ("a=b%3Ac", spelling)
        ]
    assert signed[0] == signed[1]


def test_the_verifier_accepts_the_examples_that_aws_publishes_and_no_other():
    said = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature="
    )
    date = {"x-amz-date": "20150830T123600Z"}
    vanilla = {**date, "authorization": said + "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"}
    ordered = {**date, "authorization": said + "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"}
    assert accepted("GET", "example.amazonaws.com", "/", vanilla, b"")
    assert accepted("GET", "example.amazonaws.com", "/?Param2=value2&Param1=value1", ordered, b"")
    assert not accepted("GET", "example.amazonaws.com", "/?Param2=value2&Param1=value1", vanilla, b"")
    assert not accepted("GET", "example.amazonaws.com", "/", ordered, b"")
