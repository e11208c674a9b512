"""The manual is current: what its pages, its schema and the project's papers say is so."""

import json
import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.glob("**/*.md")]
SCHEMA = json.loads((DOCS / "reference" / "result.schema.json").read_text(encoding="utf-8"))


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------- commands
def test_the_page_of_commands_is_current():
    written = runpy.run_path(str(DOCS / "write_commands.py"))["page"]()
    assert text("docs/reference/commands.md") == written, "run make docs"


def test_every_page_is_in_the_index():
    index = text("docs/README.md")
    for page in DOCS.glob("**/*.md"):
        assert page.name == "README.md" or f"]({page.relative_to(DOCS)})" in index, page


# ------------------------------------------------------------------------------------------- links
def slug(heading):
    """The anchor that GitHub gives a heading."""
    plain = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def prose(page):
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            broken.append(link)
        elif anchor:
            headings = re.findall(r"^#+ (.*)$", prose(target), re.M)
            broken += [link] if anchor not in map(slug, headings) else []
    assert broken == []


# ---------------------------------------------------------------------------------------- language
def language_tables():
    """The rows of the tables under Functions: the calls, the aliases."""
    section = text("docs/reference/language.md").split("\n## Functions\n")[1].split("\n## ")[0]
    for row in re.findall(r"^\| (`.*) \|$", section, re.M):
        calls, *others = row.split("|")
        aliases = others[0] if len(others) == 2 else ""
        yield re.findall(r"`(.*?)`", calls), re.findall(r"`(\w+)`", aliases)


def test_the_language_page_has_every_function(dezero):
    functions = dezero("functions", "--json").json["functions"]
    tables = list(language_tables())
    assert {call for calls, _ in tables for call in calls} == {f["call"] for f in functions}
    for calls, aliases in tables:
        known = [f for f in functions if f["call"] in calls]
        assert {alias for f in known for alias in f["aliases"]} == {*aliases}, calls
    section = text("docs/reference/language.md")
    takers = re.search(r"^((?:`\w+`[, and]*)+) take `axis` and `keepdims`", section, re.M)
    assert set(re.findall(r"`(\w+)`", takers[1])) == {
        f["name"] for f in functions if "keepdims" in f.get("keywords", ())
    }
    named = re.search(r"^((?:`\w+`[, and]*)+) have values of their own", section, re.M)
    constants = dezero("functions", "--json").json["constants"]
    assert re.findall(r"`(\w+)`", named[1]) == list(constants)


def kinks(page, heading):
    """The rows of a table of kinks: an expression, its values, the gradient by name."""
    section = text(page).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*) \|$", section, re.M)
    assert len(rows) >= 4
    for row in rows:
        expr, at, gradient = row.split(" | ")[:3]
        by_name = dict(re.findall(r"d/d(\w+) (\[.*?\]|[-\w.]+)", gradient))
        yield pytest.param(expr.strip("`"), at.strip("`").split(), by_name, id=f"{expr} {at}")


KINKS = [
    *kinks("docs/reference/language.md", "Kinks and edges"),
    *kinks("docs/explanation/kinks.md", "Beside PyTorch"),
]


@pytest.mark.parametrize(("expr", "at", "gradient"), KINKS)
def test_gradients_at_kinks_are_those_of_the_table(dezero, expr, at, gradient):
    shown = dict(re.findall(r"^d/d(\w+) +(.*)$", dezero("eval", expr, *at).out, re.M))
    assert shown.keys() == gradient.keys()
    for name, expected in gradient.items():
        assert np.array_equal(numbers(shown[name]), numbers(expected), equal_nan=True)


def numbers(shown):
    return np.array([float(number) for number in shown.strip("[]").split(",")])


# ------------------------------------------------------------------------------------------ schema
def faults(kind, data):
    """What the schema has against a result, as one of a kind and as one of any."""
    narrowed = {**SCHEMA, "$ref": f"#/$defs/{kind}"}
    del narrowed["anyOf"]
    return [
        fault.message
        for schema in (narrowed, SCHEMA)
        for fault in jsonschema.Draft202012Validator(schema).iter_errors(data)
    ]


