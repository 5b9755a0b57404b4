"""The house rules that no linter knows, held against every file that the repository tracks."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FUNCTION_LINES_MAX = 55
MODULE_LINES_MAX = 400
# Whole files whose digits are somebody else's: hashes of packages, and coordinates of places.
WITHOUT_NUMBERS = ("deploy/requirements.lock",)

# Digits that stand alone; a group of a UUID, a decimal fraction and a hash are no numbers of persons.
_BEFORE, _AFTER = (
    r"(?<!\w)(?<![0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-)(?<!\d\.)",
    r"(?!\w)(?!-[0-9A-Fa-f]{4}-)(?!\.\d)",
)
_INTEGER_BOUNDS = f"{2**31 - 1}|{2**32 - 1}|{90 * 86_400_000}"  # the schemas write them out; 90 days in milliseconds
CARD_SHAPES = (
    ("insurance number", re.compile(rf"{_BEFORE}(?!00000|{_INTEGER_BOUNDS})[0-9]{{10}}{_AFTER}")),
    ("citizen ID", re.compile(rf"{_BEFORE}(?!000)[0-9]{{12}}{_AFTER}")),
    ("card number", re.compile(rf"{_BEFORE}[A-Za-z]{{2}}[0-9]{{3}}(?!00000)[0-9]{{10}}{_AFTER}")),
)
UNFINISHED = re.compile("|".join(rf"\b{word}\b" for word in ("TO" + "DO", "FIX" + "ME", "HA" + "CK")))
MACHINE_PATHS = re.compile("|".join(("/wo" + "rk/", "/ro" + "ot/", "/Us" + "ers/", "/ho" + "me/[a-z]")))
REGISTRY_HOSTS = re.compile(
    "|".join(
        (
            *(rf"{name}\." + "org" for name in ("pypi", "python" + "hosted", "npmjs", "debian")),
            *(rf"{name}\." + "io" for name in ("docker", "ghcr", "quay")),
            "index" + "-url",
        )
    )
)
FORBIDDEN_IN_DOMAIN = frozenset(
    {
        "asyncio",
        "io",
        "logging",
        "os",
        "pathlib",
        "random",
        "secrets",
        "socket",
        "subprocess",
        "threading",
        "time",
        "uuid",
    }
)


@cache
def tracked() -> dict[str, str]:
    """Return the text of every tracked file by its path; files that are no text are left out."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)  # noqa: S607  # git is on the PATH of whoever cloned this
    texts: dict[str, str] = {}
    for path in filter(None, listed.stdout.decode().split("\0")):
        file = ROOT / path
        if not file.is_file():
            continue
        try:
            texts[path] = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
    return texts


def python(*folders: str) -> Iterator[tuple[str, str]]:
    for path, text in tracked().items():
        if path.endswith(".py") and path.startswith(folders):
            yield path, text


def hits(pattern: re.Pattern[str], paths: dict[str, str]) -> list[str]:
    """Return where a pattern stands, without what stands there: a number found must not be printed again."""
    return [
        f"{path}:{text.count(chr(10), 0, found.start()) + 1}"
        for path, text in paths.items()
        for found in pattern.finditer(text)
    ]


@pytest.fixture(scope="module", autouse=True)
def a_clone() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("a source distribution has no list of tracked files")


@pytest.mark.parametrize(("what", "pattern"), CARD_SHAPES, ids=[what for what, _ in CARD_SHAPES])
def test_no_number_shaped_like_a_persons_stands_outside_the_reserved_prefixes(
    what: str, pattern: re.Pattern[str]
) -> None:
    texts = {path: text for path, text in tracked().items() if path not in WITHOUT_NUMBERS}
    assert hits(pattern, texts) == [], f"an {what} without a reserved prefix"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("9{}".format("1" * 9), True),
        ('"id":"0{}"'.format("1" * 9), True),
        ("0{}|4e67".format("1" * 11), True),
        ("HC401{}".format("1" * 10), True),
        ("HC401-0{}".format("1" * 9), True),
        ("0000012345 000162000001 HC4010000012345", False),
        ("105.{}".format("1" * 10), False),
        ("5e0c0a3f-0000-7000-8000-{}".format("1" * 12), False),
        ("a{}b {}".format("1" * 10, "1" * 11), False),
    ],
)
def test_the_rule_knows_a_persons_number_from_other_digits(text: str, found: bool) -> None:  # noqa: FBT001  # a case's expectation
    assert any(pattern.search(text) for _, pattern in CARD_SHAPES) is found


def test_nothing_is_left_for_later() -> None:
    assert hits(UNFINISHED, tracked()) == []


def test_no_path_of_a_machine_is_written_down() -> None:
    assert hits(MACHINE_PATHS, tracked()) == []


def test_no_package_registry_is_named() -> None:
    assert hits(REGISTRY_HOSTS, tracked()) == []


def test_functions_fit_on_a_page() -> None:
    long = [
        f"{path}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path, text in python("services/", "schemas/", "tests/")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_modules_stay_short() -> None:
    long = [
        f"{path} has {len(text.splitlines())} lines"
        for path, text in python("services/", "schemas/", "tests/")
        if len(text.splitlines()) > MODULE_LINES_MAX
    ]
    assert long == []


def test_a_module_opens_with_one_sentence() -> None:
    without = [
        path
        for path, text in python("services/", "schemas/", "tests/support/")
        if text.strip() and not opens_with_a_sentence(ast.get_docstring(ast.parse(text)))
    ]
    assert without == []


def opens_with_a_sentence(docstring: str | None) -> bool:
    """Tell whether the first paragraph is one sentence: begun like one, ended like one, with no other inside."""
    if not docstring:
        return False
    first = " ".join(docstring.split("\n\n")[0].split())
    return first[0].upper() == first[0] and first.endswith((".", "?", ":")) and ". " not in first


def test_the_domain_knows_no_clock_no_chance_and_no_input_or_output() -> None:
    found = [
        path
        for path, text in python("services/lienthong/domain/")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await) or imported(node) & FORBIDDEN_IN_DOMAIN
    ]
    assert found == []


def imported(node: ast.AST) -> set[str]:
    """Return the top-level modules that a statement imports."""
    if isinstance(node, ast.Import):
        return {name.name.partition(".")[0] for name in node.names}
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0]}
    return set()
