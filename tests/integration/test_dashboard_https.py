"""A dashboard over a cluster with TLS: HTTPS with the same certificate, and two roles."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import Programs
from tests.integration.shells import Shells

LOOK = "a-token-for-looking-at"
ACT = "a-token-of-some-length"


def ask(url: str, path: str, token: str, trusting: ssl.SSLContext, method: str = "GET") -> Any:
    """What it answers, or the status of a refusal."""
    request = urllib.request.Request(f"{url}{path}", headers={"Authorization": f"Bearer {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60, context=trusting) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_visitors_are_shown_the_cluster_s_certificate_and_some_may_only_look(tmp_path: Path) -> None:
    folder = str(tmp_path / "tls")
    with Programs(tmp_path) as programs:
        shells = Shells(programs, tmp_path)
        made = shells.partisan("certs", "init", folder, "--host", "127.0.0.1")
        assert made.returncode == 0, made.stderr
        nodes, address = shells.start("--name", "n", "--tls-dir", folder)
        options = ("--port", "0", "--address", address, "--tls-dir", folder, "--token", ACT, "--view-token", LOOK)
        dashboard = shells.command("dashboard", "--https", *options)
        url = dashboard.wait_for("dashboard at https://").split()[-1].partition("/?")[0]
        trusting = ssl.create_default_context(cafile=f"{folder}/ca.pem")

        viewer, actor = (ask(url, "/api/v1/session", token, trusting) for token in (LOOK, ACT))
        stranger = ask(url, "/api/v1/session", "nobody-knows-this-one", trusting)
        refused = ask(url, "/api/v1/nodes/n/stop", LOOK, trusting, "POST")
        stopped = ask(url, "/api/v1/nodes/n/stop", ACT, trusting, "POST")

        nodes.wait()
        dashboard.interrupt()
        dashboard.wait()

    assert viewer["read_only"] and not actor["read_only"]
    assert (stranger, refused) == (401, 403)
    assert stopped["text"] == "stops node n"
