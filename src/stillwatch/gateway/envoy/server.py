"""The server behind Envoy's filter: one process, one event loop, health, metrics, and a good end when asked to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import start_http_server

from stillwatch.errors import ConfigError
from stillwatch.gateway.envoy.call import Call, Desk, Judge
from stillwatch.gateway.envoy.messages import METHOD, SERVICE, ProcessingRequest, ProcessingResponse
from stillwatch.gateway.envoy.metrics import Metrics
from stillwatch.receive.budget import Budget
from stillwatch.settings import Settings
from stillwatch.wiring.gate_dye import Dyer

GRACE_S = 10.0
"""What calls in progress get to finish in when the end is asked for."""
_ANY = -1
"""A message may have any length: Envoy bounds its bodies, and one that gRPC refused would be one of no decision."""
_WORKERS = 4


def serve(
    judge: Judge, settings: Settings, *, listen: str, metrics: str | None, ready: Callable[[str], None],
    tell: Callable[[str], None] | None = None,
) -> None:  # fmt: skip
    """Process until SIGTERM or SIGINT; calls in progress are finished first. Call from the main thread.

    Args:
        judge: the gate.
        settings: sections ``envoy`` and ``protect``.
        listen: ``HOST:PORT``, ``[HOST]:PORT`` or ``unix:PATH``; port 0 takes any free one.
        metrics: ``HOST:PORT`` for Prometheus; none when None.
        ready: called with the address once calls are answered.
        tell: where a line for the operator goes; standard error when None.

    Raises:
        ConfigError: when an address cannot be had.
    """
    asyncio.run(_serve(judge, settings, listen, metrics, ready, tell or _to_stderr))


async def _serve(
    judge: Judge, settings: Settings, listen: str, metrics: str | None, ready: Callable[[str], None],
    tell: Callable[[str], None],
) -> None:  # fmt: skip
    counted = Metrics()
    bounds = settings.envoy
    budget = Budget(bounds.max_waiting_bytes)
    counted.waiting.set_function(lambda: float(budget.held))
    remote, closed = settings.protect.store is not None, settings.protect.fail == "closed"
    desk = Desk(judge, bounds, counted, budget, remote, closed, _once(tell), Dyer.open(settings))
    server = grpc.aio.server(
        maximum_concurrent_rpcs=bounds.max_calls,
        options=[
            ("grpc.so_reuseport", 0), *((f"grpc.max_{way}_message_length", _ANY) for way in ("receive", "send")),
        ],
    )  # fmt: skip
    state = health.aio.HealthServicer()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="deciding") as pool:
        server.add_generic_rpc_handlers((_handler(desk, pool),))
        health_pb2_grpc.add_HealthServicer_to_server(state, server)
        address = _bound(server, listen)
        exposed = _exposed(metrics, counted) if metrics else None
        try:
            await server.start()
            for name in ("", SERVICE):
                await state.set(name, health_pb2.HealthCheckResponse.SERVING)
            ready(address)
            await _asked_to_end()
            await state.enter_graceful_shutdown()
        finally:
            await server.stop(GRACE_S)
            if exposed is not None:
                exposed.shutdown()
                exposed.server_close()


def _handler(desk: Desk, pool: ThreadPoolExecutor) -> Any:
    async def process(_: Any, context: Any) -> None:
        call = Call(desk)
        with desk.metrics.calls.track_inprogress():
            try:
                await _converse(call, context, pool)
            finally:
                call.end()

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            METHOD: grpc.stream_stream_rpc_method_handler(
                process,
                request_deserializer=ProcessingRequest.FromString,
                response_serializer=ProcessingResponse.SerializeToString,
            )
        },
    )


async def _converse(call: Call, context: Any, pool: ThreadPoolExecutor) -> None:
    """Read and answer until Envoy ends the stream, which it also does once the customer is answered from here."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None
    try:
        while not call.over and (message := await context.read()) is not grpc.aio.EOF:
            if call.keeps_others_waiting(message):
                replies = await loop.run_in_executor(pool, call.take, message)
            else:
                replies = call.take(message)
            for reply in replies:
                await context.write(reply)
            if call.until is None and timer is not None:
                timer.cancel()
            elif call.until is not None and timer is None:
                timer = loop.call_at(call.until, _too_late, call, context)
    finally:
        if timer is not None:
            timer.cancel()


def _too_late(call: Call, context: Any) -> None:
    """The body did not come in time: say so, unless it is being decided on just now."""
    if call.until is not None:
        _LATE.add(task := asyncio.ensure_future(context.write(call.late())))
        task.add_done_callback(_said)


def _said(task: asyncio.Future[None]) -> None:
    """Done, or the call was gone by then, which does no harm."""
    _LATE.discard(task)
    if not task.cancelled():
        task.exception()


_LATE: set[asyncio.Future[None]] = set()
"""Held until they are done: the loop itself holds on to no task."""


async def _asked_to_end() -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, asked.set)
    try:
        await asked.wait()
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)


def _bound(server: Any, listen: str) -> str:
    if listen.startswith("unix:") and len(listen) > len("unix:"):
        host = ""
    else:
        host, _ = _split(
            listen, "--listen 127.0.0.1:9002, --listen [::1]:9002 or --listen unix:/run/stillwatch.sock"
        )
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError:
        port = 0
    if not port:
        raise ConfigError(
            f"cannot listen on {listen}", hint="choose another address, or stop what listens there"
        )
    return f"{host}:{port}" if host else listen


def _exposed(address: str, counted: Metrics) -> Any:
    host, port = _split(address, "--metrics 127.0.0.1:9003")
    try:
        server, _ = start_http_server(port, host.removeprefix("[").removesuffix("]"), counted.registry)
    except OSError as error:
        reason = (error.strerror or "it cannot be had").lower()
        raise ConfigError(f"cannot listen on {address}: {reason}",
                          hint="choose another address, or stop what listens there") from error  # fmt: skip
    return server


def _split(address: str, example: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(f"{address!r} is not an address with a port", hint=f"for example {example}")
    return host, int(port)


def _once(tell: Callable[[str], None]) -> Callable[[str], None]:
    """What lasts is told once, not once a call."""
    last = ""

    def told(text: str) -> None:
        nonlocal last
        if text != last:
            last = text
            tell(text)

    return told


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"stillwatch: {text}\n")
