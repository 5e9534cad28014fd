#!/bin/sh
# From annotated texts to a tagger in use, with a task of your own. In a fresh clone, after `make`:
#
#     source .venv/bin/activate && sh examples/walk.sh
#
# It takes about two minutes. The made-up texts are reviews in which products are marked.
set -eu
git switch --quiet --create products

# 1. Texts with character spans, as annotation tools write them: {"text": ..., "spans": [{"start", "end", "label"}]}.
python - <<'PYTHON'
import json
import random
from pathlib import Path

makers, things = ["Acme", "Norvik", "Luma", "Trell", "Ostra"], ["Kettle", "Lamp 3", "Drill", "Phone X", "Chair"]
starts = ["We bought the", "The", "My old", "Yesterday the", "Nobody needs a"]
ends = ["in spring .", "broke after a week .", "is as good as the first one .", "from the shop in Oslo .", "!"]
draw = random.Random(1)
Path("texts").mkdir()
for split, count in (("train", 240), ("dev", 40), ("test", 40)):
    with open(f"texts/{split}.jsonl", "w", encoding="utf-8") as file:
        for number in range(count):
            start, product, end = draw.choice(starts), f"{draw.choice(makers)} {draw.choice(things)}", draw.choice(ends)
            text = f"{start} {product} {end} It cost {number + 10} euros ."
            span = {"start": len(start) + 1, "end": len(start) + 1 + len(product), "label": "PRODUCT"}
            file.write(json.dumps({"text": text, "spans": [span]}) + "\n")
PYTHON

# 2. CoNLL columns from them, with a check and a report of what did not align.
seqlab convert texts/train.jsonl texts/dev.jsonl texts/test.jsonl --output texts/columns

# 3. The corpus and a task of its own in params.yaml.
python - <<'PYTHON'
from pathlib import Path

params = Path("params.yaml")
text = params.read_text(encoding="utf-8")
for old, new in (
    ("  name: sample ", "  name: files  "),
    ("tasks: [ner, pos] ", "tasks: [product]  "),
    ("data/example/", "texts/columns/"),
    ("columns: [token, upos, xpos, ner]", "columns: [token, ner]"),
):
    assert old in text, old
    text = text.replace(old, new)
params.write_text(
    text
    + """
product:
  column: ner
  tag_scheme: BIOES
  auxiliary: {}
  embedder: {}
  encoder: {type: bilstm, num_layers: 1, units: 48, dropout: 0.2}
  head: {type: crf, label_smoothing: 0.0}
  training: {monitor: span_f1, learning_rate: 0.005, epochs: 5, bucket_boundaries: 4}
""",
    encoding="utf-8",
)
PYTHON
seqlab check texts/columns/train.conll texts/columns/dev.conll texts/columns/test.conll

# 4. Two configurations. The commit contains the texts, so that experiments find them in their temporary folders.
dvc repro
git add --all
git commit --quiet --message "A tagger for products"
dvc exp run --temp --name softmax --set-param product.head.type=softmax evaluate@product
dvc metrics show
seqlab compare --task product HEAD softmax

# 5. The better one becomes the champion, and tags: on the command line and from Python.
seqlab promote --task product
echo "My old Norvik Lamp 3 is as good as the first one ." | seqlab tag --task product
python -c '
import seqlab

tagged = seqlab.load("models:/seqlab-product@champion").tag("Nobody needs a Luma Drill !")
print([(span.entity_type, span.text) for span in tagged.spans])
'
