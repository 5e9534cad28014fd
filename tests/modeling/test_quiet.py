from __future__ import annotations

import os

import pytest

from seqlab.modeling.quiet import quiet_start


def test_what_is_written_below_python_is_held_back(capfd):
    with quiet_start():
        os.write(2, b"chatter\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_nothing_is_hidden_where_the_start_fails(capfd):
    def fail():
        with quiet_start():
            os.write(2, b"why it failed\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert capfd.readouterr().err == "why it failed\n"
