"""``tracker doctor``: what it finds in each state an installation may be in, and how it says so."""

from __future__ import annotations

import doctest
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from rich.cells import cell_len

from tests.cli.commands import ROOT
from tests.cli.conftest import Run
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer
from tests.history.spoiling import WAYS, Way, params
from tests.store.making import NOW, by, ended, started, step_event
from tests.support import free_address
from tracker import doctor, tokens
from tracker.archive import Archive
from tracker.cli import doctor as cli_doctor
from tracker.doctor import CHECKS, Case, Check, Finding, Level, examine, finding, machine, namespace, shown_settings
from tracker.doctor.finding import failure
from tracker.doctor.machine import versions
from tracker.embedded import ensure_server
from tracker.errors import StoreUnavailable
from tracker.history.recorder import Recorder
from tracker.model import QueuePart
from tracker.publish.spool import begin
from tracker.settings import Settings, without_password
from tracker.store import About, ArchiveInfo, Hold, JobInfo, Lease, QueueItem, Store, leaving
from tracker.store import server as server_module
from tracker.store.server import facts_of
from tracker.tokens import Role

SECRET = "hunter2-and-more"
HOSTILE = "node[/bold]\x1b[31m\u202e\n7"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BreakableServer]:
    with BreakableServer(tmp_path / "redis", password=SECRET) as server:
        yield server


@pytest.fixture
def own(server: BreakableServer) -> Iterator[Store]:
    """A store on the server that the test may break."""
    store = Store(server.url)
    yield store
    store.client.disconnect()


@pytest.fixture
def on_server(server: BreakableServer, tmp_path: Path) -> Settings:
    """Settings of an installation on that server."""
    return Settings(redis_url=server.url, state_dir=tmp_path / "state", data_root=tmp_path)


@pytest.fixture
def recorder(own: Store, on_server: Settings) -> Iterator[Recorder]:
    """A recorder of that installation."""
    with closing(Archive(on_server.archive, on_server.namespace)) as archive:
        yield Recorder(own, archive)


def look(settings: Settings, **environ: str) -> list[Finding]:
    return examine(Case(settings, environ))


def said(findings: list[Finding], check: str) -> list[tuple[str, str]]:
    """Level and text of everything one check has said."""
    return [(finding.level.value, finding.found) for finding in findings if finding.check == check]


def worst(findings: list[Finding], check: str) -> Finding:
    """The gravest finding of one check."""
    order = [Level.PROBLEM, Level.WARNING, Level.NOTE, Level.OK]
    return min((one for one in findings if one.check == check), key=lambda one: order.index(one.level))


def allowed(server: BreakableServer, *rules: str) -> None:
    """Let the user of ``server.url`` do so much and no more."""
    server.admin.execute_command("ACL", "SETUSER", "default", *rules)


def a_lease(process: str, run: str, **about: object) -> Lease:
    """A sign of life of a process that executes ``run``."""
    told: dict[str, object] = {"host": f"{process}.internal", "pid": 4711, "started": NOW}
    return Lease(process, {run: 0}, About(**{**told, **about}))  # type: ignore[arg-type]


def fall_silent(store: Store, process: str, seconds: float) -> None:
    """Let its last sign of life be so long ago."""
    store.client.redis.hincrbyfloat(store.keys.lease(process), "seen", -seconds)


# ---- the command ---------------------------------------------------------------------------------


def test_a_healthy_installation_is_well(tracker: Run, store: Store) -> None:
    """Exit code 0, every check in its order, and the settings on top."""
    store.publish_jobs("w1", [JobInfo("files.process", {}, "celery")])
    command = tracker("doctor")
    assert command.code() == 0
    assert command.lines[0].startswith("TRACKER_REDIS_URL     redis://127.0.0.1:")
    assert command.lines[-1] == "all is well"
    assert "problem" not in command.out
    assert "an event was stored and heard within" in command.out


def test_json_is_one_finding_a_line(tracker: Run, store: Store) -> None:
    """Always the same five fields; the order is that of the checks."""
    store.client.redis.delete(store.keys.recorder)
    command = tracker("doctor", "--json")
    assert command.code() == 0
    assert {tuple(one) for one in command.objects} == {("check", "level", "found", "why", "remedy")}
    assert {one["level"] for one in command.objects} <= {level.value for level in Level}
    order = [check.name for check in CHECKS]
    places = [order.index(one["check"]) for one in command.objects]
    assert places == sorted(places)
    assert [one["level"] for one in command.objects if one["check"] == "recorder"] == ["warning"]


