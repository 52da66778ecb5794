"""Tags, entities and placeholders come out as often as they went in, in their order, in pairs that nest."""

import random
import re
import time
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import beam, greedy
from toy_translator import DIRECTIONS, Echo, random_model, toy_tokenizer

from seq2seq import languages
from seq2seq.network.state import AutoregressiveModel
from seq2seq.search.base import Search
from seq2seq.translation.stages import chunking as stretches
from seq2seq.translation.stages.inline_tags import placeholders, tags
from seq2seq.translation.stages.markup import read_markup
from seq2seq.translation.stages.passthrough import Passthrough
from seq2seq.translation.stages.placeholders import mask, restore
from seq2seq.translation.stages.words import words
from seq2seq.translation.translation import Candidate, Status
from seq2seq.translation.translator import Translator

COPYING = Passthrough(True, 100, "translate", True)
PAIRS = ["b", "i", "a href='x y'", "li", 'g id="1"']
SINGLES = ["<br/>", "<br>", "&ensp;", "&nbsp;", "</p>", "<p>", "&lt;i&gt;", "<x id='2'/>", "<!-- c -->"]
HOLDERS = ["%s", "%d", "%(name)s", "%1$s", "{name}", "{0}", "{}", "{{x}}", "${x}", "$HOME", "__NAME__"]
WORDS = ["the", "dog", "sees,", "one.", "(two)", "🐕", '"house"', "Ω", "12", "-"]


def translator(
    model: AutoregressiveModel | None = None, markup: bool = True, search: Search | None = None
) -> Translator:
    parts = (model or random_model(), toy_tokenizer(), search or greedy(1.0, 3), DIRECTIONS, 30, 60)
    copying = Passthrough(True, 100, "translate", markup)
    return Translator(*parts, torch.float32, torch.device("cpu"), unknown_words="copy", passthrough=copying)


def found(line: str) -> list[str]:
    return [line[one.begin : one.end] for one in tags(line)]


def held(line: str, language: str = "en") -> list[str]:
    return [line[begin:end] for begin, end in placeholders(line, language)]


def moved(line: str, text: str, links: Sequence[tuple[int, int]], source: str = "en", target: str = "de") -> str:
    """A line whose words without tags became `text`."""
    return read_markup(line, tags(line), source).restored(Candidate(text, 0.0, (), tuple(links)), target).text


@pytest.mark.parametrize(
    "line",
    ["a < b and c > d", "<3 dogs", "a<b>c", "x <- y -> z", "1 <2> 3", "<unk> dog", "<b and c>", "Tom & Jerry; AT&T",
     "&; &foo; & amp;", "a <= b >= c", "<ann@example.com>", "<>", "< b >", "if a<i and i>c"],
)  # fmt: skip
def test_what_is_no_tag_stays(line: str) -> None:
    assert found(line) == []


@pytest.mark.parametrize(
    ("line", "inside"),
    [
        ("a <b>c</b> d<br/>", ["<b>", "</b>", "<br/>"]),
        ('<a href="x>y" id=1 disabled>b</a>', ['<a href="x>y" id=1 disabled>', "</a>"]),
        ("<mine>a</mine> <0>b</0>", ["<mine>", "</mine>", "<0>", "</0>"]),
        ("<p>One sentence.", ["<p>"]),
        ("end</span>", ["</span>"]),
        ("<x:y-z/> <!-- a <b> --> <?php x ?>", ["<x:y-z/>", "<!-- a <b> -->", "<?php x ?>"]),
        (
            "&lt;b&gt;a&lt;/b&gt; &amp; &#39; &nbsp;&#xA0;&amp;lt;",
            ["&lt;b&gt;", "&lt;/b&gt;", "&nbsp;", "&#xA0;", "&amp;lt;"],
        ),
        ("1 &lt; 2 &gt; x", []),
        ("<BR> <Strong>", ["<BR>", "<Strong>"]),
    ],
)
def test_tags_and_entities_are_found(line: str, inside: list[str]) -> None:
    assert found(line) == inside


