# SPDX-License-Identifier: MIT
"""Text for people in the files of the tree, passage by passage, and what docs/style.md forbids in it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

MOST_WORDS = 25

MACHINE = r"(?:kernel|machine|guest|clone|firmware|hypervisor|module|driver|device|program|process|daemon|overseer|library|harness|test|id|clock)s?"
# What must not be written, and what to write instead. docs/style.md has the same rules for people.
PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), instead)
    for pattern, instead in (
        (r"\bmend(?:s|ed|ing)?\b(?![.\w])", "write fix"),
        (r"\bfolders?\b", "write directory"),
        (r"\bstir(?:s|red|ring)?\b", "write mix"),
        (r"\bdoubt(?:s|ed|ing|ful)?\b", "write debug kernel, or name the error"),
        (rf"\b{MACHINE} (?:that |which |who )?(?:lies?|lied|lying)\b|\b(?:lying|honest) {MACHINE}\b", "a machine does not lie: write malformed or wrong"),
        (r"\b(?:never|not|does not|that) rests?\b", "a machine does not rest: write changes on every read"),
        (rf"\b{MACHINE} (?:that |which |who )?(?:believes?|thinks?|hopes?|pretends?|dares?|feels?)\b", "a machine does not do that: say what happens"),
        (r"\bnobody knows\b", "say what is unexpected: unexpected argument \"%s\""),
        (r"\bas late as\b|\blate by as much\b", "say until when the answer may be stale"),
        (r"\b(?:until|unless) you say so\b", "write disabled by default, and name the setting"),
        (r"\bsisters?\b", "write sibling"),
        (r"\bold (?:answers?|pages?|caches?)\b", "write stale"),
        (r"\bhostile firmware\b", "write malformed firmware"),
        (r"\bliars?\b", "write malformed firmware, or faulty device"),
    )
)
# A sentence that begins like that has its noun in another one.
NO_NOUN = re.compile(r"^(?:It|They) (?!is (?:an error|possible|safe|enough)\b)|^(?:That|This) (?:is|was|has|had|does|can|will|would|makes|means|needs|takes)\b")

END = re.compile(r"(?<=[.!?])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bcf\.)[\"')]*\s+(?=[\"'(`*]*[A-Z0-9X/_])")


@dataclass
class Passage:
    """Text that belongs together, and the line of the file that each piece is in."""

    prose: bool = True
    lines: list[tuple[int, str]] = field(default_factory=list)

    def sentences(self) -> Iterator[tuple[int, str]]:
        """First line and text of each."""
        starts, text = [], ""
        for number, line in self.lines:
            starts.append((len(text), number))
            text += line.strip() + " "

        def line_of(offset: int) -> int:
            return max(number for start, number in starts if start <= offset)

        begin = 0
        for end in [*(m.start() for m in END.finditer(text)), len(text)]:
            sentence = text[begin:end].strip()
            if sentence:
                lead = len(text[begin:end]) - len(text[begin:end].lstrip())
                yield line_of(begin + lead), sentence
            begin = end


@dataclass(frozen=True)
class Complaint:
    line: int
    text: str


class Passages:
    """Collects lines; a line that has nothing in common with the one before begins a new passage."""

    def __init__(self) -> None:
        self.done: list[Passage] = []
        self.open = False

    def stop(self) -> None:
        self.open = False

    def add(self, number: int, text: str, prose: bool = True) -> None:
        if not self.open or self.done[-1].prose != prose:
            self.done.append(Passage(prose))
        self.open = True
        self.done[-1].lines.append((number, text))


LITERAL = re.compile(r"``?[^`]*``?|<?https?://\S+|\]\([^)]*\)")


def _markdown(text: str) -> list[Passage]:
    found = Passages()
    fence = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare.startswith("```"):
            fence = not fence
        if fence or bare.startswith(("```", "<!--")) or re.match(r" {4,}|\t", line) or not bare:
            # The second line of an item of a list is indented, too.
            if not (found.open and bare and not fence and re.match(r" {1,5}\S", line)):
                found.stop()
                continue
        row = bare.startswith("|")
        if re.match(r"([*+-]|\d+\.)\s|#|\||\*\*", bare):
            found.stop()
        found.add(number, LITERAL.sub("X", re.sub(r"^([*+-]|\d+\.)\s+|^#+ *", "", bare)), prose=not row)
        if row or bare.startswith("#"):
            found.stop()
    return found.done


INLINE_MACROS = frozenset(("Xr", "Fn", "Fa", "Ft", "Dv", "Er", "Pa", "Va", "Vt", "Ar", "Cm", "Fl", "Ic", "Li", "Nm", "Sy", "Em", "Dq", "Sq", "Ql", "Qq", "Pq", "No", "Ns", "Ev", "Dl", "Aq", "Sx", "Lk", "In", "Cd"))


def _manual(text: str) -> list[Passage]:
    found = Passages()
    example = False
    for number, line in enumerate(text.splitlines(), 1):
        word = line.split(None, 1)[0].lstrip(".") if line.startswith(".") and line.strip(".") else ""
        if word in ("Bd", "Ed"):
            example = word == "Bd" and "-filled" not in line
        if example or line.startswith((".\\", "'\\")) or (line.startswith(".") and word not in INLINE_MACROS):
            found.stop()
        elif line.startswith("."):
            words = [w for w in line.split()[1:] if w not in INLINE_MACROS]
            found.add(number, re.sub(r" ([.,;:)]+)( |$)", r"\1\2", " ".join(words)) or "X")
        else:
            found.add(number, re.sub(r"\\f.|\\", "", line))
        if re.search(r"[.!?][\"')]*$", line):
            found.stop()
    return found.done


STRING = re.compile(r'"((?:\\.|[^"\\\n])*)"')


def _c(text: str) -> list[Passage]:
    found = Passages()
    for match in re.finditer(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*', text, re.DOTALL):
        number = text.count("\n", 0, match.start()) + 1
        found.stop()
        if match[0].startswith("/"):
            for more, line in enumerate(match[0].splitlines()):
                bare = re.sub(r"^\s*(/\*+|\*+(?!/)|//)\s?|\s*\*/$", "", line)
                _comment_line(found, number + more, bare)
        elif match[0].startswith('"') and " " in match[0]:
            found.add(number, match[0][1:-1], prose=False)
    return found.done


def _comment_line(found: Passages, number: int, bare: str) -> None:
    """A line of a comment; columns and what is indented are no sentences."""
    text = bare.strip()
    if not text or "SPDX-License-Identifier" in text:
        found.stop()
        return
    if re.match(r"(@\w+|Context|Return):", text) or re.match(r"[*+-] ", text):
        found.stop()
    table = bool(re.search(r"\S(?: {2,}|\t+)\S|[│┌└├─|]", text)) or bare.startswith(("  ", "\t"))
    found.add(number, LITERAL.sub("X", text), prose=not table)


def _python(text: str) -> list[Passage]:
    found = Passages()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node, clean=False):
            first = node.body[0]
            found.stop()
            for more, line in enumerate(text.splitlines()[first.lineno - 1 : first.end_lineno]):
                indent = first.col_offset if more else 0
                _comment_line(found, first.lineno + more, line[indent:].replace('"""', "", 2))
    documents = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in documents and isinstance(node.value, str) and " " in node.value:
            found.stop()
            found.add(node.lineno, " ".join(node.value.split()), prose=False)
    found.stop()
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("#!", "# type:", "# noqa", "# fmt:")):
            if token.start[0] != last + 1:
                found.stop()
            last = token.start[0]
            _comment_line(found, last, token.string.lstrip("#").removeprefix(" "))
    return found.done


