"""Failover: listeners inside Envoy that every attempt of a call with several targets passes.

The gateway's own route retries towards one of these clusters. The listener behind it has a processor filter of its own,
which gets the client's judged request anew for each attempt, with the attempt's number, and makes of it what that
attempt's target understands. So an attempt knows nothing of the one before it: no header, credential or body of a first
provider can reach a second one, and a target that cannot even be asked (no credential, no translation) fails over like
one that answers 503. (An ext_proc filter at upstream level sees the headers of the attempt before, cannot fail over by
itself, and crashes Envoy 1.40 when it is given bodies.)

Two of them, by how answers pass: as they come, or begun only when they are complete, so that an answer that breaks off
in the middle can still be had from the next target.
"""

from typing import Any

from extproc.xds.listener import manager, route
from extproc.xds.names import STREAMED, WHOLE, typed
from extproc.xds.processor import attempt_filter
from extproc.xds.settings import EnvoySettings, seconds

MIB = 1024 * 1024
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_LISTENERS = {STREAMED: False, WHOLE: True}


def attempt_listeners(settings: EnvoySettings) -> list[dict[str, Any]]:
    """They have no address: nothing but a cluster of this Envoy reaches them."""
    return [_listener(name, settings, whole=whole) for name, whole in _LISTENERS.items()]


def attempt_clusters(settings: EnvoySettings) -> list[dict[str, Any]]:
    """The clusters that lead to these listeners."""
    return [_cluster(name, settings) for name in _LISTENERS]


def _listener(name: str, settings: EnvoySettings, *, whole: bool) -> dict[str, Any]:
    routes = {
        "name": name,
        "validate_clusters": False,
        "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route(settings, retried=False)]}],
    }
    http = manager(settings, name, routes, [attempt_filter(settings, whole=whole)])
    # What arrives here has passed the gateway's listener: its id is ours, and there is no client's address to judge by.
    http |= {"use_remote_address": False, "preserve_external_request_id": True}
    # What the gateway's listener took is not too large here, with a plan besides.
    http |= {"max_request_headers_kb": settings.max_header_kib + 40}
    return typed(
        "envoy.config.listener.v3.Listener",
        name=name,
        internal_listener={},
        per_connection_buffer_limit_bytes=MIB,
        filter_chains=[
            {
                "name": name,
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}],
            }
        ],
    )


def _cluster(name: str, settings: EnvoySettings) -> dict[str, Any]:
    limit = settings.max_connections * 2
    raw = typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")
    address = {"envoy_internal_address": {"server_listener_name": name}}
    internal = "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport"
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": MIB,
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": limit, "max_pending_requests": limit, "max_requests": limit, "max_retries": limit}
            ]
        },
        "transport_socket": {
            "name": "envoy.transport_sockets.internal_upstream",
            "typed_config": typed(
                internal, transport_socket={"name": "envoy.transport_sockets.raw_buffer", "typed_config": raw}
            ),
        },
        # HTTP/1.1: a connection of its own for each attempt under way. On one of HTTP/2, which many callers share, a
        # request that ends the connection (headers above 64 KiB, many resets) would end everybody's answers with it.
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: typed(
                _HTTP_OPTIONS,
                common_http_protocol_options={"idle_timeout": seconds(min(settings.idle_connection_timeout, 60.0))},
                explicit_http_config={"http_protocol_options": {"enable_trailers": True}},
            )
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
