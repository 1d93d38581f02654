#!/usr/bin/env python3
"""The architecture's arrows point one way: reads #include and import lines and fails on one that points up.

LAYERS lists the core's units from the bottom up; a file may include headers of its own layer and of those below it. A file belongs to the unit of its name,
or whose name and "_" it starts with (resolve_expr.c -> resolve), else it must be listed itself. A file that belongs nowhere is an error: give it a place.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

LAYERS = [
    ("foundation", "base errors"),
    ("values", "type decimal datetime zone pattern value json"),
    ("tree", "nodes keywords ast catalog"),
    ("parser", "lex grammar parse"),
    ("query", "function functions query scalar eval cast aggregate"),
    ("resolver", "resolve"),
    ("planner", "plan subquery optimise mql"),
    ("server", "server client transaction"),
    ("execution", "lease schema counts exec node probe scan lock keys join rows group window sort setop foreign ddl dml"),
    ("statement", "statement explain cache"),
    ("interface", "sqm api connection"),
    ("shell", "shell"),
]
# Who may include these, beyond the arrows: everything else may not.
WALLS = {
    "Python.h": lambda path: path.parts[0] == "ext",
    "mongoc/mongoc.h": lambda path: path.parts[0] == "core" and layer_of(path.stem) in ("server", "execution"),
    "editline/readline.h": lambda path: path.name == "shell.c",
}
# The Django-shaped files speak SQL; MongoDB's driver for Python has no place in them.
SQL_ONLY = "operations schema features introspection compiler functions client".split()

RANK = {unit: number for number, (_, units) in enumerate(LAYERS) for unit in units.split()}


def layer_of(stem):
    unit = stem
    while unit and unit not in RANK:
        unit = unit.rpartition("_")[0]
    return LAYERS[RANK[unit]][0] if unit else None


def rank_of(stem):
    names = [name for name, _ in LAYERS]
    layer = layer_of(stem)
    return None if layer is None else names.index(layer)


def check_c(path, problems):
    edges = 0
    where = path.relative_to(ROOT)
    core = where.parts[0] == "core"
    rank = rank_of(path.stem) if core else len(LAYERS)
    if rank is None:
        problems.append(f"{where}: belongs to no layer; give it a place in {pathlib.Path(__file__).name}")
        return 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not found:
            continue
        edges += 1
        kind, name = found.groups()
        if name in WALLS and not WALLS[name](where):
            problems.append(f"{where}:{number}: includes {name}")
        if kind == "<" and not name.startswith("sqm/"):
            continue
        if core:
            target = 0 if name.startswith("sqm/") else rank_of(pathlib.PurePath(name).stem)  # the public header's types are everybody's
            if target is None:
                problems.append(f"{where}:{number}: {name} belongs to no layer")
            elif target > rank:
                problems.append(f"{where}:{number}: {name} ({LAYERS[target][0]}) is above {where.name} ({LAYERS[rank][0]})")
        elif not name.startswith("sqm/") and not (path.parent / name).exists():
            problems.append(f"{where}:{number}: includes {name}; of the core, only sqm/sqm.h may be")
    return edges


def check_python(path, problems):
    where = path.relative_to(ROOT)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(r"\s*(from|import)\s+pymongo\b", line):
            problems.append(f"{where}:{number}: imports PyMongo; this file speaks SQL only")


def main():
    problems, edges, files = [], 0, 0
    for folder in ("core", "ext"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".y", ".def"):
                files += 1
                edges += check_c(path, problems)
    for name in SQL_ONLY:
        path = ROOT / "djongo" / f"{name}.py"
        if path.exists():
            files += 1
            check_python(path, problems)
    for problem in problems:
        print(problem)
    print(f"{edges} includes in {files} files: " + (f"{len(problems)} wrong" if problems else "all arrows point down"))
    return 1 if problems or not edges else 0


if __name__ == "__main__":
    sys.exit(main())
