"""Expressions drawn from the language's own table, with what they should give beside them.

Each operation is evaluated by `tests.reference` as soon as it is drawn, so that few leave the range
of a function; one that rounding decides is drawn again.  Operands are often the same node or have
the same value, numbers are often small whole ones, so there are ties, steps and edges.
"""

import operator

import mpmath
import numpy as np

from dezero import constant
from dezero.functions import CONSTANTS, FUNCTIONS
from dezero_cli.language.expression import OPERATORS
from dezero_cli.language.expression import RELATIONS as COMPARED
from tests import reference
from tests.conftest import of_scipy
from tests.jets import Arithmetic, Undecided
from tests.reference import ARRAYS, ELEMENTWISE

NAMES = ("x", "y", "z")
LITERALS = ("0", "1", "2", "3", "0.5", "10", "0.1", "pi")
ROUND = (0.0, 0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -4.0)
SHAPES = ((), (2,), (3,), (2, 3), (1, 3), (2, 1), (2, 2), (3, 2))
SYMBOLS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "power": "**",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
    "matrix_multiply": "@",
    "remainder": "%",
    "floor_divide": "//",
    "and": "and",
    "or": "or",
}
ARITHMETIC = ("add", "subtract", "multiply", "divide") * 3 + (
    *("negative", "power", "power", "remainder", "floor_divide"),
)
RELATIONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "and", "or")
CHOICES = ("where", "where", "minimum", "maximum", "clip", "relu", "abs")
LONGEST = 400
LARGEST = 1e4


def forms(known):
    """What the calls of a function are called here, by how many values they have."""
    counts = [n for n in (1, 2, 3) if known.form(n) is not None]
    return {n: known.name if n == len(known.parameters) else f"{known.name}/{n}" for n in counts}


ELSEWHERE = {
    *(name for name, known in FUNCTIONS.items() if of_scipy(known)),  # test_special.py
    *(
        "erf",
        "erfc",
        "erfcx",
        "erfinv",
        "normpdf",
        "normcdf",
        "norminv",
    ),  # tests/engine/test_orders.py
    *("std", "var", "median", "cumsum", "diff", "outer", "logsumexp", "softmax", "interp"),
    *("det", "inv", "solve", "trace"),  # tests/engine/test_statistics.py
}
"""Functions that other tests hold against independent values."""


def lacking():
    """The functions and operators of the language that the reference does not have."""
    known_here = (known for known in FUNCTIONS.values() if known.name not in ELSEWHERE)
    called = {name for known in known_here for name in forms(known).values()}
    return (
        called - ELEMENTWISE.keys() - ARRAYS.keys()
        | OPERATORS.keys() - SYMBOLS.keys()
        | COMPARED.keys() - SYMBOLS.values()
    )


class Node:
    """A name, a number or an operation on nodes; `truth` is an array of jets."""

    def __init__(self, text, truth, function="", operands=(), keywords=None):
        self.text = text
        self.truth = truth
        self.function = function
        self.operands = operands
        self.keywords = keywords or {}

    @property
    def is_literal(self):
        return self.text in LITERALS


