"""Names shared by what is rendered and by the processor: the contract between Envoy's side and ours."""

from extproc.session.plan import BREAKING, COUNT, HOST, STREAMED, WHOLE

__all__ = [
    "BREAKING",
    "COUNT",
    "DETAILS_PREFIX",
    "HOST",
    "PROCESSOR_CLUSTER",
    "STREAMED",
    "UPSTREAM_HEADER",
    "WHOLE",
    "typed",
]

PROCESSOR_CLUSTER = "gatereeve"
# Names the upstream cluster. Set by the processor only: clients' copies are removed before any filter runs, and the
# route removes it on the way out.
UPSTREAM_HEADER = "x-gatereeve-upstream"
# `details` of every immediate response start so; other local replies are Envoy's own and get our JSON bodies.
DETAILS_PREFIX = "gatereeve"

TYPE = "type.googleapis.com/"


def typed(message: str, **fields: object) -> dict[str, object]:
    """A `google.protobuf.Any` in JSON form."""
    return {"@type": TYPE + message, **fields}
