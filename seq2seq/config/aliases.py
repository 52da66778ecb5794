"""Targets that were renamed or moved: configurations and model folders of older versions name them as they were."""

MOVED = {
    "seq2seq.data.existing.Existing": "seq2seq.data.tokenizer.pretrained.Existing",
    "seq2seq.data.labelled_loader.ClassLoader": "seq2seq.data.loader.labelled_loader.ClassLoader",
    "seq2seq.data.labelled_loader.ConditionLoader": "seq2seq.data.loader.labelled_loader.ConditionLoader",
    "seq2seq.data.labelled_loader.TagLoader": "seq2seq.data.loader.labelled_loader.TagLoader",
    "seq2seq.data.loader.Loader": "seq2seq.data.loader.loader.Loader",
    "seq2seq.data.stream.Stream": "seq2seq.data.loader.stream.Stream",
    "seq2seq.data.vocabulary.Vocabulary": "seq2seq.data.tokenizer.train.Vocabulary",
    "seq2seq.evaluation.sentence.BLEU": "seq2seq.evaluation.sentence_metric.BLEU",
    "seq2seq.evaluation.sentence.ChrF": "seq2seq.evaluation.sentence_metric.ChrF",
    "seq2seq.labelling.labeller.Labeller": "seq2seq.tasks.labelling.labeller.Labeller",
    "seq2seq.translation.repair.Repair": "seq2seq.translation.checks.repair.Repair",
    "seq2seq.translation.untranslated.Untranslated": "seq2seq.translation.stages.passthrough.Untranslated",
}
PACKAGES = {"seq2seq.own.": "seq2seq.plugins."}  # all that is below them


def current_name(target: str) -> str:
    """The dotted name of today for `target`, which may be of an older version."""
    for old, new in PACKAGES.items():
        if target.startswith(old):
            return new + target.removeprefix(old)
    return MOVED.get(target, target)
