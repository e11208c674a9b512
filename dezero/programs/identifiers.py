"""What names may be in code: one place for every language and for every kind of name.

An input keeps its name where the language allows it; else, and for every helper, the nearest name
is taken that the language allows and that nothing else has.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from dezero.normal_forms import normalized


class Spelling(NamedTuple):
    """What a language allows as a name."""

    reserved: frozenset[str]
    """Names that mean something already."""
    spell: Callable[[str], str]
    """The nearest name of the right form; a name of the right form itself."""
    key: Callable[[str], str] = str
    """What the language compares: two names of one key are one name."""

    def allows(self, name: str) -> bool:
        """Whether a name may be used as it is."""
        keys = {self.key(word) for word in self.reserved}
        return self.spell(name) == name and self.key(name) not in keys


class Names:
    """The names of one piece of code, no two of them one to the language."""

    def __init__(self, spelling: Spelling, inputs: Sequence[str], used: Iterable[str] = ()) -> None:
        self.spelling = spelling
        self.taken = {spelling.key(word) for word in (*spelling.reserved, *used)}
        self.inputs: dict[str, str] = {}
        kept = {name for name in inputs if spelling.spell(name) == name and self._claim(name)}
        self.taken |= {spelling.key(name) for name in inputs}
        self.inputs = {name: name if name in kept else self.take(name) for name in inputs}

    def _claim(self, name: str) -> bool:
        key = self.spelling.key(name)
        is_free = key not in self.taken
        self.taken.add(key)
        return is_free

    def take(self, wish: str) -> str:
        """A name like `wish` that the language allows and nothing has had so far."""
        name = spelt = self.spelling.spell(wish)
        stem, count = spelt.rstrip("_") or "v", 1
        while not self._claim(name):
            name = f"{stem}_" if count == 1 else f"{stem}_{count}"
            count += 1
        return name

    @property
    def renamed(self) -> list[tuple[str, str]]:
        """The inputs whose names in the code are others, with those."""
        return [(name, here) for name, here in self.inputs.items() if name != here]


# -------------------------------------------------------------------------------- forms of names
def ascii_name(name: str) -> str:
    """A name in ASCII letters, digits and single lines: theta for θ, Delta_x for Δ_x."""
    text = "".join(map(_in_ascii, normalized("NFKD", name)))
    text = re.sub("_+", "_", text)
    if text in {"", "_"} or text[0].isdigit():
        return "v" + text.rstrip("_")
    return text[1:] if re.match("_[A-Z]", text) else text  # C keeps those to itself


def _in_ascii(letter: str) -> str:
    if letter.isascii():
        return letter if letter.isalnum() else "_"
    if unicodedata.combining(letter):
        return ""
    words = unicodedata.name(letter, "").replace("LAMDA", "LAMBDA").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        return words[-1].lower() if "SMALL" in words else words[-1].capitalize()
    return f"u{ord(letter):x}" if letter.isalnum() else "_"


def _identifier(name: str) -> str:
    """A name as Python and JavaScript have them, letters of every script included."""
    return name if name.isidentifier() else ascii_name(name)


def _one_case(name: str) -> str:
    """A column as SQLite and DuckDB compare them: ASCII letters in either case are one."""
    return re.sub("[A-Z]+", lambda letters: letters[0].lower(), name)


# ---------------------------------------------------------------------------------- the languages
MATH_H = (
    "acos asin atan atan2 cos sin tan acosh asinh atanh cosh sinh tanh exp exp2 expm1 frexp ilogb "
    "ldexp log log10 log1p log2 logb modf scalbn scalbln cbrt fabs hypot pow sqrt erf erfc lgamma "
    "tgamma ceil floor nearbyint rint lrint llrint round lround llround trunc fmod remainder "
    "remquo copysign nan nextafter nexttoward fdim fmax fmin fma"
).split()
"""The functions of C99's <math.h>; each has one for floats, whose name ends with an f."""
_C = frozenset(
    [
        *(name + suffix for name in MATH_H for suffix in ("", "f", "l")),
        *(
            "auto break case char const continue default do double else enum extern float for "
            "goto if inline int long register restrict return short signed sizeof static struct "
            "switch typedef union unsigned void volatile while asm fortran typeof typeof_unqual "
            "alignas alignof bool constexpr false nullptr static_assert thread_local true"
        ).split(),
        *(
            "and and_eq bitand bitor catch char8_t char16_t char32_t class co_await co_return "
            "co_yield compl concept const_cast consteval constinit decltype delete dynamic_cast "
            "explicit export friend mutable namespace new noexcept not not_eq operator or or_eq "
            "private protected public reinterpret_cast requires static_cast template this throw "
            "try typeid typename using virtual wchar_t xor xor_eq std float_t double_t size_t "
            "ptrdiff_t uint ulong ushort FILE"
        ).split(),
        *(
            "main NAN INFINITY NULL EOF errno assert isnan isinf isfinite isnormal signbit iszero "
            "issubnormal issignaling iscanonical iseqsig fpclassify isgreater isgreaterequal "
            "isless islessequal islessgreater isunordered FP_NAN FP_INFINITE FP_ZERO FP_NORMAL "
            "FP_SUBNORMAL FP_FAST_FMA FP_FAST_FMAF FP_FAST_FMAL FP_ILOGB0 FP_ILOGBNAN FP_LLOGB0 "
            "FP_LLOGBNAN FP_INT_UPWARD FP_INT_DOWNWARD FP_INT_TOWARDZERO FP_INT_TONEAREST "
            "FP_INT_TONEARESTFROMZERO MATH_ERRNO MATH_ERREXCEPT math_errhandling signgam MAXFLOAT "
            "DOMAIN SING OVERFLOW UNDERFLOW TLOSS PLOSS linux unix i386 stdin stdout stderr "
            "offsetof"
        ).split(),
        *(  # what C++'s <math.h> has beside it, and <stdio.h>
            "FD_SETSIZE FD_SET FD_CLR FD_ZERO FD_ISSET NFDBITS WNOHANG WUNTRACED WSTOPPED WEXITED "
            "WCONTINUED WNOWAIT WEXITSTATUS WTERMSIG WSTOPSIG WIFEXITED WIFSIGNALED WIFSTOPPED "
            "WIFCONTINUED RAND_MAX EXIT_FAILURE EXIT_SUCCESS MB_CUR_MAX LITTLE_ENDIAN BIG_ENDIAN "
            "PDP_ENDIAN BYTE_ORDER htobe16 htobe32 htobe64 htole16 htole32 htole64 be16toh "
            "be32toh be64toh le16toh le32toh le64toh alloca BUFSIZ SEEK_SET SEEK_CUR SEEK_END "
            "FOPEN_MAX FILENAME_MAX TMP_MAX L_tmpnam"
        ).split(),
        *(
            name + suffix
            for name in (
                "M_E M_LOG2E M_LOG10E M_LN2 M_LN10 M_PI M_PI_2 M_PI_4 M_1_PI M_2_PI M_2_SQRTPI "
                "M_SQRT2 M_SQRT1_2 HUGE_VAL HUGE_VAL_ SNAN"
            ).split()
            for suffix in " f l f32 f64 f128 f32x f64x F L F32 F64 F128 F32X F64X".split(" ")
        ),
    ]
)
C_SPELLING = Spelling(_C, ascii_name)
"""Names in ASCII that neither C nor C++ has, and no macro of <math.h>."""

