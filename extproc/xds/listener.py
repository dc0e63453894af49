"""The gateway listener: how requests are read, cleaned and routed. Nothing in it depends on the policy, so that a
policy change never drains a listener."""

from typing import Any

from extproc.xds.local_reply import local_reply_config
from extproc.xds.names import COUNT, HOST, UPSTREAM_HEADER, typed
from extproc.xds.processor import processor_filter
from extproc.xds.settings import EnvoySettings, seconds

MIB = 1024 * 1024


# Set by Envoy for the processor; providers do not learn who calls. x-request-id stays: it is a fresh random id, and
# the bodies of Envoy's own failures take their id from it.
_HOP_HEADERS = ("x-forwarded-for", "x-forwarded-proto", "x-envoy-internal", "x-envoy-external-address")


def listener(settings: EnvoySettings) -> dict[str, Any]:
    """The one listener clients talk to: HTTP/1.1 and HTTP/2 with prior knowledge on the same port."""
    return typed(
        "envoy.config.listener.v3.Listener",
        name="gateway",
        address={"socket_address": {"address": settings.address, "port_value": settings.port}},
        per_connection_buffer_limit_bytes=MIB,
        filter_chains=[
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": _gateway(settings)}]}
        ],
    )


def manager(
    settings: EnvoySettings, name: str, routes: dict[str, Any], filters: list[dict[str, Any]]
) -> dict[str, Any]:
    """How HTTP is read, by the gateway's listener and by those inside. `name` is what its statistics begin with."""
    return typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        codec_type="AUTO",
        # One spelling of a path, so that what is judged is what the upstream reads.
        normalize_path=True,
        merge_slashes=True,
        # A Bedrock model may be an ARN, whose slashes AWS's SDKs escape. The processor serves no other path with one.
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        # The peer is who connected: X-Forwarded-For of a client is not believed, and ours is not told to providers.
        use_remote_address=True,
        xff_num_trusted_hops=0,
        skip_xff_append=True,
        internal_address_config={"unix_sockets": False},
        generate_request_id=True,
        preserve_external_request_id=False,
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout=seconds(settings.stream_idle_timeout),
        request_headers_timeout=seconds(settings.request_headers_timeout),
        max_request_headers_kb=settings.max_header_kib,
        common_http_protocol_options={
            "idle_timeout": seconds(settings.idle_connection_timeout),
            "max_headers_count": 200,
            # Some servers read `x_api_key` as `x-api-key`; no governed API has such a name.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        http2_protocol_options={
            "max_concurrent_streams": 1000,
            "initial_stream_window_size": MIB,
            "initial_connection_window_size": 4 * MIB,
        },
        route_config=routes,
        http_filters=[
            *filters,
            {
                "name": "envoy.filters.http.router",
                # Clients steer no retries or time-outs by header, and learn nothing of upstream timing.
                "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True),
            },
        ],
    )


def _gateway(settings: EnvoySettings) -> dict[str, Any]:
    http = manager(settings, "gateway", _routes(settings), [processor_filter(settings)])
    return http | {
        "early_header_mutation_extensions": [_strip_private_headers()],
        "local_reply_config": local_reply_config(),
    }


def _strip_private_headers() -> dict[str, Any]:
    """Client copies of our own and Envoy's control headers go before routing sees them."""
    prefixes = ("x-gatereeve-", "x-envoy-")
    # Who is calling and the request's id are ours to say: with these gone, no client address makes a trusted one.
    names = ("x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
             "x-forwarded-client-cert", "forwarded")  # fmt: skip
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": typed(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            mutations=[
                *({"remove_on_match": {"key_matcher": {"prefix": p, "ignore_case": True}}} for p in prefixes),
                *({"remove": name} for name in names),
            ],
        ),
    }


def route(settings: EnvoySettings, *, retried: bool) -> dict[str, Any]:
    """The one route of a listener. Without the header there is no cluster, and Envoy answers 503 by itself. It must be
    a real route, not a `direct_response`: only a route entry carries the buffer limit while a body is being judged.

    `retried`: Envoy may try again, as often and on what the processor says by header.
    """
    action: dict[str, Any] = {
        "cluster_header": UPSTREAM_HEADER,
        "cluster_not_found_response_code": "SERVICE_UNAVAILABLE",
        "timeout": "0s",
        "idle_timeout": seconds(settings.stream_idle_timeout),
    }
    if retried:
        # None by itself. A policy of the route is what lets the processor's headers say more.
        action["retry_policy"] = {
            "retry_on": "retriable-status-codes",
            "num_retries": 0,
            "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        }
    return {
        "match": {"prefix": "/"},
        "route": action,
        "request_body_buffer_limit": settings.max_request_bytes,
        # The number of an attempt is for the listener inside, not for the target.
        "request_headers_to_remove": [UPSTREAM_HEADER, *_HOP_HEADERS, *([] if retried else [COUNT])],
    }


def _routes(settings: EnvoySettings) -> dict[str, Any]:
    every = {"name": "gateway", "domains": ["*"], "routes": [route(settings, retried=False)]}
    # Chosen by the processor, which rewrites the authority. A client that writes it itself gains nothing: without the
    # processor's header there is no cluster.
    attempts = {
        "name": "attempts",
        "domains": [HOST],
        "include_request_attempt_count": True,
        "routes": [route(settings, retried=True)],
    }
    return {"name": "gateway", "validate_clusters": False, "virtual_hosts": [every, attempts]}
