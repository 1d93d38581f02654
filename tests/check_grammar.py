"""Checks core/grammar.y for the one trap of %fallback: check_grammar.py LEMON GRAMMAR

A word that may be a name falls back to ID in a state without an action of its own for it. Lemon folds the most frequent reduction of a state into
its default, so a state that can shift ID and should reduce on such a word would take the word for a name. This looks at the uncompressed tables.
"""
import pathlib
import re
import subprocess
import sys
import tempfile


def main(lemon, grammar):
    text = pathlib.Path(grammar).read_text()
    words = set(re.search(r"%fallback ID\s+([A-Z_\s]+)\.", text).group(1).split())
    keywords = pathlib.Path(grammar).with_name("keywords.def").read_text()
    free = set(re.findall(r"KEYWORD\(\"\w+\", (\w+), (?:FREE|CALL)\)", keywords))
    problems = [f"{word} is FREE in keywords.def but not in %fallback" for word in sorted(free - words)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([lemon, "-c", "-d" + folder, grammar], check=True)
        report = (pathlib.Path(folder) / "grammar.out").read_text()
    parts = re.split(r"\nState (\d+):\n", report)
    for number, body in zip(parts[1::2], parts[2::2]):
        body = body.split("\n----")[0]
        actions = dict((m[1], (m[2], m[3])) for m in re.finditer(r"^\s+(\S+) (shift-reduce|shift|reduce|error)\s+(\d*)", body, re.M))
        if "ID" not in actions:
            continue
        for word in sorted(words & actions.keys()):
            if actions[word][0] == "reduce" and actions[word] != actions["ID"]:
                problems.append(f"state {number}: {word} reduces by rule {actions[word][1]} where ID does {actions['ID'][0]}")
    print("\n".join(problems) or f"{len(words)} words, {len(parts) // 2} states: fine")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
