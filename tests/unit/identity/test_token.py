import pytest

from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.token import MAX_TOKEN, Unverified, base64url, extract, peek


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"authorization": "Bearer a.b.c"}, "a.b.c", id="a bearer token is found"),
        pytest.param({"authorization": "bEARER a.b.c"}, "a.b.c", id="the scheme is case-insensitive"),
        pytest.param({"authorization": "Bearer   a.b.c "}, "a.b.c", id="extra blanks do not matter"),
        pytest.param({"x-api-key": "a.b.c"}, "a.b.c", id="an Anthropic SDK's header is found"),
        pytest.param({"api-key": "a.b.c"}, "a.b.c", id="an Azure SDK's header is found"),
        pytest.param(
            {"authorization": "Bearer a.b.c", "x-api-key": "a.b.c"}, "a.b.c", id="the same token twice is one token"
        ),
        pytest.param({"authorization": "Bearer a.b.c", "x-api-key": ""}, "a.b.c", id="an empty header is no token"),
        pytest.param({}, Reason.TOKEN_MISSING, id="no header at all is token-missing"),
        pytest.param({"authorization": "Bearer"}, Reason.TOKEN_MISSING, id="a scheme alone is token-missing"),
        pytest.param({"cookie": "a.b.c"}, Reason.TOKEN_MISSING, id="other headers are not looked at"),
        pytest.param(
            {"authorization": "Bearer a.b.c", "x-api-key": "d.e.f"},
            Reason.TOKEN_AMBIGUOUS,
            id="two different tokens are refused",
        ),
        pytest.param(
            {"x-api-key": "a.b.c", "api-key": "d.e.f"}, Reason.TOKEN_AMBIGUOUS, id="also in the other two headers"
        ),
        pytest.param(
            {"authorization": "Bearer a.b.c, Bearer a.b.c"}, Reason.TOKEN_AMBIGUOUS, id="two joined headers are refused"
        ),
        pytest.param({"authorization": "Basic dXNlcjpwdw=="}, Reason.TOKEN_MALFORMED, id="Basic is not accepted"),
        pytest.param(
            {"authorization": "Basic eA==", "x-api-key": "a.b.c"},
            Reason.TOKEN_MALFORMED,
            id="nor is it overlooked beside a good token",
        ),
        pytest.param({"authorization": "a.b.c"}, Reason.TOKEN_MALFORMED, id="a token without scheme is refused"),
        pytest.param({"x-api-key": "x" * (MAX_TOKEN + 1)}, Reason.TOKEN_MALFORMED, id="16 KiB is the limit"),
        pytest.param({"x-api-key": "x" * MAX_TOKEN}, "x" * MAX_TOKEN, id="16 KiB itself is not too long"),
    ],
)
def test_extract(headers, expected):
    result = extract(headers)
    assert (result.reason if isinstance(result, Refusal) else result) == expected


def test_no_refusal_quotes_the_token():
    for headers in ({"authorization": "Basic hunter2"}, {"x-api-key": "hunter2,hunter2"}):
        assert "hunter2" not in extract(headers).text


def test_peek_reads_header_issuer_and_kid_without_a_key(tools):
    token = (
        tools.b64({"alg": "RS256", "kid": "k1", "typ": "application/AT+JWT"}) + "." + tools.b64({"iss": "i"}) + ".AA"
    )
    seen = peek(token)
    assert isinstance(seen, Unverified)
    assert (seen.algorithm, seen.kid, seen.type, seen.issuer) == ("RS256", "k1", "at+jwt", "i")
    assert "claims" not in repr(seen)


def case(header=b'{"alg":"RS256"}', payload=b'{"iss":"i"}', signature="AA", id=""):
    return pytest.param(header, payload, signature, id=id)


@pytest.mark.parametrize(
    ("header", "payload", "signature"),
    [
        case(b'{"alg":"none","alg":"RS256"}', id="duplicate keys in the header"),
        case(payload=b'{"iss":"i","iss":"j"}', id="duplicate keys in the claims"),
        case(payload=b'{"iss":"i","a":{"b":1,"b":2}}', id="duplicate keys deeper down"),
        case(b'{"alg":"RS256","crit":["exp"]}', id="crit, even with a known name"),
        case(b'{"alg":"RS256","crit":[]}', id="an empty crit"),
        case(b'{"alg":"RS256","b64":false}', id="b64"),
        case(b'{"alg":"RSA-OAEP","enc":"A128GCM"}', id="an encrypted token's header"),
        case(b'{"alg":null}', id="alg null"),
        case(b'{"alg":["RS256"]}', id="alg a list"),
        case(b'{"typ":"JWT"}', id="no alg"),
        case(b'{"alg":"RS256","kid":7}', id="a numeric kid"),
        case(b'{"alg":"RS256","kid":"' + b"k" * 600 + b'"}', id="a kid of 600 characters"),
        case(b'{"alg":"RS256","typ":1}', id="a numeric typ"),
        case(b'["RS256"]', id="a header that is a list"),
        case(payload=b'"claims"', id="claims that are a string"),
        case(payload=b'{"iss":"i","exp":NaN}', id="NaN"),
        case(payload=b'{"iss":"i","exp":Infinity}', id="Infinity"),
        case(payload=b'{"sub":"\\ud800"}', id="an escaped lone surrogate"),
        case(payload=b'{"sub":"\xff"}', id="invalid UTF-8"),
        case(payload=b'\xef\xbb\xbf{"iss":"i"}', id="a byte order mark"),
        case(payload=b"[" * 6000, id="deep nesting"),
        case(payload=b'{"n":' + b"9" * 5000 + b"}", id="a number of 5000 digits"),
        case(payload=b'{"iss":"i"', id="JSON cut short"),
        case(payload=b"", id="nothing"),
        case(signature="AA==", id="padding"),
        case(signature="AB", id="stray bits in the last character"),
        case(signature="A+/A", id="the standard alphabet"),
        case(signature="AA AA", id="a blank inside"),
        case(signature="A", id="an impossible length"),
        case(signature="ÄÄ", id="non-ASCII"),
        case(signature="AA.AA", id="four segments"),
    ],
)
def test_a_token_that_can_be_read_in_two_ways_is_malformed(header, payload, signature, tools):
    result = peek(f"{tools.b64(header)}.{tools.b64(payload)}.{signature}")
    assert isinstance(result, Refusal)
    assert result.reason is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "sk-live-123", "a" * 1_000_000, "\x00.\x00.\x00"])
def test_what_is_no_token_is_malformed(token):
    assert peek(token).reason is Reason.TOKEN_MALFORMED


def test_base64url_has_one_spelling_per_value():
    assert base64url("AQID") == b"\x01\x02\x03"
    assert base64url("") == b""
