"""Tag a block: what a worker does, from bytes to bytes, without a file system."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.serving.folders.file_formats import Block, compress, read_texts, with_results
from seqlab.serving.tagging.exported_tagger import load_exported_tagger
from seqlab.serving.tagging.onnx_tagger import PARTS, has_onnx_form
from seqlab.serving.tagging.stream import LINES_TOGETHER
from seqlab.serving.tagging.tag_formats import TagFormat, as_dict, tag_format
from seqlab.serving.tagging.tagged_text import TaggedText, TextTagger
from seqlab.serving.tagging.text_lines import LONGEST_LINE, TextLine, batches, find_problem, read_text_lines


@dataclass(frozen=True)
class Model:
    """The files of an export and how to tag with it; any worker can load it.

    Args:
        files: the content of the files, by their names in the export's folder.
        format: how lines of text are written, one of `FORMATS`.
        tokenized: tokens are separated by blanks; do not tokenise.
        int8: use weights quantised to 8 bits.
        tag_scheme: the scheme of the tags; None is IOB2.
    """

    files: dict[str, bytes]
    format: str = "text"
    tokenized: bool = False
    int8: bool = False
    tag_scheme: str | None = None

    @property
    def task(self) -> str:
        """The export's task, which is also the name of the field or column of results."""
        return str(json.loads(self.files["config.json"])["task"])

    @property
    def tag_format(self) -> TagFormat:
        """The format of lines of text."""
        return tag_format(self.format, colours=False, title=f"seqlab {self.task}")

    def digest(self) -> str:
        """Return the SHA-256 of the files and their names."""
        digest = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()


def read_model(directory: Path, **options: Any) -> Model:
    """Read the files of an export that tagging needs; its config.json lists no others."""
    parts: Sequence[Path] = [directory / "config.json", directory / "tagger.json", directory / PARTS]
    found = parts if has_onnx_form(directory) else [directory]
    paths = [path for part in found for path in ([part] if part.is_file() else sorted(part.rglob("*")))]
    files = {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths if path.is_file()}
    config = json.loads(files["config.json"])
    if config.get("files"):
        config["files"] = {name: digest for name, digest in config["files"].items() if name in files}
        files["config.json"] = json.dumps(config).encode()
    return Model(files, **options)


@dataclass(frozen=True)
class TaggedBlock:
    """A tagged block.

    Args:
        file_name: the name of its file.
        number: its 0-based number in the file.
        data: its rows in the format of the file, compressed; an Arrow stream for Parquet.
        rows: number of rows.
        texts: number of valid rows with text.
        tokens: number of tokens.
        problems: the errors of invalid rows.
    """

    file_name: str
    number: int
    data: bytes
    rows: int
    texts: int
    tokens: int
    problems: list[str]


class BlockTagger:
    """A loaded model.

    Args:
        model: the files and options.
    """

    def __init__(self, model: Model) -> None:
        self._model, self._field, self._format = model, model.task, model.tag_format
        # The files can be removed once they are loaded: what is memory-mapped stays readable.
        with tempfile.TemporaryDirectory(prefix="seqlab-model-") as folder:
            for name, content in model.files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self._tagger: TextTagger = load_exported_tagger(
                Path(folder), int8=model.int8, tag_scheme=model.tag_scheme
            )

    def __call__(self, block: Block) -> TaggedBlock:
        """Tag a block; its invalid rows are kept and hold the error."""
        kind, has_spans = block.file.kind, self._tagger.config["tag_scheme"] is not None
        records: list[bytes | None] = []
        lines = {"text": _text_rows, "json": _json_rows, "parquet": _parquet_rows}[kind](
            block, self._field, records
        )
        results: list[tuple[TextLine, TaggedText]] = []
        for group in batches(lines, size=LINES_TOGETHER):
            tagged = self._tagger.tag([line.text for line in group], tokenized=self._model.tokenized)
            results += zip(group, tagged, strict=True)
        if kind == "text":
            data = "".join(self._written(line, tagged) for line, tagged in results).encode()
        elif kind == "json":
            rows = (
                _json_row(record, self._field, _fields(*result))
                for record, result in zip(records, results, strict=True)
            )
            data = b"".join(rows)
        else:
            columns = [_fields(*result) for result in results]
            data = with_results(block.data, columns, field=self._field, has_spans=has_spans)
        problems = [str(line.problem) for line, _ in results if line.problem]
        return TaggedBlock(
            block.file.name,
            block.number,
            compress(data, block.file.compression),
            rows=len(results),
            texts=sum(bool(line.text.strip()) for line, _ in results),
            tokens=sum(len(tagged.tokens) for _, tagged in results),
            problems=problems,
        )

    def _written(self, line: TextLine, tagged: TaggedText) -> str:
        if line.problem is not None:
            return self._format.problem(line)
        return self._format.line(line, tagged)


