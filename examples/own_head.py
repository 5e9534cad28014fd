"""Your own head on our encoder: does a sentence mention a person?

The embedder and the encoder of a trained tagger give a vector for each token. This script keeps their
weights, takes the largest value of each feature over the sentence's tokens, and trains one dense layer.
Run `dvc repro` (or `make repro`) first. Editors show each part after `# %%` as a cell of a notebook.
"""

# %% The trained tagger, which `seqlab.layers` lets Keras load, and the vocabularies it was trained with.
from pathlib import Path

import keras
import numpy as np

import seqlab
import seqlab.layers
from seqlab.batching.encoding import FeatureEncoder

tagger = keras.saving.load_model("models/ner/model.keras")
features = FeatureEncoder.read(Path("data/prepared/ner/vocabulary"))


# %% Sentences to padded ids: `token_ids` (B, T), `char_ids` (B, T, C), `shape_ids` (B, T), 0 at padding.
def encode(sentences: list[seqlab.Sentence]) -> dict[str, np.ndarray]:
    forms = sorted({token for sentence in sentences for token in sentence.tokens})
    rows = {form: row for row, form in enumerate(forms, start=1)}
    types = np.zeros((len(sentences), max(len(sentence.tokens) for sentence in sentences)), np.int64)
    for row, sentence in zip(types, sentences, strict=True):
        row[: len(sentence.tokens)] = [rows[token] for token in sentence.tokens]
    return {name: table[types] for name, table in features.encode_types(forms).items()}


def has_person(sentences: list[seqlab.Sentence]) -> np.ndarray:
    return np.array([[float("B-PER" in sentence.tags)] for sentence in sentences], np.float32)


def read(split: str) -> list[seqlab.Sentence]:
    return seqlab.read_corpus(f"data/example/{split}.conll", columns=["token", "upos", "xpos", "ner"])


# %% A Keras model like any other. Padding never reaches the head: the mask is passed on.
inputs = {
    "token_ids": keras.Input((None,), dtype="int32", name="token_ids"),
    "char_ids": keras.Input((None, features.max_token_length), dtype="int32", name="char_ids"),
    "shape_ids": keras.Input((None,), dtype="int32", name="shape_ids"),
}
mask = keras.ops.not_equal(inputs["token_ids"], 0)
tagger.embedder.trainable = tagger.encoder.trainable = False
encoded = tagger.encoder(tagger.embedder(inputs, mask=mask), mask=mask)
largest = keras.ops.max(keras.ops.where(mask[..., None], encoded, -1e9), axis=1)
model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(largest))

# %% Train the head alone.
model.compile(optimizer=keras.optimizers.Adam(0.02), loss="binary_crossentropy")
train = read("train")
history = model.fit(encode(train), has_person(train), epochs=20, verbose=0)
print(f"loss {history.history['loss'][0]:.3f}, after training {history.history['loss'][-1]:.3f}")

# %% Does it hold for sentences that it has not seen?
test = read("test")
for sentence, (probability,) in zip(test, model.predict(encode(test), verbose=0), strict=True):
    print(f"{probability:.2f}  {' '.join(sentence.tokens)}")
