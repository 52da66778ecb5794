"""`seq2seq doctor`: a survey of a corpus, as a table and optionally as JSON."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.cli.paths import check_places
from seq2seq.cli.prepare import text_places
from seq2seq.config.build import build, build_all, call
from seq2seq.data.doctor.doctor import Report
from seq2seq.data.doctor.doctor import doctor as examine
from seq2seq.evaluation.validation_text import short_lines
from seq2seq.io.text import writing

Node = dict[str, object]
STYLES = {"fine": "green", "warning": "yellow", "problem": "bold red"}


def run(corpus: Node, cleaning: Node, tokenizer: Node, prepare: Node, doctor: Node, output: Path | None) -> int:
    """Prints the findings; 1 when one of them would spoil a training."""
    parts = {
        "corpus": build(corpus, where="corpus"),
        "cleaning": build_all(cleaning, "cleaning"),
        "tokenizer": build(tokenizer, where="tokenizer"),
        "short_lines": short_lines,
    }
    if output is not None:
        check_places({"corpus": text_places(parts["corpus"])}, {"output": [output]})
    report: Report = call(examine, {**doctor, **prepare, **parts}, "doctor")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(_table(report))
    if output is not None:
        with writing(output) as write:
            write([report.to_json()])
    problems = len(report.problems)
    noun = "problem" if problems == 1 else "problems"
    console.print(f"{problems} {noun} found" if problems else "nothing that would spoil a training")
    return 1 if problems else 0


def _table(report: Report) -> Table:
    table = Table("", "where", "what", "found")
    for finding in report.findings:
        level = Text(finding.level, STYLES[finding.level])
        table.add_row(level, Text(finding.where), Text(finding.what), Text(finding.found))
    return table
