"""params.yaml to parameters: defaults are filled in, and every problem is named where the user wrote it."""

from __future__ import annotations

import os
import re
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seqlab.errors import SeqlabError
from seqlab.params import DEFAULTED, ENCODER_TYPES, TASK_NAME, Params
from seqlab.yaml_text import parse_yaml, read_yaml_text


def parse_params(values: Any, *, where: str = "params.yaml") -> Params:
    """Fill in the defaults of plain values, and check the result against the schema.

    Raises:
        SeqlabError: names every parameter that is missing, unknown or out of range.
    """
    params, problems = check_params(values)
    if params is None:
        raise SeqlabError(
            f"{len(problems)} invalid parameter{'s' if len(problems) > 1 else ''}",
            where=where,
            received="\n    ".join(f"{name}: {message}" for name, message in problems.items()),
            remedy="correct params.yaml; docs/parameters.md describes every parameter",
        )
    return params


def check_params(values: Any) -> tuple[Params | None, dict[str, str]]:
    """Return the parameters; or None, and what is wrong by the parameter's name."""
    filled, problems = _fill_in_defaults(values) if isinstance(values, dict) else (values, {})
    try:
        params: Params | None = Params.model_validate(filled)
    except ValidationError as error:
        for problem in error.errors():
            place = [str(part) for part in problem["loc"] if part not in ENCODER_TYPES]
            if place[:1] == ["sections"]:
                place = _where_written(values, place[1:])
                if problem["type"] == "missing" and "defaults" in problems and place[1] in DEFAULTED:
                    continue  # one message for all that invalid defaults leave out
            got = "" if problem["type"] in ("missing", "value_error") else f" (received {problem['input']!r})"
            problems.setdefault(".".join(place) or "params", f"{problem['msg']}{got}")
    return (None if problems else params), problems


def _fill_in_defaults(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values with the tasks' sections, completed, in `sections`, and messages by parameter."""
    problems: dict[str, str] = {}
    defaults = values.get("defaults")
    if (
        not isinstance(defaults, dict)
        or set(defaults) != set(DEFAULTED)
        or not all(isinstance(default, dict) for default in defaults.values())
    ):
        problems["defaults"] = f"must contain {', '.join(DEFAULTED)}, which may be {{}}"
    filled: dict[str, Any] = {"sections": {}}
    for name, section in values.items():
        if name in Params.model_fields and name != "sections":
            filled[name] = section
        elif name == "defaults":
            continue
        elif not isinstance(section, dict) or "column" not in section:
            problems[str(name)] = "unknown parameter; the section of a task contains `column`"
        elif not isinstance(name, str) or not re.fullmatch(TASK_NAME, name):
            problems[str(name)] = "a task's name is a letter, then letters, digits, _ and -"
        else:
            filled["sections"][name] = section = dict(section)
            for part in DEFAULTED:
                if part not in section:  # DVC needs the key
                    problems[f"{name}.{part}"] = "missing; {} takes all of it from defaults"
                elif isinstance(section[part], dict):
                    section[part] = _merged(_default(values, part), section[part])
    return filled, problems


def _merged(default: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return `own` with what it lacks from `default`, in the sections that both contain, too."""
    inner = {
        name: default[name] | value
        for name, value in own.items()
        if isinstance(value, dict) and isinstance(default.get(name), dict)
    }
    return default | own | inner


def _default(values: dict[str, Any], part: str) -> dict[str, Any]:
    """Return a part of `defaults`, or {} if it is not there."""
    defaults = values.get("defaults")
    default = defaults.get(part) if isinstance(defaults, dict) else None
    return default if isinstance(default, dict) else {}


def _where_written(values: dict[str, Any], place: list[str]) -> list[str]:
    """Return where the user wrote a parameter of a task's section: there, or in `defaults`."""
    task, part, *rest = (*place, "", "")
    own = values[task].get(part)
    is_inherited = isinstance(own, dict) and rest[0] in set(_default(values, part)) - set(own)
    return ["defaults", *place[1:]] if is_inherited else place


def load_params(path: str | PathLike[str] = "params.yaml") -> Params:
    """Read and check a params.yaml.

    Raises:
        SeqlabError: the file is missing, is not YAML, or has an invalid parameter.
    """
    return parse_params_text(read_yaml_text(Path(path)), where=str(path))


def parse_params_text(text: str, *, where: str) -> Params:
    """Check the text of a params.yaml.

    Raises:
        SeqlabError: the text is not YAML, or has an invalid parameter.
    """
    return parse_params(parse_yaml(text, where=where), where=where)


def require_paths_inside(params: Params, root: Path) -> None:
    """Refuse relative paths that lead out of the repository.

    Queued experiments, trials and `seqlab reproduce` run in folders of their own, where such a path names
    another file or none.

    Raises:
        SeqlabError: names each such parameter and its absolute path.
    """
    corpus = params.corpus
    paths = {f"{task}.embedder.vectors": params.task(task).embedder.vectors for task in params.tasks}
    if corpus.name == "files":
        files = {"train": corpus.files.train, "dev": corpus.files.dev, "test": corpus.files.test}
        paths |= {f"corpus.files.{split}": path for split, path in files.items()}
    if corpus.mirror and "://" not in corpus.mirror:
        paths["corpus.mirror"] = corpus.mirror
    outside = {
        name: path for name, path in paths.items() if Path(os.path.normpath(path)).parts[:1] == ("..",)
    }
    if outside:
        raise SeqlabError(
            "a relative path leads out of the repository",
            where=", ".join(outside),
            expected="a path in the repository, or an absolute path",
            received=", ".join(dict.fromkeys(outside.values())),
            remedy="experiments run in other folders, so write "
            + ", ".join(dict.fromkeys(os.path.normpath(root / path) for path in outside.values())),
        )
