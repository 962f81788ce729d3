"""Whatever kind of process tracks and however it ends: its work is unharmed, and what it told is not lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.checker.collecting import late
from tests.faults.children import CHILDREN, STEPS, WAYS
from tests.faults.programs import Running
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer, engine_of
from tests.faults.test_outages import files, paused, refusing, swallowing
from tests.support import freeze, wait_for
from tracker.compose import compose
from tracker.engines import Engine
from tracker.model import Operation, Status
from tracker.store import Store

COMMON = """
import os, signal, sys
from tracker import StepTracker, publish
from tracker.publish import flush

def work(id, steps=20):
    with StepTracker("Work", id=id, display="quiet") as tracker:
        for index in range(steps):
            tracker.step(f"Step {index}")

def publisher():
    return publish._publishers[0]

def put_by():
    "Wait until everything so far is on disk, and go on."
    p = publisher()
    assert p._wait(30, lambda mine: max(p._answered, p._safe) >= mine, lambda: False)

def say(word):
    print(word, flush=True)

def wait():
    sys.stdin.readline()
"""


@pytest.fixture
def engine() -> Engine:
    """One is enough: it is the clients that are under test."""
    return engine_of("bundled")


Run = Callable[..., Running]


@pytest.fixture
def run(proxy: FaultProxy, tmp_path: Path) -> Iterator[Run]:
    """Starts programs of this test, all with one state folder; what is still there at its end is killed."""
    started: list[Running] = []

    def start(code: str, *arguments: str) -> Running:
        command = ["-m", code, *arguments] if code.startswith("tests.") else ["-c", COMMON + code, *arguments]
        started.append(Running(command, proxy.url, tmp_path / "state"))
        return started[-1]

    yield start
    for running in started:
        running.close()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool" / "default"


def operation(store: Store, id: str) -> Operation:
    parts = store.operation(id)
    assert parts is not None, id
    return compose(parts)


def statuses(store: Store, *ids: str) -> list[Status]:
    return [operation(store, id).status for id in ids]


def waiting(store: Store) -> dict[str, list[str]]:
    """The types of the events of each operation that waits for the recorder; each run's numbers are without a hole."""
    found: dict[str, list[str]] = {}
    numbers: dict[str, list[int]] = {}
    for blob in late(store):
        found.setdefault(blob.operation, []).extend(str(event.type) for event in blob.events)
        numbers.setdefault(blob.run, []).extend(event.seq for event in blob.events)
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in numbers.values())
    return found


def told(steps: int = 20, end: str = "operation.complete") -> list[str]:
    """The events of a whole operation of ``work``."""
    return ["operation.start", *["step.start", "step.complete"] * steps, end]


def send_the_rest(run: Run, spool: Path) -> None:
    """The next script of the same user sends what others have left behind, before its own."""
    assert run("work('next')\nassert flush(30)").end() == 0
    assert files(spool) == []


# ---- a script and an outage ----------------------------------------------------------------------


@pytest.mark.parametrize("fault", [refusing, swallowing, paused])
def test_a_script_ends_as_it_would_without_redis_and_the_next_one_sends_what_it_told(
    fault: Callable[..., object], server: BreakableServer, proxy: FaultProxy, store: Store, run: Run, spool: Path
) -> None:
    """Its exit code is its own, one line says what is wrong, and it waits for nobody longer than promised."""
    with fault(server, proxy):  # type: ignore[attr-defined]
        script = run("work('a')\nwork('b')\nsay('worked')\nsys.exit(3)")
        assert script.end() == 3
        assert list(script.said) == ["worked"]
        assert script.told().count("\n") == 1
        assert len(files(spool)) == 1
    send_the_rest(run, spool)
    assert waiting(store) == {"a": told(), "b": told()}


def test_a_script_that_fails_while_redis_is_away_fails_with_its_own_error(proxy: FaultProxy, run: Run) -> None:
    """What people see last is what went wrong in the work."""
    proxy.refuse()
    script = run("with StepTracker('Work', display='quiet') as tracker:\n    tracker.step('One')\n    1 / 0")
    assert script.end() == 1
    assert script.told().splitlines()[-1] == "ZeroDivisionError: division by zero" or "Traceback" in script.told()


def test_events_that_are_still_queued_when_a_script_ends_are_put_by(
    proxy: FaultProxy, store: Store, run: Run, spool: Path
) -> None:
    """However many they are, and also those of an exit handler that runs after the tracker's own."""
    proxy.refuse()
    script = run("import atexit\natexit.register(work, 'last', 50)\nwork('first', 2000)")
    assert script.end() == 0
    proxy.heal()
    send_the_rest(run, spool)
    assert waiting(store) == {"first": told(2000), "last": told(50)}


# ---- forks ---------------------------------------------------------------------------------------


