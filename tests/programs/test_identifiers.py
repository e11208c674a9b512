"""Code runs and is right whatever its inputs are called.

Names are drawn from what languages keep to themselves, as they say themselves where they can, from
what the code calls its own helpers, and from pairs that are one name to some language.
DEZERO_LAWS sets how many functions are drawn.
"""

import builtins
import json
import keyword
import math
import os
import random
import re
import shutil
import sqlite3
import subprocess

import numpy as np
import pytest

from dezero import functions as F
from dezero.programs.code import IdentifierError, Options
from dezero.programs.dialects import FORMS
from dezero.programs.identifiers import C_SPELLING, COLUMN_SPELLING, Names, ascii_name
from dezero.programs.trace import merge, trace

COUNT = int(os.environ.get("DEZERO_LAWS", "60"))

C_WORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while _Alignas _Atomic _Bool _Complex _Generic _Imaginary _Noreturn
    alignas bool constexpr nullptr thread_local typeof true false asm main exp expf expl sin cos pow
    sqrt hypot log log1p isnan isinf fabs fmax NAN INFINITY HUGE_VAL M_PI signgam y0 y1 j0 gamma
    printf malloc errno NULL uint ulong size_t double_t FILE __LINE__ __func__ _X __x a__b
""".split()
CPP_WORDS = """
    and and_eq asm bitand bitor bool catch char16_t char32_t class compl concept const_cast
    consteval constinit co_await co_return co_yield decltype delete dynamic_cast explicit export
    false friend mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public reinterpret_cast requires static_assert static_cast template this throw true
    try typeid typename using virtual wchar_t xor xor_eq std final override
""".split()
JS_WORDS = """
    break case catch class const continue debugger default delete do else enum export extends false
    finally for function if implements import in instanceof interface let new null package private
    protected public return static super switch this throw true try typeof var void while with yield
    await async eval arguments undefined NaN Infinity Math get set of
""".split()
SQL_WORDS = """
    select from where case when then else end and or not null is between cast as with input given
    step1 step2 order group by distinct rowid index table true false glob exp ln sqrt