def test_a_problem_is_exit_code_1_with_reason_and_remedy(
    tracker: Run, server: BreakableServer, environment: dict[str, str]
) -> None:
    """What was found, why it matters, and what to do."""
    server.admin.config_set("maxmemory-policy", "allkeys-lru")
    command = tracker("doctor", TRACKER_REDIS_URL=server.url)
    assert command.code() == 1
    place = next(number for number, line in enumerate(command.lines) if "problem  eviction" in line)
    assert "maxmemory-policy is allkeys-lru" in command.lines[place]
    assert "vanish" in command.lines[place + 1]
    assert command.lines[place + 2].strip().startswith("remedy: CONFIG SET maxmemory-policy noeviction")
    assert command.lines[-1].startswith("1 problem")


def test_warnings_alone_are_exit_code_0(tracker: Run) -> None:
    """They may be meant so, and a script must not fail for them; the last line counts them."""
    command = tracker("doctor")
    assert command.code() == 0
    assert command.lines[-1] == "1 warning"


def test_without_any_redis_it_says_what_to_start(tracker: Run, tmp_path: Path) -> None:
    """Neither a setting nor a running embedded server: exit code 5, and the rest of the machine is looked at."""
    command = tracker("doctor", "--json", TRACKER_REDIS_URL="")
    assert command.code() == 5
    last = command.objects[-1]
    assert (last["check"], last["level"]) == ("redis", "problem")
    assert f"no embedded server answers in {tmp_path / 'state'}" in last["found"]
    assert "`tracker up`" in last["remedy"]
    assert "state-folder" in {one["check"] for one in command.objects}


def test_a_running_embedded_server_is_found(tracker: Run, tmp_path: Path) -> None:
    """As every other command finds it."""
    embedded = ensure_server(tmp_path / "state")
    command = tracker("doctor", TRACKER_REDIS_URL="")
    assert command.code() == 0
    embedded.stop()
    assert f"TRACKER_REDIS_URL     {without_password(embedded.url)}" in command.lines
    assert "append-only file, everysec" in command.out


@pytest.mark.parametrize("how", ["swallow", "refuse"])
def test_a_redis_that_does_not_answer_is_exit_code_5(tracker: Run, server: BreakableServer, how: str) -> None:
    """A black hole is told like a refusal; the address is named."""
    with FaultProxy(server.url) as proxy:
        getattr(proxy, how)()
        command = tracker("doctor", TRACKER_REDIS_URL=proxy.url)
        assert command.code() == 5
        assert "problem  redis" in command.out
        assert "did not answer" in command.out


def test_a_setting_that_cannot_be_used_is_exit_code_2(tracker: Run) -> None:
    """In one line, as everywhere."""
    command = tracker("doctor", "--json", TRACKER_NAMESPACE="..")
    assert (command.code(), command.out) == (2, "")
    assert "TRACKER_NAMESPACE" in command.err


@pytest.mark.parametrize("arguments", [[], ["--json"]])
@pytest.mark.parametrize("state", ["well", "change_password", "revoke", "kill"])
def test_no_secret_is_shown(tracker: Run, server: BreakableServer, state: str, arguments: list[str]) -> None:
    """Whatever fails: neither Redis's password nor the broker's."""
    if state != "well":
        getattr(server, state)()
    broker = f"amqp://bertha:{SECRET}@{free_address()}//"
    command = tracker("doctor", *arguments, TRACKER_REDIS_URL=server.url, TRACKER_BROKER_URL=broker)
    assert command.code() in (1, 5)
    assert SECRET not in command.out + command.err
    assert "bertha" not in command.out + command.err


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_what_is_shown_fits_the_terminal(tracker: Run, store: Store, columns: int) -> None:
    """Long texts go on below; hostile ones neither colour nor break a line."""
    store.append([by("p1", started("a", "r1")), a_lease("p1", "r1", host=HOSTILE, offset=99.0)])
    command = tracker("doctor", terminal=(columns, 60))
    assert command.code() == 1
    assert max(map(cell_len, command.text.splitlines())) <= columns
    assert "[/bold]" in command.text.replace("\r\n", "")
    assert not {"\u202e", "\x07"} & set(command.out)
    assert "\x1b[31m\u202e" not in command.out


def test_without_colours_the_words_say_it_all(tracker: Run) -> None:
    """A symbol and a word stand in front of every finding."""
    command = tracker("doctor", "--no-color", terminal=(80, 60))
    assert command.code() == 0
    assert "\x1b" not in command.out
    assert "! warning  recorder" in command.text
    assert "✓ ok       publish" in command.text


