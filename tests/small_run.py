"""The smallest training that a command can do."""

from pathlib import Path

SMALL = (
    "tokenizer.vocab_size=36",
    "tokenizer.byte_fallback=false",
    "model.width=16",
    "encoder.layers=1",
    "decoder.layers=1",
    "loader.max_tokens=300",
    "trainer.updates=4",
    "trainer.validate_every=2",
    "trainer.cores=1",
    "validation.max_lines=10",
    "search.max_length_ratio=1",
)


def corpus(text: Path) -> list[str]:
    return ["corpus=files", f"corpus.path={text}", "corpus.directions=[en-de,de-en]", "corpus.test=[test]"]
