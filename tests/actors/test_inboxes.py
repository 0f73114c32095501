"""The mailbox that is a hub: no told message is ever slept through."""

import select
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope

from kortana.actors.inboxes import HubInbox
from kortana.actors.messages import DeadlineDue, HearAll, InboundReady
from kortana.actors.persistence import PersistenceActor
from kortana.transport.hub import Hub
from tests.actors.fakes import Told

MESSAGES = 20_000


@pytest.fixture
def inbox(tmp_path: Path) -> HubInbox:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    made = HubInbox(Hub(listener))
    made.listening = True
    return made


@pytest.mark.timeout(60)
def test_each_told_message_wakes_a_reader_that_waits_without_end(inbox: HubInbox) -> None:
    """One message at a time: the next is told while the reader goes to sleep, where a wake-up could be lost."""
    taken = threading.Semaphore(0)
    found: list[int] = []

    def read() -> None:
        while len(found) < MESSAGES:
            found.append(inbox.get().message)
            taken.release()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for number in range(MESSAGES):
        inbox.put(Envelope(number))
        assert taken.acquire(timeout=30), f"message {number} never came"
    reader.join(30)
    assert found == list(range(MESSAGES))


class WokenWhileDrained:
    """A wake socket whose every read is overtaken by another wake, before and after."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._real = hub, hub._waker.fd

    def recv(self, size: int) -> bytes:
        self._hub.wake()
        data = self._real.recv(size)
        self._hub.wake()
        return data


def test_a_wake_that_comes_while_an_earlier_one_is_taken_in_is_not_the_last(inbox: HubInbox) -> None:
    hub = inbox._hub
    real = hub._waker.fd
    hub._waker.fd = WokenWhileDrained(hub)  # type: ignore[assignment]
    hub.wake()
    assert hub.poll(5.0) == []
    hub._waker.fd = real
    hub.wake()
    assert select.select([real], [], [], 0)[0], "a later wake must reach a poll that waits"


@pytest.mark.timeout(60)
def test_many_tellers_lose_nothing(inbox: HubInbox) -> None:
    def tell(base: int) -> None:
        for number in range(2000):
            inbox.put(Envelope(base + number))

    tellers = [threading.Thread(target=tell, args=(10_000 * n,)) for n in range(4)]
    for teller in tellers:
        teller.start()
    found = [inbox.get().message for _ in range(8000)]
    assert sorted(found) == sorted(10_000 * n + k for n in range(4) for k in range(2000))


def connected(inbox: HubInbox) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(inbox._hub._listener.getsockname())
    return client


def test_what_comes_in_is_given_as_one_batch(inbox: HubInbox) -> None:
    client = connected(inbox)
    client.sendall(b"not json\n")
    message = inbox.get().message
    assert isinstance(message, InboundReady) and len(message.inbound) == 1


def test_who_asks_is_answered_when_all_that_was_said_before_has_been_handled(inbox: HubInbox) -> None:
    asker = Told()
    peer = connected(inbox)
    peer.sendall(b"{}\n")
    inbox.when_all_is_heard(HearAll(asker, "heard"))
    assert isinstance(inbox.get().message, InboundReady) and asker.messages == []
    inbox.put(Envelope("next"))
    assert inbox.get().message == "next" and asker.messages == ["heard"]


def test_who_asks_in_silence_is_answered_too(inbox: HubInbox) -> None:
    asker = Told()
    inbox.when_all_is_heard(HearAll(asker, "heard"))
    inbox.deadline = time.monotonic()
    assert isinstance(inbox.get().message, DeadlineDue)
    inbox.put(Envelope("next"))
    assert inbox.get().message == "next" and asker.messages == ["heard"]


def test_a_deadline_comes_once_when_nothing_else_does(inbox: HubInbox) -> None:
    inbox.deadline = 0.0
    assert isinstance(inbox.get().message, DeadlineDue)
    assert inbox.deadline is None


class Echo(PersistenceActor):
    """Persistence that only notes what it is told, and on which thread."""

    def __init__(self, vehicle: HubInbox) -> None:
        super().__init__(None, None, vehicle, None, None, 1, None)  # type: ignore[arg-type]
        self.handled: list[tuple[Any, int]] = []

    def on_receive(self, message: Any) -> Any:
        if message == "fail":
            raise RuntimeError("poisoned")
        self.handled.append((message, threading.get_ident()))
        return message

    def on_failure(self, *_: Any) -> None:
        self.handled.append(("failed", threading.get_ident()))


def aboard(inbox: HubInbox) -> tuple[Any, Echo]:
    rider = Echo.start(inbox)
    actor = inbox._rider
    assert isinstance(actor, Echo)
    return rider, actor


@pytest.mark.timeout(60)
def test_a_rider_handles_what_it_is_told_before_anything_is_read_on(inbox: HubInbox) -> None:
    connected(inbox).sendall(b"not json\n")
    rider, actor = aboard(inbox)
    rider.tell("a")
    rider.tell("b")
    assert isinstance(inbox.get().message, InboundReady)
    assert actor.handled == [("a", threading.get_ident()), ("b", threading.get_ident())]
    threading.Timer(0.05, inbox.put, args=(Envelope("told"),)).start()
    asked = threading.Thread(target=lambda: rider.ask("from elsewhere", timeout=30))
    asked.start()
    assert inbox.get().message == "told"
    asked.join(30)
    assert actor.handled[2:] == [("from elsewhere", threading.get_ident())]
    actor.stop()
    inbox.leave()
    assert not rider.is_alive()


@pytest.mark.timeout(60)
def test_a_rider_goes_on_alone_when_its_driver_has_ended(inbox: HubInbox) -> None:
    rider, actor = aboard(inbox)
    rider.tell("before")
    thread = threading.Thread(target=inbox.leave)
    thread.start()
    assert rider.ask("after", timeout=30) == "after"
    rider.stop(timeout=30)
    thread.join(30)
    assert not thread.is_alive() and [message for message, _ in actor.handled] == ["before", "after"]


@pytest.mark.timeout(60)
def test_a_rider_that_fails_is_dead_and_its_driver_goes_on(inbox: HubInbox) -> None:
    rider, actor = aboard(inbox)
    rider.tell("fail")
    rider.tell("never")
    inbox.put(Envelope("told"))
    assert inbox.get().message == "told"
    assert not rider.is_alive() and [message for message, _ in actor.handled] == ["failed"]
    with pytest.raises(pykka.ActorDeadError):
        rider.tell("too late")
    inbox.leave()


def test_nothing_is_read_before_the_actor_has_begun(inbox: HubInbox) -> None:
    inbox.listening = False
    client = connected(inbox)
    client.sendall(b"not json\n")
    inbox.put(Envelope("begin"))
    assert inbox.get().message == "begin"
    assert inbox._hub._connections == {}
