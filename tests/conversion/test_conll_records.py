from __future__ import annotations

from seqlab.conversion.conll_records import read_conll, read_prediction_records
from seqlab.conversion.records import TokenRecord
from seqlab.corpus.conll import ConllLayout
from seqlab.evaluation.predictions import write_predictions


def test_columns_comments_and_errors(read):
    layout = ConllLayout(("token", "_", "ner"))
    text = "# id = 7\n# text =  do n't\n# x\ndo\tx\tO\nn't\tx\tB-X\n\nbad\n"
    records, errors, _ = read(lambda path, _: read_conll(path, layout), "a.conll", text)
    assert records == [TokenRecord(("do", "n't"), {"ner": ("O", "B-X")}, "a.conll", 4, "7", " do n't")]
    assert [error.split("\n")[0] for error in errors] == ["a.conll:7: wrong number of columns"]


def test_conllu(read):
    text = "# sent_id = s1\n# text = a\n1\ta\t_\tNOUN\tNN\t_\t0\troot\t_\t_\n"
    layout = ConllLayout(("token", "ner"))
    (record,), _, _ = read(lambda path, _: read_conll(path, layout), "a.conllu.gz".removesuffix(".gz"), text)
    assert record.columns == {"upos": ("NOUN",), "xpos": ("NN",)}
    assert (record.text, record.id) == ("a", "s1")


def test_predictions(tmp_path):
    path = tmp_path / "test.conll"
    write_predictions(path, [(["a b", "c"], ["O", "B-X"], ["B-X", "O"])])
    columns = {"gold": ("O", "B-X"), "predicted": ("B-X", "O")}
    assert list(read_prediction_records(path)) == [TokenRecord(("a b", "c"), columns, str(path), 1)]
