"""What was measured so far: records in a JSON file, which is whole after every one of them."""

import json
from pathlib import Path
from typing import Any

Record = dict[str, Any]  # `kind` and `who`, what was asked (`beam`, `cores`, `turn`), and figures


class Records:
    """The file's content: `head`, what was asked and of which machine, and the records in their order."""

    def __init__(self, file: Path, head: Record, resume: bool) -> None:
        self.file, self.head = file, head
        self.list: list[Record] = []
        if resume and file.is_file():
            stored = json.loads(file.read_text("utf-8"))
            if stored["head"]["asked"] != head["asked"]:
                raise SystemExit(
                    f"{file} was measured with {stored['head']['asked']}; leave --resume out to begin anew"
                )
            self.head, self.list = stored["head"], stored["records"]

    def find(self, asked: Record) -> list[Record]:
        """The records that have these values."""
        return [one for one in self.list if all(one.get(key) == value for key, value in asked.items())]

    def add(self, record: Record) -> None:
        """Stores one more."""
        self.list.append(record)
        self.store()

    def store(self) -> None:
        """Writes the file; a killed run leaves the one before."""
        temporary = self.file.with_suffix(".new")
        temporary.write_text(json.dumps({"head": self.head, "records": self.list}, indent=1) + "\n", "utf-8")
        temporary.replace(self.file)