class Drawn:
    """An expression at a point.

    `root` is its last node, `values` the arrays of its inputs by name, `kinds` what there is to
    be met in it.
    """

    def __init__(self, random, arrays, elementwise=False):
        self.random = random
        self.table = sorted(
            name
            for name, known in FUNCTIONS.items()
            if (known.elementwise or not elementwise) and name not in ELSEWHERE
        )
        self.kinds = {"an array"} if arrays else set()
        shapes = self._shapes(arrays)
        self.values = {name: self._numbers(shape) for name, shape in shapes.items()}
        count = sum(x.size for x in self.values.values())
        self.arithmetic = Arithmetic(count, random.getrandbits(32))
        self.offsets = {}
        self.pool = []
        taken = 0
        for name, x in self.values.items():
            truth = np.empty(x.shape, object)
            self.offsets[name] = taken
            for i in np.ndindex(x.shape):
                truth[i] = self.arithmetic.input(float(x[i]), taken)
                taken += 1
            self.pool.append(Node(name, truth))
        self.loose = list(self.pool)
        self._grow(random.randint(3, 10))
        self.root = self._joined()

    def _shapes(self, arrays):
        count = self.random.randint(1, 3)
        if not arrays:
            return dict.fromkeys(NAMES[:count], ())
        shapes = [self.random.choice(SHAPES) for _ in range(count)]
        while sum(int(np.prod(shape)) for shape in shapes) > 8:
            shapes.pop()
        return dict(zip(NAMES, shapes or [(3,)], strict=False))

    def _numbers(self, shape):
        draw = self.random
        numbers = []
        for _ in range(int(np.prod(shape))):
            kind = draw.random()
            if kind < 0.5:
                numbers.append(draw.choice(ROUND))
            elif kind < 0.8:
                numbers.append(draw.uniform(-3, 3))
            else:
                numbers.append(draw.choice((-1, 1)) * 10 ** draw.uniform(-2, 2))
        return np.array(numbers).reshape(shape)

    # --------------------------------------------------------------------------- operations
    def _grow(self, steps):
        for _ in range(steps):
            name = self._name()
            for _ in range(8):
                node = self._tried(name)
                if node is not None:
                    self._keep(node)
                    break

    def _name(self):
        kind = self.random.random()
        table = ARITHMETIC if kind < 0.35 else RELATIONS if kind < 0.42 else CHOICES
        return self.random.choice(self.table if kind > 0.55 else table)

    def _operand(self):
        kind = self.random.random()
        if kind < 0.15:
            text = self.random.choice(LITERALS)
            number = CONSTANTS[text] if text in CONSTANTS else float(text)
            return Node(text, reference.as_array(self.arithmetic.constant(number)))
        return self.random.choice(self.loose if self.loose and kind < 0.65 else self.pool)

    def _operands(self, count):
        """Nodes, sometimes the same one or others of the same values."""
        nodes = [self._operand()]
        while len(nodes) < count:
            first = nodes[-1]
            if self.random.random() < 0.2:
                equal = [node for node in self.pool if _alike(node, first)]
                nodes.append(self.random.choice(equal or [first]))
            else:
                nodes.append(self._operand())
        return nodes

    def _tried(self, name):
        """A node of an operation, or None where the operands do not suit it."""
        known = FUNCTIONS.get(name)
        meant = forms(known) if known else {1 if name == "negative" else 2: name}
        arity = self.random.choice(list(meant))
        nodes = self._operands(arity)
        keywords = self._keywords(known, nodes) if arity == 1 else {}
        text = _text(name, nodes, keywords)
        if len(text) > LONGEST:
            return None
        try:
            truth = self._truth(meant[arity], [node.truth for node in nodes], keywords)
        except (Undecided, ValueError):
            return None
        if truth.size > 6 or not self._suits(truth):
            return None
        self._note(meant[arity], nodes)
        return Node(text, truth, name, tuple(nodes), keywords)

    def _truth(self, name, operands, keywords):
        if name in ELEMENTWISE:
            return reference.each(self.arithmetic, ELEMENTWISE[name], *operands)
        if name == "matrix_multiply" and not all(x.ndim for x in operands):
            raise ValueError("no matrices")
        return ARRAYS[name](self.arithmetic, *operands, **keywords)

    def _keywords(self, known, nodes):
        """Sometimes an axis, sometimes keepdims."""
        ndim = nodes[0].truth.ndim
        if known is None or not known.keywords or not ndim or self.random.random() < 0.4:
            return {}
        keywords = {"axis": self.random.randrange(-ndim, ndim)}
        if self.random.random() < 0.5:
            keywords["keepdims"] = 1
        return keywords

    def _suits(self, truth):
        """Whether no value is nan or large; now and then it may be, for a choice to mask it."""
        if self.random.random() < 0.08:
            return True
        return all(abs(x.value) < LARGEST and x.sure for x in truth.reshape(-1))

    def _keep(self, node):
        self.loose = [other for other in self.loose if other not in node.operands]
        self.loose.append(node)
        self.pool.append(node)

    def _joined(self):
        """One node of all that nothing has used so far."""
        ends = [node for node in self.loose if node.operands] or self.pool[:1]
        root = ends[0]
        for node in ends[1:]:
            name = self.random.choice(("add", "multiply", "subtract"))
            text = _text(name, [root, node], {})
            try:
                truth = self._truth(name, [root.truth, node.truth], {})
            except ValueError:
                continue
            if truth.size <= 6 and len(text) <= 2 * LONGEST:
                root = Node(text, truth, name, (root, node))
        return root

    def _note(self, name, nodes):
        """What there is to be met."""
        if name in ("sign", "floor", "ceil", *RELATIONS):
            self.kinds.add("a step")
        if name in ("where", "minimum", "maximum", "clip", "min", "max", "min/2", "max/2"):
            self.kinds.add("a choice")
        if name in ("minimum", "maximum", "min/2", "max/2") and _alike(*nodes):
            self.kinds.add("a tie")
        if name == "where" and any(x.value < 0 for x in nodes[0].truth.reshape(-1)):
            self.kinds.add("a negative condition")
        if any(mpmath.isnan(x.value) for node in nodes for x in node.truth.reshape(-1)):
            self.kinds.add("a nan below")
        if any(node.operands and node not in self.loose for node in nodes):
            self.kinds.add("a shared node")

    # --------------------------------------------------------------------------- as a graph
    def recorded(self, *variables):
        """The same on Variables, where each node is computed once."""
        done = {id(self.pool[i]): x for i, x in enumerate(variables)}
        for node in self._in_order():
            if id(node) not in done:
                done[id(node)] = _applied(node, [done[id(x)] for x in node.operands])
        return done[id(self.root)]

    def _in_order(self):
        """The nodes that the root is made of, each after its operands."""
        order, waiting, seen = [], [(self.root, False)], set()
        while waiting:
            node, is_ready = waiting.pop()
            if is_ready:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                waiting.append((node, True))
                waiting += [(operand, False) for operand in node.operands]
        return order

    @property
    def mixes(self):
        """Whether a norm or a matrix product mixes elements, and not all derivatives are finite.

        What a choice leaves out is masked no further then, as the manual says, and a nan shows.
        """
        mixing = {"norm", "dot", "matrix_multiply"}.intersection(self.functions)
        numbers = (
            d
            for jet in self.root.truth.reshape(-1)
            for d in (*jet.first.values(), *jet.second.values())
        )
        return bool(mixing) and not all(map(mpmath.isfinite, numbers))

    @property
    def functions(self):
        """The names of the operations."""
        return [node.function for node in self._in_order() if node.function]