def test_a_child_forked_inside_a_block_tells_its_own_work_and_leaves_the_block_to_its_parent(
    store: Store, run: Run
) -> None:
    """Both have connections of their own, and both end the block; only the parent's end counts."""
    script = run("""
def connection():
    say(str(publisher()._store.client.redis.client_id()))

with StepTracker("Parent", id="parent", display="quiet") as tracker:
    tracker.step("One")
    assert flush(20)
    connection()
    child = os.fork()
    if child == 0:
        tracker.step("The child's own")
        work("child")
        assert flush(20)
        connection()
    else:
        assert os.waitpid(child, 0)[1] == 0
        tracker.step("Two")
""")
    assert script.end() == 0, script.told()
    assert len(set(script.said)) == 2
    assert statuses(store, "parent", "child") == [Status.COMPLETE] * 2
    assert [step.name for step in operation(store, "parent").steps or ()] == ["One", "Two"]
    assert operation(store, "child").parent == "parent"


def test_forks_in_the_middle_of_sending_harm_neither_side(store: Store, run: Run) -> None:
    """The publisher's thread may be anywhere at that moment, from its very first event on."""
    script = run("""
children = []
with StepTracker("Parent", id="parent", display="quiet") as tracker:
    for number in range(20):
        for index in range(50):
            tracker.step(f"Step {number}.{index}")
        child = os.fork()
        if child == 0:
            work(f"child-{number}", 3)
            os._exit(0 if flush(30) else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 20
""")
    assert script.end() == 0, script.told()
    assert len(operation(store, "parent").steps or ()) == 1000
    assert statuses(store, "parent", *(f"child-{number}" for number in range(20))) == [Status.COMPLETE] * 21


LOCKS = {
    "of the connection pool": "publisher()._store.client.redis.connection_pool._lock",
    "of the connection pool's own forks": "publisher()._store.client.redis.connection_pool._fork_lock",
    "that starts the publisher": "publisher()._starting",
    "that a flush waits with": "publisher()._flushed",
    "of the event bus": "event_bus._lock",
    "of the operation's run": "tracker._run._lock",
}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_that_another_thread_holds_at_the_fork(lock: str, store: Store, run: Run) -> None:
    """… is not waited for by the child: that thread did not come along."""
    script = run(f"""
import threading
from tracker import event_bus

held, done = threading.Event(), threading.Event()

def hold():
    with {LOCKS[lock]}:
        held.set()
        done.wait()

with StepTracker("Parent", id="parent", display="quiet") as tracker:
    tracker.step("One")
    assert flush(20)
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # Ends a child that hangs.
        work("child")
        os._exit(0 if flush(20) else 1)
    code = os.waitpid(child, 0)[1]
    done.set()
assert code == 0, code
""")
    assert script.end() == 0, script.told()
    assert statuses(store, "parent", "child") == [Status.COMPLETE] * 2


def test_a_forked_child_leaves_its_parent_s_spool_alone(proxy: FaultProxy, store: Store, run: Run, spool: Path) -> None:
    """It looks for what others have left behind, and that file is open in it; but its parent lives."""
    parent = run("""
with StepTracker("Parent", id="parent", display="quiet") as tracker:
    assert flush(20)
    say("begun")
    wait()
    tracker.step("One")
    put_by()
    child = os.fork()
    if child == 0:
        work("child")
        put_by()
        say("child")
        work("later")
        say("told" if flush(30) else "not told")
        os._exit(0)
    wait()
    tracker.step("Two")
    assert os.waitpid(child, 0)[1] == 0
assert flush(30)
""")
    parent.says("begun")
    proxy.refuse()
    proxy.reset()
    parent.go_on()
    parent.says("child")
    (mine,) = [path for path in files(spool) if path.name.startswith(f"{parent.process.pid}-")]
    size = mine.stat().st_size
    freeze(parent.process.pid)
    proxy.heal()
    parent.says("told")
    assert files(spool) == [mine]
    assert mine.stat().st_size == size
    parent.send(signal.SIGCONT)
    parent.go_on()
    assert parent.end() == 0, parent.told()
    assert files(spool) == []
    assert statuses(store, "parent", "child", "later") == [Status.COMPLETE] * 3
    assert waiting(store) == {}


@pytest.mark.parametrize("way", WAYS)
def test_children_started_by(way: str, store: Store, run: Run) -> None:
    """… tell all of their own work, although it ends with them."""
    script = run("tests.faults.children", way)
    assert script.end() == 0, script.told()
    children = [operation(store, f"child-{number}") for number in range(CHILDREN)]
    assert [(child.status, len(child.steps or ())) for child in children] == [(Status.COMPLETE, STEPS)] * CHILDREN
    assert operation(store, "parent").status is Status.COMPLETE
    assert store.leases() == []


# ---- ends that nobody is asked about -------------------------------------------------------------


def exits_at_once(running: Running) -> None:
    running.go_on()


def gets(number: signal.Signals) -> Callable[[Running], None]:
    return lambda running: running.send(number)


