"""Scores as a table for people."""

from rich.console import Console
from rich.table import Table

from seq2seq.evaluation.evaluate import Results


def print_report(results: Results, console: Console) -> None:
    """Prints one row a test set and direction, and below it the signature of every column."""
    table = Table("test set", "direction")
    for name in ("BLEU", "chrF", "TER", "exact %"):
        table.add_column(name, justify="right")
    signatures: dict[str, None] = {}
    for split, directions in results.items():
        for direction, scores in directions.items():
            numbers = (scores.bleu, scores.chrf, scores.ter, scores.exact)
            table.add_row(split, direction, *(f"{number:.1f}" for number in numbers))
            signatures.update(dict.fromkeys(f"{name}: {text}" for name, text in scores.signature.items()))
    console.print(table)
    for signature in signatures:
        console.print(signature, highlight=False, soft_wrap=True)