def _alike(first, second):
    """Whether two nodes have equal values."""
    a, b = first.truth.reshape(-1), second.truth.reshape(-1)
    return len(a) == len(b) and all(x.value == y.value for x, y in zip(a, b, strict=True))


def _text(name, nodes, keywords):
    if name == "negative":
        return f"(-{nodes[0].text})"
    if name in SYMBOLS:
        return f"({nodes[0].text} {SYMBOLS[name]} {nodes[1].text})"
    given = [f"{key}={value}" for key, value in keywords.items()]
    return f"{name}({', '.join([*(node.text for node in nodes), *given])})"


def _applied(node, operands):
    """A node's operation on Variables, as the language applies it."""
    if node.is_literal:
        text = node.text
        return constant(CONSTANTS[text], text) if text in CONSTANTS else constant(float(text), text)
    if node.function == "negative":
        return operator.neg(*operands)
    if SYMBOLS.get(node.function) in COMPARED:
        return COMPARED[SYMBOLS[node.function]](*operands)
    if node.function in OPERATORS:
        if node.function == "power" and node.operands[1].is_literal and operands[1].name != "pi":
            operands[1] = float(operands[1].data)
        return OPERATORS[node.function](*operands)
    return FUNCTIONS[node.function].form(len(operands))(*operands, **node.keywords)
