from __future__ import annotations

import pytest

from seqlab.corpora.catalogue import STANDALONE_CORPORA

BY_NAME = {corpus.name: corpus for corpus in STANDALONE_CORPORA}


def test_tag_columns_are_all_but_the_token():
    assert BY_NAME["conll2003"].tag_columns == ("pos", "chunks", "ner")


@pytest.mark.parametrize("corpus", [corpus for corpus in STANDALONE_CORPORA if corpus.sources])
def test_what_is_downloaded_is_described_and_its_size_known(corpus):
    assert corpus.title
    assert corpus.licence
    assert corpus.homepage.startswith("https://")
    assert corpus.citation
    assert set(corpus.tag_schemes) <= set(corpus.tag_columns)
    for source in corpus.sources:
        assert source.url.startswith("https://")
        assert source.pin.size is not None


def test_the_text_of_conll2003_needs_a_word():
    assert "Reuters" in BY_NAME["conll2003"].notice
    assert "Reuters" in BY_NAME["conll2003"].licence
