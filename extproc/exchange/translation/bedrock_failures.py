"""Bedrock's errors, as HTTP bodies and as exceptions inside a stream."""

from extproc.exchange.model import JsonObject
from extproc.exchange.translation.assembly import Failure
from extproc.exchange.translation.failures import unread

_IN_STREAM = {
    "throttlingException": 429,
    "validationException": 400,
    "serviceUnavailableException": 503,
    "modelTimeoutException": 504,
    "modelStreamErrorException": 502,
    "internalServerException": 500,
}
_MODEL_ERROR = 424  # AWS's way to say that the model failed: nobody else's clients know it as a failing server


def from_bedrock(doc: JsonObject, status: int = 0) -> Failure:
    """An error body: {message}, whose type stands in a header that is not known here."""
    status = 502 if status == _MODEL_ERROR else status or 500
    said = doc.get("message", doc.get("Message"))
    return Failure(status, said if type(said) is str and said else unread(status).message)


def from_exception(name: str, doc: JsonObject) -> Failure:
    """An exception message of a stream."""
    return Failure(_IN_STREAM.get(name, 500), from_bedrock(doc).message, name)
