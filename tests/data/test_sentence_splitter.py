"""A line's sentences, in every script, joined are the line."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.sentence_splitter import WINDOW, sentences

TEXT = st.text(st.sampled_from("aB1.!?。۔।\"'„“(）»… \t\n-é\u0301👨\u200d\ud800"), max_size=60) | st.text(max_size=60)


@given(TEXT, st.sampled_from(["en", "de", "zh_CN", "ur", "xx", "", "no language"]), st.sampled_from([1, 40]))
@settings(max_examples=150, deadline=None)
def test_sentences_joined_are_the_line(text: str, language: str, times: int) -> None:
    found = sentences(text * times, language)
    assert "".join(found) == text * times and all(found)
    assert all(any(map(str.isalnum, one)) for one in found) or len(found) == 1


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        ("en", ["A dog runs. ", "A man sleeps! ", "Who is it? ", "a cat."]),
        ("en", ["It runs.", "A man sleeps."]),
        ("en", ["Mr. Smith met Dr. Jones at 5 p.m. in the U.S. Army. ", "It cost 3.50 euros. ", "He has 5. ", "Why?!"]),
        ("en", ["See www.x.org/a.b?c=d. ", "ASP.NET is one, e.g. here, approx. five. ", "No. 5 is J. Smith."]),
        ("en", ["1. First it is. ", "2. Then it was. ... ", "Wait... what? ", "Well."]),
        ("en", ['"A dog runs fast. ', 'A man sleeps here." ', "(A cat sits there.) ", "Yes."]),
        ("en", ["'A dog runs fast. ", "A man sleeps here.' ", "The dogs' bones lie. ", "The cats' food stands."]),
        ("en", ["Two dogs run… ", "A man sleeps."]),
        ("en", ["A dog runs fast; ", "a man sleeps here; ", "it is late. ", "Yes; no; maybe."]),
        ("en", ["A dog &amp; a man run fast &quot; here."]),
        ("de", ["Er kam am 3. Mai, d. h. spät. ", "Der 2. Weltkrieg, z.B. dort. ", "Ja."]),
        ("de", ["Er sagt: „Der Hund rennt schnell. ", "Der Mann schläft dort.“ ", "Dann geht er."]),
        ("cs", ["Přišel 3. května. ", "Odešel."]),
        ("fr", ["M. Dupont est là. ", "Mme. Curie dort ! ", "Oui."]),
        ("es", ["¿Qué hace el Sr. López? ", "¡Corre! ", "Sí."]),
        ("ur", ["کتا دوڑتا ہے۔ ", "آدمی سوتا ہے؟ ", "ہاں۔"]),
        ("en", ["A dog runs۔ ", "A man sleeps۔"]),
        ("hi", ["कुत्ता दौड़ता है।", "आदमी सोता है। ", "हाँ।"]),
        ("zh", ["狗跑。", "他说：“走。”", "什么？！", "人睡。"]),
        ("zh_CN", ["“狗跑得很快。", "人睡得很香。”"]),
        ("ja", ["犬が走る。", "（猫が寝る。）", "人。"]),
        ("km", ["ឆ្កែរត់។ ", "មនុស្សដេក។"]),
        ("am", ["ውሻ ሮጠ። ", "ሰው ተኛ።"]),
        ("hy", ["Շունը վազում է։ ", "Մարդը քնում է։"]),
        ("my", ["ခွေးပြေး။ ", "လူအိပ်။"]),
        ("bo", ["ཁྱི། ", "མི།"]),
        ("ar", ["كلب يجري؟ ", "رجل ينام."]),
        ("unknown", ["A dog runs. ", "A man sleeps."]),
    ],
)
def test_the_sentences_of_a_line(language: str, parts: list[str]) -> None:
    assert sentences("".join(parts), language) == parts


def test_a_sentence_may_be_longer_than_what_is_read_at_once() -> None:
    long = "a dog, " * WINDOW + "runs. "
    assert sentences(f"{long}A man sleeps. {long}", "en") == [long, "A man sleeps. ", long]
    assert sentences("A man sleeps. " * WINDOW, "en") == ["A man sleeps. "] * WINDOW


@pytest.mark.parametrize("unit", ["狗跑。", "« a. ", "'a. B' ", ". ", "(", "Mr. ", '"A dog runs fast. ', "1. "])
def test_time_grows_with_the_length_and_no_faster(unit: str) -> None:
    def seconds(count: int) -> float:
        began = time.process_time()
        sentences(unit * count, "en")
        return time.process_time() - began

    assert seconds(20_000) < 40 * max(seconds(2_000), 1e-3)  # squares would be a hundred times as much
