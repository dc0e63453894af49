"""Hosts of Amazon Bedrock: which service and region a request to one of them is signed for."""

# The first label of a host, without "-fips", and the name its service signs by.
_SERVICES = {
    "bedrock-runtime": "bedrock",
    "bedrock-agent-runtime": "bedrock",
    "bedrock": "bedrock",
    "bedrock-mantle": "bedrock-mantle",
}


def service_of(host: str) -> tuple[str, str] | None:
    """(signing name, region) of one of Bedrock's hosts, VPC endpoints included; None for any other host. Both go into
    the signature, and AWS refuses one that is for another region than the host's."""
    labels = host.lower().partition(":")[0].split(".")
    if labels[-2:] in (["api", "aws"], ["amazonaws", "com"]):
        labels = labels[:-2]
    elif labels[-3:] == ["amazonaws", "com", "cn"]:
        labels = labels[:-3]
    else:
        return None
    if labels and labels[-1] == "vpce":
        labels = labels[1:-1]  # vpce-0abc.bedrock-runtime.eu-west-1.vpce
    service = _SERVICES.get(labels[0].removesuffix("-fips")) if len(labels) == 2 else None
    return (service, labels[1]) if service and labels[1] else None
