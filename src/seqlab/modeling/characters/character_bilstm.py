"""Characters to token vectors by a BiLSTM."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.modeling.characters.character_encoder import CharacterEncoder
from seqlab.modeling.masks.masked_ops import Tensor, with_first_position


@keras.saving.register_keras_serializable(package="seqlab")
class CharacterBiLSTM(CharacterEncoder):
    """Reads each token's characters both ways, keeps the two last states (Lample et al., arXiv 1603.01360).

    Shapes: int (B, T, C) -> float (B, T, 2 * units). Id 0 is padding.

    Mask: read off the ids, True = a real character; characters are padded at the right only. The states are
    those after the last and after the first real character, so that C may be any length. What comes out is
    bool (B, T), True = a token with at least one character; any other token has the zero vector. cuDNN
    accepts no row without a real character, so such a token is read as one zero vector, and the result thrown
    away.

    Args:
        vocabulary_size: number of characters, padding and unknown among them.
        embedding_dim: size of a character's vector.
        units: size of each direction's state.
        dropout: probability that an entry of a character's vector is dropped in training.
        use_cudnn: `auto` takes cuDNN where there is a GPU; True insists on it; False gives a graph that runs
            anywhere.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_dim: int,
        units: int,
        dropout: float = 0.0,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size=vocabulary_size, embedding_dim=embedding_dim, dropout=dropout, **kwargs
        )
        self.units = units
        self.use_cudnn = use_cudnn

    @property
    def output_dim(self) -> int:
        """Size of a token's vector."""
        return 2 * self.units

    def build_encoder(self) -> None:
        """Makes the recurrent layer."""
        lstm = keras.layers.LSTM(self.units, use_cudnn=self.use_cudnn, dtype=self.dtype_policy)
        self.recurrent_layer = keras.layers.Bidirectional(lstm, dtype=self.dtype_policy, name="bilstm")
        self.recurrent_layer.build((None, None, self.embedding_dim))

    def encode(self, vectors: Tensor, real: Tensor, training: bool) -> Tensor:
        """Float (N, C, embedding_dim) and bool (N, C) to float (N, 2 * units)."""
        return self.recurrent_layer(vectors, mask=with_first_position(real), training=training)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {**super().get_config(), "units": self.units, "use_cudnn": self.use_cudnn}