@pytest.mark.parametrize(
    ("line", "inside"),
    [
        ("%s and %(name)d, %1$s: %-5.2f!", ["%s", "%(name)d", "%1$s", "%-5.2f"]),
        ("{name}, {0} {} {0:.2f} {x!r}", ["{name}", "{0}", "{}", "{0:.2f}", "{x!r}"]),
        ("{{x}} {{ user.name }} ${x} #{x} %{x} {% if a %}", ["{{x}}", "{{ user.name }}", "${x}", "#{x}", "%{x}",
                                                             "{% if a %}"]),
        ("$HOME/bin. __NAME__ %PATH%", ["$HOME/bin", "__NAME__", "%PATH%"]),
        ("{n}px file_{0}.txt it's {name}'s 100%%", ["{n}px", "file_{0}.txt", "{name}'s", "100%%"]),
        ("{n, plural, one {# dog} other {# dogs}} run", ["{n, plural, one {# dog} other {# dogs}}"]),
        ("100%s 5 % of 50% discount, %50 x % y", []),
        ("{1, 2, 3} {the dog} $5 US$ A$AP ____ %sold {", []),
    ],
)  # fmt: skip
def test_placeholders_are_found(line: str, inside: list[str]) -> None:
    assert held(line) == inside


def test_placeholders_end_where_a_language_without_spaces_goes_on() -> None:
    assert held("犬{name}さん%s個", "ja") == ["{name}", "%s"]


@pytest.mark.parametrize(
    "line",
    ["a <b>dog</b> runs", "<p>Two dogs.</p>", "one<br/>two", "word<b>x</b>", "H<sub>2</sub>O", "<b>one</b><i>two</i>",
     "<li>one</li><li>two</li>", "Tom &amp; Jerry", "say &quot;hello&quot; now", "Hello <b>Bob</b>!", '"<b>Bob</b>"',
     '<b>"Bob"</b>', '<a href="x y">word</a> z', "<br> a", "<b></b> a", "&lt;b&gt;x&lt;/b&gt; y", "100&nbsp;km",
     "a</b> c <b>d", '<p>"Two <b>dogs</b>"</p>', "the<b> dog</b> runs", "wait&hellip;", "one,<br>two", "(<b>x</b>)",
     "<b><i>x</i> y</b>", "x<sup>2</sup>", "<br/>", "a <!-- c d --> b"],
)  # fmt: skip
def test_a_line_that_is_its_own_translation_comes_back(line: str) -> None:
    given = read_markup(line, tags(line), "en")
    assert "<" not in given.text and "&amp" not in given.text
    links = tuple((word, word) for word in range(len(words(given.text, "en"))))
    back = given.restored(Candidate(given.text, 0.0, (), links), "de")
    assert back.text == line
    count = len(words(line, "en"))
    assert back.alignment is not None and {(word, word) for word in range(count)} <= set(back.alignment)


