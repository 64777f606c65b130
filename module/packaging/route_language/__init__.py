"""The language of edgeHub routes: what ``manifest`` lets through is what ``simulate`` understands."""

from ...errors import SettingsError

try:
    import lark as _  # noqa: F401
except ModuleNotFoundError as error:
    raise SettingsError(
        "lark is not installed, which reads routes: pip install 'iotedge-scoring-module[package]', or [simulator]"
    ) from error
