"""What receivers of OTLP over HTTP share: a real server on a loopback port, and waiting for what it is sent."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, Self, TypeVar

from google.protobuf.message import Message

RequestT = TypeVar("RequestT", bound=Message)

_DECODERS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


class HttpReceiver(Generic[RequestT]):
    """Collects what is posted to `path`, as messages of one type; a context manager.

    Posts to `path` are answered with `status` and kept if that is 200; any other path is answered with 404. `answer` is
    the type and the body of all answers; the protocol's has no fields that we set, so it is no bytes at all.
    """

    def __init__(
        self,
        path: str,
        request_type: type[RequestT],
        *,
        status: int = 200,
        answer: tuple[str, bytes] = ("application/x-protobuf", b""),
    ) -> None:
        self.answer = answer
        self.requests: list[RequestT] = []
        self.headers: list[Mapping[str, str]] = []
        self._path = path
        self._request_type = request_type
        self._status = status
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base(self) -> str:
        """Where the server is, without the path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, what: str, count: Callable[[], int], at_least: int, timeout_s: float = 60.0) -> None:
        """Return when `count` says that there are so many; AssertionError when that takes longer than `timeout_s`."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: count() >= at_least, timeout_s):
                raise AssertionError(f"{count()} of {at_least} {what} arrived in {timeout_s} s")

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Keep what was posted; the status to answer with. For the server's threads."""
        status = self._status if path == self._path else 404
        # A body that is no such message raises here, so that its sender gets no answer at all.
        plain = _DECODERS.get(headers.get("content-encoding", ""), bytes)(body)
        request = self._request_type.FromString(plain) if status == 200 else None
        with self._arrived:
            self.headers.append(headers)
            if request is not None:
                self.requests.append(request)
            self._arrived.notify_all()
        return status


def _handler(receiver: HttpReceiver[Any]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            # Before the answer: a sender that has it may go on to look at what was received.
            status = receiver.take(self.path, {key.lower(): value for key, value in self.headers.items()}, body)
            self.send_response(status)
            content_type, answer = receiver.answer
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """A test's output is its own."""

    return Handler
