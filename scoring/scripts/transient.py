"""Is a failure of run() the message's fault? Out of memory, a lost device or a broken network are not: they pass."""

from errno import EAGAIN, EHOSTUNREACH, EIO, EMFILE, ENETDOWN, ENETUNREACH, ENFILE, ENOMEM, ENOSPC

_ERRNOS = {ENOMEM, ENOSPC, EIO, EAGAIN, EMFILE, ENFILE, ENETDOWN, ENETUNREACH, EHOSTUNREACH}
_NETWORK = {"ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout", "TimeoutException", "URLError", "gaierror"}
"""Names of exceptions by which urllib, requests, httpx and urllib3 say that the other side is not there."""

_RUNTIME = ("out of memory", "failed to allocate", "bad allocation", "cuda failure", "cudnn failure", "device lost")
"""What ONNX Runtime says when memory or a device is gone."""


def is_transient(error: BaseException) -> bool:
    """Say whether a failure has a cause outside of the message, so that the same call may succeed later."""
    if isinstance(error, MemoryError | ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    if any(kind.__name__ in _NETWORK for kind in type(error).__mro__):
        return True
    is_onnx = type(error).__module__.startswith("onnxruntime")
    return is_onnx and any(words in str(error).lower() for words in _RUNTIME)
