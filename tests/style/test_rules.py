# SPDX-License-Identifier: MIT
"""Bad input for each rule, which must complain: a rule that was never red proves nothing."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
import unittest.mock
from collections.abc import Iterator
from pathlib import Path

from . import cfiles, links, prose, rules
from .tree import DOCUMENT, Commit, Tree, Unknown

WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
SIGNED = "Because.\n\nSigned-off-by: Somebody <somebody@example.org>\n"


class WithTree(unittest.TestCase):
    """A test with a tree of its own."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="sysgenid-style-")
        self.addCleanup(holder.cleanup)
        self.top = Path(holder.name)
        self.write(".gitignore", "/build/\n*.ko\n.*.cmd\n")
        self.write(rules.EXCEPTIONS, "# none\n")

    def write(self, name: str, text: str) -> None:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def git(self, *words: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *WHO, "-C", self.top, *words], env=clean, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def begin(self) -> None:
        """The commit that all later ones are compared with."""
        self.git("init", "--quiet")
        self.commit("Begin")
        self.write(DOCUMENT, "Rules.\n")
        self.commit(f"Add rules\n\n{SIGNED}")

    def tree(self, base: str | None = None) -> Tree:
        return Tree(self.top, base)


class Links(WithTree):
    def complaints(self, text: str) -> list[str]:
        self.write("docs/page.md", text)
        self.write("docs/other.md", "# Two words, `code`\n\n    # no heading\n")
        self.write("tests/vm/test_storms.py", "def many_clones() -> None: ...\n")
        return links.wrong([self.top.resolve() / "docs" / "page.md"], self.top.resolve())

    def test_links_that_lead_somewhere_pass(self) -> None:
        good = "[a](other.md) [b](other.md#two-words-code) [c](https://example.org) [d](../docs) `[e](none.md)`\n\n    [f](none.md)\n"
        self.assertEqual(self.complaints(good), [])

    def test_links_that_lead_nowhere_are_found(self) -> None:
        for link, why in (("none.md", "no such file"), ("other.md#one", "no such heading"), ("../../x", "out of the tree")):
            (found,) = self.complaints(f"\n[a]({link})\n")
            self.assertIn(why, found)
            self.assertIn("docs/page.md:2: ", found)

    def test_names_of_no_test_are_found(self) -> None:
        self.assertEqual(self.complaints("| storms.many_clones | module.c |\n"), [])
        (found,) = self.complaints("| storms.many_clowns |\n")
        self.assertIn("no test storms.many_clowns", found)


class FilesTest(WithTree):
    def test_empty_file_is_refused(self) -> None:
        self.write("empty", "")
        self.assertEqual(rules.empty_files(self.tree()), ["empty: empty; remove the file"])

    def test_tarball_lists_no_build_results(self) -> None:
        for name in ("a.c", "build/x.c", "module/m.ko", "module/.m.o.cmd", "docs/build.md"):
            self.write(name, "text\n")
        self.assertEqual(self.tree().files, sorted([".gitignore", "a.c", "docs/build.md", rules.EXCEPTIONS]))

    def test_badly_formatted_c_is_refused(self) -> None:
        program = rules.formatter()
        if not program:
            self.skipTest("no clang-format of the version")
        self.write(".clang-format", "BasedOnStyle: GNU\n")
        self.write("good.c", "int\nf (void)\n{\n  return 1;\n}\n")
        self.write("bad.c", "int f(void){return 1;}\n")
        self.assertEqual(rules.c_format(self.tree(), program), [f"bad.c: {program} -i bad.c"])

    def test_clang_format_of_another_version_is_not_used(self) -> None:
        program = self.top / "bin" / "clang-format"
        self.write("bin/clang-format", "#!/bin/sh\necho Debian clang-format version 19.1.4\n")
        program.chmod(0o755)
        with unittest.mock.patch.dict(os.environ, PATH=f"{program.parent}"):
            self.assertIsNone(rules.formatter())
            program.write_text(program.read_text("ascii").replace("19.1.4", "14.0.6"), "ascii")
            self.assertEqual(rules.formatter(), "clang-format")


