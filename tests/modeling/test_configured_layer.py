from __future__ import annotations

import pytest
from layer_cases import CASES
from layer_checks import check_layer

from seqlab.modeling.configured_layer import ConfiguredLayer


@pytest.mark.parametrize("name", CASES)
def test_every_layer_passes_the_shared_checks(name, tmp_path):
    check_layer(CASES[name], tmp_path)


def test_the_config_includes_the_arguments_of_base_classes():
    class Base(ConfiguredLayer):
        def __init__(self, *, size, **kwargs):
            super().__init__(**kwargs)
            self.size = size

    class Derived(Base):
        def __init__(self, *, depth=2, **kwargs):
            super().__init__(**kwargs)
            self.depth = depth

    config = Derived(size=3, name="derived").get_config()
    assert {name: config[name] for name in ("name", "size", "depth")} == {
        "name": "derived",
        "size": 3,
        "depth": 2,
    }
