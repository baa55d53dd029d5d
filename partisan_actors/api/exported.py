"""`MetricsExported`: what one node measures goes to OpenTelemetry's exporters, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import CancelledError
from typing import Final

from partisan_actors.api.metering import Metering
from partisan_actors.node.node import Node
from partisan_actors.telemetry.metric_export import MetricExport, is_wanted_by, start_metric_export
from partisan_actors.telemetry.metrics import Point
from partisan_actors.telemetry.options import TracingOptions

__all__ = ["MetricsExported"]

logger = logging.getLogger(__name__)

# How long the end of a node may take because of metrics that are still to be exported.
EXPORT_S: Final = 2.0


class MetricsExported:
    """On the node's loop, but for `_read`."""

    def __init__(self, node: Node, metering: Metering, options: TracingOptions | None) -> None:
        self._node = node
        self._metering = metering
        self._options = options
        self._export: MetricExport | None = None
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background, if the ``OTEL_*`` variables ask for it."""
        if is_wanted_by(os.environ):
            self._starting = self._node.loop.create_task(self._start())

    async def _start(self) -> None:
        node = self._node
        # Loading takes a second, which the loop does not have.
        wanted = (self._read, node.me, node.cluster, self._options, node.recorder.wall_clock)
        try:
            self._export = await node.loop.run_in_executor(None, start_metric_export, *wanted)
        except Exception as error:  # noqa: BLE001 - any installed package; a program must not fail for want of metrics
            logger.warning("metrics will not be exported: %r", error)

    def _read(self, timeout_s: float) -> list[Point]:
        """On the exporter's thread. Raises TimeoutError when the loop is that late, RuntimeError when it has ended."""
        reading = asyncio.run_coroutine_threadsafe(self._metering.snapshot(), self._node.loop)
        try:
            return reading.result(timeout_s)
        except CancelledError as error:  # no trouble of the exporter's
            raise RuntimeError("the node ends") from error
        finally:
            reading.cancel()

    async def last_points(self) -> list[Point] | None:
        """What is to be exported at the end, to be asked for while the node is whole; None when nothing is."""
        if self._starting is None:
            return None
        try:
            return await self._metering.snapshot()
        except RuntimeError:  # the interpreter ends, and starts no threads any more
            return None

    async def close(self, last: list[Point] | None) -> None:
        """Export `last`, and end, within EXPORT_S."""
        if self._starting is None:
            return
        loop = self._node.loop
        deadline = loop.time() + EXPORT_S
        await asyncio.wait([self._starting], timeout=EXPORT_S)
        export = self._export
        if export is None:
            self._starting.cancel()
            return
        export.begin_close(last)
        while not export.is_finished and loop.time() < deadline:  # noqa: ASYNC110 - it runs without a loop to tell
            await asyncio.sleep(0.01)