@pytest.mark.parametrize(
    ("line", "text", "links", "whole"),
    [
        ("a <b>dog</b> runs", "da rennt ein Hund", [(0, 2), (1, 3), (2, 1)], "da rennt ein <b>Hund</b>"),
        ("he <b>picks up</b> it", "er hebt es auf", [(0, 0), (1, 1), (2, 3), (3, 2)], "er <b>hebt es auf</b>"),
        ("<b>one</b> <i>two</i>", "zwei eins", [(0, 1), (1, 0)], "<i>zwei</i> <b>eins</b>"),
        ("<b>one <i>two</i></b> x", "x zwei eins", [(0, 2), (1, 1), (2, 0)], "x <b><i>zwei</i> eins</b>"),
        ("<b>one two</b> <i>x</i>", "eins x zwei", [(0, 0), (1, 2), (2, 1)], "<b>eins</b> <i>x</i> zwei"),
        ("see <b>Bob</b>!", "Bob, sieh!", [(0, 1), (1, 0)], "<b>Bob</b>, sieh!"),
        ("<b>Bob</b> runs", "„Bob“ rennt", [(0, 0), (1, 1)], "„<b>Bob</b>“ rennt"),
        ("one<br>two", "eins zwei", [(0, 0), (1, 1)], "eins<br>zwei"),
        ("b<b>ol</b>d x", "fett x", [(0, 0), (1, 1)], "<b>fett</b> x"),
        ("a <br/> b c", "eins", [], "eins <br/>"),
        ("the <b>big</b> dog", "der große Hund", [], "der <b>große</b> Hund"),
        ("<b>a</b>", "", [], "<b></b>"),
        ("the <b>big</b> dog", "der Hund", [(0, 0), (2, 1)], "der <b>Hund</b>"),
        ("click <b>here</b>.", "klick.", [(0, 0)], "<b>klick</b>."),
        ("<b>one</b> <i>two</i>", "eins", [(0, 0)], "<b>eins</b> <i></i>"),
        (
            "<u>one <i>two</i></u> else",
            "zwei sonstwo eins",
            [(0, 2), (1, 0), (2, 1)],
            "<u><i>zwei</i></u> sonstwo eins",
        ),
    ],
)
def test_tags_follow_the_words(line: str, text: str, links: list[tuple[int, int]], whole: str) -> None:
    assert moved(line, text, links) == whole


def test_between_words_that_are_not_spaced_no_space_comes_and_elsewhere_one_does() -> None:
    assert moved("a <b>dog</b> runs", "犬が走る", [(1, 0), (2, 2)], "en", "ja") == "<b>犬</b>が走る"
    assert moved("これは<b>犬</b>です", "this is a dog", [(0, 0), (3, 3), (4, 1)], "ja", "en") == "this is a <b>dog</b>"


@pytest.mark.parametrize(
    ("line", "text", "said", "back"),
    [
        ("Tom &amp; Jerry aren&#39;t", "Tom & Jerry aren't", "Tom & Jerry sind's", "Tom &amp; Jerry sind&#39;s"),
        ("caf&eacute; &lt; 3", "café < 3", "Café < 3 é", "Caf&eacute; &lt; 3 &eacute;"),
        ("it&#39;s Bob's", "it's Bob's", "'s ist Bobs", "'s ist Bobs"),  # written both ways
        ("x &amp;lt; y &foo; z", "x y &foo; z", "x y &foo; z", "x &amp;lt; y &foo; z"),
        ("R&amp;D <b>&quot;a&quot;</b>", 'R&D "a"', 'F&E "a"', "F&amp;E <b>&quot;a&quot;</b>"),
    ],
)
def test_entities_are_read_as_their_characters_and_written_again(line: str, text: str, said: str, back: str) -> None:
    given = read_markup(line, tags(line), "en")
    assert given.text == text
    count = len(words(text, "en"))
    whole = given.restored(Candidate(said, 0.0, (), tuple((word, word) for word in range(count))), "de")
    assert whole.text == back and not given.lost(whole.text, ())


def test_an_entity_that_no_word_of_the_translation_needs_is_not_lost() -> None:
    [same, lost] = translator(Echo()).translate(["the d&#111;g", "the &quot;dog&quot;&nbsp;is"], "en", "de")
    assert same.text == "the d&#111;g" and Status.MARKUP not in {*same.notes, *lost.notes}
    [other] = translator().translate(["the d&uuml;g"], "en", "de")
    assert Status.MARKUP not in other.notes


def test_placeholders_that_take_the_next_value_keep_their_order() -> None:
    line = "one %s two %d x"
    taken = mask(line, "en", None, False, {}, list(placeholders(line, "en")))
    back = restore(Candidate("zwei eins x", 0.0, (), ((0, 1), (1, 0), (2, 2))), taken, "de")
    assert back.text == "zwei %s eins %d x"
    line = "one {a} two {b} x"
    taken = mask(line, "en", None, False, {}, list(placeholders(line, "en")))
    assert (
        restore(Candidate("zwei eins x", 0.0, (), ((0, 1), (1, 0), (2, 2))), taken, "de").text == "zwei {b} eins {a} x"
    )


