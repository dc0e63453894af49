import asyncio
import itertools
from dataclasses import replace

import pytest

from extproc.adapters.jwks import MAX_DOCUMENT, KeyFetchError, fetch_keys, http_client
from extproc.adapters.keys import KeyCache
from extproc.identity.model import Issuer, KeySource


def issuer_for(**source):
    return Issuer("demo", "https://id.example", ("gatereeve",), KeySource(**source))


@pytest.fixture
async def cache(clock):
    found = KeyCache(clock, lambda: 0.0)
    try:
        yield found
    finally:
        await found.close()


@pytest.fixture
async def http():
    async with http_client() as client:
        yield client


async def test_keys_come_from_a_url_once_and_are_then_warm(web, cache, kit):
    web.routes["/jwks"] = (200, {}, kit.jwks(kit.Signer("a")))
    issuer = issuer_for(url=web.url + "/jwks")
    assert cache.keys(issuer) is None
    assert cache.may_fetch(issuer)
    await cache.fetch(issuer)
    assert cache.keys(issuer).knows("a")
    await cache.refresh([issuer])
    assert web.asked == ["/jwks"]


async def test_discovery_is_followed_when_the_issuer_is_exactly_ours(web, http, kit):
    base = web.url + "/realms/x"
    web.routes["/realms/x/.well-known/openid-configuration"] = (
        200, {}, b'{"issuer":"%s","jwks_uri":"%s/k"}' % (base.encode(), web.url.encode()),
    )  # fmt: skip
    web.routes["/k"] = (200, {}, kit.jwks(kit.Signer("a")))
    issuer = replace(issuer_for(discovery=base), issuer=base)
    assert (await fetch_keys(issuer, http)).knows("a")
    with pytest.raises(KeyFetchError, match="another issuer"):
        await fetch_keys(replace(issuer, issuer=base + "/"), http)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param((500, {}, b""), "status 500", id="an error status"),
        pytest.param((200, {}, b"<html>"), "not JSON", id="no JSON"),
        pytest.param((200, {}, b'{"keys":[]}'), "no usable key", id="no keys"),
        pytest.param((200, {}, b" " * (MAX_DOCUMENT + 1)), "larger", id="a document over 1 MiB"),
        pytest.param((200, {"content-encoding": "gzip"}, b"x"), "compressed", id="a compressed answer"),
        pytest.param((302, {"location": "http://localhost:1/jwks"}, b""), "another origin", id="a redirect elsewhere"),
        pytest.param(
            (302, {"location": "https://evil.example/"}, b""), "another origin", id="a redirect to a stranger"
        ),
        pytest.param((302, {"location": "/jwks"}, b""), "without end", id="a redirect loop"),
        pytest.param((302, {"location": "file:///etc/passwd"}, b""), "not https", id="a redirect to a file"),
    ],
)
async def test_what_is_no_key_set_is_an_error_with_its_reason(web, http, answer, why):
    web.routes["/jwks"] = answer
    with pytest.raises(KeyFetchError, match=why):
        await fetch_keys(issuer_for(url=web.url + "/jwks"), http)


async def test_a_redirect_within_the_origin_is_followed(web, http, kit):
    web.routes["/jwks"] = (307, {"location": "/moved"}, b"")
    web.routes["/moved"] = (200, {}, kit.jwks(kit.Signer("a")))
    assert (await fetch_keys(issuer_for(url=web.url + "/jwks"), http)).knows("a")


@pytest.mark.parametrize("url", ["http://id.example/jwks", "ftp://127.0.0.1/x", "https://u:p@id.example/", "nonsense"])
async def test_only_https_or_this_machine_and_no_password_in_the_url(http, url):
    with pytest.raises(KeyFetchError) as caught:
        await fetch_keys(issuer_for(url=url), http)
    assert "id.example" not in str(caught.value)


async def test_a_refused_connection_is_an_error_without_the_url(http):
    with pytest.raises(KeyFetchError, match="ConnectError"):
        await fetch_keys(issuer_for(url="http://127.0.0.1:1/secret-path"), http)


async def test_a_thousand_who_wait_share_one_fetch(web, cache, kit):
    web.routes["/jwks"] = (200, {}, kit.jwks(kit.Signer("a")))
    issuer = issuer_for(url=web.url + "/jwks")
    await asyncio.gather(*(cache.fetch(issuer) for _ in range(1000)))
    assert web.asked == ["/jwks"]


async def test_when_the_one_who_fetches_is_cancelled_the_next_fetches_instead(web, cache, kit):
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow():
        begun.set()
        await go.wait()
        return 200, {}, kit.jwks(kit.Signer("a"))

    web.routes["/jwks"] = slow
    issuer = issuer_for(url=web.url + "/jwks")
    first = asyncio.ensure_future(cache.fetch(issuer))
    await begun.wait()
    second = asyncio.ensure_future(cache.fetch(issuer))
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    await second
    assert cache.keys(issuer).knows("a")


