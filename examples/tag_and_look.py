"""Tag and look: what a trained tagger says about a text, how sure it is, and how good it is.

Run `dvc repro` (or `make repro`) first. Editors show each part after `# %%` as a cell of a notebook.
"""

# %% Load a tagger: a folder, `models:/seqlab-ner@champion`, or an MLflow run id.
import seqlab

tagger = seqlab.load("models/ner")
print(tagger)

# %% Tag a sentence. In a notebook, the last line shows the sentence with its entities marked.
text = "Marie Curie was born in Warsaw in 1867."
tagged = tagger.tag(text)
for span in tagged.spans or []:
    print(f"{span.entity_type:8}{span.text!r}, characters {span.start} to {span.end}")
tagged

# %% Tokens that were tokenised elsewhere, several sentences at once.
rows = tagger.tag([["Marie", "Curie", "left", "."], ["It", "rained", "in", "New York", "."]])
for row in rows:
    print(list(zip((token.text for token in row.tokens), row.tags, strict=True)))

# %% The tokens of which the tagger is least sure.
for token in sorted(tagged.tokens, key=lambda token: token.probability)[:3]:
    print(f"{token.text:12}{token.tag:8}{token.probability:.3f}")

# %% Score it on a file with gold tags, with the numbers of the evaluate stage.
gold = seqlab.read_corpus(
    "data/example/test.conll", columns=["token", "upos", "xpos", "ner"], column="ner", tag_scheme="IOB2"
)
predicted = tagger.tag([sentence.tokens for sentence in gold])
scores = seqlab.score(gold, predicted)
print(f"span F1 {scores['span_f1']:.3f}, token accuracy {scores['token_accuracy']:.3f}")
for error in scores["most_confused"]:
    print(f"{error['predicted']} instead of {error['gold']}: {error['examples'][0]}")

# %% Write the predictions for other programs.
seqlab.write_conll("predicted.conll", predicted)
