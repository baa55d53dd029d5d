"""The cluster's shared secret: taken from the environment or from a per-user file of mode 0600, made on first use."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from partisan_actors.errors import ConfigError

__all__ = ["cookie_from_file", "cookie_path", "read_cookie"]

COOKIE_BYTES_MIN = 8
COOKIE_VARIABLE = "PARTISAN_COOKIE"


def cookie_path() -> Path:
    """Where this user's cookie lives; PARTISAN_COOKIE_FILE overrides."""
    override = os.environ.get("PARTISAN_COOKIE_FILE")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "partisan-actors" / "cookie"


def read_cookie(given: str | bytes | None = None, *, insecure: bool = False) -> bytes:
    """The cookie to use: `given`, else PARTISAN_COOKIE, else the file, which is made when it does not exist.

    Those that are `insecure` have none, unless it is given. Raises ConfigError when the file can be read by others, or
    the cookie is too short.
    """
    if insecure and not given:
        return b""
    text = given or os.environ.get(COOKIE_VARIABLE) or _from_file(cookie_path())
    return _checked(text.encode() if isinstance(text, str) else text)


def cookie_from_file(path: Path) -> bytes:
    """The cookie in that file, which is made when it does not exist. Raises ConfigError as `read_cookie` does."""
    return _checked(_from_file(path))


def _checked(cookie: bytes) -> bytes:
    if len(cookie) < COOKIE_BYTES_MIN:
        raise ConfigError("cookie", f"<{len(cookie)} bytes>", f"at least {COOKIE_BYTES_MIN} bytes of secret")
    return cookie


def _from_file(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return _make(path)
    except OSError as error:
        raise ConfigError("cookie file", str(path), f"a file that can be read ({error.strerror})") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError("cookie file", str(path), "a file only its owner can read: chmod 600 it")
    return path.read_bytes().strip()


def _make(path: Path) -> bytes:
    cookie = secrets.token_hex(32).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Written beside and linked in, so that two nodes starting at once agree on one complete cookie.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(cookie + b"\n")
            try:
                os.link(draft, path)
            except FileExistsError:
                return _from_file(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            "cookie file", str(path), f"a place that can be written ({error.strerror}); or set PARTISAN_COOKIE"
        ) from error
    return cookie
