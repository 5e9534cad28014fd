"""What the page of errors shows in a browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqlab.evaluation.error_page import split_errors, write_error_page

SCRIPT = "<script>document.title = 'run'</script>"
SPANS = """
    Ann/B-PER/B-PER Lee/I-PER/O saw/O/O Oslo/B-LOC/B-ORG
    May/O/B-LOC rain/O/O in/O/O Bo/B-PER/O
    Oslo/B-LOC/B-LOC is/O/O big/O/O
    the/O/B-LOC New/B-ORG/I-LOC Times/I-ORG/O
"""
OTHER = """
    Ann/B-PER/B-PER Lee/I-PER/I-PER saw/O/O Oslo/B-LOC/B-ORG
    May/O/B-LOC rain/O/B-LOC in/O/O Bo/B-PER/O
    Oslo/B-LOC/B-LOC is/O/O big/O/O
    the/O/O New/B-ORG/B-LOC Times/I-ORG/O
"""
TAGS = """
    I/PRON/PRON run/VERB/NOUN fast/ADV/ADJ
    a/DET/DET run/NOUN/NOUN
    go/VERB/NOUN
"""


def sentences(text: str):
    rows = [[column.split("/") for column in line.split()] for line in text.strip().splitlines()]
    return [tuple(map(tuple, zip(*row, strict=True))) for row in rows]


@pytest.fixture
def page(tmp_path) -> Path:
    """A page of one run: dev has four sentences of spans, test has one."""
    places = [("en/dev.conll", line) for line in (1, 6, 11, 15)]
    seen = {"Ann", "Lee", "saw", "Oslo", "in", "the", "New", "Times"}
    dev = split_errors("dev", sentences(SPANS), spans=True, train_tokens=seen, places=places)
    test = split_errors("test", sentences("Bo/B-PER/O"), spans=True, train_tokens=seen)
    write_error_page(tmp_path / "errors.html", [dev, test], title="ner on sample")
    return tmp_path / "errors.html"


@pytest.fixture
def comparison(tmp_path) -> Path:
    """The same run beside another."""
    dev = split_errors("dev", sentences(SPANS), spans=True, other=sentences(OTHER))
    write_error_page(tmp_path / "errors.html", [dev], title="ner", runs=("softmax", "crf"))
    return tmp_path / "errors.html"


def status(browser) -> str:
    return browser.run("document.getElementById('status').innerText")


def numbers(browser) -> list[str]:
    """The numbers of the sentences that are shown."""
    return browser.run(
        "[...document.querySelectorAll('#list > li .place:first-child')].map(e => e.innerText.split(' ')[1])"
    )


def error_lines(browser) -> list[str]:
    return browser.run("[...document.querySelectorAll('.errors li')].map(e => e.innerText)")


def choose(browser, element: str, value: str) -> None:
    """Choose an option by a part of its text, or write a value."""
    browser.run(f"""(() => {{
        const input = document.getElementById({element!r});
        const option = [...(input.options || [])].find(option => option.text.includes({value!r}));
        input.value = option ? option.value : {value!r};
        input.dispatchEvent(new Event('change'));
    }})()""")


def click(browser, text: str) -> None:
    """Click the button whose text begins so."""
    browser.run(
        f"[...document.querySelectorAll('button')].find(b => b.innerText.startsWith({text!r})).click()"
    )


def test_sentences_with_errors_are_shown_with_gold_above_and_predicted_below(browser, page):
    browser.open(page)
    assert status(browser) == "5 errors in 3 of 4 sentences"
    assert numbers(browser) == ["1", "2", "4"]
    assert error_lines(browser) == [
        "wrong boundary PER “Ann Lee” → PER “Ann”",
        "wrong type LOC → ORG “Oslo”",
        "missed PER “Bo” (unseen)",
        "spurious LOC “May” (unseen)",
        "wrong type and boundary ORG “New Times” → LOC “the New”",
    ]
    assert "span F1 on dev: 0.2000" in browser.run("document.querySelector('header').innerText")
    boxes = browser.run("""[...document.querySelectorAll('#list > li:first-child .cell.in')].map(cell => {
        const box = cell.getBoundingClientRect(), word = cell.parentElement.querySelector('.word');
        const place = box.bottom <= word.getBoundingClientRect().top + 1 ? 'above' : 'below';
        return `${place} ${word.innerText}: ${cell.innerText}`;
    })""")
    assert boxes == [
        "above Ann: ✗ PER", "below Ann: ✗ PER", "above Lee: ", "above Oslo: ✗ LOC", "below Oslo: ✗ ORG",
    ]  # fmt: skip
    assert "en/dev.conll:6" in browser.run("document.getElementById('list').children[1].innerText")


@pytest.mark.parametrize(
    ("clicks", "fields", "expected"),
    [
        (["missed"], {}, ("1 error in 1 of 4 sentences", ["2"])),
        (["wrong boundary"], {}, ("1 error in 1 of 4 sentences", ["1"])),
        (["wrong boundary", "wrong boundary"], {}, ("5 errors in 3 of 4 sentences", ["1", "2", "4"])),
        (["none → LOC"], {}, ("1 error in 1 of 4 sentences", ["2"])),
        (["none → LOC", "missed"], {}, ("0 errors in 0 of 4 sentences", [])),
        ([], {"label": "ORG"}, ("2 errors in 2 of 4 sentences", ["1", "4"])),
        ([], {"shortest": "4"}, ("4 errors in 2 of 4 sentences", ["1", "2"])),
        ([], {"longest": "3"}, ("1 error in 1 of 4 sentences", ["4"])),
        ([], {"show": "all sentences"}, ("5 errors in 4 of 4 sentences", ["1", "2", "3", "4"])),
        ([], {"show": "sentences without errors"}, ("0 errors in 1 of 4 sentences", ["3"])),
        ([], {"split": "test"}, ("1 error in 1 of 1 sentence", ["1"])),
        (
            ["missed", "Clear all filters"],
            {"longest": "2"},
            ("5 errors in 3 of 4 sentences", ["1", "2", "4"]),
        ),
    ],
)
def test_filters(browser, page, clicks, fields, expected):
    browser.open(page)
    for element, value in fields.items():
        choose(browser, element, value)
    for text in clicks:
        click(browser, text)
    assert (status(browser), numbers(browser)) == expected
    empty = browser.run("document.getElementById('none').checkVisibility()")
    assert empty == (expected[1] == [])


def test_the_filter_of_unseen_tokens(browser, page):
    browser.open(page)
    browser.run("document.getElementById('unseen').click()")
    assert (status(browser), numbers(browser)) == ("2 errors in 1 of 4 sentences", ["2"])


def test_a_pressed_filter_is_marked_by_more_than_colour(browser, page):
    browser.open(page)
    click(browser, "PER → none")
    pressed = "document.querySelector('[aria-pressed=true]')"
    assert browser.run(f"{pressed}.innerText") == "PER → none\n1"
    assert browser.run(f"getComputedStyle({pressed}, '::before').content") == '"✓"'


def test_the_page_works_by_keyboard(browser, page):
    browser.open(page)
    focused = "document.activeElement.innerText.split(' · ')[0]"
    found = []
    for key in ("j", "j", "ArrowDown", "j", "ArrowUp", "k", "k"):
        browser.press(key)
        found.append(browser.run(focused))
    assert found == [f"sentence {number}" for number in (1, 2, 4, 4, 2, 1, 1)]
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("/")
    assert browser.run("document.activeElement.id") == "search"
    browser.write("RAIN in")
    assert (status(browser), numbers(browser)) == ("2 errors in 1 of 4 sentences", ["2"])
    browser.press("Escape")
    assert browser.run(focused) == "sentence 2"
    browser.press("c")
    assert (numbers(browser), browser.run("document.getElementById('search').value")) == (["1", "2", "4"], "")


def test_each_control_has_a_name(browser, page):
    browser.open(page)
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"searchbox", "combobox", "spinbutton", "checkbox", "button", "list"}
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert ("searchbox", "Search in the sentence") in named
    assert ("spinbutton", "at least this many tokens") in named
    assert {role for role, name in named if not name} <= {"list"}, "the list of a sentence's errors"


def test_what_changed_between_two_runs(browser, comparison):
    browser.open(comparison)
    assert numbers(browser) == ["1", "2", "4"]
    assert "0.2000 softmax, 0.3636 crf" in browser.run("document.querySelector('header').innerText")
    assert error_lines(browser) == [
        "new: wrong boundary PER “Ann Lee” → PER “Ann”",
        "wrong type LOC → ORG “Oslo”",
        "missed PER “Bo”",
        "spurious LOC “May”",
        "fixed: spurious LOC “rain”",
        "new: wrong type and boundary ORG “New Times” → LOC “the New”",
        "fixed: wrong type and boundary ORG “New Times” → LOC “New”",
    ]
    shown = {}
    for option in ("got better", "got worse", "as many", "new errors", "fixed errors", "errors of both"):
        choose(browser, "show", option)
        shown[option] = numbers(browser)
    assert shown == {
        "got better": ["2"], "got worse": ["1"], "as many": ["4"], "new errors": ["1", "4"],
        "fixed errors": ["2", "4"], "errors of both": ["1", "2"],
    }  # fmt: skip
    assert "spurious\n1, was 2" in browser.run("document.getElementById('kinds').innerText")


def test_tags(browser, tmp_path):
    write_error_page(
        tmp_path / "errors.html", [split_errors("dev", sentences(TAGS), spans=False)], title="pos"
    )
    browser.open(tmp_path / "errors.html")
    assert status(browser) == "3 errors in 2 of 3 sentences"
    assert error_lines(browser)[0] == "wrong tag VERB → NOUN “run”"
    click(browser, "VERB → NOUN")
    assert (status(browser), numbers(browser)) == ("2 errors in 2 of 3 sentences", ["1", "3"])
    first = browser.run("document.querySelector('#list > li .sentence').innerText").split()
    assert " ".join(first) == "gold predicted PRON I ✗ VERB run ✗ NOUN ✗ ADV fast ✗ ADJ"


def test_text_of_a_corpus_is_shown_as_it_is_and_nothing_is_requested(browser, tmp_path):
    image = "<img src=https://example.invalid/x.png>"
    row = ((SCRIPT, image, "</script>", "<!--"), (image, "O", "O", "O"), ("O", "O", "O", "O"))
    split = split_errors("dev", [row], spans=False, places=[(image, 1)])
    write_error_page(tmp_path / "errors.html", [split], title=SCRIPT, runs=[SCRIPT])
    browser.open(tmp_path / "errors.html")
    shown = browser.run("document.getElementById('list').innerText")
    assert all(text in shown for text in (*row[0], f"{image}:1"))
    assert SCRIPT in browser.run("document.querySelector('h1').innerText")
    assert browser.run("document.title") == f"Errors: {SCRIPT}"
    assert browser.requested == [(tmp_path / "errors.html").as_uri()]


def test_the_page_works_in_a_sandboxed_frame_as_in_mlflow(browser, page, tmp_path):
    report = "<script>parent.postMessage(part('status').innerText + part('list').innerText, '*')</script>"
    framed = page.read_text(encoding="utf-8").replace("</body>", f"{report}</body>")
    host = tmp_path / "host.html"
    host.write_text(
        f"""<iframe sandbox="allow-scripts"></iframe><script>
        window.shown = new Promise(resolve => addEventListener('message', event => resolve(event.data)));
        const page = new Blob([{json.dumps(framed).replace("<", chr(92) + "u003c")}], {{type: 'text/html'}});
        document.querySelector('iframe').src = URL.createObjectURL(page);
        </script>""",
        encoding="utf-8",
    )
    browser.open(host)
    shown = browser.run("window.shown")
    assert shown.startswith("5 errors in 3 of 4 sentences")
    assert "wrong boundary PER “Ann Lee” → PER “Ann”" in shown


def test_a_long_list_is_drawn_as_far_as_it_is_read(browser, tmp_path):
    many = [(("w", str(i)), ("B-PER", "O"), ("O", "O")) for i in range(5000)]
    write_error_page(tmp_path / "errors.html", [split_errors("dev", many, spans=True)], title="long")
    browser.open(tmp_path / "errors.html")
    assert status(browser) == "5,000 errors in 5,000 of 5,000 sentences"
    assert len(numbers(browser)) < 200
    browser.press(*["j"] * 130)
    assert browser.run("document.activeElement.innerText").startswith("sentence 130 ·")
    browser.press("/")
    browser.write("4999")
    assert numbers(browser) == ["5,000"]


def test_a_narrow_window_begins_with_the_sentences(browser, page):
    browser.open(page, width=800)
    kinds = "document.getElementById('kinds').checkVisibility()"
    assert browser.run("document.querySelector('#list > li').getBoundingClientRect().bottom") < 500
    assert not browser.run(kinds)
    browser.run("document.querySelector('summary').click()")
    assert browser.run(kinds)
    browser.open(page)
    assert browser.run(kinds)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1400, 800, 360])
def test_text_stands_out_and_fits_in_both_themes(browser, comparison, dark, width):
    browser.open(comparison, width=width, dark=dark)
    browser.run("document.getElementById('filters').open = true")
    ratios = browser.run("""(() => {
        const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        const rgb = colour => {
            canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
            return canvas.getImageData(0, 0, 1, 1).data;
        };
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = element => {
            const colour = rgb(getComputedStyle(element).backgroundColor);
            return colour[3] ? colour : behind(element.parentElement);
        };
        return [...document.querySelectorAll('body *')]
            .filter(e => e.checkVisibility())
            .filter(e => [...e.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()))
            .map(e => {
                const lights = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
                const ratio = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
                return [ratio, e.className, e.innerText];
            });
    })()""")
    assert len(ratios) > 50
    assert min(ratios)[0] >= 4.5, "the contrast that WCAG 2.2 asks for at level AA"
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
