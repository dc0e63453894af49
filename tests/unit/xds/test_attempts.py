"""What Envoy is given for failover: listeners that nobody outside reaches, and clusters that break circuits."""

import json

import pytest

from extproc.policy.runtime import LlmProvider, Model, Policy, Target, Upstream
from extproc.session import plan
from extproc.xds import EnvoySettings, render
from extproc.xds.attempts import attempt_clusters, attempt_listeners
from extproc.xds.names import COUNT, HOST, UPSTREAM_HEADER
from extproc.xds.upstream import upstream_cluster


def settings(folder="/run/x", **more):
    return EnvoySettings(
        folder=str(folder),
        processors=(f"{folder}/w0.sock", f"{folder}/w1.sock"),
        admin_socket=f"{folder}/a.sock",
        **more,
    )


def provider(name: str) -> LlmProvider:
    upstream = Upstream(
        f"LLMProvider/{name}", f"llm_{name}", f"{name}.example.com", 443, True, f"{name}.example.com", ""
    )
    return LlmProvider(name, ("openai-chat",), True, upstream, "f:1")


def policy(**models: tuple[str, ...]) -> Policy:
    providers = {name: provider(name) for names in models.values() for name in names}
    made = {m: Model(m, tuple(Target(providers[n], "x") for n in names), "f:1") for m, names in models.items()}
    return Policy("v7", {}, providers, made, {}, {}, (), lambda _: (), {})


def manager(listener: dict) -> dict:
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


@pytest.fixture(params=[plan.STREAMED, plan.WHOLE])
def listener(request):
    return next(one for one in attempt_listeners(settings()) if one["name"] == request.param)


def test_nothing_but_this_envoy_reaches_them(listener):
    assert listener["internal_listener"] == {}
    assert "address" not in listener


def test_the_processor_knows_them_by_the_name_of_their_filter_chain(listener):
    (chain,) = listener["filter_chains"]
    assert plan.is_attempt({plan.CHAIN_ATTRIBUTE: chain["name"]})
    ext_proc = manager(listener)["http_filters"][0]["typed_config"]
    assert plan.CHAIN_ATTRIBUTE in ext_proc["request_attributes"]


def test_the_gateways_own_chain_has_no_such_name(tmp_path):
    first, *_ = render(policy(m=("a", "b")), settings(tmp_path))["lds.json"]["resources"]
    assert "address" in first
    assert not plan.is_attempt({plan.CHAIN_ATTRIBUTE: first["filter_chains"][0].get("name", "")})


def test_a_failing_processor_lets_nothing_pass_inside_either(listener):
    ext_proc = manager(listener)["http_filters"][0]["typed_config"]
    assert ext_proc["failure_mode_allow"] is False
    assert ext_proc["allow_mode_override"] is False
    assert ext_proc["processing_mode"]["request_body_mode"] == "BUFFERED"
    assert ext_proc["processing_mode"]["response_header_mode"] == "SEND"


def test_only_whole_answers_are_held(listener):
    mode = manager(listener)["http_filters"][0]["typed_config"]["processing_mode"]["response_body_mode"]
    assert mode == ("FULL_DUPLEX_STREAMED" if listener["name"] == plan.WHOLE else "NONE")


def test_an_attempt_is_never_retried_inside(listener):
    (host,) = manager(listener)["route_config"]["virtual_hosts"]
    (route,) = host["routes"]
    assert "retry_policy" not in route["route"]
    assert "retry_policy" not in host
    assert {UPSTREAM_HEADER, COUNT} <= set(route["request_headers_to_remove"])


def test_attempts_take_bodies_as_large_as_the_gateway_does(listener):
    (host,) = manager(listener)["route_config"]["virtual_hosts"]
    assert host["routes"][0]["request_body_buffer_limit"] == settings().max_request_bytes


def test_only_calls_that_the_processor_sends_there_are_retried(tmp_path):
    first, *_ = render(policy(m=("a", "b")), settings(tmp_path))["lds.json"]["resources"]
    hosts = {host["name"]: host for host in manager(first)["route_config"]["virtual_hosts"]}
    assert hosts["attempts"]["domains"] == [HOST]
    assert hosts["attempts"]["routes"][0]["route"]["retry_policy"]["num_retries"] == 0
    assert "retry_policy" not in hosts["gateway"]["routes"][0]["route"]
    mutations = json.dumps(manager(first)["early_header_mutation_extensions"])
    assert "x-gatereeve-" in mutations
    assert "x-envoy-" in mutations


def test_their_clusters_lead_to_them():
    for cluster in attempt_clusters(settings()):
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["envoy_internal_address"]
        assert address["server_listener_name"] == cluster["name"]
        assert "outlier_detection" not in cluster


def test_no_two_attempts_share_a_connection():
    """Whoever could end one of HTTP/2 would end the answers of all other callers on it."""
    for cluster in attempt_clusters(settings()):
        (options,) = cluster["typed_extension_protocol_options"].values()
        assert "http_protocol_options" in options["explicit_http_config"]
        assert "http2_protocol_options" not in options["explicit_http_config"]


def test_headers_that_the_gateway_took_are_not_too_large_inside(listener):
    assert manager(listener)["max_request_headers_kb"] >= settings().max_header_kib + 32


@pytest.mark.parametrize(
    ("models", "breaking"),
    [
        ({"m": ("a", "b")}, {"llm_a+", "llm_b+"}),
        ({"m": ("a", "b"), "n": ("c",)}, {"llm_a+", "llm_b+"}),
        ({"m": ("a",)}, set()),
        ({"m": ("a", "a")}, set()),
    ],
    ids=["two providers", "and one alone", "one", "one twice"],
)
def test_circuits_exist_where_another_provider_could_take_over(tmp_path, models, breaking):
    clusters = render(policy(**models), settings(tmp_path))["cds.json"]["resources"]
    assert {cluster["name"] for cluster in clusters if "outlier_detection" in cluster} == breaking
    assert {cluster["name"] for cluster in clusters} >= {name.removesuffix("+") for name in breaking}


def test_a_circuit_breaks_whole_and_verifies_as_the_plain_cluster_does():
    upstream = provider("a").upstream
    plain, breaking = upstream_cluster(upstream, settings()), upstream_cluster(upstream, settings(), breaking=True)
    assert breaking["outlier_detection"]["max_ejection_percent"] == 100
    assert breaking["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}
    assert breaking["transport_socket"] == plain["transport_socket"]
    assert "outlier_detection" not in plain


def test_no_upstream_of_a_policy_has_a_name_of_theirs(tmp_path):
    """A provider called as they are is another cluster."""
    clusters = render(policy(m=("gatereeve_attempts", "b")), settings(tmp_path))["cds.json"]["resources"]
    assert not {cluster["name"] for cluster in clusters} & {plan.STREAMED, plan.WHOLE}