class FunctionsTest(WithTree):
    def test_function_of_module_and_user_space_is_refused(self) -> None:
        self.write("module/a.c", "static int\nboth(struct x *p,\n     int y)\n{\n}\n\nint ours(void)\n{\n\treturn both(0, 1);\n}\n")
        self.write("lib/b.c", "#define ours(x) x\n/*\nint ours(void)\n{\n*/\nlong both(void)\n{\n\tours(1);\n}\n")
        self.assertEqual(rules.shared_functions(self.tree()), ["both: module/a.c, lib/b.c"])

    def test_exception_lets_a_function_pass_until_it_is_gone(self) -> None:
        self.write("module/a.c", "int both(void)\n{\n}\n")
        self.write("lib/b.c", "int both(void)\n{\n}\n")
        self.write(rules.EXCEPTIONS, "shared function | both | a reason\n")
        self.assertEqual(rules.shared_functions(self.tree()), [])
        self.write("lib/b.c", "int other(void)\n{\n}\n")
        (complaint,) = rules.shared_functions(self.tree())
        self.assertRegex(complaint, r"shared function \| both.* matches nothing")


class LinesTest(unittest.TestCase):
    def test_blanks_and_comments_are_no_code(self) -> None:
        self.assertEqual(cfiles.lines_of_code("/* a\n * b */\n\n\t// c\n"), 0)
        self.assertEqual(cfiles.lines_of_code('int a; /* b\n*/ int c;\n\n\t"/* no comment"\n\t"//"\n'), 4)


class CirclesTest(WithTree):
    UPPER = "int upper(void)\n{\n\treturn lower();\n}\n"

    def test_files_in_layers_are_no_circle(self) -> None:
        self.write("a/upper.c", self.UPPER)
        # A member, a local and a comment have the name of a function, and are no call.
        self.write("a/lower.c", "int lower(void)\n{\n\tint upper = p->upper; /* upper() */\n\treturn upper;\n}\n")
        self.write("b/lower.c", "int lower(void)\n{\n\treturn upper();\n}\n")
        self.assertEqual(rules.circles(self.tree()), [])

    def test_calls_in_a_circle_are_refused(self) -> None:
        self.write("a/upper.c", self.UPPER)
        self.write("a/lower.c", "int lower(void)\n{\n\treturn between();\n}\n")
        self.write("a/between.c", "int between(void)\n{\n\treturn upper();\n}\n")
        (complaint,) = rules.circles(self.tree())
        self.assertRegex(complaint, "^a: between.c lower.c upper.c: a/between.c needs upper of a/upper.c\n")

    def test_variables_in_a_circle_are_refused(self) -> None:
        self.write("a/upper.c", "int limit = 3;\n\n" + self.UPPER)
        self.write("a/lower.c", "int lower(void)\n{\n\treturn limit;\n}\n")
        self.assertRegex(rules.circles(self.tree())[0], "a/lower.c needs limit of a/upper.c")

    def test_headers_in_a_circle_are_refused(self) -> None:
        self.write("a/x.h", '#include "y.h"\n')
        self.write("a/y.h", '#include "x.h"\n')
        self.assertRegex(rules.circles(self.tree())[0], "a/x.h needs y.h of a/y.h")

    def test_python_imports_in_a_circle_are_refused(self) -> None:
        self.write("a/x.py", "from .y import f\n")
        self.write("a/y.py", "def f():\n    from . import x\n")
        self.assertEqual(rules.circles(self.tree()), [])
        self.write("a/y.py", "from . import x\n")
        self.assertRegex(rules.circles(self.tree())[0], "a/x.py needs y of a/y.py")

    def test_python_imports_by_the_name_of_the_package_are_refused(self) -> None:
        for x, y in (("from a.y import f", "from a import x"), ("import a.y", "try:\n    from . import x\nexcept ImportError:\n    pass")):
            self.write("a/x.py", x)
            self.write("a/y.py", y)
            self.assertRegex(rules.circles(self.tree())[0], "a/x.py needs y of a/y.py", x)
        self.write("a/y.py", "from ..x import f")
        self.assertEqual(rules.circles(self.tree()), [], "x of another directory")

    def test_exception_names_the_files_of_the_circle(self) -> None:
        self.write("a/x.py", "import y\n")
        self.write("a/y.py", "import x\n")
        self.write(rules.EXCEPTIONS, "circle | a: x.py y.py | a reason\n")
        self.assertEqual(rules.circles(self.tree()), [])
        self.write("a/y.py", "import z\n")
        self.write("a/z.py", "import x\n")
        larger, stale = rules.circles(self.tree())
        self.assertRegex(larger, "^a: x.py y.py z.py: ")
        self.assertRegex(stale, r"circle \| a: x.py y.py.* matches nothing")