def test_the_schema_is_one():
    draft = jsonschema.Draft202012Validator
    assert SCHEMA["$schema"] == draft.META_SCHEMA["$id"]
    assert list(draft(draft.META_SCHEMA).iter_errors(SCHEMA)) == []


RESULTS = [
    ("eval", "2*3"),
    ("eval", "x**2", "x=3", "--no-grad"),
    ("eval", "a*x + b", "a=2", "b=1", "x=[[1,2],[3,4]]", "--jacobian", "--hessian"),
    ("eval", "exp(-x**2)*y", "x=1", "y=[1,2]", "--retain-grad"),
    ("eval", "x*y", "x=1", "y=2", "--sigma", "x=0.1", "--sigma", "y=0.2"),
    ("eval", "log(x)/x", "x=[0,1]", "--jacobian", "--hessian", "--retain-grad"),
    ("eval", "1/x", "x=0", "--sigma", "x=1"),
    ("eval", "exp(-r)/r", "r=hypot(x, y)", "x=3", "y=4"),
    ("eval", "[v, x*y]", "v=hypot(x, y)", "x=3", "y=4", "--retain-grad", "--sigma", "x=1"),
    ("eval", "[v, x*y]", "v=hypot(x, y)", "x=3", "y=[1,2]", "--jacobian", "--hessian"),
    ("eval", "[1/x, x]", "x=0", "--no-grad"),
    ("eval", "[v, x/y]", "v=x*y", "x=1", "y=[1,2]", "--hessian", "--jacobian"),
    ("eval", "[v, log(x)]", "v=x*y", "x=0", "y=2", "--sigma", "x=0.1"),
    (
        "eval",
        "x*y",
        "x=[1,2]",
        "y=2",
        "--sigma",
        "x=1%",
        "--half",
        "y=1",
        "--dof",
        "x=4",
        "--mc=99",
    ),
    ("eval", "[x, x*y]", "x=1", "y=2", "--sigma=x=1", "--sigma=y=1", "--corr=x,y=0.1", "--budget"),
    ("eval", "[x, x*y]", "x=1", "y=2", "--sigma=x=1", "--order=2", "--mc=99", "--level=0.9"),
    ("eval", "g(r)", "r=x*y", "g(t)=t**2", "x=1", "y=2", "--retain-grad"),
    ("derive", "[x*y, r]", "r=x+y"),
    ("check", "[x*y, r]", "r=x+y", "x=1", "y=2"),
    ("derive", "x**2*y"),
    ("derive", "[v, x*v]", "v=hypot(x, y)", "--order", "2"),
    ("check", "[v, x*y]", "v=hypot(x, y)", "x=3", "y=4"),
    ("check", "sqrt(v)", "v=x*y", "x=3", "y=4"),
    ("derive", "x**2*y", "--order", "3"),
    ("derive", "pi"),
    ("check", "sin(x)*y", "x=1", "y=[1,2]"),
    ("check", "sqrt(x)*floor(y)", "x=0", "y=1"),
    ("check", "where(x < 0.5, x, floor(x))", "x=[0.2,0.7]"),
    ("solve", "x**3 == a*y", "y=b+1", "--for", "x=1", "a=2", "b=3", "--hessian", "--sigma=a=1"),
    ("solve", "A @ x == b", "--for", "x=[0,0]", "A=[[2,1],[1,3]]", "b=[1,2]", "--sigma=b=1"),
    ("solve", "x*y == a", "x=y", "--for", "y=1", "a=2", "--sigma=a=0.1", "--mc=99"),
    ("solve", "sin(x)", "x=1:9", "--all"),
    ("solve", "1/x", "x=-1:2"),
    ("minimize", "r + x", "r=x**2", "x=1"),
    ("minimize", "sum(x**2)", "--for", "x=[1,2]", "--st", "x >= 1", "--st", "sum(x) == 4"),
    ("maximize", "log(x)", "x=-1"),
    ("functions",),
    ("functions", "hypot"),
    ("functions", "e"),
]


@pytest.mark.parametrize("words", RESULTS, ids=" ".join)
def test_results_are_as_the_schema_says(dezero, words):
    assert faults(words[0], dezero(*words, "--json").json) == []


