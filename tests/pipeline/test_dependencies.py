"""dvc.yaml's code dependencies against the import graph: complete and narrow."""

from __future__ import annotations

import ast
from pathlib import Path

import grimp
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src"
STAGES = ("download", "prepare", "train", "evaluate", "export")
CANNOT_CHANGE_A_RESULT = {
    "seqlab.atomic": "replaces files",
    "seqlab.credentials": "cleans messages",
    "seqlab.errors": "formats messages",
    "seqlab.locks": "keeps processes apart",
    "seqlab.params": "checks values, which DVC compares itself",
    "seqlab.params_file": "reads values, which DVC compares itself",
    "seqlab.pipeline.interruption": "decides when a training ends, which goes on later",
    "seqlab.pipeline.progress": "prints to the terminal",
    "seqlab.pipeline.record": "writes to MLflow",
    "seqlab.stages": "parses the command line",
    "seqlab.tracking": "writes to MLflow",
}

RUN_BY_PATH = {
    "seqlab.serving.mlflow_model": ["seqlab.serving.mlflow_pyfunc"],
    "seqlab.serving.parity": ["seqlab.serving.runners"],
}
READ_BY_NAME = {"seqlab.evaluation.error_page": ["evaluation/error_page.html"]}


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("seqlab", cache_dir=None)


def exempt(module):
    if module.startswith("seqlab.stages."):
        return False
    return any(module == name or module.startswith(f"{name}.") for name in CANNOT_CHANGE_A_RESULT)


def used_modules(graph, stage):
    """The modules that a stage runs, without those that cannot change a result."""
    used, waiting = set(), [f"seqlab.stages.{stage}"]
    while waiting:
        module = waiting.pop()
        if module in used or exempt(module):
            continue
        used.add(module)
        waiting += graph.find_modules_directly_imported_by(module)  # imports inside functions are included
        waiting += RUN_BY_PATH.get(module, ())
    return {module for module in used if has_code(path_of(module))}


def path_of(module):
    path = SOURCE / f"{module.replace('.', '/')}.py"
    return path if path.exists() else path.with_suffix("") / "__init__.py"


def has_code(path):
    """False for the __init__ of a package that contains only a docstring."""
    return path.name != "__init__.py" or len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


def shortest_cover(files):
    """The shortest list of folders and files that contains all of `files` and no other module."""
    cover = set()
    for file in files:
        wanted = file
        for folder in file.parents:
            modules = {path for path in folder.rglob("*.py") if has_code(path)}
            if folder == SOURCE / "seqlab" or not modules <= files:
                break
            wanted = folder
        cover.add(wanted)
    return sorted(path.relative_to(REPOSITORY).as_posix() for path in cover)


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_are_what_the_stage_imports(graph, stage):
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    listed = sorted(dep for dep in stages[stage]["deps"] if dep.startswith("src/"))
    used = used_modules(graph, stage)
    data = {SOURCE / "seqlab" / name for module in used for name in READ_BY_NAME.get(module, ())}
    expected = shortest_cover({path_of(module) for module in used} | data)
    assert listed == expected, f"set the deps of {stage} below src/ to\n" + "\n".join(
        f"      - {path}" for path in expected
    )


def test_what_chooses_an_epoch_is_a_dependency_of_training(graph):
    assert "seqlab.evaluation.scores" in used_modules(graph, "train")
    assert "seqlab.tags" in used_modules(graph, "train") & used_modules(graph, "evaluate")
    assert "seqlab.serving.model_card" in used_modules(graph, "export") - used_modules(graph, "train")
    assert not {"seqlab.evaluation.confusion", "seqlab.tracking.run"} & used_modules(graph, "train")


def test_the_exceptions_exist(graph):
    assert set(CANNOT_CHANGE_A_RESULT) <= graph.modules
    assert set(RUN_BY_PATH) | set(READ_BY_NAME) <= graph.modules


def test_data_files_are_dependencies_of_download():
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    folders = [REPOSITORY / dep for dep in stages["download"]["deps"] if dep.startswith("src/")]
    data = [path for path in (SOURCE / "seqlab").rglob("*") if path.suffix in (".txt", ".tsv", ".yaml")]
    assert data
    assert [path for path in data if not any(path.is_relative_to(folder) for folder in folders)] == []
