"""Execution providers: which ones to use, and a session on one of them, checked: asking for one is not getting it.

ONNX Runtime falls back to the CPU with a line on stderr (microsoft/onnxruntime#23372, #23647); here that is an error
with a reason, and whoever opens the session decides.
"""

import ctypes
import io
import logging
import mmap
import os
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime

from ..errors import ModelError
from ..options import Options
from .plan import CPU, Setup
from .runtime_log import follow_our_log

CUDA, TENSORRT, OPENVINO = (f"{name}ExecutionProvider" for name in ("CUDA", "Tensorrt", "OpenVINO"))

_AUTO = (CUDA, OPENVINO)
"""What is tried by itself; TensorRT builds its engines for minutes: only on request."""

_log = logging.getLogger(__name__)


class UnusableError(Exception):
    """A provider cannot run the model; the sentence is the reason."""


def wanted(options: Options) -> tuple[dict[str, Mapping[str, object]], bool]:
    """Say which providers the options ask for: each with its own options, in order, the CPU last; and how to choose.

    The second value says whether the fastest of them is wanted, not the first that can be used. All names are ONNX
    Runtime's.

    Raises:
        ModelError: a name is none of a provider.
    """
    asked = [name for each in options.providers.split(",") if (name := each.strip())]
    is_auto = [name.lower() for name in asked] == ["auto"]
    there = onnxruntime.get_available_providers()
    names = [each for each in _AUTO if each in there] if is_auto else [_full(name) for name in asked]
    given = {_full(name): each for name, each in options.provider_options.items()}
    return {name: given.get(name, {}) for name in (*names, CPU)}, is_auto


def _full(name: str) -> str:
    """Give ONNX Runtime's name for a short one in any case.

    Raises:
        ModelError: no ONNX Runtime has such a provider, installed or not.
    """
    short = name.lower().removesuffix("executionprovider")
    known: list[str] = [CPU, *onnxruntime.get_all_providers(), *onnxruntime.get_available_providers()]
    for each in known:
        if each.lower() == f"{short}executionprovider":
            return each
    names = sorted({each.removesuffix("ExecutionProvider") for each in known})
    said = f"{name[:100]!r} is no provider of ONNX Runtime {onnxruntime.__version__}"
    raise ModelError(f"{said}: SCORING_PROVIDERS and SCORING_PROVIDER_OPTIONS may name {', '.join(names)}")


def open_session(model: Path, setup: Setup, options: Mapping[str, object]) -> onnxruntime.InferenceSession:
    """Open a model on a provider; nodes that it does not take run on the CPU.

    Raises:
        UnusableError: the provider is not there, fails, or takes no node of the model.
        ModelError: ONNX Runtime cannot load the model at all.
    """
    follow_our_log()
    own = session_options(setup.threads)
    if setup.provider == CPU:
        try:
            return onnxruntime.InferenceSession(model, own, providers=[(CPU, dict(options))])
        except Exception as error:
            raise ModelError(f"ONNX Runtime cannot load {model}: {_first_line(error)}") from error
    if setup.provider not in onnxruntime.get_available_providers():
        there = ", ".join(onnxruntime.get_available_providers())
        raise UnusableError(f"the installed ONNX Runtime {onnxruntime.__version__} has only {there}")
    _preload()
    named: list[Any] = [(setup.provider, dict(options)), *([CUDA] if setup.provider == TENSORRT else []), CPU]
    try:
        session = onnxruntime.InferenceSession(model, own, providers=named, enable_fallback=0)
    except Exception as error:
        raise UnusableError(_missing_library(setup.provider) or _first_line(error)) from error
    if setup.provider not in session.get_providers():
        raise UnusableError(_missing_library(setup.provider) or "SCORING_LOG_LEVEL=debug shows why on stderr")
    if not nodes_on(session, setup.provider)[0]:
        raise UnusableError("it takes no node of this model")
    return session


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Give the options of a session: so many threads a call, none of them spinning.

    Spinning burns 0.64–0.79 core at 20 calls/s for no gain at p50; without it 0.01–0.02.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    for entry in ("session.intra_op.allow_spinning", "session.inter_op.allow_spinning"):
        options.add_session_config_entry(entry, "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def nodes_on(session: onnxruntime.InferenceSession, provider: str) -> tuple[int, int]:
    """Say how many of a session's nodes run on a provider, and how many there are; before ONNX Runtime 1.24: 1 of 1."""
    with suppress(AttributeError):
        parts = [(part.ep_name, len(part.get_nodes())) for part in session.get_provider_graph_assignment_info()]
        return sum(count for name, count in parts if name == provider), sum(count for _, count in parts)
    return 1, 1


def mentions(model: Path, name: bytes) -> bool:
    """Say whether a model's file has a name in it, such as a node's type or a domain: the session does not tell."""
    if not model.stat().st_size:
        return False  # nothing cannot be mapped
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(name) >= 0


@cache
def _preload() -> None:
    """Load the CUDA and cuDNN libraries that pip has installed; what it prints goes into the log."""
    if CUDA in onnxruntime.get_available_providers() and hasattr(onnxruntime, "preload_dlls"):
        printed = io.StringIO()
        with redirect_stdout(printed):
            onnxruntime.preload_dlls()
        _log.debug("CUDA libraries: %s", printed.getvalue() or "loaded")


def _missing_library(provider: str) -> str:
    """Say what the loader says of a provider's library; empty if it loads, or if the provider has none of its own."""
    name = provider.removesuffix("ExecutionProvider").lower()
    library = Path(onnxruntime.__file__).parent / "capi" / f"libonnxruntime_providers_{name}.so"
    try:
        if library.is_file():
            ctypes.CDLL(os.fspath(library))
    except OSError as error:
        return str(error)
    return ""


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