class ProseTest(unittest.TestCase):
    # One for each pattern, in its order.
    BAD = (
        "It mends the file.", "In a folder.", "Stir the bytes.", "Kernels that doubt.", "A kernel that lies.", "An id that never rests.",
        "The module believes it.", "Nobody knows the word.", "Late by as much as the kernel is.", "Disabled, until you say so.",
        "Her sisters.", "An old page.", "Hostile firmware.", "What liars answer.",
    )  # fmt: skip
    GOOD = (
        "The command fixes the file, in a directory.", "Mix the bytes.", "A debug kernel reports malformed firmware.",
        "An id that changes on every read.", "No resume lies between the calls.", "The rest of the page.", "Run docs/mended.py.",
    )  # fmt: skip

    def found(self, name: str, text: str) -> list[str]:
        return [c.text for c in prose.complaints(name, text)]

    def test_each_pattern_finds_its_sentence(self) -> None:
        self.assertEqual(len(self.BAD), len(prose.PATTERNS))
        for sentence, (pattern, _) in zip(self.BAD, prose.PATTERNS, strict=True):
            self.assertRegex(sentence, pattern)

    def test_good_sentences_pass(self) -> None:
        for sentence in self.GOOD:
            self.assertEqual(self.found("a.md", sentence), [], sentence)

    def test_text_is_found_in_every_kind_of_file(self) -> None:
        for name, text in (
            ("a.md", "# Title\n\n* An item of\n  a folder.\n"),
            ("NEWS", " * In a folder.\n"),
            ("a.7", ".Sh NAME\nIn a\n.Em folder .\n"),
            ("a.c", "/*\n * In a\n * folder.\n */\n"),
            ("b.c", 'puts("in a folder");\n'),
            ("a.py", '"""In a folder."""\n'),
            ("b.py", "x = 1  # in a folder\n"),
            ("c.py", "print(f'in a folder {x}')\n"),
            ("script", "#!/bin/sh\n# In a folder.\n"),
            ("messages", "#!/bin/sh\necho \"in a folder\"\n"),
            ("a.service", "[Unit]\n# In a folder.\n"),
        ):
            self.assertEqual(len(self.found(name, text)), 1, name)

    def test_code_is_no_text(self) -> None:
        for name, text in (
            ("a.md", "Use `folder`.\n\n```\nfolder\n```\n\n    folder\n"),
            ("a.c", 'int folder; puts("folder");\n'),
            ("a.py", "folder = 'folder'\n"),
            ("script", "folder='folder'\n"),
            ("a.7", ".Bd -literal\nfolder\n.Ed\n"),
        ):
            self.assertEqual(self.found(name, text), [], name)

    def test_long_sentence_is_refused(self) -> None:
        words = " ".join(["word"] * prose.MOST_WORDS)
        self.assertEqual(self.found("a.md", f"{words}. {words.capitalize()}, e.g.\n"), ["a sentence of 26 words, 25 are the most: " + f"{words.capitalize()}, e.g."[:60] + "..."])

    def test_sentence_without_a_noun_is_refused(self) -> None:
        for sentence, count in (("It opens the gate.", 1), ("The gate is shut. They wait.", 1), ("That is why.", 1), ("That driver waits.", 0)):
            self.assertEqual(len(self.found("a.md", sentence)), count, sentence)

    def test_complaint_names_the_line_of_its_sentence(self) -> None:
        (complaint,) = prose.complaints("a.c", "int x;\n/*\n * A good one. The\n * folder of\n * the kernel. Good.\n */\n")
        self.assertEqual(complaint.line, 3)

    def test_columns_are_no_sentence(self) -> None:
        row = "one two three four\t\tfive six seven eight nine ten\n * "
        self.assertEqual(self.found("a.c", f"/*\n * {row * 4}*/\n"), [])