async def test_an_unknown_kid_causes_one_fetch_per_interval(web, cache, clock, kit):
    a, b = kit.Signer("a"), kit.Signer("b")
    web.routes["/jwks"] = (200, {}, kit.jwks(a))
    issuer = issuer_for(url=web.url + "/jwks")
    await cache.fetch(issuer)
    web.routes["/jwks"] = (200, {}, kit.jwks(a, b))
    assert cache.may_fetch(issuer), "the first stranger may ask at once"
    await cache.fetch(issuer)
    assert cache.keys(issuer).knows("b")
    assert not cache.may_fetch(issuer)
    await cache.fetch(issuer)
    clock.now += issuer.refetch_interval - 0.1
    await cache.fetch(issuer)
    assert len(web.asked) == 2
    clock.now += 0.2
    assert cache.may_fetch(issuer)


async def test_keys_are_refreshed_before_need_and_stale_ones_served_while_the_issuer_is_down(web, cache, clock, kit):
    web.routes["/jwks"] = (200, {}, kit.jwks(kit.Signer("a")))
    issuer = issuer_for(url=web.url + "/jwks")
    await cache.refresh([issuer])
    clock.now += issuer.refresh - 1
    await cache.refresh([issuer])
    assert len(web.asked) == 1
    web.routes["/jwks"] = (503, {}, b"")
    clock.now += 2
    await cache.refresh([issuer])
    assert len(web.asked) == 2
    assert cache.keys(issuer).knows("a")
    assert "503" in cache.status([issuer])[0].problem
    clock.now = 1000 + issuer.stale_for
    assert cache.keys(issuer) is not None
    clock.now += 1
    assert cache.keys(issuer) is None
    web.routes["/jwks"] = (200, {}, kit.jwks(kit.Signer("b")))
    await cache.refresh([issuer])
    assert cache.keys(issuer).knows("b")
    assert cache.status([issuer])[0].problem == ""


async def test_a_failing_issuer_is_asked_less_and_less_often(web, cache, clock):
    web.routes["/jwks"] = (500, {}, b"")
    issuer = issuer_for(url=web.url + "/jwks")
    asked = []
    for _ in range(100):
        await cache.refresh([issuer])
        asked.append(len(web.asked))
        clock.now += 1
    gaps = [i for i in range(1, 100) if asked[i] != asked[i - 1]]
    assert gaps[:4] == [1, 3, 7, 15]
    assert max(b - a for a, b in itertools.pairwise(gaps)) <= issuer.refetch_interval
    assert not cache.may_fetch(issuer)


async def test_fetches_are_counted_by_outcome(web, clock, kit):
    seen = []
    cache = KeyCache(clock, lambda: 0.5, on_fetch=lambda *args: seen.append(args))
    web.routes["/jwks"] = (200, {}, kit.jwks(kit.Signer("a")))
    await cache.fetch(issuer_for(url=web.url + "/jwks"))
    await cache.fetch(issuer_for(url=web.url + "/nothing"))
    await cache.close()
    assert seen == [("demo", "ok"), ("demo", "error")]


async def test_a_file_is_read_again_when_the_link_to_it_is_swapped(tmp_path, cache, clock, kit):
    for name in ("a", "b"):
        (tmp_path / f"..{name}").mkdir()
        (tmp_path / f"..{name}" / "jwks.json").write_bytes(kit.jwks(kit.Signer(name)))
    (tmp_path / "..data").symlink_to("..a")
    (tmp_path / "jwks.json").symlink_to("..data/jwks.json")
    issuer = issuer_for(file=str(tmp_path / "jwks.json"))
    await cache.refresh([issuer])
    assert cache.keys(issuer).knows("a")
    (tmp_path / "new").symlink_to("..b")
    (tmp_path / "new").replace(tmp_path / "..data")
    await cache.refresh([issuer])
    assert cache.keys(issuer).knows("b")
    (tmp_path / "..data").unlink()
    await cache.refresh([issuer])
    assert cache.keys(issuer).knows("b"), "a file that is gone leaves the last good keys"
    assert cache.status([issuer])[0].problem


async def test_a_file_that_does_not_change_never_goes_stale(tmp_path, cache, clock, kit):
    path = tmp_path / "jwks.json"
    path.write_bytes(kit.jwks(kit.Signer("a")))
    issuer = issuer_for(file=str(path))
    for _ in range(5):
        await cache.refresh([issuer])
        clock.now += issuer.stale_for - 1
    assert cache.keys(issuer) is not None


async def test_inline_keys_need_no_network_and_do_not_age(cache, clock, kit):
    issuer = issuer_for(inline=kit.jwks(kit.Signer("a")).decode())
    await cache.fetch(issuer)
    clock.now += 10 * issuer.stale_for
    await cache.refresh([issuer])
    assert cache.keys(issuer).knows("a")


async def test_issuers_the_policy_no_longer_names_are_forgotten(cache, kit):
    issuer = issuer_for(inline=kit.jwks(kit.Signer("a")).decode())
    await cache.refresh([issuer])
    await cache.refresh([])
    assert cache.keys(issuer) is None


class _Enough(Exception):
    pass


async def test_run_keeps_the_policys_issuers_fresh_until_it_is_stopped(cache, kit):
    issuer = issuer_for(inline=kit.jwks(kit.Signer("a")).decode())
    turns = iter([[issuer], [issuer]])

    def issuers():
        try:
            return next(turns)
        except StopIteration:
            raise _Enough from None

    with pytest.raises(_Enough):
        await cache.run(issuers, every=0)
    assert cache.keys(issuer).knows("a")
