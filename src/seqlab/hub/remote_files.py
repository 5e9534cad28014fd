"""The files of a pretrained encoder from a mirror, from Hugging Face, or from Kaggle (KerasHub's presets)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from seqlab.corpora.downloads import (
    MIRROR_VARIABLE,
    NotFoundError,
    UnreachableError,
    fetch_unpinned_file,
    location_in_mirror,
    mirror_of,
)
from seqlab.credentials import without_credentials
from seqlab.errors import SeqlabError
from seqlab.extras import import_extra, import_keras_hub

HUGGING_FACE = "hf://"
KAGGLE = "kaggle://"
_PURPOSE = "pretrained encoders from the network"
_WEIGHTS = {"model.safetensors": "model.safetensors.index.json", "model.weights.h5": "model.weights.json"}
"""Files of weights, each with the index of its parts, which is there instead if there are several."""
_OPTIONAL = (
    "README.md",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "assets/tokenizer/vocabulary.txt",
    "assets/tokenizer/vocabulary.json",
    "assets/tokenizer/merges.txt",
    "assets/tokenizer/vocabulary.spm",
)


def is_remote(source: str) -> bool:
    """Return whether a source is no folder: `hf://...`, `kaggle://...`, or the name of a preset."""
    return "://" in source or "/" not in source


def fetch_encoder(source: str, made: Path, *, mirror: str | None = None) -> None:
    """Download the files of an encoder into a folder.

    Args:
        source: `hf://<organisation>/<name>`, `kaggle://...`, or the name of a preset of KerasHub.
        made: the folder to write.
        mirror: a folder or an address that has the files as `<host>/<path>`, tried before the origin.

    Raises:
        SeqlabError: the source is unknown, or files are not available.
    """
    address = _address(source)
    base, origin = _place(address), _origin(address)
    mirror = mirror_of(mirror)
    made.mkdir(parents=True, exist_ok=True)
    fetch = _Fetcher(base, made, mirror, origin)
    fetch.require("config.json")
    settings = json.loads((made / "config.json").read_text(encoding="utf-8"))
    weights = "model.weights.h5" if "registered_name" in settings else "model.safetensors"
    if not fetch(weights):
        index = _WEIGHTS[weights]
        fetch.require(index, instead_of=weights)
        parts = json.loads((made / index).read_text(encoding="utf-8"))["weight_map"].values()
        for part in sorted({name for parts_of in parts for name in _names(parts_of)}):
            fetch.require(part)
    for name in _OPTIONAL:
        fetch(name)


def _names(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


class _Fetcher:
    """Fetches single files, from the mirror or from the origin."""

    def __init__(self, base: str, made: Path, mirror: str | None, origin: Callable[[str], Path]) -> None:
        self._base, self._made, self._mirror, self._origin = base, made, mirror, origin
        self._failures: list[str] = []
        self._place = ""  # mirror or origin: all files come from where config.json was

    def __call__(self, name: str) -> bool:
        """Fetch a file and return whether it exists."""
        if self._mirror and self._place != "origin":
            location = location_in_mirror(self._mirror, f"{self._base}/{name}")
            try:
                fetch_unpinned_file(location, self._made / name)
                self._place = "mirror"
                return True
            except (NotFoundError, UnreachableError) as error:
                self._failures.append(f"{without_credentials(location)}: {error.what}")
            if self._place == "mirror":
                return False
        try:
            path = self._origin(name)
        except Exception as error:  # the clients raise errors of many libraries
            if _says_not_found(error):
                return False
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._failures.append(f"{self._base}/{name}: {reason}")
            raise self._unavailable(name) from error
        (self._made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, self._made / name)
        self._place = "origin"
        return True

    def require(self, name: str, *, instead_of: str = "") -> None:
        """Fetch a file.

        Raises:
            SeqlabError: it is not available.
        """
        if not self(name):
            raise self._unavailable(instead_of or name)

    def _unavailable(self, name: str) -> SeqlabError:
        return SeqlabError(
            "a file of the pretrained encoder is not available",
            where="embedder.pretrained.source",
            expected=f"below a mirror's base: {self._base}/{name}, beside the encoder's other files "
            "(config.json, weights, tokenizer)",
            received="nothing at" + "".join(f"\n    {failure}" for failure in self._failures[-3:]),
            remedy="connect to the network; or put the files, under that path, into a folder and name it in "
            f"corpus.mirror or in {MIRROR_VARIABLE}; or put them into data/encoders/NAME, and name that",
        )


def _says_not_found(error: Exception) -> bool:
    if type(error).__name__ == "LocalEntryNotFoundError":  # no network, and no copy on this machine
        return False
    return (
        isinstance(error, FileNotFoundError)
        or any("EntryNotFoundError" in kind.__name__ for kind in type(error).__mro__)
        or "404 Client Error" in str(error)
        or "is not present in the model files" in str(error)
    )


def _address(source: str) -> str:
    """Return the address of a source; that of a preset is its place on Kaggle."""
    if source.startswith((HUGGING_FACE, KAGGLE)):
        return source
    presets = import_keras_hub().models.Backbone.presets
    if source not in presets:
        raise SeqlabError(
            "unknown pretrained encoder",
            where="embedder.pretrained.source",
            expected="hf://ORGANISATION/NAME, a folder data/encoders/NAME, or a preset of KerasHub",
            received=repr(source),
            remedy="https://keras.io/keras_hub/presets/ lists the presets",
        )
    return str(presets[source]["kaggle_handle"])


def _place(address: str) -> str:
    """Return the folder of an address below a mirror's base."""
    if address.startswith(HUGGING_FACE):
        return f"huggingface.co/{address.removeprefix(HUGGING_FACE)}/resolve/main"
    return f"www.kaggle.com/models/{address.removeprefix(KAGGLE)}"


def _origin(address: str) -> Callable[[str], Path]:
    """Return a function that downloads a file, or finds it among those downloaded before."""

    def from_hugging_face(name: str) -> Path:
        client = import_extra("huggingface_hub", purpose=_PURPOSE)
        return Path(client.hf_hub_download(repo_id=address.removeprefix(HUGGING_FACE), filename=name))

    def from_kaggle(name: str) -> Path:
        client = import_extra("kagglehub", purpose=_PURPOSE)
        return Path(client.model_download(address.removeprefix(KAGGLE), name))

    return from_hugging_face if address.startswith(HUGGING_FACE) else from_kaggle
