"""How Bedrock says no and lists models: the same words for Converse and InvokeModel.

AWS names an error in the header x-amzn-errortype and explains it in `message`; inside a stream it is an exception
message, whose type SDKs raise as an error of its name.
"""

from extproc.exchange import frame_answer, json_body
from extproc.exchange.model import JsonObject
from extproc.exchange.refusal import Refusal, Rendered

_TYPES = {
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    500: "InternalServerException",
    502: "ServiceUnavailableException",
    503: "ServiceUnavailableException",
    504: "ServiceUnavailableException",
}
_IN_STREAM = {
    429: "throttlingException",
    502: "modelStreamErrorException",
    503: "serviceUnavailableException",
    504: "serviceUnavailableException",
}


def render(refusal: Refusal) -> Rendered:
    """The refusal as the HTTP error that AWS SDKs raise."""
    kind = _TYPES.get(refusal.status, "InternalServerException" if refusal.status >= 500 else "ValidationException")
    headers = [("content-type", "application/json"), ("x-amzn-errortype", kind)]
    if refusal.status < 500 and refusal.status != 429:
        headers.append(("x-should-retry", "false"))  # Anthropic's SDK speaks Bedrock, too, and asks for it
    if refusal.id:
        headers.append(("x-amzn-requestid", refusal.id))
    return Rendered(refusal.status, (*headers, *refusal.headers), json_body.encode({"message": refusal.text}))


def event(refusal: Refusal) -> bytes:
    """The exception that ends a stream which has begun."""
    fallback = "internalServerException" if refusal.status >= 500 else "validationException"
    return frame_answer.exception(_IN_STREAM.get(refusal.status, fallback), {"message": refusal.text})


def models(names: tuple[str, ...]) -> bytes:
    """As ListFoundationModels answers."""
    return json_body.encode({"modelSummaries": [_model(name) for name in names]})


def model(name: str) -> bytes:
    """As GetFoundationModel answers."""
    return json_body.encode({"modelDetails": _model(name)})


def _model(name: str) -> JsonObject:
    """The alias is all there is to tell: its ARN names nobody's account."""
    return {
        "modelArn": f"arn:aws:bedrock:::foundation-model/{name}",
        "modelId": name,
        "modelName": name,
        "providerName": "gatereeve",
        "responseStreamingSupported": True,
    }
