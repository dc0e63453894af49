"""OpenAI Embeddings. What comes back is numbers, which nobody can read, and words only in errors."""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import fields, json_body, openai_error, seams, sse
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.sse_answer import SseAnswer, count
from extproc.exchange.text import TextFilter

_SHAPE = Shape(
    containers=frozenset({"data", "usage", "error"}),
    structural=frozenset({"object", "model", "id", "type", "code"}),
    texts=frozenset({"embedding", "message", "param"}),
    numbers=frozenset({"index", "prompt_tokens", "total_tokens"}),
    opaque=frozenset({("data", "embedding")}),
)
_TOP = fields.top("input")
_LARGEST = 10**12  # as in `leaves`: what is larger may be a number of somebody, and is none of a vector
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


class OpenAiEmbeddings:
    """Implements `exchange.model.Dialect`."""

    name = "openai-embeddings"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        fields.check(doc, _TOP)
        if "input" not in doc:
            fields.refuse("input", "a string, a list of strings, or tokens")
        return LlmCall(dialect=self.name, operation=operation, model=place.model or fields.model(doc), doc=doc)

    def write(self, call: LlmCall, model: str) -> bytes:
        return json_body.encode({**call.doc, "model": model})

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return "/v1/embeddings"

    def models(self, names: tuple[str, ...]) -> bytes:
        return openai_error.models(names)

    def model(self, name: str) -> bytes:
        return json_body.encode(openai_error.model(name))

    def refusal(self, refusal: Refusal) -> Rendered:
        return openai_error.render(refusal)

    def error_event(self, refusal: Refusal) -> bytes:
        """This API does not stream; an upstream that does is ended like a chat."""
        return sse.encode("", json_body.encode({"error": openai_error.error(refusal)}))

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return EmbeddingsAnswer(mask)


class EmbeddingsAnswer(SseAnswer):
    """Implements `exchange.model.Answer`. Embeddings pass with a note; that they are numbers is checked."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)

    def observe(self, doc: JsonObject) -> None:
        model = doc.get("model")
        if type(model) is str and model:
            self.model = model
        if "usage" in doc:
            self.usage.input_tokens = count(doc, "usage", "prompt_tokens")

    def mask_document(self, leaves: Leaves, doc: JsonObject) -> JsonObject:
        return self._mask_all(leaves, doc, None)

    def _mask_all(self, leaves: Leaves, doc: JsonObject, place: seams.Place | None) -> JsonObject:
        data = doc.get("data")
        aside: list[Any] = []
        for item in data if type(data) is list else ():
            vector = item.get("embedding") if type(item) is dict else None
            if vector is not None:
                _check(vector)
                if type(vector) is str:
                    vector = leaves.sealed("embedding", vector)
                else:
                    leaves.notes["uninspected-embedding"] = None
                item["embedding"] = None  # keeps its place: a walk over thousands of numbers would find nothing
            aside.append(vector)
        masked = leaves.known(doc, "", "", place)
        for item, vector in zip(masked["data"] if aside else (), aside, strict=True):
            if vector is not None:
                item["embedding"] = vector
        return masked

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        return sse.encode(name, json_body.encode(self._mask_all(leaves, doc, ("",))))

    def tails(self) -> bytes:
        return b""


def _check(vector: Any) -> None:
    """Raises `Uninspectable` for an embedding that is neither numbers nor base64."""
    if type(vector) is list:
        if not {type(number) for number in vector} <= {float, int}:
            raise Uninspectable("An embedding of the answer is not a list of numbers.")
        if vector and not (min(vector) > -_LARGEST and max(vector) < _LARGEST):
            raise Uninspectable("An embedding of the answer holds numbers that are none of a vector.")
    elif type(vector) is not str or not _BASE64.issuperset(vector.encode("utf-8", "surrogatepass")):
        raise Uninspectable("An embedding of the answer is neither numbers nor base64.")


DIALECT = OpenAiEmbeddings()
