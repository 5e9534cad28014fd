"""Read ONNX files that consist of standard operations and contain all of their weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError

STANDARD_DOMAINS = ("", "ai.onnx")


def read_onnx(path: Path) -> bytes:
    """Return the content of an ONNX file.

    Raises:
        SeqlabError: it contains an operation that is not ONNX's own, or refers to weights in another file.
        OSError: it cannot be read.
        google.protobuf.message.DecodeError: it is not an ONNX file.
    """
    content = path.read_bytes()
    for message in _messages(_protocol().ModelProto.FromString(content)):
        kind = message.DESCRIPTOR.name
        if kind == "NodeProto" and message.domain not in STANDARD_DOMAINS:
            raise _refused(path, "operations of ONNX", f"{message.op_type} of {message.domain!r}"[:200])
        if kind == "TensorProto" and (message.external_data or message.data_location):
            places = {entry.key: entry.value for entry in message.external_data}
            received = f"the file {places.get('location')!r}"[:200]
            raise _refused(path, "all weights in this file", received)
    return content


def _messages(message: Any) -> Iterator[Any]:
    """Yield a message and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in [value] if hasattr(value, "ListFields") else value:
                yield from _messages(child)


@cache
def _protocol() -> Any:
    """Return ONNX's message types without the rest of the package, whose import takes 0.1 s."""
    package = find_spec("onnx")
    assert package is not None
    assert package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0]) / "onnx_ml_pb2.py"
    spec = spec_from_file_location("onnx_ml_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _refused(path: Path, expected: str, received: str) -> SeqlabError:
    return SeqlabError(
        "the ONNX file is not self-contained or has foreign operations: it is not loaded",
        where=str(path),
        expected=expected,
        received=received,
        remedy="load only models that you or someone you trust exported",
    )
