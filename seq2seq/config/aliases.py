"""Targets and keys that were renamed or moved: what older versions wrote names them as they were."""

from collections.abc import Mapping
from typing import Any

MOVED = {
    "seq2seq.data.existing.Existing": "seq2seq.data.tokenizer.pretrained.PretrainedTokenizer",
    "seq2seq.data.labelled_loader.ClassLoader": "seq2seq.data.loader.labelled_loader.ClassLoader",
    "seq2seq.data.labelled_loader.ConditionLoader": "seq2seq.data.loader.labelled_loader.ConditionLoader",
    "seq2seq.data.labelled_loader.TagLoader": "seq2seq.data.loader.labelled_loader.TagLoader",
    "seq2seq.data.loader.Loader": "seq2seq.data.loader.loader.Loader",
    "seq2seq.data.stream.Stream": "seq2seq.data.loader.stream.Stream",
    "seq2seq.data.vocabulary.Vocabulary": "seq2seq.data.tokenizer.train.TokenizerSettings",
    "seq2seq.evaluation.sentence.BLEU": "seq2seq.evaluation.sentence_metric.BLEU",
    "seq2seq.evaluation.sentence.ChrF": "seq2seq.evaluation.sentence_metric.ChrF",
    "seq2seq.labelling.labeller.Labeller": "seq2seq.tasks.labelling.labeller.Labeller",
    "seq2seq.translation.repair.Repair": "seq2seq.translation.checks.repair.Repair",
    "seq2seq.translation.untranslated.Untranslated": "seq2seq.translation.stages.passthrough.Passthrough",
}
PACKAGES = {"seq2seq.own.": "seq2seq.plugins."}  # all that is below them

# Old key -> new key. `search.best` is also `objective.search.best`; a key without a dot stands at the top. Only the
# last word changes, and the words before it are already the new ones.
RENAMED: Mapping[str, str] = {
    **{
        f"{node}.{old}": f"{node}.{new}"
        for node in ("search", "candidates")
        for old, new in {
            "best": "n_best",
            "width": "beam_size",
            "groups": "beam_groups",
            "diversity": "diversity_penalty",
            "no_repeat": "no_repeat_ngram",
            "length_factor": "max_length_ratio",
            "length_offset": "max_length_extra",
            "shortest_factor": "min_length_ratio",
            "typical": "typical_p",
            "count": "num_samples",
        }.items()
    },
    **{
        f"{node}.{old}": f"{node}.{new}"
        for node in ("loader", "reading")
        for old, new in {
            "tokens": "max_tokens",
            "window": "sort_window",
            "sampled": "sampled_sides",
            "nbest": "sampling_nbest",
            "alpha": "sampling_alpha",
            "dropout": "bpe_dropout",
            "ahead": "prefetch",
        }.items()
    },
    "reading.length": "reading.bptt_length",
    "trainer.smoothing": "trainer.label_smoothing",
    "trainer.clip": "trainer.clip_norm",
    "trainer.ema": "trainer.ema_decay",
    "trainer.average": "trainer.average_checkpoints",
    "trainer.threads": "trainer.cores",
    "trainer.noise": "trainer.log_gradient_noise",
    "trainer.allow": "trainer.allow_changed",
    "validation.lines": "validation.max_lines",
    "translator.longest_source": "translator.max_source_length",
    "translator.unknown": "translator.unknown_words",
    "translator.untranslated": "translator.passthrough",
    "passthrough.longest_word": "passthrough.max_word_length",
    "passthrough.letterless": "passthrough.non_alphabetic",
    "repair.repeats": "repair.min_repeats",
    "repair.no_repeat": "repair.no_repeat_ngram",
    "form": "output_format",
    "lines": "input_format",
    "threads": "cores",
    "coverage": "coverage_penalty",
    "likeliest": "top_k",
    "longest": "max_length",
    "count": "num_samples",
    "beginnings": "prompts",
    "batch": "batch_size",
    "batch_lines": "batch_size",
    "reference": "references",
    "cleaning.ratio.most": "cleaning.ratio.max_ratio",
    "cleaning.ratio.free": "cleaning.ratio.exempt_below",
    "cleaning.identical.free": "cleaning.identical.exempt_below",
    "cleaning.duplicate.remembered": "cleaning.duplicate.max_remembered",
    "cleaning.length.shortest": "cleaning.length.min_length",
    "cleaning.length.longest": "cleaning.length.max_length",
    "prepare.longest": "prepare.max_length",
    "tokenizer.vocabulary": "tokenizer.vocab_size",
    "tokenizer.coverage": "tokenizer.character_coverage",
    "tokenizer.sample": "tokenizer.sample_megabytes",
    "schedule.floor": "schedule.min_lr_ratio",
    "objective.reference": "objective.include_reference",
    **{
        f"{noise}.share": f"{noise}.probability"
        for noise in (
            *("joined", "lower", "no_diacritics", "no_punctuation", "numbers", "quotes", "spaces", "tags", "title"),
            *("typos", "upper"),
        )
    },
    "doctor.tokens": "doctor.max_tokens",
    "doctor.speed": "doctor.tokens_per_second",
    "doctor.leakage": "doctor.max_leakage",
    "doctor.remembered": "doctor.max_remembered",
    "x": "x_axis",
    "pairs": "max_pairs",
    "most": "max_candidates",
    "common": "frequent_pieces",
    "share": "candidates_per_piece",
}
# keys without a successor of the same meaning: what to write instead
REMOVED: Mapping[str, str] = {
    "translator.usual_source": "translator.max_sentences=NUMBER (sentences of a line that are translated together) or "
    "translator.max_source_length=NUMBER (subwords of one part)",
}


def current_name(target: str) -> str:
    """The dotted name of today for `target`, which may be of an older version."""
    for old, new in PACKAGES.items():
        if target.startswith(old):
            return new + target.removeprefix(old)
    return MOVED.get(target, target)


def renamed(key: str) -> str:
    """A full key with the names of this version: `search.n_best` for `search.best`; current keys are unchanged."""
    parts: list[str] = []
    for part in key.split("."):
        parts.append(part)
        parts[-1] = _listed_below(".".join(parts), RENAMED).rpartition(".")[2] or part
    return ".".join(parts)


def renamed_keys(node: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """A configuration that an older version stored, with the names of this version."""
    own = current_name(str(node.get("_target_", ""))).startswith(tuple(PACKAGES.values()))  # their keys are theirs
    result: dict[str, Any] = {}
    for key, value in node.items():
        full = f"{where}.{key}" if where else str(key)
        now = full if own else renamed(full)
        result[now.rpartition(".")[2]] = renamed_keys(value, now) if isinstance(value, Mapping) else value
    return result


def removed(key: str) -> str:
    """What to write instead of a key without a successor; nothing for any other."""
    return _listed_below(key, REMOVED)


def _listed_below(key: str, table: Mapping[str, str]) -> str:
    """The table's entry for a key, by the end of its path; None for others."""
    parts = key.split(".")
    ends = (".".join(parts[at:]) for at in range(max(1, len(parts) - 1)))
    return next((table[end] for end in ends if end in table), "")
