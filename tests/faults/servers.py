"""A real server of one test that can be brought into every state a server may be found in."""

from __future__ import annotations

import random
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support import free_port, freeze, wait_for
from tracker.engines import Engine, _identify, find_engine

Persistence = Literal["none", "aof", "rdb"]

NOBODY = 1
"""A port on which no Redis listens."""

FILLING = 2_000
"""Keys that are read back slowly, at most for ``FILLING * KEY_DELAY`` microseconds."""

KEY_DELAY = 30_000

ADMIN = "breaker"
"""A user of this tool's own, so that it can mend what it took from everybody else."""


def engine_names() -> list[str]:
    """The servers on this machine that tests can run with: the bundled one, and a Redis if there is one."""
    return ["bundled", *(["redis-server"] if shutil.which("redis-server") else [])]


def engine_of(name: str) -> Engine:
    """One of ``engine_names()``."""
    binary = shutil.which(name)
    engine = _identify(Path(binary)) if binary else None
    return engine or find_engine()


@dataclass(slots=True)
class BreakableServer:
    """A server on a port of its own with its data in ``folder``; it runs from the start until ``close()``.

    What survives ``kill()`` and ``start()``: everything with ``aof`` (each write reaches the kernel before its
    answer), what ``save()`` wrote with ``rdb``, nothing with ``none``. Signals go to its own process only.
    """

    folder: Path
    persistence: Persistence = "aof"
    engine: Engine = field(default_factory=find_engine)
    port: int = 0
    password: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _admin: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._data.mkdir(parents=True)
        try:
            self._start_somewhere()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def admin(self) -> Any:
        """A client that may do everything, on one connection that it keeps."""
        return self._admin

    # ---- its life --------------------------------------------------------------------------------

    def kill(self) -> None:
        """End it with SIGKILL, also if it is paused."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
        if self._admin is not None:
            self._admin.close()

    def start(self) -> None:
        """Run it again after ``kill()``, under the same address, with what survived."""
        if self.persistence == "none":
            self._put_back(None)
        self._bring_up()

    def restart_empty(self) -> None:
        """It comes back without its data."""
        self.kill()
        self._put_back(None)
        self.start()

    def save(self) -> None:
        """Keep what it holds now for ``roll_back()``; one state is kept."""
        if self.persistence != "aof":
            self.admin.save()
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self._data, self._kept)

    def roll_back(self) -> None:
        """Kill it, and bring it back as it was at ``save()``."""
        self.kill()
        self._put_back(self._kept)
        self._bring_up()

    def pause(self) -> None:
        """Stop it in its tracks; connections stand, and the kernel takes new ones."""
        assert self._child is not None
        freeze(self._child.pid)

    def resume(self) -> None:
        """End ``pause()``."""
        assert self._child is not None
        self._child.send_signal(signal.SIGCONT)

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def close(self) -> None:
        """End it; its files stay for a look at them."""
        self.kill()

    # ---- states in which it answers and does not do what it is asked ------------------------------

    def flush(self) -> None:
        """Lose all data, as FLUSHALL does."""
        self.admin.flushall()

    def fill(self) -> None:
        """Be out of memory: writes answer OOM."""
        self.admin.config_set("maxmemory", 1)

    def unfill(self) -> None:
        """End ``fill()``."""
        self.admin.config_set("maxmemory", 0)

    def read_only(self) -> None:
        """Be the replica of a primary that is gone: writes answer READONLY."""
        self.admin.replicaof("127.0.0.1", NOBODY)

    def writable(self) -> None:
        """End ``read_only()``."""
        self.admin.replicaof("NO", "ONE")

    def misconf(self) -> None:
        """Be unable to save: writes answer MISCONF.

        A folder stands where the dump should go, which fails for every user, root too.
        """
        with suppress(FileNotFoundError):
            self._dump.rename(self._dump.with_suffix(".aside"))
        self._dump.mkdir()
        self.admin.config_set("save", "3600 1000000")
        self.admin.bgsave()
        wait_for(lambda: self.admin.info("persistence")["rdb_last_bgsave_status"] == "err")

    def fix(self) -> None:
        """End ``misconf()``."""
        self.admin.config_set("save", "")
        self._dump.rmdir()
        with suppress(FileNotFoundError):
            self._dump.with_suffix(".aside").rename(self._dump)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Start again and read the data back until the block ends (a minute at most): commands answer LOADING.

        Not before Redis 7, where reading answers nobody in between.
        """
        assert self.persistence == "rdb", "only a dump is read back in steps small enough"
        assert self.engine.major >= 7
        self._put_filling()
        self.admin.save()
        self.kill()
        assert self._launch("loading-process-events-interval-bytes 1024", f"key-load-delay {KEY_DELAY}")
        assert self.admin.info("persistence")["loading"] == 1
        try:
            yield
        finally:
            if self._child is not None:
                self.admin.config_set("key-load-delay", 0)
                wait_for(lambda: self.admin.info("persistence")["loading"] == 0)
                self._drop_filling()

    def revoke(self) -> None:
        """Take every right from the user that ``url`` names: commands answer NOPERM."""
        self.admin.execute_command("ACL", "SETUSER", "default", "-@all")

    def change_password(self) -> None:
        """Let nobody in with the password in ``url``: new connections answer WRONGPASS. Those that stand are ended."""
        self.admin.execute_command("ACL", "SETUSER", "default", "resetpass", f">{secrets.token_hex(8)}")
        self.kill_clients()

    def allow(self) -> None:
        """End ``revoke()`` and ``change_password()``."""
        rules = ("reset", "on", f">{self.password}", "~*", "&*", "+@all")
        self.admin.execute_command("ACL", "SETUSER", "default", *rules)

    def script_flush(self) -> None:
        """Forget all scripts: the next EVALSHA answers NOSCRIPT."""
        self.admin.script_flush()

    def kill_pubsub(self) -> int:
        """End the connections of all subscribers; their number."""
        return int(self.admin.client_kill_filter(_type="pubsub"))

    def kill_clients(self) -> None:
        """End every connection but this tool's own."""
        self.admin.client_kill_filter(_type="normal", skipme=True)
        self.kill_pubsub()

    def maxclients(self, number: int) -> None:
        """Take no more connections than that, this tool's one included; 10,000 is the usual number."""
        self.admin.config_set("maxclients", number)

    # ---- inside ----------------------------------------------------------------------------------

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _kept(self) -> Path:
        return self.folder / "kept"

    @property
    def _dump(self) -> Path:
        return self._data / "dump.rdb"

    def _put_back(self, kept: Path | None) -> None:
        shutil.rmtree(self._data)
        if kept is None:
            self._data.mkdir()
        else:
            shutil.copytree(kept, self._data)

    def _start_somewhere(self) -> None:
        for _ in range(5):
            self.port = free_port()
            if self._launch():
                return
        raise AssertionError(f"{self.engine.binary} does not start; see {self.folder}/server.log")

    def _bring_up(self) -> None:
        """Until it has read back what survived."""
        assert self._launch(), f"see {self.folder}/server.log"
        wait_for(lambda: not self.admin.info("persistence")["loading"])

    def _launch(self, *options: str) -> bool:
        """Whether it came up; it did not if somebody else has taken the port."""
        with (self.folder / "server.log").open("ab") as log:
            self._child = subprocess.Popen(
                [self.engine.binary, "-"], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        assert self._child.stdin is not None
        with suppress(BrokenPipeError), self._child.stdin as pipe:
            pipe.write("\n".join([*self._settings(), *options, ""]).encode())
        return bool(wait_for(self._answers_or_ended)) and self._child.poll() is None

    def _answers_or_ended(self) -> bool:
        assert self._child is not None
        if self._child.poll() is not None:
            return True
        with suppress(redis.ConnectionError):
            self._admin = redis.Redis(
                host="127.0.0.1",
                port=self.port,
                username=ADMIN,
                password=self.password,
                retry=Retry(NoBackoff(), 0),
                single_connection_client=True,
                socket_timeout=20.0,
                decode_responses=True,
            )
            return True
        return False

    def _settings(self) -> list[str]:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {self._data}",
            f"requirepass {self.password}",
            f"user {ADMIN} on >{self.password} ~* &* +@all",
            f"appendonly {'yes' if self.persistence == 'aof' else 'no'}",
            "appendfsync no",  # Only a crash of the machine would need more; "everysec" may hold a write back.
            'save ""',
            "rdbcompression no",
            "maxmemory-policy noeviction",
        ]
        return lines + (["enable-debug-command yes"] if self.engine.major >= 7 else [])

    def _put_filling(self) -> None:
        """Keys in a database of their own, each as large as the steps in which a dump is read."""
        with self.admin.pipeline(transaction=False) as pipe:
            pipe.execute_command("SELECT", 1)
            for number in range(FILLING):
                pipe.set(f"filling:{number}", random.Random(number).randbytes(1024))
            pipe.execute_command("SELECT", 0)
            pipe.execute()

    def _drop_filling(self) -> None:
        with self.admin.pipeline(transaction=False) as pipe:
            pipe.execute_command("SELECT", 1)
            pipe.flushdb()
            pipe.execute_command("SELECT", 0)
            pipe.execute()
