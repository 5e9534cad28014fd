from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from seqlab.errors import SeqlabError
from seqlab.hub.encoder_files import EncoderFiles, copy_encoder, require_tracked_folder

FILES = {"config.json": "{}", "model.safetensors": "weights", "vocab.txt": "[PAD]\n"}
README = "---\nlanguage: en\nlicense: apache-2.0\n---\n"
PLACE = "huggingface.co/team/small/resolve/main"


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "small", FILES | {"README.md": README, "pytorch_model.bin": "ignored"})


@pytest.fixture
def hugging_face(monkeypatch):
    """Stands in for the client, whose answer a test sets."""
    client = ModuleType("huggingface_hub")
    client.asked = []

    def hf_hub_download(*, repo_id, filename):
        client.asked.append((repo_id, filename))
        return client.answer(filename)

    client.hf_hub_download = hf_hub_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    monkeypatch.delenv("SEQLAB_CORPUS_MIRROR", raising=False)
    return client


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_files_of_a_folder_are_copied_with_source_digest_and_licence(folder, tmp_path):
    files = copy_encoder(str(folder), tmp_path / "made", digest=None)
    assert names(tmp_path / "made") == {*FILES, "source.json"}
    assert (files.source, files.licence) == (str(folder), "apache-2.0")
    assert EncoderFiles.read(tmp_path / "made") == files
    assert copy_encoder(str(folder), tmp_path / "again", digest=files.digest) == files


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_any_file_breaks_the_pin(folder, tmp_path, name):
    pin = copy_encoder(str(folder), tmp_path / "made", digest=None).digest
    (folder / name).write_text("changed", encoding="utf-8")
    with pytest.raises(
        SeqlabError, match=rf"do not have the pinned digest\n  expected: {pin}\n  received: [0-9a-f]{{64}}"
    ):
        copy_encoder(str(folder), tmp_path / "again", digest=pin)


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(SeqlabError, match="there is no pretrained encoder"):
        copy_encoder(str(tmp_path / "nothing"), tmp_path / "made", digest=None)


def test_a_folder_whose_changes_nobody_would_notice_is_refused(folder, tmp_path):
    tracked = tmp_path / "encoders"
    write(tracked / "good", FILES)
    (tracked / "link").symlink_to(folder)
    require_tracked_folder(str(tracked / "good"), below=tracked)
    require_tracked_folder("hf://team/small", below=tracked)
    require_tracked_folder(None, below=tracked)
    for source in (folder, tracked / "link"):
        with pytest.raises(SeqlabError, match=r"would not be noticed[\s\S]*remedy: copy the folder into"):
            require_tracked_folder(str(source), below=tracked)


def test_a_mirror_serves_an_encoder_of_hugging_face(folder, tmp_path, hugging_face):
    write(tmp_path / "mirror" / PLACE, FILES | {"README.md": README})
    mirror = str(tmp_path / "mirror")
    files = copy_encoder("hf://team/small", tmp_path / "made", digest=None, mirror=mirror)
    assert files.digest == copy_encoder(str(folder), tmp_path / "local", digest=None).digest
    assert files.licence == "apache-2.0"
    assert hugging_face.asked == []


def test_what_the_mirror_lacks_is_downloaded_with_all_parts_of_the_weights(folder, tmp_path, hugging_face):
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    parts = {"model-1.safetensors": "1", "model-2.safetensors": "2"}
    origin = write(tmp_path / "origin", {
        "config.json": "{}", "model.safetensors.index.json": json.dumps(index), "vocab.txt": "x", **parts,
    })  # fmt: skip

    def answer(name):
        if not (origin / name).exists():
            raise FileNotFoundError(name)
        return str(origin / name)

    hugging_face.answer = answer
    copy_encoder("hf://team/small", tmp_path / "made", digest=None, mirror=str(tmp_path / "empty"))
    assert names(tmp_path / "made") == {*names(origin), "source.json"}
    assert ("team/small", "model-2.safetensors") in hugging_face.asked


def test_without_network_and_mirror_the_error_names_the_files_and_where_to_put_them(tmp_path, hugging_face):
    class LocalEntryNotFoundError(FileNotFoundError):
        pass

    def answer(name):
        raise LocalEntryNotFoundError("no connection")

    hugging_face.answer = answer
    expected = rf"below a mirror's base: {PLACE}/config.json[\s\S]*no connection[\s\S]*corpus.mirror"
    with pytest.raises(SeqlabError, match=expected):
        copy_encoder("hf://team/small", tmp_path / "made", digest=None)


def test_an_encoder_without_weights_is_refused(tmp_path, hugging_face):
    write(tmp_path / "mirror" / PLACE, {"config.json": "{}"})
    with pytest.raises(SeqlabError, match=rf"{PLACE}/model.safetensors"):
        copy_encoder("hf://team/small", tmp_path / "made", digest=None, mirror=str(tmp_path / "mirror"))


def test_a_preset_of_keras_hub_is_looked_for_where_kaggle_has_it(tmp_path, monkeypatch):
    keras_hub = ModuleType("keras_hub")
    keras_hub.models = ModuleType("models")
    keras_hub.models.Backbone = type("Backbone", (), {
        "presets": {"bert_small": {"kaggle_handle": "kaggle://keras/bert/keras/bert_small/2"}},
    })  # fmt: skip
    monkeypatch.setitem(sys.modules, "keras_hub", keras_hub)
    place = tmp_path / "mirror/www.kaggle.com/models/keras/bert/keras/bert_small/2"
    config = json.dumps({"registered_name": "keras_hub>BertBackbone"})
    write(place, {"config.json": config, "model.weights.h5": "w", "assets/tokenizer/vocabulary.txt": "x"})
    files = copy_encoder("bert_small", tmp_path / "made", digest=None, mirror=str(tmp_path / "mirror"))
    assert names(tmp_path / "made") == {*names(place), "source.json"}
    assert files.source == "bert_small"
    with pytest.raises(SeqlabError, match=r"unknown pretrained encoder[\s\S]*received: 'bert_large'"):
        copy_encoder("bert_large", tmp_path / "other", digest=None, mirror=None)
