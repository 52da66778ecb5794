"""Noise on training pairs: a pure function of (seed, epoch, pair), within the budget, and nothing else changes."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from toy_text import every_filter, sentences, toy_corpus, vocabulary, write

from seq2seq.config.build import build_all, configuration_folder
from seq2seq.data.augmentation.base import Noise
from seq2seq.data.augmentation.joined import Joined
from seq2seq.data.augmentation.lower import Lower
from seq2seq.data.augmentation.no_diacritics import NoDiacritics
from seq2seq.data.augmentation.no_punctuation import NoPunctuation
from seq2seq.data.augmentation.numbers import Numbers
from seq2seq.data.augmentation.partners import partners
from seq2seq.data.augmentation.quotes import Quotes
from seq2seq.data.augmentation.spaces import Spaces
from seq2seq.data.augmentation.tags import Tags
from seq2seq.data.augmentation.title import Title
from seq2seq.data.augmentation.typos import Typos
from seq2seq.data.augmentation.upper import Upper
from seq2seq.data.corpus.base import Pair
from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import PreparedCorpus, prepare
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.loader import Loader
from seq2seq.errors import ConfigError

FOLDER = configuration_folder() / "augmentation"
KINDS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem not in ("off", "robust"))


def from_yaml(name: str, **values: object) -> Noise:
    node = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    noise: Noise = build_all({name: {**node[name], **values}}, "augmentation")[name]
    return noise


def robust(share: float = 0.2) -> dict[str, Noise]:
    listed = yaml.safe_load((FOLDER / "robust.yaml").read_text("utf-8"))["defaults"]
    return {name: from_yaml(name, probability=share) for name in listed}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    folder = tmp_path_factory.mktemp("augmentation")
    corpus = toy_corpus(folder / "text", ["en-de", "de-en"], count=60)
    return prepare(corpus, every_filter(), vocabulary(size=380), folder / "cache", 100)


def loader(
    prepared: PreparedCorpus,
    noises: dict[str, Noise] | None,
    tokens: int = 200,
    seed: int = 1,
    window: int = 150,
    sampled: tuple[str, ...] = (),
) -> Loader:
    return Loader(prepared.train, prepared.tokenizer, tokens, seed, window, 8, 0.3, 0.1, sampled, 0, noises)


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


def lines(made: Loader, epoch: int, prepared: PreparedCorpus) -> dict[int, tuple[list[int], list[int]]]:
    """The pieces of source and target that each row has in an epoch."""
    return {
        int(row): (source[real][1:-1].tolist(), target[there][1:-1].tolist())
        for batch in made.batches(epoch)
        for row, source, real, target, there in zip(
            batch.pairs, batch.source, batch.source_mask, batch.target, batch.target_mask, strict=True
        )
    }


def changed(noise: Noise, text: str, seed: int = 0) -> str:
    return noise([Pair("en", "de", text, "x", "")], Random(seed)).source


def test_the_robust_group_holds_every_kind_but_those_that_a_translator_undoes() -> None:
    assert sorted([*robust(), "title", "upper"]) == KINDS  # casing.py reads such lines in training's case


@pytest.mark.parametrize("window", [37])
@pytest.mark.parametrize("sampled", [(), ("source", "target")])
def test_an_epoch_holds_every_pair_once_within_the_budget(
    prepared: PreparedCorpus, window: int, sampled: tuple[str, ...]
) -> None:
    made = loader(prepared, robust(), window=window, sampled=sampled)
    batches = list(made.batches(2))
    assert len(batches) == made.batch_count(2)
    assert sorted(torch.cat([batch.pairs for batch in batches]).tolist()) == list(range(len(prepared.train)))
    if not sampled:
        for batch in batches:
            assert len(batch.pairs) * (batch.target.shape[1] - 1) <= 200
            assert len(batch.pairs) * (batch.source.shape[1] - 1) <= 200


def test_noise_depends_on_seed_epoch_and_pair_alone(prepared: PreparedCorpus) -> None:
    """Not on the batches, nor on where reading begins, nor on the other kinds of noise."""
    one = lines(loader(prepared, robust()), 3, prepared)
    assert one == lines(loader(prepared, robust(), window=40), 3, prepared)
    assert one != lines(loader(prepared, robust()), 4, prepared)
    assert one != lines(loader(prepared, robust(), seed=2), 3, prepared)
    upper = lines(loader(prepared, {"upper": Upper(0.2)}), 3, prepared)
    both = lines(loader(prepared, {"joined": Joined(0.2, 0.2), "upper": Upper(0.2)}), 3, prepared)
    assert sum(both[row] == upper[row] for row in one) > len(one) / 2
    plain = lines(loader(prepared, None), 3, prepared)
    assert {row for row in one if upper[row] != plain[row]} >= {
        row for row in one if both[row] != plain[row] and both[row][1] == plain[row][1]
    }


def test_any_part_of_an_epoch_is_its_tail(prepared: PreparedCorpus) -> None:
    made = loader(prepared, robust(), sampled=("source",))
    whole = list(made.batches(1))
    for start in (1, 7, len(whole) - 1):
        assert all(map(same, whole[start:], made.batches(1, start)))


def test_shares_are_kept_and_the_rest_is_as_it_was(prepared: PreparedCorpus) -> None:
    plain = lines(loader(prepared, None), 0, prepared)
    for name, share in (("upper", 0.2), ("joined", 0.4), ("tags", 0.5)):
        made = loader(prepared, {name: from_yaml(name, probability=share)}, tokens=400)
        found = Counter(
            noisy[row] != plain[row] for noisy in (lines(made, 0, prepared), lines(made, 1, prepared)) for row in plain
        )
        assert abs(found[True] / found.total() - share) < 0.15
    assert lines(loader(prepared, {"upper": Upper(0.0)}), 0, prepared) == plain


def test_joined_rows_are_those_of_the_direction_side_by_side(prepared: PreparedCorpus) -> None:
    store, tokenizer = prepared.train, prepared.tokenizer
    every = {(pair.target_language, pair.source, pair.target) for pair in store.pairs()}
    seen = Counter[int]()
    noisy = lines(loader(prepared, {"joined": Joined(1.0, 0.4)}), 0, prepared)
    for row, (source, target) in noisy.items():
        language = store.languages[store.language_numbers(np.array([row]))[1][0]]
        other = next(one for one in store.languages if one != language)
        [read], [written] = tokenizer.decode([source], other), tokenizer.decode([target], language)
        count = seen_parts(read, written, language, every)
        seen[count] += 1
    assert set(seen) <= {1, 2, 3} and seen[2] > seen[3] > 0.2 * len(noisy) and seen[1] < 0.1 * len(noisy)


def seen_parts(source: str, target: str, language: str, every: set[tuple[str, str, str]]) -> int:
    """Of how many pairs a line is made; every word of the toy corpus ends in its language."""
    for _, one, other in sorted((pair for pair in every if pair[0] == language), key=lambda pair: -len(pair[1])):
        if source == one and target == other:
            return 1
        if source.startswith(one + " ") and target.startswith(other + " "):
            rest = seen_parts(source[len(one) + 1 :], target[len(other) + 1 :], language, every)
            if rest:
                return 1 + rest
    return 0


def test_the_worst_batch_is_no_smaller_than_any(prepared: PreparedCorpus) -> None:
    made = loader(prepared, robust())
    for epoch in (0, 1):
        worst = made.largest_batch(epoch)
        most = worst.source.numel() + worst.target.numel()
        assert max(batch.source.numel() + batch.target.numel() for batch in made.batches(epoch)) <= most
        assert len(worst.pairs) * (worst.source.shape[1] - 1) <= 200


def test_partners_are_others_of_the_direction_and_all_of_them(prepared: PreparedCorpus) -> None:
    store, rows = prepared.train, np.arange(len(prepared.train))
    source, target = store.language_numbers(rows)
    draw = np.random.default_rng(1)
    found = np.stack([partners(store, rows, draw.random(len(rows))) for _ in range(8)])
    assert (found != rows).all() and (source[found] == source).all() and (target[found] == target).all()
    some = rows[::-7].copy()
    assert set(partners(store, some, np.linspace(0, 1 - 2.0**-53, len(some))).tolist()) <= set(rows.tolist())
    assert len(set(found.ravel().tolist())) > 0.9 * len(rows)


def test_a_direction_of_one_pair_has_no_partner(tmp_path: Path) -> None:
    write(tmp_path / "text", "train", sentences(1, ["en", "de"]))
    made = prepare(
        Files(str(tmp_path / "text"), ["en-de", "de-en"], [], ["train"], [], []),
        {},
        vocabulary(size=288),
        tmp_path,
        100,
    )
    assert partners(made.train, np.array([1, 0]), np.array([0.0, 0.99])).tolist() == [-1, -1]
    assert lines(loader(made, {"joined": Joined(1.0, 0.5)}), 0, made) == lines(loader(made, None), 0, made)


def test_source_tags_stay_first_and_are_not_mixed(tmp_path: Path) -> None:
    text = sentences(60, ["en", "de"])
    text["en"] = [f"<BT> {line}" if number % 2 else line for number, line in enumerate(text["en"])]
    write(tmp_path / "text", "train", text)
    corpus = Files(str(tmp_path / "text"), ["en-de"], [], ["train"], [], [])
    made = prepare(corpus, {}, vocabulary(source_tags=["BT"]), tmp_path, 200)
    tag = made.tokenizer.encode(["<BT> a"], "en", "source")[0][0]
    noises: dict[str, Noise] = {"joined": Joined(1.0, 0.5), "upper": Upper(1.0)}
    for row, (source, _) in lines(loader(made, noises, tokens=2000), 0, made).items():
        assert (source[0] == tag) == bool(row % 2) and tag not in source[1:]
        text_of = made.tokenizer.decode([source], "en")[0]
        assert text_of == text_of.upper()


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\n")), seed=st.integers(0, 99))
@pytest.mark.parametrize("name", KINDS)
def test_no_kind_fails_makes_lines_or_empties_them(name: str, text: str, seed: int) -> None:
    pairs = [Pair("en", "de", text, "Ein Hund.", ""), Pair("en", "de", "A dog.", "Ein Hund.", "")]
    noise = from_yaml(name)
    found = noise(pairs[: min(2, noise.most)], Random(seed))
    assert found == noise(pairs[: min(2, noise.most)], Random(seed))
    assert "\n" not in found.source and bool(found.source.strip()) >= bool(text.strip())
    assert isinstance(found.source, str) and found.source_language == "en"


@pytest.mark.parametrize(
    ("noise", "text", "expected"),
    [
        (Upper(1.0), "Two dogs in Straße.", "TWO DOGS IN STRASSE."),
        (Lower(1.0), "Two Dogs in Paris.", "two dogs in paris."),
        (Title(1.0), 'two dogs don\'t  play "in the" (snow).', 'Two Dogs Don\'t  Play "In The" (Snow).'),
        (NoPunctuation(1.0, 0.0), 'Yes, "two dogs." At 10:30, for 3.50!', 'Yes "two dogs" At 10:30 for 3.50'),
        (NoPunctuation(1.0, 1.0), 'Yes, two dogs."', 'Yes, two dogs"'),
        (NoPunctuation(1.0, 0.0), "猫がいる。犬も、いる。", "猫がいる犬もいる"),
        (NoPunctuation(1.0, 0.0), "...", "..."),
        (NoDiacritics(1.0), "Žluťoučký kůň, Ökonomie, Straße", "Zlutoucky kun, Okonomie, Strasse"),
        (NoDiacritics(1.0), "Ελλάδα, за ёлкой мой, がぎ हिन्दी ไทย", "Ελλαδα, за елкой мой, がぎ हिन्दी ไทย"),
    ],
)
def test_what_a_kind_does(noise: Noise, text: str, expected: str) -> None:
    assert changed(noise, text) == expected


def both(noise: Noise, source: str, target: str, seed: int = 0) -> tuple[str, str]:
    found = noise([Pair("en", "de", source, target, "")], Random(seed))
    return found.source, found.target


def test_numbers_are_exchanged_on_both_sides_alike() -> None:
    for seed in range(20):
        source, target = both(
            Numbers(1.0), "Bus 27 of 1945 costs 12.50, 3 or 44 and 44.", "1945 Bus 27: 12,50, 3, 44.", seed
        )
        found = re.fullmatch(r"Bus (\d\d) of (\d{4}) costs 12.50, 3 or 44 and 44\.", source)
        assert found and target == f"{found[2]} Bus {found[1]}: 12,50, 3, 44." and found[1][0] != "0"
    assert len({both(Numbers(1.0), "Bus 27.", "Bus 27.", seed) for seed in range(20)}) > 10
    assert both(Numbers(1.0), "A27 at 10:30 on 2024-05-06", "A27 um 10:30 am 2024-05-06") == (
        "A27 at 10:30 on 2024-05-06",
        "A27 um 10:30 am 2024-05-06",
    )


def test_tags_are_the_same_on_both_sides() -> None:
    found = {both(Tags(1.0), "A", "B", seed) for seed in range(99)}
    assert len(found) > 15 and all(source.replace("A", "B", 1) == target != "B" for source, target in found)


def test_quotes_and_spaces_change_nothing_but_themselves() -> None:
    quotes = {changed(Quotes(1.0), 'He said "don\'t" - twice.', seed) for seed in range(99)}
    assert len(quotes) > 10 and {re.sub(r"[^a-z. ]", "", one.replace("H", "h")) for one in quotes} == {
        "he said dont  twice."
    }
    spaces = [changed(Spaces(1.0, 0.5), "Two dogs, one (cat).", seed) for seed in range(50)]
    assert {re.sub(r"\s", "", one) for one in spaces} == {"Twodogs,one(cat)."} and len(set(spaces)) > 20
    assert changed(Quotes(1.0), "Two dogs.") == "Two dogs."


def test_as_many_letters_are_mistyped_as_the_rate_says() -> None:
    text = "abcdefghijklm nopqrstuvwxyz " * 2000
    typed = changed(Typos(1.0, 0.05), text)
    # of four errors one leaves out, one puts in: the length stays; three of them change the letter at its place
    assert abs(len(typed) - len(text)) < 0.005 * len(text)
    untouched = sum(word in typed for word in (text[place : place + 4] for place in range(0, 28 * 10, 4)))
    assert untouched > 0
    swapped = changed(replace(Typos(1.0, 0.05), rate=1.0), "ab" * 4000)
    assert Counter(swapped).keys() > {"a", "b"}  # neighbours on the keyboard come in
    assert set(changed(Typos(1.0, 1.0), "猫犬鳥魚馬牛")) <= set("猫犬鳥魚馬牛")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("upper", "probability", 1.5),
        ("typos", "rate", 0.0),
        ("joined", "three", -0.1),
        ("no_punctuation", "final", 2.0),
    ],
)
def test_illegal_values_are_named(name: str, key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"augmentation\.{name}: {key}: expected .* got {value}"):
        from_yaml(name, **{key: value})
