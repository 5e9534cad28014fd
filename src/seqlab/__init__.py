"""seqlab: a training pipeline for sequence labelling that can say what made a number.

The names below are loaded when they are first used, so `import seqlab` takes milliseconds and imports no
TensorFlow. docs/python.md shows what they do; the layers are in `seqlab.layers`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqlab.api import Tagger, TrainedModel, check, load, read_corpus, score, train, write_conll
    from seqlab.corpus.sentence import Sentence
    from seqlab.errors import SeqlabError
    from seqlab.params import Params
    from seqlab.params_file import load_params
    from seqlab.serving.tagging.tagged_text import TaggedSpan, TaggedText, TaggedToken

    __version__: str

_MODULES = {
    "seqlab.api": "Tagger TrainedModel check load read_corpus score train write_conll",
    "seqlab.corpus.sentence": "Sentence",
    "seqlab.errors": "SeqlabError",
    "seqlab.params": "Params",
    "seqlab.params_file": "load_params",
    "seqlab.serving.tagging.tagged_text": "TaggedSpan TaggedText TaggedToken",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "Params",
    "Sentence",
    "SeqlabError",
    "TaggedSpan",
    "TaggedText",
    "TaggedToken",
    "Tagger",
    "TrainedModel",
    "__version__",
    "check",
    "load",
    "load_params",
    "read_corpus",
    "score",
    "train",
    "write_conll",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("seqlab")
    elif name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