def test_plain_ascii_is_enough(tracker: Run) -> None:
    """Where the encoding holds no more."""
    command = tracker("doctor", LANG="C", PYTHONIOENCODING="ascii")
    assert command.code() == 0
    assert "+ ok       publish" in command.out


def test_looking_loads_neither_celery_nor_flask(store: Store, environment: dict[str, str]) -> None:
    """Their versions are read without importing them."""
    script = (
        "import sys; from tracker.cli import main; code = main(['doctor']);"
        "sys.exit(repr([name for name in ('celery', 'kombu', 'flask') if name in sys.modules] or code))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "0"


# ---- the server ----------------------------------------------------------------------------------


def test_persistence_is_told_as_it_is(tmp_path: Path) -> None:
    """None at all is a warning, snapshots only a note, an append-only file is well."""
    with BreakableServer(tmp_path / "redis", "none") as server:
        settings = Settings(redis_url=server.url, state_dir=tmp_path / "state")
        assert said(look(settings), "persistence") == [("warning", "nothing is kept on disk")]
        server.admin.config_set("save", "3600 1")
        assert said(look(settings), "persistence") == [("note", "snapshots only")]
        allowed(server, "-config")
        told = "no append-only file; whether there are snapshots is not told"
        assert said(look(settings), "persistence") == [("note", told)]
        allowed(server, "+config")
        server.admin.config_set("appendonly", "yes")
        server.admin.config_set("appendfsync", "everysec")
        assert said(look(settings), "persistence") == [("ok", "append-only file, everysec")]


def test_a_disk_that_cannot_be_written_is_a_problem(server: BreakableServer, on_server: Settings) -> None:
    """The failed snapshot, and that nothing is stored because of it."""
    server.misconf()
    findings = look(on_server)
    assert worst(findings, "persistence").found == "the last snapshot could not be saved"
    assert worst(findings, "persistence").why == "It takes no writes until it can save."
    assert "MISCONF" in worst(findings, "publish").remedy


def test_a_replica_is_a_problem(server: BreakableServer, on_server: Settings) -> None:
    """It answers everything and stores nothing."""
    server.read_only()
    findings = look(on_server)
    assert said(findings, "role") == [("problem", "this Redis is a replica")]
    assert worst(findings, "publish").level is Level.PROBLEM


def test_a_full_memory_is_a_problem(server: BreakableServer, on_server: Settings) -> None:
    """No limit is a note; beyond it nothing is stored."""
    assert worst(look(on_server), "memory").level is Level.NOTE
    server.fill()
    findings = look(on_server)
    assert worst(findings, "memory").level is Level.PROBLEM
    assert "OOM" in worst(findings, "publish").remedy


@pytest.mark.parametrize(("used", "level"), [(79, "ok"), (81, "warning"), (96, "problem")])
def test_memory_that_runs_out_is_told_in_time(
    server: BreakableServer, on_server: Settings, used: int, level: str
) -> None:
    """Above four fifths a warning, above 95 % a problem."""
    case = Case(on_server, {})
    case.facts = msgspec.structs.replace(case.facts, used=used, maxmemory=100)
    assert worst(examine(case), "memory").level.value == level


@pytest.mark.parametrize(
    ("info", "level", "told"),
    [
        ({"redis_version": "6.0.16"}, "problem", "Redis 6.0.16 is too old"),
        ({"redis_version": "6.2.0"}, "ok", "Redis 6.2.0"),
        ({"redis_version": "7.0.15"}, "note", "Redis 7.0.15 gets fixes from distributions only"),
        ({"redis_version": "8.2.3"}, "ok", "Redis 8.2.3"),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, "ok", "Valkey 9.1.2"),
    ],
)
def test_an_old_server_is_a_problem(
    server: BreakableServer, on_server: Settings, info: dict[str, str], level: str, told: str
) -> None:
    """Older than 6.2 lacks commands; of 7.0 only the distribution knows which holes are closed."""
    case = Case(on_server, {})
    case.facts = facts_of(info, {})
    found = worst(examine(case), "engine")
    assert (found.level.value, found.found) == (level, told)


def test_a_server_that_keeps_its_facts_to_itself_is_a_note(server: BreakableServer, on_server: Settings) -> None:
    """Managed servers refuse INFO or CONFIG; whether events get through is known all the same."""
    allowed(server, "-info", "-config")
    findings = look(on_server)
    assert worst(findings, "engine").level is Level.NOTE
    assert {finding.check for finding in findings} & {"eviction", "memory", "persistence", "role"} == set()
    assert worst(findings, "publish").level is Level.OK


