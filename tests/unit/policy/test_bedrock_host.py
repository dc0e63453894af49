"""Which service and region a host of Bedrock is signed for."""

import pytest

from extproc.policy.bedrock_host import service_of


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("bedrock-runtime.eu-west-1.amazonaws.com", ("bedrock", "eu-west-1")),
        ("Bedrock-Runtime-FIPS.us-gov-west-1.amazonaws.com:443", ("bedrock", "us-gov-west-1")),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", ("bedrock", "cn-north-1")),
        ("bedrock-runtime.eu-west-1.api.aws", ("bedrock", "eu-west-1")),
        ("bedrock-mantle.us-east-2.api.aws", ("bedrock-mantle", "us-east-2")),
        ("vpce-0abc-x.bedrock-runtime.eu-west-1.vpce.amazonaws.com", ("bedrock", "eu-west-1")),
        ("bedrock-runtime.amazonaws.com", None),
        ("bedrock-runtime.eu-west-1.amazonaws.com.evil.example", None),
        ("s3.eu-west-1.amazonaws.com", None),
        ("amazonaws.com", None),
        ("", None),
    ],
)
def test_a_host_tells_service_and_region(host, expected):
    assert service_of(host) == expected