@pytest.mark.parametrize("whole", ['<a title="One. Two, three">', "{n, plural, one {A dog.} other {Two. Dogs}}"])
def test_no_stretch_of_a_giant_line_ends_inside_a_tag(whole: str) -> None:
    line = f"One. {whole} and more </a>" * 20
    for size in (60, 70, 80):
        texts = [one.text for portion in stretches.split_into_chunks([line], "en", size) for one in portion.segments]
        assert "".join(texts) == line and len(texts) > 5
        assert sum(text.count(whole) for text in texts) == 20


def nested(parts: object) -> list[str]:
    assert isinstance(parts, list | tuple)
    pieces: list[str] = []
    for part in parts:
        if isinstance(part, str):
            pieces += [part, " "]
        else:
            name, inner, spaced = part
            pieces += [f"<{name}>", *(" " if spaced else "",), *nested(inner), f"</{name.split()[0]}>", " " * spaced]
    return pieces


LEAF = st.sampled_from([*WORDS, *WORDS, *SINGLES, *HOLDERS])
TREE = st.recursive(
    st.lists(LEAF, max_size=5),
    lambda inner: st.lists(st.one_of(LEAF, st.tuples(st.sampled_from(PAIRS), inner, st.booleans())), max_size=5),
    max_leaves=8,
)
LINK = st.tuples(st.integers(0, 12), st.integers(0, 8))
ITEM = re.compile(
    "|".join(map(re.escape, sorted([*SINGLES, *HOLDERS], key=len, reverse=True))) + r"|</?(?:b|i|a|li|g)\b[^>]*>"
)


def check(line: str, text: str) -> None:
    """All is there, and the pairs that the line has are pairs again."""
    assert Counter(ITEM.findall(line)) == Counter(ITEM.findall(text)), (line, text)
    for one, other in [(line, text)]:
        assert pairs(one) == pairs(other), (line, text)


def pairs(line: str) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """Each pair, and the names of those around it."""
    every = tags(line)
    result: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    for number, one in enumerate(every):
        if one.partner is not None and one.partner > number:
            close = every[one.partner]
            around = [
                line[other.begin : other.end]
                for place, other in enumerate(every)
                if other.partner is not None and place < number and other.partner > one.partner
            ]
            result[line[one.begin : one.end], line[close.begin : close.end], tuple(around)] += 1
    return result