ENDS: dict[str, tuple[Callable[[Running], None], bool]] = {
    "_exit": (exits_at_once, False),
    "SIGKILL": (gets(signal.SIGKILL), False),
    "SIGTERM": (gets(signal.SIGTERM), True),
    "SIGINT": (gets(signal.SIGINT), True),
}
"""And whether the blocks of the process end as well."""


@pytest.mark.parametrize("end", ENDS)
def test_a_process_that_ends_in_an_outage_by(end: str, proxy: FaultProxy, store: Store, run: Run, spool: Path) -> None:
    """… leaves what it has put by; of what it was at, the next process says what became of it."""
    send, is_told = ENDS[end]
    script = run("""
with StepTracker("Known", id="known", display="quiet") as tracker:
    tracker.step("One")
    assert flush(20)
    say("begun")
    wait()
    tracker.step("Two")
    work("done")
    with StepTracker("Open", id="open", display="quiet") as inner:
        inner.step("Inner")
        put_by()
        say("put by")
        wait()
        os._exit(7)
""")
    script.says("begun")
    proxy.refuse()
    proxy.reset()
    script.go_on()
    script.says("put by")
    send(script)
    assert script.ended() != 0
    assert len(files(spool)) == 1
    proxy.heal()
    send_the_rest(run, spool)
    known = operation(store, "known")
    assert known.status is (Status.CANCELLED if is_told else Status.LOST)
    assert [step.name for step in known.steps or ()] == ["One", "Two"]
    opened = ["operation.start", "step.start", *(["step.error", "operation.complete"] if is_told else [])]
    assert waiting(store) == {"done": told(), "open": opened}


def test_a_process_that_is_terminated_when_an_outage_has_just_begun(
    proxy: FaultProxy, store: Store, run: Run, spool: Path
) -> None:
    """There is no time to be patient: what it tells last goes to disk at the first failure."""
    script = run("""
with StepTracker("Known", id="known", display="quiet") as tracker:
    tracker.step("One")
    assert flush(20)
    say("begun")
    wait()
    tracker.step("Two")
    signal.raise_signal(signal.SIGTERM)
""")
    script.says("begun")
    proxy.swallow()
    script.go_on()
    assert script.ended() == -signal.SIGTERM
    proxy.heal()
    send_the_rest(run, spool)
    known = operation(store, "known")
    assert known.status is Status.CANCELLED
    assert [step.name for step in known.steps or ()] == ["One", "Two"]


# ---- the folder ----------------------------------------------------------------------------------


def test_processes_that_share_a_folder_keep_to_their_own_files(
    proxy: FaultProxy, store: Store, run: Run, spool: Path
) -> None:
    """Two that live through an outage send theirs; a third one that comes meanwhile takes neither."""
    code = """
with StepTracker("Work", id=sys.argv[1], display="quiet") as tracker:
    assert flush(20)
    say("begun")
    wait()
    tracker.step("One")
    put_by()
    say("put by")
    wait()
assert flush(30)
"""
    both = [run(code, id) for id in ("a", "b")]
    for running in both:
        running.says("begun")
    proxy.refuse()
    proxy.reset()
    for running in both:
        running.go_on()
        running.says("put by")
        freeze(running.process.pid)
    before = {path: path.stat().st_size for path in files(spool)}
    assert len(before) == 2
    proxy.heal()
    assert run("work('third')").end() == 0
    assert {path: path.stat().st_size for path in files(spool)} == before
    for running in both:
        running.send(signal.SIGCONT)
        running.go_on()
        assert running.end() == 0, running.told()
    assert files(spool) == []
    assert statuses(store, "a", "b", "third") == [Status.COMPLETE] * 3
    assert waiting(store) == {}


USELESS = {
    "it may not write to": """
import ctypes
if not os.environ.get("BEREFT") and hasattr(ctypes.CDLL(None), "prctl"):  # Else root could.
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
    os.environ["BEREFT"] = "1"
    os.execv(sys.executable, sys.orig_argv)
os.makedirs(os.environ["TRACKER_STATE_DIR"], exist_ok=True)
os.chmod(os.environ["TRACKER_STATE_DIR"], 0o500)
""",
    "is full": """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
""",
    "cannot lock": """
import errno, fcntl
def lockf(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.lockf = lockf
""",
}


@pytest.mark.parametrize("folder", USELESS)
def test_a_process_whose_state_folder(folder: str, proxy: FaultProxy, store: Store, run: Run, spool: Path) -> None:
    """… keeps in memory what it tells during an outage, says so in one line, and leaves nothing lying about."""
    proxy.refuse()
    script = run(USELESS[folder] + "work('a')\nsay('worked')\nwait()\nwork('b')\nassert flush(30)")
    script.says("worked")
    wait_for(lambda: "kept on disk" in script.told())
    proxy.heal()
    script.go_on()
    assert script.end() == 0, script.told()
    assert script.told().count("\n") == 2
    assert statuses(store, "a", "b") == [Status.COMPLETE] * 2
    assert files(spool) == []