def _fields(line: TextLine, tagged: TaggedText) -> dict[str, Any]:
    """Return what is added to a record."""
    if line.problem is not None:
        return {"error": line.problem.what}
    return {name: value for name, value in as_dict(tagged).items() if name != "text"}


def _json_row(line: bytes | None, field: str, result: dict[str, Any]) -> bytes:
    """Add a result to the line of a JSON object, which is not changed otherwise.

    Args:
        line: the object; None if there is none, or a whole line that is kept as it is.
        field: the name of the result.
        result: the result, or the error.
    """
    added = json.dumps(result, ensure_ascii=False).encode()
    if line is None:
        return added + b"\n"
    if line.endswith(b"\n"):
        return line
    comma = b"" if line[1:-1].isspace() or line == b"{}" else b", "
    return b"%b%b%b: %b}\n" % (line[:-1].rstrip(), comma, json.dumps(field).encode(), added)


def _text_rows(block: Block, field: str, records: list[bytes | None]) -> Iterator[TextLine]:
    return read_text_lines(
        io.BytesIO(block.data),
        name=str(block.file.path),
        first_number=block.first_row,
        shown_name=block.file.name,
    )


def _parquet_rows(block: Block, field: str, records: list[bytes | None]) -> Iterator[TextLine]:
    for number, text in enumerate(read_texts(block.data), block.first_row):
        yield _checked(number, text, f"{block.file.path}:{number}")


def _json_rows(block: Block, field: str, records: list[bytes | None]) -> Iterator[TextLine]:
    """Yield the texts of JSON objects, whose lines are appended to `records` for `_json_row`."""
    for number, line in enumerate(io.BytesIO(block.data), block.first_row):
        where, record, problem = f"{block.file.path}:{number}", None, None
        if len(line) > block.file.longest_line + 1:
            problem = SeqlabError(
                "the line is too long",
                where=where,
                expected=f"at most {block.file.longest_line:,} bytes",
                remedy="split the text into sentences, one per object",
            )
        else:
            try:
                record = json.loads(line.decode("utf-8-sig"))
            except ValueError as error:
                problem = SeqlabError(
                    "not a JSON object",
                    where=where,
                    expected="one object per line",
                    received=str(error)[:200],
                )
        records.append(line.removeprefix(b"\xef\xbb\xbf").strip() if isinstance(record, dict) else None)
        if isinstance(record, dict) and field in record:
            records[-1] = line.rstrip(b"\n") + b"\n"
            problem = SeqlabError(
                f"there is already a field `{field}`",
                where=where,
                expected=f"an object without `{field}`, which is added",
                remedy="rename the field",
            )
        if problem is not None:
            yield TextLine(number, "", problem)
        else:
            yield _checked(number, record.get("text") if isinstance(record, dict) else None, where)


def _checked(number: int, text: Any, where: str) -> TextLine:
    """Return the text of a record, or the reason why it cannot be tagged."""
    problem = None
    if not isinstance(text, str):
        problem = SeqlabError("there is no text", where=where, expected="`text`, a string")
    elif len(text) > LONGEST_LINE:
        problem = SeqlabError(
            "the text is too long",
            where=where,
            expected=f"at most {LONGEST_LINE:,} characters",
            received=f"{len(text):,}",
            remedy="split the text into sentences, one per row",
        )
    else:
        problem = find_problem(text, where)
    return TextLine(number, "" if problem else text, problem)
