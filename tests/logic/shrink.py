"""Makes a failing statement smaller.

Generators mark what they put together: mark("int", "(a.i + 1)") is that text between private-use characters, and str.format and f-strings carry the marks
along. plain() is the text without them. A marked text is a tree, and shrink() replaces nodes by smaller ones as long as the failure stays: an optional part
("opt") by nothing, an expression by a constant of its kind or by an expression of the same kind within it.
"""
import re

OPEN, BAR, CLOSE = "\ue000", "\ue001", "\ue002"
MARKS = re.compile(f"{OPEN}[^{BAR}]*{BAR}|{CLOSE}")


def mark(kind, text):
    return f"{OPEN}{kind}{BAR}{text}{CLOSE}"


def plain(text):
    return MARKS.sub("", text)


class Node:
    def __init__(self, kind):
        self.kind, self.parts = kind, []

    def __str__(self):
        inner = "".join(map(str, self.parts))
        return mark(self.kind, inner) if self.kind else inner

    def nodes(self):
        """Every node below, the outer ones first."""
        for part in self.parts:
            if isinstance(part, Node):
                yield part
                yield from part.nodes()


def tree(text):
    stack = [Node(None)]
    for piece in re.split(f"({OPEN}[^{BAR}]*{BAR}|{CLOSE})", text):
        if piece.startswith(OPEN):
            stack.append(Node(piece[1:-1]))
            stack[-2].parts.append(stack[-1])
        elif piece == CLOSE:
            stack.pop()
        elif piece:
            stack[-1].parts.append(piece)
    return stack[0]


def shrink(text, fails, simple, attempts=400):
    """The smallest text found that `fails` (a function of a marked text); `simple`: {kind: [constants]}."""
    changed = True
    while changed and attempts > 0:
        changed = False
        root = tree(text)
        for node in list(root.nodes()):
            length = len(plain(str(node)))
            candidates = [""] if node.kind == "opt" else list(simple.get(node.kind, ()))
            candidates += [str(below) for below in node.nodes() if below.kind == node.kind]
            parts = node.parts
            for candidate in candidates:
                if len(plain(candidate)) >= length or attempts <= 0:
                    continue
                node.parts = [candidate]
                attempts -= 1
                if fails(str(root)):
                    text, changed = str(root), True
                    break
                node.parts = parts
            if changed:
                break
    return text


def shrink_list(items, fails, attempts=400):
    """The same for a list: pieces are left out, large ones first (ddmin)."""
    size = max(1, len(items) // 2)
    while items:
        at, shorter = 0, False
        while at < len(items) and attempts > 0:
            candidate = items[:at] + items[at + size:]
            attempts -= 1
            if fails(candidate):
                items, shorter = candidate, True
            else:
                at += size
        if attempts <= 0 or (size == 1 and not shorter):
            break
        size = max(1, size // 2)
    return items
