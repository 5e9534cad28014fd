from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from seqlab.modeling.layers.sinusoids import sinusoids


def test_equals_the_formula():
    sine, cosine = sinusoids(50, 6)
    angles = np.arange(50)[:, None] * 10000.0 ** (-np.array([0, 2, 4]) / 6)
    assert_allclose(sine, np.sin(angles), atol=1e-5)
    assert_allclose(cosine, np.cos(angles), atol=1e-5)
