#!/usr/bin/env python3
"""Writes docs/grammar.md, the syntax of every statement, from the grammar that the compiler is made of: core/grammar.y.

    grammar_page.py [--check]        --check writes nothing and fails if the page is out of date

A production whose action refuses what it has read (parse_refuse, NOT_SUPPORTED) is not part of the page. Short rules are written out where they are used.
"""
import functools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "grammar.md"
HEAD = """# The grammar

Every statement that parses, from [core/grammar.y](../core/grammar.y) (by `tools/grammar_page.py`; a test compares the two). What the statements mean is in [sql.md](sql.md).

Words in capitals are keywords, small ones are rules; `[a]` may be left out, `{a | b}` is one of them, `a, ...` is a list with commas, `a ...` one without. Punctuation stands for itself,
in quotes where it would be read as one of these. Words with one capital are what the lexer knows: a Name is an identifier, plain or in double quotes, and a Word may be a keyword too; a Table is a Name,
also after `public.` (and `information_schema.`, where it is read); String and Bytes are literals in quotes, Integer and Number without; a Parameter is `%s` or `%(name)s`; an Operator is any other one of
[the functions' tables](sql.md#functions); a Unit is one of an interval's. Operators bind as PostgreSQL's do.
"""
# What the lexer calls them.
TERMINALS = {
    "ID": "Name", "label": "Word", "STRING": "String", "BYTES": "Bytes", "INTEGER": "Integer", "NUMBER": "Number", "PARAM": "Parameter", "OP": "Operator", "UNIT": "Unit",
    "LP": "(", "RP": ")", "LBRACKET": "'['", "RBRACKET": "']'", "COMMA": ",", "DOT": ".", "SEMI": ";", "COLON": ":", "STAR": "*", "SLASH": "/", "PERCENT": "%", "PLUS": "+", "MINUS": "-",
    "POW": "^", "TILDE": "~", "TYPECAST": "::", "LT": "<", "GT": ">", "EQ": "=", "LE": "<=", "GE": ">=", "NE": "<>", "NOT_LA": "NOT", "LIKE_OP": "~~", "ILIKE_OP": "~~*", "NOT_LIKE_OP": "!~~",
    "NOT_ILIKE_OP": "!~~*", "qname": "Table", "relname": "Table", "EXPRESSION_WORD": "EXPRESSION", "ROWS": "{ROW | ROWS}",
}  # fmt: skip
KEPT = ("stmt", "dml", "select", "setexpr", "with", "window", "alias")
SHORT = 44


def read(text):
    """(sections: {heading: [rule name]}, rules: {name: [[symbol, ...], ...]})"""
    rules, sections, seen = {}, {}, set()
    section = None
    for name, members in re.findall(r"^%token_class (\w+)\s+([\w|\s]+)\.", text, re.M):
        if name not in TERMINALS:
            rules[name] = [[member] for member in members.split("|")]
    for line in text.splitlines():
        if heading := re.fullmatch(r"/\* ---- (.*?) -+ \*/", line):
            section = sections.setdefault(heading[1].split(":")[0], [])
        found = re.match(r"(\w+)(?:\(\w\))? ::=([^.]*)\.(.*)", line)
        if not found or "parse_refuse(" in found[3] or "NOT_SUPPORTED" in found[3] or found[1] in ("input", "semicolons"):
            continue
        symbols = re.sub(r"\(\w\)", "", found[2]).split()
        if found[1] not in seen:
            seen.add(found[1])
            section.append(found[1])
        rules.setdefault(found[1], []).append(symbols)
    return sections, rules


def choice(alternatives):
    alternatives = list(dict.fromkeys(alternatives))
    return alternatives[0] if len(alternatives) == 1 else "{" + " | ".join(alternatives) + "}"


class Page:
    def __init__(self, rules):
        self.rules = rules

    def list_of(self, name):
        """The item and the separator of a rule that is a list: a ::= b. a ::= a COMMA b."""
        rules = self.rules[name]
        for first in rules:
            for separator in (["COMMA"], []):
                if len(rules) == 2 and [name, *separator, *first] in rules and first != [name, *separator, *first]:
                    return first, separator
        return None

    @functools.cache
    def inline(self, name, outer=()):
        """The text of a rule where it is used, or None: it is recursive, or long."""
        if name in outer or name in KEPT:
            return None
        inner = (*outer, name)
        if found := self.list_of(name):
            first, separator = found
            item = self.sequence(first, inner)
            text = f"{item}{',' if separator else ''} ..."
            return text if name not in self.names(first) and len(text) <= SHORT else None
        alternatives = [rule for rule in self.rules[name] if rule]
        if any(name in rule for rule in alternatives):
            return None
        text = choice([self.sequence(rule, inner) for rule in alternatives]) if alternatives else ""
        if len(alternatives) < len(self.rules[name]) and text:
            text = f"[{text[1:-1] if text.startswith('{') and text.endswith('}') and text.count('{') == 1 else text}]"
        return text if len(text) <= SHORT else None

    def names(self, symbols):
        return {part for symbol in symbols for part in symbol.split("|")}

    def optional(self, name):
        return name in self.rules and [] in self.rules[name]

    def symbol(self, name, outer):
        if name in TERMINALS:
            return TERMINALS[name]
        if name not in self.rules:
            return name
        text = self.inline(name, outer)
        if text is not None:
            return text
        return f"[{name}]" if self.optional(name) else name

    def sequence(self, symbols, outer):
        parts = [choice([self.symbol(part, outer) for part in symbol.split("|")]) for symbol in symbols]
        text = " ".join(part for part in parts if part)
        return re.sub(r"\(\s+", "(", re.sub(r"\s+(?=[,)])", "", text))

    def rule(self, name):
        if found := self.list_of(name):
            first, separator = found
            return [f"{self.sequence(first, (name,))}{',' if separator else ''} ..."]
        return list(dict.fromkeys(self.sequence(rule, (name,)) for rule in self.rules[name] if rule))


def page(text):
    sections, rules = read(text)
    whole = Page(rules)
    out = [HEAD]
    for heading, names in sections.items():
        shown = [name for name in names if whole.inline(name) is None]
        if not shown:
            continue
        out.append(f"## {heading[0].upper()}{heading[1:]}\n```\n" + "\n".join(f"{name} ::= " + f"\n{' ' * (len(name) + 2)}| ".join(whole.rule(name)) for name in shown) + "\n```\n")
    return "\n".join(out)


def main():
    new = page((ROOT / "core" / "grammar.y").read_text(encoding="utf-8"))
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != new:
            raise SystemExit("docs/grammar.md is out of date: run tools/grammar_page.py")
        return
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