LINES = """\
x**2 ; x=3
{"expr": "x*y", "vars": {"x": [1, 2], "y": "inf"}, "id": {"any": ["thing", null]}}
{"expr": "sqrt(x)", "vars": {"x": -1}, "id": null}
2x ; x=1
y
x ; x=[1,
r*x ; r=x**2 x=3
{"expr": "[x, g(x)]", "defs": {"g(t)": "t**2"}, "vars": {"x": 3}, "hessian": true}
{"expr": "r", "defs": {"r": "s*x", "s": "r"}, "vars": {"x": 3}}
{"expr": 1}
{"expr": "x", "vars": {"x": "@file"}}
{"expr": "x@x", "vars": {"x": [1, 2]}, "id": 5}
[r, x*r] ; x=3 r=x+1
{"expr": "[r, x*r]", "vars": {"x": 3}, "defs": {"r": "x*2"}, "sigma": {"x": 0.1}, "hessian": true}
{"expr": "[x, y]", "vars": {"x": 3, "y": [1, 2]}, "sigma": {"x": 1, "y": "mean"}, "mc": 9}
{"expr": "r*2", "vars": {"x": 3}, "defs": {"r": "x*"}}
{"expr"
"""


@pytest.mark.parametrize(
    "option", ["--no-grad", "--wrt=x", "--hessian", "--jacobian", "--sigma=x=1"]
)
def test_lines_are_as_the_schema_says(dezero, tmp_path, option):
    path = tmp_path / "lines.txt"
    path.write_bytes(LINES.encode() + b"x + \xff\n" + b"1" * 300 + b"\n")
    outcome = dezero("batch", str(path), option, "--max-line", "200")
    records = [json.loads(line) for line in outcome.out.splitlines()]
    for record in records:
        assert faults("error" if "error" in record else "answer", record) == []
        assert faults("batch", record) == []
    kinds = {record["error"]["type"] for record in records if "error" in record}
    assert {"expression", "values", "json", "line", "encoding"} <= kinds
    assert any("error" not in record for record in records)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("eval", {"expr": "x", "value": "1"}),
        ("eval", {"expr": "x", "value": 1, "gradient": {"x": 1}}),
        ("eval", {"expr": "x", "value": None, "nonfinite": {"value": "infinity"}}),
        ("answer", {"expr": "x", "value": 1}),
        (
            "error",
            {"line": 1, "expr": "x", "error": {"type": "other", "message": "m", "column": 1}},
        ),
        ("derive", {"expr": "x", "grad": {"x": 1}}),
        ("check", {"expr": "x", "agrees": True, "check": {"x": {"agrees": True}}}),
    ],
)
def test_the_schema_refuses_what_is_not_so(kind, data):
    assert faults(kind, data)


def keys(schema):
    """Every key that a part of the schema names."""
    pending, found = [schema], set()
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            found |= set(part.get("properties", {}))
            pending += part.values()
        elif isinstance(part, list):
            pending += part
    return found


def test_the_page_on_json_has_every_key():
    page = text("docs/reference/json.md")
    words = set(re.findall(r"`(?:\w+\.)?(\w+)`", page))
    assert keys(SCHEMA["$defs"]) <= words
    kinds = SCHEMA["$defs"]["error"]["properties"]["error"]["properties"]["type"]["enum"]
    assert set(kinds) <= words


# ------------------------------------------------------------------------------------------ papers
def test_the_tests_that_papers_name_exist():
    named = []
    for page in PAGES:
        for path, test in re.findall(
            r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8")
        ):
            named.append(test)
            assert re.search(rf"^def {test}\(", text(path), re.M), f"{page.name}: {path}::{test}"
    assert len(named) > 10


def test_the_house_has_every_file():
    house = text("CONTRIBUTING.md")
    for path in [*ROOT.glob("dezero/**/*.py"), *ROOT.glob("dezero_cli/**/*.py")]:
        assert path.name == "__init__.py" or f"`{path.name}`" in house, path
    for named in re.findall(r"^\| `(\w+\.\w+)`", house, re.M):
        assert list(ROOT.glob(f"**/{named}")), named


def test_make_knows_its_targets():
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    targets = "install test lint format docs bench fuzz coverage tables".split()
    for target in targets:
        command = ["make", "-n", target, "-C", str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and re.search("python -m|python docs|ruff", done.stdout)


def test_the_change_log_has_the_version():
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", text("CHANGELOG.md"), re.M)
