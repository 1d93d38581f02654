#!/usr/bin/env python3
"""Writes the tables of functions in docs/sql.md from the core's own tables: core/functions.def and the list at the end of core/aggregate.c.

    function_tables.py [--check]        --check writes nothing and fails if the page is out of date

The page has the lines <!-- functions --> and <!-- end --> (and <!-- aggregates -->); what lies between is replaced.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "sql.md"


def functions():
    """{section: {name: description}}, in the order of functions.def"""
    sections, section = {}, None
    for line in (ROOT / "core" / "functions.def").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"/\* ---- (.*?) -+ \*/", line):
            section = sections.setdefault(heading[1], {})
        elif found := re.fullmatch(r'FUNCTION\("((?:[^"\\]|\\.)*)", (-?\d+), (-?\d+), \w+, \w+, \w+, \w+, "((?:[^"\\]|\\.)*)"\)', line):
            name, _, _, description = found.groups()
            known = section.setdefault(name, description)
            if description not in known:
                section[name] += f"; {description}"
        elif line.startswith("FUNCTION"):
            raise SystemExit(f"functions.def: cannot read {line}")
    return {heading: rows for heading, rows in sections.items() if rows}


def aggregates():
    text = (ROOT / "core" / "aggregate.c").read_text(encoding="utf-8")
    table = text[text.index("static const Aggregate aggregates[]"):]
    return dict(re.findall(r'^    \{"(\w+)", \d+, \d+, .*"((?:[^"\\]|\\.)*)"\},$', table, re.M))


def cell(text):
    return text.replace('\\"', '"').replace("\\\\", "\\").replace("|", "\\|")


def table(rows):
    return "| | |\n| --- | --- |\n" + "".join(f"| `{cell(name)}` | {cell(description)} |\n" for name, description in rows.items())


def page(text):
    lists = {
        "functions": "\n".join(f"**{heading[0].upper()}{heading[1:]}**\n\n{table(rows)}" for heading, rows in functions().items()),
        "aggregates": table(aggregates()),
    }
    for name, new in lists.items():
        text, count = re.subn(rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda found: found[1] + "\n" + new + "\n" + found[2], text, flags=re.S)
        if count != 1:
            raise SystemExit(f"docs/sql.md: no place for {name}")
    return text


def main():
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if "--check" in sys.argv and new != old:
        sys.exit("docs/sql.md is out of date: run tools/function_tables.py")
    if new != old:
        PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