class ChangesTest(WithTree):
    def test_text_of_every_age_is_checked(self) -> None:
        self.write("a.md", "A folder.\n\nGood.\n")
        self.begin()
        self.write("b c.md", "Good.\n\nA folder.\n")
        found = ["a.md:1:", "b c.md:3:"]
        self.assertEqual([line.split(" \"")[0] for line in rules.text(self.tree())], found)
        head = self.commit("Add b")
        self.assertEqual([line.split(" \"")[0] for line in rules.text(self.tree(head))], found)

    def test_tarball_has_text_and_no_commits(self) -> None:
        self.write("a.md", "A folder.\n")
        self.assertEqual(len(rules.text(self.tree())), 1)
        with self.assertRaisesRegex(Unknown, "no git history"):
            rules.commits(self.tree())

    def test_shallow_clone_says_so(self) -> None:
        self.begin()
        self.write("a", "a\n")
        self.commit("Add a")
        self.git("clone", "--quiet", "--depth=1", f"file://{self.top}", str(self.top / "build"))
        with self.assertRaisesRegex(Unknown, "git fetch --unshallow"):
            rules.commits(Tree(self.top / "build"))
        self.assertEqual(len(rules.commits(Tree(self.top / "build", "HEAD"))), 0)

    def test_base_is_what_both_sides_have_in_common(self) -> None:
        self.begin()
        self.write("a", "a\n")
        fork = self.commit("Add a")
        self.git("checkout", "--quiet", "-b", "side")
        self.write("c", "c\n")
        self.commit("Add c")
        self.git("checkout", "--quiet", "-b", "other", fork)
        self.write("b", "b\n")
        self.commit("Add b")
        self.assertEqual([one.subject for one in self.tree("side").commits], ["Add b"])


class CommitsTest(WithTree):
    def complaints(self, subject: str, body: str) -> list[str]:
        return [text.removeprefix(f'"{subject}": ') for text in rules.commit(Commit("1", "Somebody <somebody@example.org>", subject, body))]

    def test_good_commits_pass(self) -> None:
        for subject in ("Fix the race", "tests/vm: give debug kernels a tracer", "Bring it in", "Process bytes", "Feed the fuzzer", "Ping first"):
            self.assertEqual(self.complaints(subject, SIGNED), [], subject)

    def test_bad_subjects_are_refused(self) -> None:
        for subject in ("Fixed the race", "overseer: fixing the race", "lib: fixes the race", "Fix the race.", "Fix " + "x" * 80, "fixup! Fix the race", "WIP"):
            self.assertEqual(len(self.complaints(subject, SIGNED)), 1, subject)

    def test_body_and_sign_off_are_wanted(self) -> None:
        self.assertRegex(self.complaints("Fix it", SIGNED.partition("\n")[0])[0], "no Signed-off-by")
        self.assertRegex(self.complaints("Fix it", SIGNED.replace("Somebody", "Another"))[0], "no Signed-off-by of its author, Somebody <")
        self.assertRegex(self.complaints("Fix it", SIGNED.partition("\n")[2])[0], "the body says why")

    def test_commits_since_the_base_are_read(self) -> None:
        self.begin()
        self.write("a", "a\n")
        self.commit("Add a\n\nBecause.")
        self.write("b", "b\n")
        self.commit(f"Add b\n\n{SIGNED}")
        self.assertRegex("\n".join(rules.commits(self.tree())), '^[0-9a-f]{40}: "Add a": no Signed-off-by of its author, .*: git commit -s$')

    def test_exception_lets_one_bad_commit_pass(self) -> None:
        self.begin()
        self.write("a", "a\n")
        bad = self.commit("Add a")
        self.write("b", "b\n")
        good = self.commit(f"Add b\n\n{SIGNED}")
        self.write(rules.EXCEPTIONS, f"commit | {bad} | a reason\n")
        self.assertEqual(rules.commits(self.tree()), [])
        self.assertEqual(rules.commits(self.tree(good)), [])
        self.write(rules.EXCEPTIONS, f"commit | {good} | a reason\n")
        self.assertEqual(len(rules.commits(self.tree())), 2)


class TestDetails(unittest.TestCase):
    def test_definitions_are_told_from_calls_and_declarations(self) -> None:
        text = "int f(void);\nstatic inline struct x *\ng(int a)\n{\n\tif (a)\n\t{\n\t}\n}\nstruct y z = {\n};\nint h(void) __must_hold(l)\n{\n}\n"
        self.assertEqual(cfiles.functions(text), {"g": True, "h": False})


def tests() -> Iterator[unittest.TestCase]:
    """All tests of this file."""
    todo: list[unittest.TestSuite | unittest.TestCase] = [unittest.defaultTestLoader.loadTestsFromName(__name__)]
    while todo:
        one = todo.pop(0)
        if isinstance(one, unittest.TestSuite):
            todo[:0] = list(one)
        else:
            yield one
