"""The sentence: what every reader yields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens, one tag per token, and the place in the corpus.

    Args:
        tokens: the surface forms; at least one, none of them empty.
        tags: one tag per token, all from one column (`B-PER`, `NOUN`).
        file: the file, under the name that the user knows.
        line: the 1-based line of the first token.

    Raises:
        ValueError: there are no tokens, or the numbers of tokens and tags differ.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    file: str = ""
    line: int = 0

    def __post_init__(self) -> None:
        if not self.tokens:
            raise ValueError(f"{self.file}:{self.line}: a sentence needs at least one token")
        if len(self.tokens) != len(self.tags):
            raise ValueError(f"{self.file}:{self.line}: {len(self.tokens)} tokens but {len(self.tags)} tags")
