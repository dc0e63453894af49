"""One Envoy cluster per upstream the policy names."""

import ipaddress
from pathlib import Path
from typing import Any

from extproc.policy.runtime import Upstream
from extproc.xds.names import BREAKING, typed
from extproc.xds.settings import EnvoySettings, seconds

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
# Where distributions keep the trust anchors. Envoy has no built-in ones; without a bundle nothing would be verified.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def system_bundle() -> str:
    """The path of this machine's trust anchors; the commonest one when none exists (Envoy then refuses to start)."""
    return next((path for path in _BUNDLES if Path(path).exists()), _BUNDLES[0])


def upstream_cluster(upstream: Upstream, settings: EnvoySettings, *, breaking: bool = False) -> dict[str, Any]:
    """The cluster of `upstream`. With TLS the certificate is always verified against the host asked for. `breaking`: it
    takes no calls for a while when it keeps failing."""
    limit = settings.max_connections
    name = upstream.cluster + (BREAKING if breaking else "")
    cluster = typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        # LOGICAL_DNS takes the addresses of a name as one host and tries them in turn. STRICT_DNS would make each a
        # host of its own: where IPv6 resolves but is not routed, every second call would fail.
        type="STATIC" if _is_address(upstream.host) else "LOGICAL_DNS",
        connect_timeout=seconds(settings.connect_timeout),
        per_connection_buffer_limit_bytes=1024 * 1024,
        circuit_breakers={
            "thresholds": [
                {"max_connections": limit, "max_pending_requests": limit, "max_requests": limit, "max_retries": 100}
            ]
        },
        typed_extension_protocol_options={_HTTP_OPTIONS: _http_options(upstream, settings)},
        load_assignment={
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": _endpoint(upstream)}]}],
        },
    )
    if breaking:
        cluster["outlier_detection"] = {
            "consecutive_5xx": 5,
            "consecutive_gateway_failure": 5,
            "interval": "1s",
            "base_ejection_time": "10s",
            "max_ejection_time": "60s",
            # The only host of its cluster: without it there is none, and the call goes on to the next target at once.
            "max_ejection_percent": 100,
        }
        cluster["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}}
    if not _is_address(upstream.host):
        cluster["dns_lookup_family"] = "ALL"
    if upstream.tls:
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": _tls(upstream, settings)}
    return cluster


def _endpoint(upstream: Upstream) -> dict[str, Any]:
    address = {"socket_address": {"address": upstream.host.strip("[]"), "port_value": upstream.port}}
    return {"address": address, "hostname": upstream.host.strip("[]")}


def _http_options(upstream: Upstream, settings: EnvoySettings) -> dict[str, Any]:
    common = {"idle_timeout": seconds(min(settings.idle_connection_timeout, 60.0))}
    if not upstream.tls:
        return typed(
            _HTTP_OPTIONS,
            common_http_protocol_options=common,
            explicit_http_config={"http_protocol_options": {"enable_trailers": True}},
        )
    return typed(
        _HTTP_OPTIONS,
        common_http_protocol_options=common,
        auto_config={"http_protocol_options": {"enable_trailers": True}, "http2_protocol_options": {}},
    )


def _tls(upstream: Upstream, settings: EnvoySettings) -> dict[str, Any]:
    trusted = upstream.ca_file or settings.ca_bundle or system_bundle()
    # The name comes from the endpoint, not from a header: whatever Host says, the peer must be who policy named.
    return typed(
        _TLS,
        auto_host_sni=True,
        auto_sni_san_validation=True,
        common_tls_context={
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "validation_context": {"trusted_ca": {"filename": trusted}},
        },
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
