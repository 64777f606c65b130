"""One simulation: hub, COMMAND, messages and the ledger, wired together."""

import asyncio
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import BinaryIO

import orjson

from ..errors import SettingsError, UnwritableError
from ..messages import OutputMessage
from ..packaging.manifest.edge_manifest import read
from ..packaging.manifest.twin_limits import check_limits
from ..transports.jsonl import message_line
from ..transports.message_files import arriving
from ..written import written
from .command import Command
from .edge_hub.dispatch import RoutingResult
from .edge_hub.hub import EdgeHub
from .edge_hub.session import Delivery
from .files import left_of, messages_of
from .ledger import Entry, Ledger
from .options import Options
from .progress import ProgressDisplay, progress_text
from .routing.messages import RoutedMessage
from .scrape import Scraper, free_port, port_of
from .summary import Summary, latency_ms

_TEMPLATE = Path("deployment.template.json")
_LOOK_EVERY = 0.1
_SHOW_EVERY = 0.5
_MOST_KINDS = 20
_CONNECT_LIMIT = 120.0
"""Seconds that COMMAND may be away from the hub until what is unanswered counts as lost."""

_UPSTREAM_SYSTEM = (
    "message_id",
    "correlation_id",
    "content_type",
    "content_encoding",
    "device_id",
    "module_id",
    "creation_time",
)


async def run(options: Options) -> int:
    """Run one simulation, print its summary, and give the exit code.

    Raises:
        SettingsError: a file, the manifest, a route or the address does not fit.
        UnwritableError, BrokenPipeError: --upstream cannot be written; nothing is counted then.
    """
    async with AsyncExitStack() as stack:
        upstream = stack.enter_context(written(options.upstream)) if options.upstream else None
        environment = {"SCORING_HUB_TIMEOUT_S": "30", **os.environ}
        environment.setdefault("SCORING_HTTP_PORT", str(free_port()))
        simulation = Simulation(options, upstream, environment)
        if "SCORING_JOURNAL_DIR" not in environment:
            folder = tempfile.TemporaryDirectory(prefix="journal-", ignore_cleanup_errors=True)
            environment["SCORING_JOURNAL_DIR"] = stack.enter_context(folder)
        try:
            code = await simulation.run()
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            _tell(simulation.summary(), options.summary)
            raise
        except SettingsError:
            summary = simulation.summary()
            _tell(summary, options.summary, shown=summary.connects > 0)
            raise
    summary = simulation.summary()
    _tell(summary, options.summary, shown=summary.connects > 0 or not code)
    return code or (1 if summary.troubles or (options.fail_on_errors and summary.errors) else 0)


def _tell(summary: Summary, path: Path | None, *, shown: bool = True) -> None:
    if path:
        summary.write(path)
    if shown:
        print(summary.text(), flush=True)


