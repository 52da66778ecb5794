"""What else is told of a translation: token scores that sum to its own, and which words stand for which."""

import copy
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_network import member
from toy_search import beam, greedy
from toy_translator import DIRECTIONS, Echo, random_model, toy_tokenizer

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.network.alignment import TeacherForced
from seq2seq.network.coverage_penalty import CoveragePenalty
from seq2seq.network.ensemble import Ensemble, Fusion
from seq2seq.network.language_model import LanguageModel
from seq2seq.network.state import AutoregressiveModel
from seq2seq.search.base import Search
from seq2seq.translation.details import TokenPair, details, links
from seq2seq.translation.stages.words import Span, beginnings, source_spans, spans, target_spans, words
from seq2seq.translation.translator import Translator

pytestmark = pytest.mark.slow

LINES = ["the dog sees the house.", "two", "", "big house big dog", "three é dogs 🐕 see", "the big dog " * 12]
CPU = torch.device("cpu")


def translator(
    search: Search, model: AutoregressiveModel | None = None, longest: int = 100, batch: int = 60
) -> Translator:
    return Translator(model or random_model(), toy_tokenizer(), search, DIRECTIONS, longest, batch, torch.float32, CPU)


def two_models() -> Ensemble:
    """The random model, and one of other weights."""
    other = copy.deepcopy(random_model())
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(parameter.flip(0))
    return Ensemble([random_model(), other], [2.0, 1.0])


def language_model() -> LanguageModel:
    """One that knows the toy tokenizer's tokens, and has opinions on them."""
    torch.manual_seed(4)
    model = LanguageModel(
        toy_tokenizer().sizes[1], 5, 6, 1, 0, False, 0.0, 0.0, member("cell", "gru"), member("sublayer", "plain")
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model.eval()


def network(name: str) -> AutoregressiveModel:
    """The random model, by itself or with what else may count."""
    model = two_models() if name == "ensemble" else random_model()
    if "coverage" in name:
        return (
            Fusion(CoveragePenalty(model, 0.4), language_model(), 0.3)
            if "fused" in name
            else CoveragePenalty(model, 0.4)
        )
    return Fusion(model, language_model(), 0.3) if "fused" in name else model


WIDE = beam(4, 3, factor=1.0, offset=5)
MET = [(search, name) for search in (greedy(1.0, 3), WIDE, greedy(0.3, 2)) for name in ("model", "ensemble")]
MET += [(greedy(1.0, 3), "fused"), (WIDE, "coverage"), (WIDE, "fused with coverage")]


@pytest.mark.parametrize(("search", "name"), MET)
def test_token_scores_sum_to_the_translations_own(search: Search, name: str) -> None:
    """Also where a language model has its say in every token, or where ending has a price, which is no token's."""
    model = network(name)
    found = list(translator(search, model).translate(LINES, "en", "de", tokens=True))
    plain = list(translator(search, model).translate(LINES, "en", "de"))
    for line, one, other in zip(LINES, found, plain, strict=True):
        assert [each[:2] for each in one.best] == [each[:2] for each in other.best]
        assert len(one.best) > 0 or not line
        for candidate in one.best:
            assert sum(token.score for token in candidate.tokens) == pytest.approx(candidate.score, abs=2e-3)
            assert toy_tokenizer().pieces([3]) == ["</s>"]
            spelt = "".join(piece for piece, _ in candidate.tokens if piece != "</s>")
            assert spelt.replace("\u2581", " ").strip() == candidate.text or "<0x" in spelt
            assert candidate.alignment is None
        assert all(each.tokens == () for each in other.best)


def test_neighbours_and_processes_change_no_detail() -> None:
    asked = ("en", "de", True, True)
    together = list(translator(beam(3, 2, factor=1.0), batch=5000).translate(LINES, *asked))
    alone = [one for line in LINES for one in translator(beam(3, 2, factor=1.0)).translate([line], *asked)]
    several = translator(beam(3, 2, factor=1.0))
    with several.in_processes(2):
        assert [one.best for one in several.translate(LINES, *asked)] == [
            one.best for one in translator(beam(3, 2, factor=1.0)).translate(LINES, *asked)
        ]
    assert any(one.best[0].alignment for one in together if one.best)
    for one, other in zip(together, alone, strict=True):
        for left, right in zip(one.best, other.best, strict=True):
            assert left.text == right.text and left.alignment == right.alignment
            assert [token.score for token in left.tokens] == pytest.approx(
                [token.score for token in right.tokens], abs=1e-3
            )


def test_words_of_a_split_line_are_numbered_through() -> None:
    line = "the dog sees the big house. one two three dog big house. " * 3
    [found] = translator(beam(2, factor=1.0), longest=16).translate([line], "en", "de", True, True)
    assert found.status != "ok" and len(found.best) == 1
    [best] = found.best
    assert best.alignment
    assert max(source for source, _ in best.alignment) >= len(line.split()) * 0.7
    assert max(target for _, target in best.alignment) >= len(best.text.split()) * 0.7
    assert all(source < len(line.split()) and target < len(best.text.split()) for source, target in best.alignment)
    assert sum(token.score for token in best.tokens) == pytest.approx(best.score, abs=5e-3)


def test_a_network_without_a_model_says_what_it_cannot_tell() -> None:
    with pytest.raises(ConfigError, match="tokens, alignments: this network has no model"):
        translator(greedy(1.0, 2), Echo()).translate(LINES, "en", "de", alignments=True)
    with pytest.raises(ConfigError, match="tokens, alignments: this network has no model"):
        translator(greedy(1.0, 2), Echo()).translate(LINES, "en", "de", tokens=True)


def test_a_link_counts_from_both_sides() -> None:
    """Every target word looks most at the last source word, but that does not make it the translation of them all."""
    looked = torch.tensor([[0.4, 0.0, 0.6], [0.0, 0.4, 0.6], [0.0, 0.05, 0.95]])
    one_each = [Span(0, 1), Span(1, 2), Span(2, 3)]
    assert links(looked, one_each, one_each) == ((0, 0), (1, 1), (2, 2))


def test_little_attention_that_goes_nowhere_else_is_no_link() -> None:
    looked = torch.tensor([[0.5, 0.12, 0.38], [0.5, 0.0, 0.5]])
    assert links(looked, [Span(0, 1), Span(1, 2), Span(2, 3)], [Span(0, 1), Span(1, 2)])[0] == (0, 0)


def test_weights_are_read_from_behind_the_tag() -> None:
    """A reader that looks at the first piece for the first token, at the second for the second, and so on."""

    def looking(batch: Batch, weights: bool) -> TeacherForced:
        places = torch.arange(batch.target.shape[1] - 1) + 1
        looked = torch.nn.functional.one_hot(places, batch.source.shape[1]).float()
        every = looked.expand(len(batch.source), -1, -1)
        return TeacherForced(torch.zeros(every.shape[:2]), ((every,),), (1.0,))

    [ids] = toy_tokenizer().encode(["one two three dog"], "en", "source")
    spans = source_spans(toy_tokenizer(), "one two three dog", "en")
    pair = TokenPair(ids, ids, True, spans)
    [found] = details(looking, toy_tokenizer(), [pair], "de", True, CPU)
    assert found.alignment == ((0, 0), (1, 1), (2, 2), (3, 3))


def test_pieces_of_a_word_count_together_and_little_attention_is_none() -> None:
    two_pieces = [Span(0, 1), Span(0, 1), Span(1, 2)]
    looked = torch.tensor([[0.3, 0.3, 0.4], [0.3, 0.3, 0.4], [0.0, 0.0, 0.6]])
    assert links(looked, two_pieces, two_pieces) == ((0, 0), (1, 1))
    assert links(torch.full((1, 2), 0.05), [Span(0, 1), Span(1, 2)], [Span(0, 1)]) == ()
    assert links(torch.zeros(0, 2), [Span(0, 1), Span(1, 2)], []) == ()


def test_a_piece_of_several_characters_links_each() -> None:
    looked = torch.tensor([[0.9, 0.1], [0.0, 1.0]])
    assert links(looked, [Span(0, 2), Span(2, 3)], [Span(0, 1), Span(1, 2)]) == ((0, 0), (1, 0), (2, 1))


HOSTILE = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["a\u2581b", "é\u0301x 🐕🐕 y", "\u3000a", "a\u00a0b"]
)


