"""The ext_proc filter and the cluster of worker processes behind it."""

from typing import Any

from extproc.xds.names import PROCESSOR_CLUSTER, typed
from extproc.xds.settings import EnvoySettings, seconds

MIB = 1024 * 1024
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def attempt_filter(settings: EnvoySettings, *, whole: bool) -> dict[str, Any]:
    """The filter of the listeners inside, which makes an attempt's request. It sees the answer's headers and, with
    `whole`, holds them until the answer is complete; masking and translating are the gateway's own filter's."""
    answers = {"response_body_mode": "FULL_DUPLEX_STREAMED", "response_trailer_mode": "SEND"} if whole else {}
    made = processor_filter(settings)
    config = made["typed_config"]
    config["processing_mode"] = {
        "request_header_mode": "SEND",
        "request_body_mode": "BUFFERED",
        "request_trailer_mode": "SKIP",
        "response_header_mode": "SEND",
        "response_body_mode": "NONE",
        "response_trailer_mode": "SKIP",
        **answers,
    }
    return made


def processor_filter(settings: EnvoySettings) -> dict[str, Any]:
    """The gateway's ext_proc filter. Requests are judged whole (BUFFERED: headers are held until the body was judged),
    answers stream both ways (FULL_DUPLEX_STREAMED), and no failure of the processor lets anything pass."""
    previous_hosts = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        "name": "envoy.filters.http.ext_proc",
        "typed_config": typed(
            "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            grpc_service={
                "envoy_grpc": {"cluster_name": PROCESSOR_CLUSTER},
                # A stream moves to another worker as long as the first has answered nothing: a killed worker is
                # unnoticed. After its first answer Envoy never retries, so nothing is judged twice.
                "retry_policy": {
                    "retry_on": "connect-failure,reset,unavailable",
                    "num_retries": 3,
                    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.5s"},
                    "host_selection_retry_max_attempts": 5,
                    "retry_host_predicate": [
                        {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": typed(previous_hosts)}
                    ],
                },
            },
            failure_mode_allow=False,
            allow_mode_override=False,
            message_timeout=seconds(settings.message_timeout),
            route_cache_action="CLEAR",
            processing_mode={
                "request_header_mode": "SEND",
                "request_body_mode": "BUFFERED",
                "request_trailer_mode": "SKIP",
                "response_header_mode": "SEND",
                "response_body_mode": "FULL_DUPLEX_STREAMED",
                "response_trailer_mode": "SEND",
            },
            # :authority, :scheme and host are ours to choose; a mutation that is refused is an error, not a shrug.
            # `x-envoy-*` is how it says how often and on what to retry.
            mutation_rules={"allow_all_routing": True, "allow_envoy": True, "disallow_is_error": True},
            request_attributes=["source.address", "request.id", "xds.filter_chain_name"],
            response_attributes=["response.code_details", "upstream.request_attempt_count"],
        ),
    }


def processor_cluster(settings: EnvoySettings) -> dict[str, Any]:
    """One Unix socket per worker, health-checked. Circuit breakers count open streams, so they are far above them.

    Round robin, since an exchange is one stream and needs no affinity. A ring hash walks the same ring at every retry:
    with a worker just killed it kept choosing the dead one, and requests failed that the other could have judged.
    """
    limit = settings.max_connections * 2
    return {
        "name": PROCESSOR_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        # One message holds a whole request body.
        "per_connection_buffer_limit_bytes": settings.max_request_bytes + 4 * MIB,
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": limit, "max_pending_requests": limit, "max_requests": limit, "max_retries": limit}
            ]
        },
        "health_checks": [
            {
                "timeout": "2s",
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_interval": "0.5s",
                "unhealthy_threshold": 1,
                "healthy_threshold": 1,
                "grpc_health_check": {},
            }
        ],
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: typed(
                _HTTP_OPTIONS,
                explicit_http_config={
                    "http2_protocol_options": {
                        "initial_stream_window_size": 4 * MIB,
                        "initial_connection_window_size": 64 * MIB,
                        "max_concurrent_streams": 1_000_000,
                    }
                },
            )
        },
        "load_assignment": {
            "cluster_name": PROCESSOR_CLUSTER,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": p}}}} for p in settings.processors]}
            ],
        },
    }
