"""Markdown: tables, the verdicts, and the marked sections of docs/performance.md."""

import datetime
import json
import os

import machine
from runs import say, spread

DOCUMENT = "docs/performance.md"


def table(head, rows):
    """A table of Markdown; what is not the first column of it stands to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def conditions(text):
    """Where and when a section was measured."""
    return f"{machine.description()}, {text}, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}."


def verdicts(judged):
    """The table of targets."""
    rows = []
    for verdict in judged:
        target, unit = verdict.target, verdict.target.unit
        number = target.number + (", stretch" if target.stretch else "")
        bound = f"{'≤' if target.at_most else '≥'} {target.bound:,g} {unit}"
        noise = f"± {verdict.noise:,.{target.digits}f}"
        word = f"**{verdict.word}**" if verdict.fails else verdict.word
        rows.append([f"{number}: {target.what}", bound, spread(verdict.numbers, target.digits), noise, word])
    return table(["target", "bound", "median (min–max)", "noise", "verdict"], rows)


def write_section(name, text):
    """Replaces what stands between the markers of a section; the markers must be there."""
    begin, end = f"<!-- bench:{name} begin -->", f"<!-- bench:{name} end -->"
    with open(DOCUMENT, encoding="utf-8") as file:
        document = file.read()
    if begin not in document or end not in document:
        say(f"bench: {DOCUMENT} has no section {name}; it is only printed")
        return
    before, rest = document.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(f"{before}{begin}\n{text}\n{end}{after}")


def read_json(directory, name):
    """Results that were written before, or none."""
    try:
        with open(os.path.join(directory, name + ".json"), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def write_json(directory, name, data):
    """Raw results, for whoever wants to compute something else from them."""
    with open(os.path.join(directory, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1, ensure_ascii=False)
        file.write("\n")