JAVASCRIPT_SPELLING = Spelling(
    frozenset(
        (
            "break case catch class const continue debugger default delete do else enum export "
            "extends false finally for function if import in instanceof new null return super "
            "switch this throw true try typeof var void while with yield let static await async "
            "implements package protected interface private public eval arguments "
            "Math Infinity NaN undefined globalThis Object Function Array Number BigInt String "
            "Boolean Symbol Date Promise RegExp Error JSON Map Set WeakMap WeakSet Proxy Reflect "
            "isNaN isFinite parseFloat parseInt console window document self require module "
            "exports process"
        ).split()
    ),
    _identifier,
)
_PYTHON = frozenset(
    [*keyword.kwlist, "__debug__", "float", "round", *(n for n in dir(builtins) if n[0].isupper())]
)


def _as_python_reads(name: str) -> str:
    return normalized("NFKC", name)


PYTHON_SPELLING = Spelling(_PYTHON | {"math"}, _identifier, _as_python_reads)
NUMPY_SPELLING = Spelling(_PYTHON | {"np"}, _identifier, _as_python_reads)
COLUMN_SPELLING = Spelling(frozenset(), str, _one_case)
"""A table's columns, quoted, so that they may be any text."""
SQL_SPELLING = Spelling(frozenset({"true", "false"}), str, _one_case)
"""A query's own columns; SQLite takes true and false for numbers there, quoted or not."""