QUOTED = re.compile(r'"[^"]* [^"]*"|\'[^\']* [^\']*\'')


def _hash(text: str) -> list[Passage]:
    """Shell, meson, units and whatever else has comments that begin with #; and texts of a line in quotation marks."""
    found = Passages()
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*#(?!!| *shellcheck) ?(.*)", line)
        if match:
            _comment_line(found, number, match[1])
        else:
            for message in QUOTED.finditer(line):
                found.stop()
                found.add(number, message[0][1:-1], prose=False)
            found.stop()
    return found.done


def passages(name: str, text: str) -> list[Passage]:
    """All text for people in a file of this name."""
    suffix = PurePosixPath(name).suffix
    if suffix == ".md" or name == "NEWS":
        return _markdown(text)
    if re.fullmatch(r"\.\d", suffix):
        return _manual(text)
    if suffix in (".c", ".h", ".S", ".asl", ".pml", ".rs"):
        return _c(text)
    if suffix == ".py" or text.startswith("#!/usr/bin/env python3"):
        return _python(text)
    return _hash(text)


def complaints(name: str, text: str) -> Iterable[Complaint]:
    """What is wrong with the text of a file, and where."""
    for passage in passages(name, text):
        for line, sentence in passage.sentences():
            for pattern, instead in PATTERNS:
                match = pattern.search(sentence)
                if match:
                    yield Complaint(line, f'"{match[0]}": {instead}')
            if not passage.prose:
                continue
            words = len(re.findall(r"\S*\w\S*", sentence))
            if words > MOST_WORDS:
                yield Complaint(line, f"a sentence of {words} words, {MOST_WORDS} are the most: {sentence[:60]}...")
            match = NO_NOUN.match(sentence)
            if match:
                yield Complaint(line, f'"{match[0].strip()}" begins a sentence: name the thing')