def test_a_server_that_reads_its_data_is_no_connection_yet(tmp_path: Path) -> None:
    """It says to wait, and asks nothing more."""
    with BreakableServer(tmp_path / "redis", "rdb") as server, server.loading():
        findings = look(Settings(redis_url=server.url, state_dir=tmp_path / "state"))
    assert findings[-1].check == "redis"
    assert "is still reading its data" in findings[-1].found


def test_a_wrong_password_is_no_connection(server: BreakableServer, on_server: Settings) -> None:
    """With what to check."""
    server.change_password()
    found = look(on_server)[-1]
    assert (found.check, found.level, found.remedy) == ("redis", Level.PROBLEM, "check user, password and permissions")


@pytest.mark.parametrize(
    ("rule", "remedy"),
    [
        ("-evalsha", "ACL SETUSER NAME +evalsha"),
        ("-xadd", "ACL SETUSER NAME +xadd"),
        ("-subscribe", "ACL SETUSER NAME +subscribe"),
        ("resetkeys", "ACL SETUSER NAME '~tracker:{default}:*'"),
        ("resetchannels", "ACL SETUSER NAME '&tracker:{default}:*'"),
        ("-@all", "ACL SETUSER NAME +subscribe"),
    ],
)
def test_a_missing_permission_is_named(server: BreakableServer, on_server: Settings, rule: str, remedy: str) -> None:
    """Also one that only the script inside Redis needs."""
    allowed(server, rule)
    found = worst(look(on_server), "publish")
    assert (found.level, found.remedy) == (Level.PROBLEM, remedy)


def test_what_may_not_be_read_is_named(server: BreakableServer, on_server: Settings) -> None:
    """A check that cannot look says so, and what it would need."""
    allowed(server, "-zrange")
    found = worst(look(on_server), "unsent")
    assert found.found == "could not be looked at: Redis refused: the user may not run ZRANGE"
    assert (found.level, found.remedy) == (Level.WARNING, "ACL SETUSER NAME +zrange")


