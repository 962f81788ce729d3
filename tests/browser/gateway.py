"""nginx in front of a server, with the very lines that the documentation gives."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import free_port, wait_for
from tests.web.client import ROOT, Server

MISSING = "no nginx here; on Debian and Ubuntu: apt install nginx-light"


def documented() -> str:
    """The `location` of docs/deployment.md."""
    found = re.search(r"```nginx\n(.*?)```", (ROOT / "docs/deployment.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@contextmanager
def gateway(server: Server, folder: Path, *, upgrades: bool = True, token: str = "") -> Iterator[str]:
    """The address of the dashboard behind nginx; without ``upgrades`` nginx is one that knows no WebSocket, and with a
    ``token`` it lets in whoever shows that."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail(MISSING, pytrace=False) if os.environ.get("CI") == "true" else pytest.skip(MISSING)
    location = documented().replace("127.0.0.1:8420", server.address)
    if not upgrades:
        location = re.sub(r".*(Upgrade|Connection).*\n", "", location)
    if token:
        check = f'if ($http_authorization != "Bearer {token}") {{ return 401; }}'
        location = re.sub(r"(location .*\{)", lambda found: f"{found[1]} {check}", location)
    port = free_port()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {' '.join(f'{kind}_temp_path {folder}/{kind};' for kind in kinds)}\n"
        f"server {{ listen 127.0.0.1:{port};\n{location} }} }}\n"
    )
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: (folder / "pid").exists() or process.poll() is not None)
        assert process.poll() is None, (folder / "error.log").read_text()
        yield f"http://127.0.0.1:{port}/tracker/"
    finally:
        process.terminate()
        process.wait(10)
