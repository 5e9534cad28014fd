"""What a sentence is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens and one tag for each, and where they came from.

    Args:
        tokens: the surface forms, at least one, none of them empty.
        tags: one tag per token, in one column's tag set (`B-PER`, `NOUN`).
        file: the file as the user knows it.
        line: the 1-based line on which the first token stands.

    Raises:
        ValueError: no tokens, or as many tags as there are not tokens.
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
