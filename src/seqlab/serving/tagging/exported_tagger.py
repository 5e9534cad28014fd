"""Load an export in the form that tags fastest here."""

from __future__ import annotations

from pathlib import Path

from seqlab.errors import SeqlabError
from seqlab.serving.export_config import read_export_config
from seqlab.serving.tagging.onnx_tagger import OnnxTagger, has_onnx_form
from seqlab.serving.tagging.tagged_text import TextTagger


def load_exported_tagger(
    directory: Path,
    *,
    task: str | None = None,
    threads: int = 1,
    int8: bool = False,
    tag_scheme: str | None = None,
) -> TextTagger:
    """Load the ONNX form of an export or, if it has none or ONNX Runtime is not installed, the SavedModel.

    Args:
        directory: the folder of the export.
        task: the expected task; None accepts any task.
        threads: batches that are computed at the same time (ONNX); the SavedModel uses all cores.
        int8: use weights quantised to 8 bits; only the ONNX form has them.
        tag_scheme: the scheme of the tags that the tagger returns, whatever scheme the model learned; None is
            IOB2.

    Raises:
        SeqlabError: there is no export, it is damaged, its task or version is another one, it has no
            quantised weights, or its tags have no scheme.
    """
    if has_onnx_form(directory):
        return OnnxTagger(directory, task=task, threads=threads, int8=int8, tag_scheme=tag_scheme)
    read_export_config(directory, task=task)
    if int8:
        raise SeqlabError(
            "there are no quantised weights",
            where=str(directory),
            expected="the ONNX form, and onnxruntime installed",
            remedy="tag without --int8; the model card says why the export has no ONNX form",
        )
    from seqlab.serving.tagging.saved_model_tagger import SavedModelTagger

    return SavedModelTagger(directory, task=task, tag_scheme=tag_scheme)