def test_the_rights_that_the_pages_name_are_enough(server: BreakableServer, on_server: Settings, own: Store) -> None:
    """A user with them can do everything the tracker does, and every check can look."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    (rights,) = [line for line in page.splitlines() if line.startswith("ACL SETUSER NAME on >PASSWORD")]
    allowed(server, "reset", "on", f">{SECRET}", *rights.split()[5:])
    own.append([Hold("token", 60), by("p1", started("a", "r1")), a_lease("p1", "r1")])
    own.publish_jobs("w1", [JobInfo("copy", {}, "q")])
    findings = look(on_server)
    assert {finding.level for finding in findings} <= {Level.OK, Level.NOTE}
    assert worst(findings, "engine").level is Level.OK


def test_a_cluster_is_well(server: BreakableServer, on_server: Settings) -> None:
    """All keys of a namespace share a slot."""
    server.kill()
    assert server._launch("cluster-enabled yes")
    assert said(look(on_server), "cluster") == [("ok", "a cluster; all keys of the namespace share a slot")]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:x@127.0.0.1/0", [("ok", "Redis is on this machine")]),
        ("unix:///run/redis.sock", [("ok", "Redis is on this machine")]),
        ("rediss://:x@redis.internal/0", [("ok", "TLS, and the server is verified")]),
        ("rediss://:x@redis.internal?ssl_cert_reqs=none", [("warning", "TLS is used without verifying the server")]),
        ("rediss://:x@redis.internal?ssl_check_hostname=no", [("warning", "TLS is used without verifying the server")]),
        (
            "redis://redis.internal/0",
            [("note", "the connection is not encrypted"), ("note", "TRACKER_REDIS_URL has no password")],
        ),
        ("redis://redis.internal?password=x", [("note", "the connection is not encrypted")]),
    ],
)
def test_the_way_to_redis_is_judged_by_its_url(url: str, told: list[tuple[str, str]]) -> None:
    """Encryption, verification and password."""
    access = next(check for check in CHECKS if check.name == "access")
    assert [(one.level.value, one.found) for one in access.look(Case(Settings(redis_url=url), {}))] == told


# ---- the namespace -------------------------------------------------------------------------------


def test_looking_leaves_nothing_behind(own: Store, server: BreakableServer, on_server: Settings) -> None:
    """The keys are the same as before, and so is what readers see."""
    own.append([started("a")])
    before = sorted(server.admin.keys("*"))
    assert worst(look(on_server), "publish").level is Level.OK
    assert sorted(server.admin.keys("*")) == before
    assert [parts.id for parts in own.operations().items] == ["a"]


@pytest.mark.parametrize(("offset", "level"), [(1.5, "ok"), (-3.0, "warning"), (45.0, "problem")])
def test_clocks_that_differ_are_told_with_their_hosts(
    own: Store, on_server: Settings, offset: float, level: str
) -> None:
    """By what each process says of its own clock."""
    own.append([a_lease("good", "r0", offset=0.01), a_lease("node7", "r1", offset=offset)])
    found = worst(look(on_server), "clock")
    assert found.level.value == level
    assert ("node7.internal" in found.found) is (level != "ok")
    assert "good.internal" not in found.found


def test_this_machine_s_clock_is_compared_too(own: Store, on_server: Settings) -> None:
    """With that of Redis."""
    case = Case(on_server, {})
    case.facts = msgspec.structs.replace(case.facts, offset=-40.0)
    assert worst(examine(case), "clock").found == "the clock of this machine is 40.0 s ahead of that of Redis"


def test_a_namespace_without_recorder_is_warned_of(own: Store, on_server: Settings) -> None:
    """Until one is active."""
    assert worst(look(on_server), "recorder").level is Level.WARNING
    own.append([Hold("token", 60)])
    assert said(look(on_server), "recorder") == [("ok", "one is active")]


def test_replays_that_wait_or_were_dropped_are_told(own: Store, on_server: Settings) -> None:
    """Waiting is a note, dropped a warning that names the key."""
    assert said(look(on_server), "late") == [("ok", "no replayed changes wait")]
    own.client.redis.rpush(own.keys.late, "one", "two")
    own.client.redis.set(own.keys.late_dropped, 7)
    findings = look(on_server)
    assert said(findings, "late") == [
        ("note", "2 replayed changes wait for the recorder"),
        ("warning", "7 replayed changes were dropped"),
    ]
    assert own.keys.late_dropped in worst(findings, "late").remedy


def test_a_process_that_fell_silent_is_named(own: Store, on_server: Settings) -> None:
    """As long as one of its runs counts as alive."""
    own.append([by("p1", started("a", "r1")), a_lease("p1", "r1")])
    assert said(look(on_server), "processes") == [("ok", "1 with open runs, none of them silent")]
    fall_silent(own, "p1", 90)
    ((level, found),) = said(look(on_server), "processes")
    assert level == "warning"
    assert found.startswith("process 4711 on p1.internal has been silent for")
    own.client.redis.delete(own.keys.live)
    assert said(look(on_server), "processes") == [("ok", "none has an open run")]


def test_many_silent_processes_are_counted(own: Store, on_server: Settings) -> None:
    """A dead machine does not fill the screen."""
    for number in range(8):
        own.append([by(f"p{number}", started(f"a{number}", f"r{number}")), a_lease(f"p{number}", f"r{number}")])
        fall_silent(own, f"p{number}", 90)
    told = said(look(on_server), "processes")
    assert (len(told), told[-1]) == (6, ("warning", "3 more are silent"))


def test_what_processes_could_not_store_is_told(own: Store, on_server: Settings) -> None:
    """By their own word: what waits on their disks, and whose end they dropped."""
    own.append([a_lease("p1", "r1", spool=5 * 2**20), a_lease("p2", "r2", dropped=3)])
    assert said(look(on_server), "unsent") == [
        ("warning", "5 MiB wait on the disks of process 4711 on p1.internal"),
        ("warning", "process 4711 on p2.internal dropped the end of 3 runs"),
    ]


def test_jobs_without_a_live_worker_are_named(own: Store, on_server: Settings) -> None:
    """None published is a note; published and run by nobody is a warning."""
    assert worst(look(on_server), "jobs").level is Level.NOTE
    own.publish_jobs("w1", [JobInfo("copy", {}, "q"), JobInfo("move", {}, "q")])
    assert said(look(on_server), "jobs") == [("ok", "2 can be queued, each with a live worker")]
    own.withdraw_worker("w1")
    own.publish_jobs("w2", [JobInfo("copy", {}, "q")])
    assert said(look(on_server), "jobs") == [("warning", "no live worker runs move")]


def test_different_releases_are_warned_of(own: Store, on_server: Settings) -> None:
    """With the machines they run on; processes that do not say theirs do not count."""
    own.append([a_lease("p1", "r1", release="1.0"), a_lease("p2", "r2")])
    assert said(look(on_server), "releases") == [("ok", "everything runs 1.0")]
    own.append([a_lease("p3", "r3", release="1.1")])
    told = "different releases run: 1.0 on p1.internal; 1.1 on p3.internal"
    assert said(look(on_server), "releases") == [("warning", told)]


def test_a_slow_way_is_warned_of(own: Store, on_server: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is slow here."""
    monkeypatch.setattr(namespace, "SLOW", 0.0)
    assert worst(look(on_server), "publish").level is Level.WARNING


