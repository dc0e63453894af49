"""One question for all who wait, no answer for longer than it holds, and no waiting without an end."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from extproc.adapters.flights import LATE, Flights, Landed
from extproc.exchange.refusal import Reason, Refusal
from extproc.session.ports import Injected


@pytest.fixture
def threads():
    pool = ThreadPoolExecutor(4)
    yield pool
    pool.shutdown()


def given(value):
    return Injected((("authorization", value),), value.encode())


class Load:
    """Counts how often it is asked, and waits for `gate`."""

    def __init__(self, answer, lifetime=60.0):
        self.answer, self.lifetime, self.asked, self.gate = answer, lifetime, 0, threading.Event()
        self.began = threading.Event()

    def __call__(self):
        self.asked += 1
        self.began.set()
        self.gate.wait(10)
        return Landed(self.answer, self.lifetime)


async def test_all_who_ask_at_once_get_the_answer_of_one_question(threads, clock):
    flights, load = Flights(threads, clock), Load(given("a"))
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(flights.ask("k", load)) for _ in range(50)]
        load.gate.set()
    assert {task.result() for task in waiting} == {given("a")}
    assert load.asked == 1
    assert flights.get("k") == given("a")
    assert flights.get("other") is None


async def test_who_goes_away_ends_it_for_nobody_else(threads, clock):
    flights, load = Flights(threads, clock), Load(given("a"))
    leaving = asyncio.ensure_future(flights.ask("k", load))
    staying = asyncio.ensure_future(flights.ask("k", load))
    await asyncio.to_thread(load.began.wait, 10)
    leaving.cancel()
    load.gate.set()
    assert await staying == given("a")
    assert leaving.cancelled()


async def test_an_answer_that_nobody_waits_for_any_more_is_kept_all_the_same(threads, clock):
    flights, load = Flights(threads, clock), Load(given("a"))
    only = asyncio.ensure_future(flights.ask("k", load))
    await asyncio.to_thread(load.began.wait, 10)
    only.cancel()
    flight = flights._aloft["k"]
    load.gate.set()
    await asyncio.wait({flight})
    assert flights.get("k") == given("a")
    assert "1 kept, 0 under way" in repr(flights)


async def test_nobody_waits_without_an_end(threads, clock):
    flights, load = Flights(threads, clock, patience=0.01), Load(given("a"))
    found = await flights.ask("k", load)
    assert isinstance(found, Refusal)
    assert (found.reason, found.message) == (Reason.CREDENTIAL_UNAVAILABLE, LATE)
    load.gate.set()


async def test_an_answer_holds_as_long_as_it_says(threads, clock):
    flights, load = Flights(threads, clock), Load(given("a"), 30.0)
    load.gate.set()
    await flights.ask("k", load)
    clock.now += 29.9
    assert flights.get("k") == given("a")
    clock.now += 0.1
    assert flights.get("k") is None
    passing = Load(given("b"), 0.0)
    passing.gate.set()
    assert await flights.ask("k", passing) == given("b")
    assert "0 kept" in repr(flights)


async def test_what_fails_unforeseen_is_a_refusal(threads, clock):
    def broken():
        raise RuntimeError("canary")

    found = await Flights(threads, clock).ask("k", broken)
    assert isinstance(found, Refusal)
    assert "canary" not in found.text


async def test_no_more_is_kept_than_there_is_room_for(threads, clock):
    flights = Flights(threads, clock, capacity=3)
    for number in range(5):
        await flights.ask(number, lambda number=number: Landed(given(str(number)), 60.0))
    assert [flights.get(number) is not None for number in range(5)] == [False, False, True, True, True]


def test_an_answer_is_in_no_repr():
    assert "canary" not in repr(Landed(given("canary"), 1.0))