class Simulation:
    """The state of one simulation."""

    def __init__(self, options: Options, upstream: BinaryIO | None, environment: Mapping[str, str]) -> None:
        """Read the manifest and open the messages; ``environment`` is what COMMAND is started with.

        Raises:
            SettingsError: one of them does not fit.
        """
        template = _TEMPLATE if _TEMPLATE.is_file() else None
        manifest = read(path) if (path := options.manifest or template) else None
        module = manifest.our_module(options.module) if manifest else options.module or "scoring"
        desired = manifest.desired if manifest else {}
        for name in ("$edgeHub", module):
            check_limits(name, desired.get(name, {}))
        self._options, self._upstream, self._environment = options, upstream, environment
        self._ledger = Ledger()
        # Nobody but COMMAND is told these two names.
        private_output = f"nothing-{secrets.token_hex(8)}"
        iothub = f"simulated-{secrets.token_hex(8)}.azure-devices.net"
        self._nothing_output = environment.get("SCORING_NOTHING_OUTPUT") or private_output
        self._scraper = Scraper(port_of(environment), iothub)
        self._messages, self._waits = messages_of(options)
        self._errors: Counter[str] = Counter()
        self._display = ProgressDisplay(options.limit)
        self._read = self._taken = self._refused = self._unrouted = 0
        self._waiting: dict[int, RoutedMessage] = {}
        self._had_time = False
        self._stop_code: int | None = None
        self._unwritable: UnwritableError | BrokenPipeError | None = None
        self._moved_at = 0.0
        self._hub = EdgeHub(
            listen=options.listen,
            module=module,
            iothub=iothub,
            private_output=private_output,
            routes=manifest.routes if manifest else None,
            desired=desired.get(module),
            max_in_flight=options.max_in_flight,
            ack_timeout=options.ack_timeout,
            on_routed=self._routed,
            on_delivered=self._delivered,
            on_output=self._output,
            on_upstream=self._reached_upstream,
        )
        self._command = Command(
            argv=options.command,
            kill_every=options.kill_every,
            connects=lambda: self._hub.session.connects,
            under_way=lambda: self._ledger.under_way,
            may_kill=lambda: monotonic() - self._moved_at < options.settle / 2,
            before_kill=self._scraper.poll,
            after_end=self._scraper.new_life,
            say=self._display.say if self._display.is_bar else None,
        )

    async def run(self) -> int:
        """Serve until all is answered or COMMAND ends; give COMMAND's exit code if it ended by itself, else 0."""
        async with self._hub as hub:
            environment = {**self._environment, "SCORING_NOTHING_OUTPUT": self._nothing_output, **hub.environment}
            running = asyncio.create_task(self._command.run(environment))
            feeding = asyncio.create_task(self._feed())
            try:
                await self._watch(running, feeding)
                await self._scraper.poll()
            finally:
                ended = running.done()
                for each in (running, feeding):
                    each.cancel()
                await asyncio.gather(running, feeding, return_exceptions=True)
                self._stop_code = await self._command.stop()
            return running.result() if ended else 0

    def summary(self) -> Summary:
        """Give the counts; to be called once, in the end."""
        ledger, counts, command = self._ledger, self._hub.counts, self._command
        un_acked = [delivery.tag for delivery in self._hub.session.in_flight.values()]
        open_ = ledger.under_way - sum(isinstance(tag, Entry) and not tag.answered for tag in un_acked)
        sent = self._taken - len(self._waiting)
        seconds = ledger.last_at - ledger.first_at if ledger.last_at and ledger.first_at else 0.0
        mean_batch = self._scraper.mean_batch
        return Summary(
            sent=sent,
            upstream=counts.upstream,
            by_output=dict(ledger.by_output),
            errors=dict(self._errors),
            nothing=ledger.nothing,
            lost=open_ if self._had_time else 0,
            duplicates=ledger.duplicates,
            seconds=round(seconds, 3),
            messages_per_second=round(ledger.answered / seconds, 1) if seconds else 0.0,
            latency_ms=latency_ms(ledger.latencies),
            mean_batch=None if mean_batch is None else round(mean_batch, 2),
            restarts=command.restarts,
            refused=self._refused,
            unrouted=self._unrouted,
            unsent=self._read + (0 if self._waits else left_of(self._messages)) - sent - self._refused,
            un_acked=len(un_acked),
            dropped=counts.no_route + counts.too_large + counts.overflow,
            out_of_order=ledger.out_of_order,
            by_order=ledger.by_order,
            crashes=command.crashes,
            connects=self._hub.session.connects,
            stop_code=self._stop_code,
            kills=None if command.kill_every is None else command.killed,
            kills_under_way=command.kills_under_way,
            unanswered=0 if self._had_time else open_,
            foreign=ledger.foreign,
        )

    async def _feed(self) -> None:
        """Send all messages, as fast as they are taken or, from the first connection on, at the rate."""
        begin = 0.0
        async for message in arriving(self._messages, wait=self._waits):
            self._read += 1
            if self._options.rate:
                await self._hub.connected.wait()
                begin = begin or monotonic()
                await asyncio.sleep(begin + (self._read - 1) / self._options.rate - monotonic())
            result = await self._hub.send_telemetry(message)
            self._taken += result is not RoutingResult.REFUSED
            self._refused += result is RoutingResult.REFUSED
            self._unrouted += result is RoutingResult.UNROUTED

    async def _watch(self, running: asyncio.Task[int], feeding: asyncio.Task[None]) -> None:
        """Return when COMMAND ended, all is answered, or nothing moves any more.

        Raises:
            SettingsError: COMMAND cannot be started, or a line is not a message.
            UnwritableError, BrokenPipeError: --upstream cannot be written, or nobody reads it any more.
        """
        before, connects = self._moves(), 0
        began_at = shown_at = self._moved_at = monotonic()
        with self._display as display:
            while not running.done():
                await asyncio.wait([running], timeout=_LOOK_EVERY)
                if feeding.done():
                    feeding.result()
                if self._unwritable is not None:
                    raise self._unwritable
                now = monotonic()
                if now - shown_at >= _SHOW_EVERY:
                    await self._scraper.poll()
                    display.show(self._taken - len(self._waiting), self._ledger.answered, self._progress(now))
                    shown_at = now
                if (moved := self._moves()) != before:
                    before, self._moved_at = moved, now
                if self._hub.session.connects != connects:
                    connects, began_at = self._hub.session.connects, now
                quiet = now - max(self._moved_at, began_at)
                if self._ledger.missing:
                    ended = quiet > self._patience()
                else:
                    # Long after the last answer, what is still not acked never will be.
                    late = now - (self._ledger.last_at or 0.0) > self._options.settle
                    ended = feeding.done() and (late or not self._hub.session.in_flight)
                if ended:
                    self._had_time = self._hub.connected.is_set()
                    return
        running.result()

    def _moves(self) -> tuple[int, ...]:
        """Give counts that change as long as messages move."""
        return self._taken, self._hub.counts.outputs, self._hub.session.acked

    def _patience(self) -> float:
        """Give for how long nothing may move."""
        if not self._hub.connected.is_set():
            return max(_CONNECT_LIMIT, self._options.settle)
        un_acked = bool(self._hub.session.in_flight)
        return self._options.settle + (self._options.ack_timeout if un_acked else 0.0)

    def _progress(self, now: float) -> str:
        ledger = self._ledger
        rate = ledger.answered / (now - ledger.first_at) if ledger.first_at else 0.0
        recent = latency_ms(ledger.latencies[-1000:])
        return progress_text(rate, recent["p50"], recent["p99"], self._scraper.mean_batch, self._errors.total())

    def _routed(self, delivery: Delivery) -> None:
        system = delivery.message.system
        delivery.tag = self._ledger.expect(system.get("message_id", ""), system.get("correlation_id", ""))
        self._waiting[id(delivery.message)] = delivery.message

    def _delivered(self, delivery: Delivery) -> None:
        self._waiting.pop(id(delivery.message), None)
        if isinstance(delivery.tag, Entry):
            self._ledger.delivered(delivery.tag, monotonic())

    def _output(self, message: RoutedMessage) -> None:
        system = message.system
        name, own, answered = (system.get(each, "") for each in ("output_name", "message_id", "correlation_id"))
        take = self._ledger.answered_with_nothing if name == self._nothing_output else self._ledger.output
        take(name, own, answered, monotonic())
        if message.properties.get("AzureMLResponse") == "ERROR":
            kind = _kind_of_error(message.body)
            self._errors[kind if kind in self._errors or len(self._errors) < _MOST_KINDS else "others"] += 1

    def _reached_upstream(self, message: RoutedMessage) -> None:
        if self._upstream is not None:
            system = {name: message.system[name] for name in _UPSTREAM_SYSTEM if name in message.system}
            left = OutputMessage(message.body, message.system.get("output_name", ""), system, message.properties)
            try:
                self._upstream.write(message_line(system.get("module_id", ""), left))
            except (UnwritableError, BrokenPipeError) as error:
                self._unwritable = error


def _kind_of_error(body: bytes) -> str:
    """Give the kind of error that an errors message of the module tells."""
    with suppress(orjson.JSONDecodeError, KeyError, TypeError):
        return str(orjson.loads(body)["error"]["type"])[:40]
    return "error"