@given(HOSTILE)
@settings(max_examples=200, deadline=None)
def test_every_word_has_its_pieces_in_order(text: str) -> None:
    text = text.replace("\n", " ").encode("utf-8", "replace").decode()
    for language in ("en", "zh"):
        own = words(text, language)
        found = source_spans(toy_tokenizer(), text, language)
        [ids] = toy_tokenizer().encode([text], "en", "source")
        assert len(found) == (len(ids) if own else 0)
        held = [span for span, piece in zip(found, toy_tokenizer().pieces(ids), strict=bool(own)) if piece != "\u2581"]
        covered = {word for span in held for word in range(span.begin, span.end)}
        spelled = {number for number, word in enumerate(own) if word.strip("\u2581")}  # that sign is a space in pieces
        assert spelled <= covered <= set(range(len(own)))
        assert [span.begin for span in held] == sorted(span.begin for span in held)


@given(st.lists(st.sampled_from(["one", "two", "großer", "é", "🐕", "x,"]), min_size=1, max_size=6))
def test_decoded_ids_belong_to_the_words_of_their_text(chosen: list[str]) -> None:
    [ids] = toy_tokenizer().encode([" ".join(chosen)], "de", "target")
    [text] = toy_tokenizer().decode([ids], "de")
    found = target_spans(toy_tokenizer(), ids, text, "de")
    for number, word in enumerate(words(text, "de")):
        own = [one for one, span in zip(ids, found, strict=True) if span.begin == number]
        assert toy_tokenizer().decode([own], "de") == [word]


def test_pieces_that_are_spelt_otherwise_are_counted_by_their_letters() -> None:
    """A normalisation may make two letters of one: `ﬁ` is `fi` for the tokenizer."""
    assert spans(["\u2581\u0066i", "ne", "\u2581x"], ["\ufb01ne", "x"], lambda word: word.replace("\ufb01", "fi")) == [
        Span(0, 1),
        Span(0, 1),
        Span(1, 2),
    ]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [(["a b ", "c d"], [0, 2]), (["a b", " c"], [0, 2]), (["abc", "def g", " h"], [0, 0, 2]), (["", "a"], [0, 0])],
)
def test_a_cut_through_a_word_does_not_count_it_twice(parts: Sequence[str], expected: list[int]) -> None:
    assert beginnings(parts, "en") == expected
