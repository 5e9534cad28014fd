"""Records of CoNLL files and of predictions."""

from __future__ import annotations

from pathlib import Path

from seqlab.conversion.records import Records, TokenRecord
from seqlab.corpus.blocks import scan_blocks
from seqlab.corpus.conll import IGNORED_COLUMN, ConllLayout
from seqlab.corpus.conllu import CONLLU_TAG_COLUMNS, ConlluLayout
from seqlab.corpus.file_formats import is_conllu
from seqlab.errors import CorpusError
from seqlab.evaluation.predictions import read_predictions

TEXT_COMMENT, ID_COMMENT = "# text = ", "# id = "
_UD_ID_COMMENT = "# sent_id = "


def read_conll(path: Path, layout: ConllLayout) -> Records:
    """Read a CoNLL or CoNLL-U file, with the comments `# text = ` and `# id = ` or `# sent_id = `.

    Yields:
        A record for each sentence of valid lines, and an error for each invalid line.
    """
    in_conllu = is_conllu(path)
    for block in scan_blocks(path, layout=ConlluLayout() if in_conllu else layout):
        if isinstance(block, CorpusError):
            yield block
            continue
        names = CONLLU_TAG_COLUMNS if in_conllu else block.columns
        columns = {name: block.column(name) for name in names if name not in ("token", IGNORED_COLUMN)}
        found = {
            start: comment.removeprefix(start)
            for comment in block.comments
            for start in (TEXT_COMMENT, ID_COMMENT, _UD_ID_COMMENT)
            if comment.startswith(start)
        }
        yield TokenRecord(
            block.column("token"),
            columns,
            block.file,
            block.lines[0],
            found.get(ID_COMMENT, found.get(_UD_ID_COMMENT, "")),
            found.get(TEXT_COMMENT, ""),
        )


def read_prediction_records(path: Path) -> Records:
    """Read a file of `data/predictions`, with the columns `gold` and `predicted`."""
    for number, (tokens, gold, predicted) in enumerate(read_predictions(path), start=1):
        yield TokenRecord(
            tuple(tokens), {"gold": tuple(gold), "predicted": tuple(predicted)}, str(path), number
        )
