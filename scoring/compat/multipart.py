"""The fields and files of an HTML form in a body, for scripts that read ``request.files`` and ``request.form``."""

import io
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from urllib.parse import parse_qsl


class FileField(io.BytesIO):
    """One file of a form: read it like a file.

    Attributes:
        name: of the field.
        filename: as the sender called it.
        content_type: as the sender said.
    """

    def __init__(self, data: bytes, name: str, filename: str, content_type: str) -> None:
        super().__init__(data)
        self.name, self.filename, self.content_type = name, filename, content_type

    @property
    def stream(self) -> "FileField":
        """The file itself."""
        return self

    def save(self, destination: str | Path) -> None:
        """Write it to a path."""
        Path(destination).write_bytes(self.getvalue())


def read_form(data: bytes, content_type: str) -> tuple[dict[str, str], dict[str, FileField]]:
    """Give the fields and the files of a body; none of either if it is no form."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(data.decode(), keep_blank_values=True)), {}
    if kind != "multipart/form-data":
        return {}, {}
    fields: dict[str, str] = {}
    files: dict[str, FileField] = {}
    whole = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + data)
    for part in whole.iter_parts():
        name, filename = _name(part, "name"), _name(part, "filename")
        content = part.get_payload(decode=True)
        content = content if isinstance(content, bytes) else b""
        if filename:
            files[name] = FileField(content, name, filename, part.get_content_type())
        else:
            fields[name] = content.decode()
    return fields, files


def _name(part: Message, parameter: str) -> str:
    return str(part.get_param(parameter, "", "content-disposition"))