""".split()
HELPERS = "f f_ f_2 value d_x d_y d_x_x t1 t2 t3 T1 t1_ grad grad_ np math input given v v_".split()
PAIRS = [
    *(["m", "M"], ["m", "M", "M_"], ["f", "f_"], ["x", "x_"], ["a__b", "a_b"], ["t1", "T1"]),
    *(["\u017f", "s"], ["\ufb01", "fi"], ["θ", "theta"], ["é", "e", "É"], ["Δx", "Delta_x", "δx"]),
    *(["Temp (°C)", "Temp __C_"], ['a"b', "a'b"], ["a*/b", "a/*b"], ["1x", "v1x", "x"]),
    *(["a\\", "b"], ["__proto__", "_"], ["___", "__"], ["??/", "{x}"], ["λ", "lambda"]),
    *(["日本", "日本_"], ["𝐢𝐟", "if"], ["exp", "exp_"], ["value", "value_"], ["d_m", "d_M", "m"]),
    *(["a\nb", "a b"], ["a\u2028b", "a\u202eb"], ["\ta", "a\\\nb"], ["-- a", "// b", "# c"]),
]


def c_macros():
    """The names that <math.h> and the compilers define, as the compilers say."""
    found = []
    for compiler, language in (("gcc", "c"), ("g++", "c++")):
        if shutil.which(compiler):
            command = [compiler, "-dM", "-E", "-include", "math.h", "-x", language, "/dev/null"]
            listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found += re.findall(r"#define (\w+)", listed)
    return sorted(set(found))


def js_globals():
    if shutil.which("node") is None:
        return []
    code = "console.log(Object.getOwnPropertyNames(globalThis).join(' '))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def pools():
    python = [*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *dir(math), *dir(np)]
    return [
        C_WORDS,
        CPP_WORDS,
        c_macros(),
        JS_WORDS,
        js_globals(),
        python,
        SQL_WORDS,
        HELPERS,
        list(F.FUNCTIONS),
    ]


class Function:
    """A function of three inputs or more, with two definitions, at a point, under drawn names."""

    def __init__(self, names, definitions, draw):
        self.names, self.definitions = names, tuple(definitions)
        self.wrt = [(), *((name,) for name in names)]
        self.point = [round(draw.uniform(0.5, 2), 3) for _ in names]
        self.program = trace(self.formula, names)
        outputs = self.program.run(dict(zip(names, self.point, strict=True)))
        self.expected = [float(output[0]) for output in outputs]
        parts = [trace(part, names, ()) for part in (self.decay, self.root)]
        outputs = [*((self.program, i) for i in range(len(outputs))), *((p, 0) for p in parts)]
        self.program = merge(outputs)

    @staticmethod
    def decay(x, y, z, *others):
        return F.exp(-x * y)

    @staticmethod
    def root(x, y, z, *others):
        return F.sqrt(x * y + z)

    @staticmethod
    def formula(x, y, z, *others):
        total = x * Function.decay(x, y, z) + F.where(
            (x < y) * (y < z), x / z, Function.root(x, y, z)
        )
        for other in others:
            total = total * F.sin(other) + other / (x + y)
        return total

    def code(self, form, name):
        options = Options(name, definitions=self.definitions)
        return FORMS[form](self.program, self.wrt, " ".join(self.names), options)

    def differs(self, results):
        return results != pytest.approx(self.expected, rel=1e-13)


def drawn_name(draw, kinds):
    return draw.choice(draw.choice([kind for kind in kinds if kind]))


def drawn():
    draw, found = random.Random(16), []
    kinds = pools()
    while len(found) < COUNT:
        names = list(PAIRS[len(found)]) if len(found) < len(PAIRS) else []
        while len(names) < draw.choice([3, 4, 5]):
            name = drawn_name(draw, kinds)
            names += [name] * (name not in names)
        definitions = [drawn_name(draw, kinds), drawn_name(draw, kinds)]
        found.append(Function(names, definitions, draw))
    return found


@pytest.fixture(scope="module")
def functions():
    return drawn()


def wrong(functions, rows):
    return [
        (each.names, row, each.expected)
        for each, row in zip(functions, rows, strict=True)
        if each.differs(list(row))
    ]


@pytest.mark.parametrize("form", ["python", "numpy"])
def test_python(functions, form):
    rows = []
    for each in functions:
        namespace = {}
        exec(each.code(form, "f"), namespace)
        rows.append([float(x) for x in namespace["f"](*each.point)])
    assert wrong(functions, rows) == []


@pytest.mark.parametrize(
    "build", [["gcc", "-std=c99"], ["gcc", "-std=gnu17"], ["g++", "-x", "c++"]], ids=" ".join
)
def test_c(functions, build, tmp_path):
    if shutil.which(build[0]) is None:
        pytest.skip(f"no {build[0]}")
    parts, calls = ["#include <stdio.h>\n"], []
    for count, each in enumerate(functions):
        parts.append(each.code("c", f"f{count}"))
        size = len(each.names)
        given = ", ".join(map(repr, each.point))
        calls.append(
            f'{{ double g[{size}]; printf("[%.17g", f{count}({given}, g));'
            f' for (int i = 0; i < {size}; i++) printf(", %.17g", g[i]); puts("]"); }}'
        )
    parts += ["int main(void) {\n", "\n".join(calls), "\nreturn 0; }\n"]
    (tmp_path / "names.c").write_text("".join(parts), encoding="utf-8")
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Wshadow", "-Werror"]
    command = [*build, *warnings, "-O0", "-o", "names", "names.c", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    out = subprocess.run([tmp_path / "names"], capture_output=True, text=True, check=True).stdout
    assert wrong(functions, map(json.loads, out.splitlines())) == []


def test_javascript(functions, tmp_path):
    if shutil.which("node") is None:
        pytest.skip("no node")
    parts = ['"use strict";\n']
    for count, each in enumerate(functions):
        parts.append(each.code("js", f"f{count}"))
        given = ", ".join(map(repr, each.point))
        parts.append(f"console.log(JSON.stringify(Object.values(f{count}({given}))));\n")
    (tmp_path / "names.js").write_text("".join(parts), encoding="utf-8")
    command = ["node", "names.js"]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert wrong(functions, map(json.loads, out.splitlines())) == []


def queried(connection, functions):
    rows = []
    for each in functions:
        here = Names(COLUMN_SPELLING, each.names).inputs
        columns = [here[name].replace('"', '""') for name in each.names]
        types = ", ".join(f'"{column}" DOUBLE' for column in columns)
        connection.execute(f"CREATE TABLE input ({types})")
        marks = ", ".join("?" * len(columns))
        connection.execute(f"INSERT INTO input VALUES ({marks})", each.point)
        query = each.code("sql", None)
        rows.append(connection.execute(query).fetchone())
        connection.execute(f"CREATE TABLE output AS {query}")  # its columns are names, each once
        connection.execute("DROP TABLE input")
        connection.execute("DROP TABLE output")
    return rows


def test_sqlite(functions):
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("SELECT sin(1.0), ln(1.0), power(2.0, 3.0)")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite was built without mathematical functions")
    rows = queried(connection, functions)
    connection.close()
    assert wrong(functions, rows) == []


def test_duckdb(functions):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    with duckdb.connect() as connection:
        rows = queried(connection, functions)
    assert wrong(functions, rows) == []


# ------------------------------------------------------------------------------------ one by one
def test_an_input_keeps_its_name_where_it_may_and_helpers_give_way():
    names = Names(C_SPELLING, ["exp_", "exp", "t1", "grad", "x", "θ", "theta"])
    assert names.inputs == {
        **{name: name for name in ("exp_", "t1", "grad", "x", "theta")},
        "exp": "exp_2",
        "θ": "theta_",
    }
    assert (names.take("t1"), names.take("grad"), names.take("t2")) == ("t1_", "grad_", "t2")
    assert names.renamed == [("exp", "exp_2"), ("θ", "theta_")]


@pytest.mark.parametrize(
    ("name", "here"),
    [
        *(
            ("θ_1", "theta_1"),
            ("Δx", "Deltax"),
            ("ς", "sigma"),
            ("é", "e"),
            ("Temp (°C)", "Temp_C_"),
        ),
        *(("1x", "v1x"), ("", "v"), ("__", "v"), ("_Bool", "Bool"), ("__x", "_x"), ("日", "u65e5")),
    ],
)
def test_names_in_ascii(name, here):
    assert ascii_name(name) == here and ascii_name(here) == here


@pytest.mark.parametrize(
    ("form", "name"),
    [
        *(("c", "exp"), ("c", "class"), ("c", "a b"), ("c", "θ"), ("c", "_Bool"), ("c", "")),
        *(("python", "lambda"), ("python", "math"), ("numpy", "np"), ("js", "new"), ("js", "1x")),
    ],
)
def test_a_function_has_a_name_that_its_language_allows(form, name):
    program = trace(lambda x: x * x, ["x"])
    with pytest.raises(IdentifierError, match="cannot be called"):
        FORMS[form](program, [(), ("x",)], "x*x", Options(name))


def test_what_is_called_otherwise_is_said(dezero):
    out = dezero("derive", "exp*x + f", "--to", "c").out
    assert out.splitlines()[2:6] == [
        "/* exp*x + f */",
        "/* exp_ is the input exp */",
        "/* f_ is the input f */",
        "double f(double exp_, double x, double f_, double grad[3]) {",
    ]
    assert "# f_ is the input f" in dezero("derive", "x*f", "--to", "python").out
    assert "is the input" not in dezero("derive", "x*f", "--to", "python", "--name", "g").out
    assert "-- M_ is the input M\n" in dezero("derive", "m*M", "--to", "sql").out
    assert "// Math_ is the input Math\n" in dezero("derive", "Math*x", "--to", "js").out


def test_helpers_of_numpy_take_no_inputs_name(dezero):
    names: dict = {}
    exec(dezero("derive", "x/d_x", "--to", "numpy").out, names)
    assert tuple(map(float, names["f"](3, 0.5))) == (6.0, 2.0, -12.0)
    code = dezero("derive", "value*d_x*np", "--to", "numpy").out
    exec(code, names)
    assert tuple(map(float, names["f"](2, 3, 5))) == (30.0, 15.0, 10.0, 6.0)


def test_names_of_outputs_are_each_one():
    program = trace(lambda x, y: x * y, ["x_y", "z"])
    wrt = [(), ("x_y", "z"), ("x", "y_z")]
    code = FORMS["sql"](program, wrt, "")
    assert re.findall(r' AS "(\w+)"', code)[-3:] == ["value", "d_x_y_z", "d_x_y_z_"]


def test_no_input_is_called_like_a_macro_of_math_h():
    allowed = [name for name in c_macros() if C_SPELLING.allows(name)]
    assert allowed == []
