from __future__ import annotations

from layer_cases import CASES
from layer_checks import check_fresh_process_reload


def test_every_layer_reloads_in_a_fresh_process(tmp_path):
    check_fresh_process_reload(CASES, tmp_path)
