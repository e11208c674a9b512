"""The distance by coordinates given one by one: two derivatives against mpmath, at every size."""

import itertools

import mpmath
import numpy as np
import pytest

from dezero import Variable
from dezero.calculus import grad, hessian
from dezero.distance import distance

RANDOM = np.random.default_rng(23)
POINTS = [
    RANDOM.choice([-1, 1], count) * 10.0 ** RANDOM.uniform(-width, width, count)
    for count, width in itertools.product((1, 2, 3, 4, 7), (1, 6, 100))
]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{len(point)} of {point[0]:.1g}")
def test_two_derivatives(point):
    exact = [mpmath.mpf(float(x)) for x in point]
    with mpmath.workdps(60):
        n = mpmath.sqrt(sum(x * x for x in exact))
        first = [float(x / n) for x in exact]
        second = [
            [
                float(
                    (sum(z * z for k, z in enumerate(exact) if k != i) if i == j else -x * y) / n**3
                )
                for j, y in enumerate(exact)
            ]
            for i, x in enumerate(exact)
        ]
    gradient = grad(distance)(*point)
    assert float(distance(*point).data) == pytest.approx(float(n), rel=1e-15)
    assert np.ravel(gradient).tolist() == pytest.approx(first, rel=1e-15, abs=1e-300)
    got = np.reshape(hessian(distance)(*point), (len(point), len(point)))
    np.testing.assert_allclose(got, second, rtol=2e-15, atol=1e-300)


def test_the_origin_and_arrays():
    assert [float(g) for g in grad(distance)(0.0, 0.0, 0.0)] == [0.0, 0.0, 0.0]
    assert not np.any(hessian(distance)(0.0, 0.0, 0.0))
    x, y, z = np.zeros(3), np.array([3.0, 0.0, 3.0]), np.array([[4.0], [0.0]])
    expected = np.sqrt(x * x + y * y + z * z)
    got = distance(*map(Variable, (x, y, z)))
    np.testing.assert_allclose(got.data, expected, rtol=1e-15)
    slopes = np.where(expected == 0, 0, y / np.where(expected == 0, 1, expected)).sum(axis=0)
    np.testing.assert_allclose(grad(distance)(x, y, z)[1], slopes, rtol=1e-15)