def test_what_cannot_be_read_is_a_finding(own: Store, on_server: Settings) -> None:
    """Something foreign under the tracker's keys ends neither the check after it nor the command."""
    own.client.redis.set(own.keys.archive, "no json")
    findings = look(on_server)
    assert worst(findings, "archive").found.startswith("could not be looked at: DecodeError")
    own.client.redis.hset(own.keys.jobs, "bad", "no json")
    own.append([by("p1", started("a")), a_lease("p1", "r1"), a_lease("p2", "r2")])
    own.client.redis.hset(own.keys.lease("p2"), "about", "no json")
    findings = look(on_server)
    assert worst(findings, "jobs").found.startswith("what is published of the job 'bad' cannot be read")
    assert worst(findings, "processes").found.startswith("the sign of life of process 'p2' cannot be read")
    assert worst(findings, "records").level is Level.OK
    own.client.redis.delete(own.keys.jobs)
    own.client.redis.set(own.keys.jobs, "no hash")
    findings = look(on_server)
    assert worst(findings, "jobs").level is Level.WARNING
    assert worst(findings, "publish").level is Level.OK


@pytest.mark.parametrize("way", **params(WAYS))
def test_an_operation_that_cannot_be_read_is_a_problem(own: Store, on_server: Settings, way: Way) -> None:
    """Which names it and what of it, and how to look at that; children as well."""
    own.append([started("a"), started("bad", parent="a"), step_event("bad", 2)])
    assert said(look(on_server), "records") == [("ok", "all 2 operations can be read")]
    way.spoil(own, "bad")
    (found,) = [one for one in look(on_server) if one.check == "records"]
    assert found.level is Level.PROBLEM
    assert found.found.startswith(f"the record of operation 'bad' cannot be read: its `{way.field}` makes no sense (")
    assert ":bad'" in found.remedy
    assert f"UNLINK '{own.keys.operation('bad')}'" in found.remedy
    assert cli_doctor.exit_code([found]) == 1