@given(
    TREE,
    st.lists(st.sampled_from(["eins", "„zwei“", "drei,", "H2O", "Hund."]), max_size=7),
    st.lists(LINK, max_size=10),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_aligned_tags_nest_as_they_did(
    parts: list[object], said: list[str], links: list[tuple[int, int]]
) -> None:
    line = "".join(nested(parts)).strip()
    own = COPYING.tags(line, "en")
    text = read_markup(line, own, "en").restored(Candidate(" ".join(said), 0.0, (), tuple(links)), "de").text
    if words(read_markup(line, own, "en").text, "en"):
        kept = [line[one.begin : one.end] for one in own]
        assert Counter(kept) == Counter(text[one.begin : one.end] for one in tags(text))
        assert pairs(line) == pairs(text)
        assert "".join(re.sub("<[^>]*>|&lt;i&gt;|&[a-z]+;", " ", text).split()) == "".join(said)


@pytest.mark.parametrize("model", [random_model(), Echo()])
def test_no_model_loses_any(model: AutoregressiveModel) -> None:
    translate, aligned = translator(model), not isinstance(model, Echo)

    @given(st.lists(TREE, min_size=1, max_size=3))
    @settings(max_examples=8, deadline=None)
    def law(every: list[list[object]]) -> None:
        lines = ["".join(nested(parts)).strip() for parts in every]
        for line, one in zip(lines, translate.translate(lines, "en", "de", alignments=aligned), strict=True):
            check(line, one.text)
            assert Status.MARKUP not in one.notes
            assert one.status is not Status.OK or not ITEM.search(line)
            for source, target in one.best[0].alignment or () if one.best else ():
                assert source < len(words(line, "en")) and target < len(words(one.text, "de"))

    law()


@pytest.mark.parametrize("dense", [("en",), ("de",), ("en", "de"), ()])
def test_positions_are_those_of_the_given_line_however_languages_space_their_words(
    monkeypatch: pytest.MonkeyPatch, dense: Sequence[str]
) -> None:
    monkeypatch.setattr(languages, "writing", lambda code: languages.HAN if code in dense else languages.SPACED)
    parts = ["one", "two", "狗", "が", "。", " ", "\u00a0", "\u200b", "<b>", "</b>", "%s", "🐕", "&amp;", "&nbsp;",
             "e\u0301", "１２", "https://a.b/c", "\u3000", "ก็", "{n, plural, one {# a}}"]  # fmt: skip
    draw = random.Random(1)
    lines = ["".join(draw.choices(parts, k=draw.randrange(1, 14))) for _ in range(40)]
    seen = 0
    for line, one in zip(lines, translator().translate(lines, "en", "de", alignments=True), strict=True):
        for source, target in one.best[0].alignment or () if one.best else ():
            assert 0 <= source < len(words(line, "en")) and 0 <= target < len(words(one.text, "de")), (line, one)
            seen += 1
    assert seen > 40


def test_every_candidate_has_them() -> None:
    [one] = translator(search=beam(4, 3, factor=1.0)).translate(["the <b>dog</b> %s"], "en", "de")
    assert len(one.best) == 3 and all(
        Counter(ITEM.findall(each.text)) == Counter(["<b>", "</b>", "%s"]) for each in one.best
    )


def test_what_a_model_that_sees_them_loses_has_a_status() -> None:
    lines = ["the <b>dog</b>", "the %s dog", "the dog", "a < b"]
    statuses = [one.notes for one in translator(markup=False).translate(lines, "en", "de")]
    assert [Status.MARKUP in notes for notes in statuses] == [True] * 2 + [False] * 2
    assert all(Status.MARKUP not in one.notes for one in translator().translate(lines, "en", "de"))


def test_what_a_dictionary_replaces_is_not_lost() -> None:
    [one] = translator().translate(["the %s dog"], "en", "de", dictionary={"%s": "Otto"})
    assert "Otto" in one.text and "%s" not in one.text and Status.MARKUP not in one.notes


def test_tags_alone_and_in_giant_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "MAX_CHUNK", 3000)
    lines = ["<br/>", "<b> </b>", "%s", "<b>%s</b>", "<b>the dog</b> &amp; %s. " * 300]
    every = list(translator(Echo()).translate(lines, "en", "de"))
    assert [one.text for one in every[:4]] == lines[:4] and every[0].status is Status.UNKNOWN
    assert Counter(ITEM.findall(lines[4])) == Counter(ITEM.findall(every[4].text))


@pytest.mark.parametrize(
    "unit",
    ["<b>", "</b>", "<b>a</b>", "<a b=", '<a b="', "<", "&", "&amp;", "<!--", "{", "{a,number", "%", "{{", "__a", "$",
     "<b>a ", "a&lt;b", "a&amp;", "{n, plural, one {", "a<br>", "&lt;a b=&quot;", "<?a", "<b x=y "],
)  # fmt: skip
def test_no_line_takes_long(unit: str) -> None:
    line = unit * (16_000 // len(unit)) + " x"
    began = time.process_time()
    given = read_markup(line, COPYING.tags(line, "en"), "en")
    COPYING.runs(given.text, "en")
    count = len(words(given.text, "en"))
    given.restored(Candidate(given.text, 0.0, (), tuple((word, word) for word in range(count))), "de")
    assert time.process_time() - began < 2.0
