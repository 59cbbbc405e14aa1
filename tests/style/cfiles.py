# SPDX-License-Identifier: MIT
"""What the files of C and Python define and use: names that two worlds share, and circles between files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

Texts = Mapping[str, str]
Edges = dict[str, dict[str, str]]

# clang-format puts the first line of a function, and its opening brace, at the left margin.
DEFINITION = re.compile(r"^(?!(?:typedef|struct|union|enum)\b[^(]*\{)([A-Za-z_](?:[^;{}=#\"\n]|\n(?!\n))*?)\b(\w+)\(([^;{}]*)\)[^;{}()]*\n\{", re.MULTILINE)
VARIABLE = re.compile(r"^(?!static\b|extern\b|typedef\b|return\b)[A-Za-z_][\w\s*]*?\b(\w+)(?:\[[^\]]*\])*(?: = [^;]*)?;", re.MULTILINE)
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


def _code(text: str) -> str:
    """C without comments and strings; the lines stay where they are."""
    return COMMENT_OR_STRING.sub(lambda m: "\n" * m[0].count("\n") or " ", text)


def lines_of_code(text: str) -> int:
    """Lines that are neither blank nor all comment."""
    bare = COMMENT_OR_STRING.sub(lambda m: m[0] if m[0][0] in "\"'" else "\n" * m[0].count("\n"), text)
    return sum(not line.isspace() for line in bare.splitlines(keepends=True))


def _directory(path: str) -> str:
    return str(PurePosixPath(path).parent)


def functions(text: str) -> dict[str, bool]:
    """The functions that a file of C defines, and whether each is static."""
    return {m[2]: bool(re.search(r"\bstatic\b", m[1])) for m in DEFINITION.finditer(_code(text))}


def shared_functions(module: Texts, others: Texts) -> dict[str, str]:
    """Functions that both sides define, and where."""
    places: list[dict[str, list[str]]] = [{}, {}]
    for side, texts in zip(places, (module, others), strict=True):
        for path, text in sorted(texts.items()):
            for name in functions(text):
                side.setdefault(name, []).append(path)
    ours, theirs = places
    return {name: ", ".join([*ours[name], *theirs[name]]) for name in sorted(ours.keys() & theirs.keys())}


def _exported(text: str) -> list[str]:
    """The functions and variables that a file of C offers to the others."""
    names = [name for name, static in functions(text).items() if not static]
    return names + VARIABLE.findall(re.sub(r"\n\{.*?\n\}", "\n{}", text, flags=re.DOTALL))


def _used(text: str) -> set[str]:
    """The names that a file of C uses and does not declare: members, tags and locals are no use of a function."""
    used = set(re.findall(r"(?<![\w.])(?<!->)(?<!struct )(?<!union )(?<!enum )[A-Za-z_]\w*\b", text))
    declared = re.findall(r"\b(?!return\b|else\b|case\b|goto\b|sizeof\b)\w+[ \t]+\**(\w+)(?:\[[^\]]*\])*(?: =[^=]|[;,)])", text)
    return used - set(declared) - functions(text).keys()


def _uses_in_c(texts: Texts) -> Edges:
    """Which file needs which other of its directory, and a name that it needs."""
    code = {path: _code(text) for path, text in texts.items()}
    owners = {(_directory(path), name): path for path, text in code.items() if path.endswith(".c") for name in _exported(text)}
    edges: Edges = {}
    for path, text in code.items():
        directory = _directory(path)
        if path.endswith(".c"):
            for name in sorted(_used(text)):
                owner = owners.get((directory, name))
                if owner and owner != path:
                    edges.setdefault(path, {}).setdefault(owner, name)
        else:
            for name in re.findall(r'^#include "([^"/]+)"', texts[path], re.MULTILINE):
                header = f"{directory}/{name}"
                if header in texts and header != path:
                    edges.setdefault(path, {}).setdefault(header, name)
    return edges


def _run_at_once(node: ast.AST) -> Iterator[ast.AST]:
    """All but the insides of functions: an import there is made when all files are there."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _run_at_once(child)


def _imports_in_python(texts: Texts) -> Edges:
    edges: Edges = {}
    for path, text in texts.items():
        package = PurePosixPath(path).parent.name
        for node in _run_at_once(ast.parse(text, path)):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.level < 2:
                whole = node.level or node.module != package
                module = node.module if whole else ""
                names = [module] if module else [alias.name for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in (name.removeprefix(f"{package}.") for name in names):
                target = f"{_directory(path)}/{name}.py"
                if target in texts and target != path:
                    edges.setdefault(path, {}).setdefault(target, name)
    return edges


def _reachable(edges: Edges, start: str) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        for there in edges.get(todo.pop(), {}):
            if there not in seen:
                seen.add(there)
                todo.append(there)
    return seen


def circles(edges: Edges) -> dict[str, str]:
    """The groups of files of which each needs all others, by their names; and the steps between them."""
    reach = {here: _reachable(edges, here) for here in edges}
    found = {}
    for here in sorted(edges):
        group = sorted(there for there in reach[here] if here in reach.get(there, ()))
        if group and group[0] == here:
            steps = [f"{a} needs {name} of {b}" for a in group for b, name in sorted(edges[a].items()) if b in group]
            names = " ".join(PurePosixPath(path).name for path in group)
            found[f"{_directory(here)}: {names}"] = "\n".join(steps)
    return found


def dependencies(texts: Texts) -> Edges:
    """All steps between files of one directory."""
    c = {path: text for path, text in texts.items() if path.endswith((".c", ".h"))}
    python = {path: text for path, text in texts.items() if path.endswith(".py")}
    return {**_uses_in_c(c), **_imports_in_python(python)}
