"""A table of what failed, from the JUnit reports of a CI run."""

from pathlib import Path
from xml.etree import ElementTree

import click
from rich.console import Console
from rich.table import Table


def failures(report: Path) -> list[tuple[str, str]]:
    """Name and first line of the message of each test that failed."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        for result in (*case.findall("failure"), *case.findall("error")):
            message = (result.get("message") or result.text or "").strip()
            found.append((f"{case.get('classname')}.{case.get('name')}", message.partition("\n")[0]))
    return found


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
def main(folder: Path) -> None:
    """Print the failures of all *.xml reports in FOLDER."""
    table = Table("report", "test", "message")
    for report in sorted(folder.glob("*.xml")):
        for name, message in failures(report):
            table.add_row(report.name, name, message)
    Console().print(table if table.row_count else "Nothing failed.")
    raise SystemExit(1 if table.row_count else 0)
