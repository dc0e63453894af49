"""What an operator or the supervisor decides about Envoy. Values only; the defaults are the product's."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EnvoySettings:
    """Inputs of `render` that are not policy.

    `folder` is where the xDS files are read from and `processors` are the Unix sockets of the workers, one each.
    """

    folder: str
    processors: tuple[str, ...]
    admin_socket: str
    address: str = "127.0.0.1"
    port: int = 10000
    node: str = "gatereeve"
    ca_bundle: str = ""  # trust anchors of upstreams that name none; "" means the first system bundle that exists
    max_request_bytes: int = 32 * MIB  # above it 413; the processor is told the same number
    max_header_kib: int = 96
    message_timeout: float = 30.0  # one answer of the processor, key fetches included
    stream_idle_timeout: float = 600.0  # silence on a stream, both ways; the only guard while a response streams
    request_headers_timeout: float = 15.0
    idle_connection_timeout: float = 900.0
    connect_timeout: float = 10.0
    max_connections: int = 20_000


def seconds(value: float) -> str:
    """A protobuf JSON duration: "1.5s"."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"