def test_of_many_operations_that_cannot_be_read_some_are_named(
    own: Store, on_server: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of very many operations not all are looked at."""
    own.append([started(f"op-{number}", f"run-{number}") for number in range(9)])
    for number in range(7):
        own.client.redis.hset(own.keys.operation(f"op-{number}"), "queue", "{{")
    levels = [level for level, _ in said(look(on_server), "records")]
    assert levels == ["problem"] * 6
    assert said(look(on_server), "records")[-1] == ("problem", "2 more cannot be read")
    own.client.redis.flushall()
    own.append([started(f"op-{number}", f"run-{number}") for number in range(50)])
    monkeypatch.setattr(namespace, "LOOKED_AT", 5)
    monkeypatch.setattr(leaving, "SCANNED_AT_ONCE", 5)
    ((level, text),) = said(look(on_server), "records")
    assert level == "ok"
    assert text.startswith("some ")


def test_two_namespaces_do_not_mix(own: Store, on_server: Settings) -> None:
    """What is wrong in another one is not told."""
    other = Store(own.client.url, "other")
    other.append([QueueItem("x", QueuePart("job", NOW)), a_lease("p1", "r1", offset=99.0)])
    assert worst(look(on_server), "clock").level is Level.OK
    other.client.disconnect()


# ---- the machine ---------------------------------------------------------------------------------


@pytest.fixture
def lonely(tmp_path: Path) -> Settings:
    """Settings of a machine without any Redis."""
    return Settings(state_dir=tmp_path / "state", data_root=tmp_path)


def test_what_a_dead_process_left_in_the_spool_is_told(lonely: Settings, tmp_path: Path) -> None:
    """Its size and its folder; a file whose process lives is none of those."""
    assert said(look(lonely), "spool") == [("ok", "nothing is left behind on this machine")]
    spool = begin(tmp_path / "state" / "spool" / "default")
    spool.put([started("a")])
    assert said(look(lonely), "spool") == [("ok", "nothing is left behind on this machine")]
    spool.close()
    found = worst(look(lonely), "spool")
    assert found.level is Level.WARNING
    assert found.found.startswith("1 file with ")
    assert found.found.endswith(f" left behind in {spool.path.parent}")
    assert spool.path.exists()


def test_a_state_folder_that_others_may_read_is_warned_of(lonely: Settings) -> None:
    """It holds the password of the embedded server."""
    lonely.state_dir.mkdir(mode=0o700)
    assert said(look(lonely), "state-folder") == [("ok", str(lonely.state_dir))]
    lonely.state_dir.chmod(0o750)
    assert worst(look(lonely), "state-folder").remedy == f"chmod 700 {lonely.state_dir}"


def test_a_state_folder_that_cannot_be_one_is_a_problem(lonely: Settings) -> None:
    """A file stands in its place."""
    lonely.state_dir.write_text("")
    assert worst(look(lonely), "state-folder").level is Level.PROBLEM


def test_a_full_disk_is_warned_of(lonely: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With as much room as no disk has."""
    monkeypatch.setattr(machine, "FREE_SPACE", 2**70)
    assert "are free on the disk" in worst(look(lonely), "state-folder").found


def test_a_data_root_that_is_not_there_is_warned_of(lonely: Settings, tmp_path: Path) -> None:
    """File jobs would find nothing."""
    found = worst(look(replace(lonely, data_root=tmp_path / "none")), "data-root")
    assert (found.level, found.remedy) == (Level.WARNING, "set TRACKER_DATA_ROOT to one that is")


def test_who_may_log_in_is_told(lonely: Settings, tmp_path: Path) -> None:
    """Nobody has to; nobody can; some may, of whom only those count whose token is still good."""
    file = tmp_path / "tokens"
    assert "not asked for" in said(look(lonely), "log-in")[0][1]
    guarded = replace(lonely, tokens_file=file)
    assert worst(look(guarded), "log-in").level is Level.PROBLEM
    tokens.add(file, "old", Role.OPERATOR, None)
    file.write_text(f"{file.read_text().rstrip()} 2001-01-31\n")
    assert worst(look(guarded), "log-in").level is Level.WARNING
    tokens.add(file, "ada", Role.OPERATOR, None)
    assert said(look(guarded), "log-in") == [("ok", f"1 token in {file}, 1 of operators")]
    tokens.add(file, "vic", Role.VIEWER, 1)
    assert said(look(guarded), "log-in") == [("ok", f"2 tokens in {file}, 1 of operators")]
    file.chmod(0o666)
    assert "other users may write" in worst(look(guarded), "log-in").found


@pytest.mark.parametrize("scheme", ["amqp://user:{secret}@{place}//", "redis://:{secret}@{place}/1"])
def test_a_broker_of_its_own_is_knocked_at(lonely: Settings, scheme: str) -> None:
    """Somebody listens, or it is a problem."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        settings = replace(lonely, broker_url=scheme.format(secret=SECRET, place=place))
        assert said(look(settings), "broker") == [("ok", f"{place} takes connections")]
    assert said(look(settings), "broker") == [("problem", f"nobody answers at {place}")]


@pytest.mark.parametrize("url", ["memory://", "sqs://KEY:SECRET@", "amqp://user:12/34@host//", "filesystem://"])
def test_a_broker_without_a_clear_address_is_a_note(lonely: Settings, url: str) -> None:
    """No part of a login is taken for an address."""
    ((level, found),) = said(look(replace(lonely, broker_url=url)), "broker")
    assert level == "note"
    assert not [part for part in ("KEY", "SECRET", "user", "12", "34") if part in found]


def test_a_broker_with_several_addresses_needs_one(lonely: Settings) -> None:
    """As kombu takes them, separated by semicolons."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"amqp://{free_address()};amqp://127.0.0.1:{listener.getsockname()[1]}"
        assert worst(look(replace(lonely, broker_url=url)), "broker").level is Level.OK


def test_a_misspelt_setting_is_warned_of(lonely: Settings) -> None:
    """A variable that does nothing costs its writer an evening; one of another program is none of ours."""
    findings = look(lonely, TRACKER_NAMESPACE="x", TRACKER_NAMSPACE="y", TRACKER_PORT_8420_TCP="tcp://10.0.0.1:8420")
    assert said(findings, "settings") == [
        ("ok", "set: TRACKER_NAMESPACE"),
        ("warning", "nobody reads TRACKER_NAMSPACE"),
    ]


def test_every_setting_is_shown_without_its_secrets() -> None:
    """By the name of its variable."""
    settings = Settings(redis_url=f"redis://me:{SECRET}@h:1/0?password={SECRET}", broker_url=f"amqp://me:{SECRET}@h//")
    shown = shown_settings(settings)
    assert list(shown)[:3] == ["TRACKER_REDIS_URL", "TRACKER_BROKER_URL", "TRACKER_NAMESPACE"]
    assert len(shown) == len(Settings.__dataclass_fields__)
    assert shown["TRACKER_REDIS_URL"] == "redis://h:1/0"
    assert SECRET not in repr(shown)


def test_an_old_celery_is_warned_of(lonely: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is not installed is not."""
    monkeypatch.setattr(machine, "_version_of", {"celery": "5.6.3", "kombu": "5.7.0", "redis": "8.1.0"}.get)
    told = [one.found for one in versions(Case(lonely, {}))]
    assert told[-1] == "celery 5.6.3: older than 5.7"
    monkeypatch.setattr(machine, "_version_of", lambda name: "")
    assert len(list(versions(Case(lonely, {})))) == 1


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("this user has no permissions to run the 'xadd' command or its subcommand", "ACL SETUSER NAME +xadd"),
        ("User x has no permissions to run the 'config|get' command", "ACL SETUSER NAME +config|get"),
        ("this user has no permissions to access one of the keys used as arguments", "ACL SETUSER NAME '~p:*'"),
        ("No permissions to access a channel", "ACL SETUSER NAME '&p:*'"),
    ],
)
def test_each_engine_s_refusal_is_understood(said: str, remedy: str) -> None:
    """Redis 6.2 says it in other words than those that came after it."""
    assert failure(StoreUnavailable(said), "p:")[1] == remedy


@pytest.mark.parametrize("module", [finding, server_module, cli_doctor])
def test_the_examples_in_docstrings_are_true(module: ModuleType) -> None:
    """They show how texts and numbers are read."""
    done = doctest.testmod(module)
    assert (done.attempted > 0, done.failed) == (True, 0)


# ---- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["redis", "broker"])
def test_what_never_answers_does_not_hold_the_rest_up(
    lonely: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is known is told after the limit, with the name of the check that hangs."""
    never = threading.Event()

    def hang(case: Case) -> list[Finding]:
        never.wait(60)
        return []

    monkeypatch.setattr(doctor, "CHECKS", (CHECKS[0], Check(name, hang), CHECKS[1]))
    findings = examine(Case(lonely, {}), limit=0.2)
    never.set()
    assert [finding.check for finding in findings] == ["settings", name]
    assert findings[-1].level is Level.PROBLEM
    assert findings[-1].found.startswith("no answer within 0.2 s")


# ---- the archive ---------------------------------------------------------------------------------


def test_the_archive_that_is_read_is_compared_with_the_one_that_is_written(
    own: Store, on_server: Settings, recorder: Recorder, tmp_path: Path
) -> None:
    """The same is well; another one on this machine is a problem, one elsewhere worth knowing."""
    assert [level for level, _ in said(look(on_server), "archive")] == ["note"]
    recorder.turn()
    assert [level for level, _ in said(look(on_server), "archive")] == ["ok"]
    elsewhere = replace(on_server, archive_url=f"sqlite:///{tmp_path}/other.sqlite3")
    found = worst(look(elsewhere), "archive")
    assert found.level == "problem"
    assert "TRACKER_ARCHIVE_URL" in found.remedy
    own.append([Hold(recorder._token, 60, ArchiveInfo("x", "node-9", "/srv/archive.sqlite3"))])
    (level, text), *_ = said(look(on_server), "archive")
    assert (level, "node-9" in text) == ("note", True)


def test_an_archive_that_cannot_be_read_is_a_problem(on_server: Settings, recorder: Recorder, tmp_path: Path) -> None:
    """The file is named."""
    recorder.turn()
    broken = tmp_path / "broken.sqlite3"
    broken.write_bytes(b"no database at all " * 1000)
    found = worst(look(replace(on_server, archive_url=f"sqlite:///{broken}")), "archive")
    assert (found.level, "broken.sqlite3" in found.found) == ("problem", True)


def test_operations_that_do_not_leave_are_told(own: Store, on_server: Settings) -> None:
    """Only where somebody should see to it."""
    own.append([started("a"), ended("a")])
    own.client.redis.zincrby(own.keys.ended, -3600, "a")
    assert said(look(on_server), "moving") == []
    own.append([Hold("somebody", 60)])
    assert [level for level, _ in said(look(on_server), "moving")] == ["warning"]


def test_what_ended_operations_take_is_told_and_what_was_removed(own: Store, on_server: Settings) -> None:
    """Before they are too many, and afterwards."""
    own.append([started("a"), ended("a")])
    assert [level for level, _ in said(look(on_server), "budget")] == ["ok"]
    tight = replace(on_server, redis_budget=100)
    own.client.redis.set(own.keys.trimmed, 7)
    levels = [level for level, _ in said(look(tight), "budget")]
    assert levels == ["warning", "warning"]
