"""``--fit FILE``: values and covariance from the JSON of a fit."""

import json

import numpy as np
import pytest

from dezero_cli.faults import FileError
from dezero_cli.language.fitted import fitted

FIT = {
    "expr": "y == a*exp(-k*t)",
    "params": {
        "a": {"value": 9.0, "sigma": 0.4, "interval": [8.0, 10.0], "start": 1.0},
        "k": {"value": 0.25, "sigma": 0.02, "interval": [0.2, 0.3], "start": 0.1},
        "c": {"value": 1, "start": 1},
    },
    "covariance": {"a": {"a": 0.16, "k": 0.003}, "k": {"a": 0.003, "k": 0.0004}},
}


def written(tmp_path, data):
    """A file with a fit."""
    path = tmp_path / "fit.json"
    path.write_text(data if type(data) is str else json.dumps(data))
    return str(path)


def test_values_covariance_and_the_width_of_intervals(tmp_path):
    found = fitted(written(tmp_path, FIT))
    assert found.text == "y == a*exp(-k*t)" and found.values == {"a": 9.0, "k": 0.25, "c": 1.0}
    np.testing.assert_array_equal(
        found.covariance, [[0.16, 0.003, 0], [0.003, 0.0004, 0], [0, 0, 0]]
    )
    assert found.factor == 2.5 and found.level is None
    bare = fitted(written(tmp_path, {"params": {"a": {"value": 1.5}}, "level": 0.9}))
    assert (bare.factor, bare.level, bare.text) == (None, 0.9, "")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("[1]", "is not a JSON object"),
        ("{", "is not JSON"),
        ('{"a": 1}', 'it has no "params"'),
        ('{"params": {"a": {"value": null}}}', "parameter a has no finite value"),
        ('{"params": {"a": 3}}', "parameter a has no finite value"),
        ('{"by": {"g": 1}, "params": {}}\n{"by": {"g": 2}}\n', "has 2 fits, a line each"),
        (FIT | {"covariance": {"a": {"a": None}}}, "the covariance of a and a is not finite"),
        (FIT | {"covariance": {"a": {"a": -1}}}, "its covariance is none"),
        (FIT | {"covariance": {"a": {"a": 1, "k": 2}, "k": {"a": 2, "k": 1}}}, "its covariance"),
        (FIT | {"covariance": {"a": {"a": 1, "k": 0.5}, "k": {"k": 1}}}, "its covariance is none"),
        (FIT | {"covariance": {"a": {"a": 1, "c": 0.5}, "c": {"a": 0.5}}}, "its covariance"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, data, message):
    with pytest.raises(FileError, match=message):
        fitted(written(tmp_path, data))


@pytest.mark.parametrize("interval", [7, "ab", True, {"a": 1, "b": 2}, [1.0], None])
def test_intervals_of_another_form_say_nothing(tmp_path, interval):
    path = tmp_path / "f.json"
    params = {"a": {"value": 1.0, "sigma": 0.5, "interval": interval}}
    path.write_text(json.dumps({"params": params, "covariance": {"a": {"a": 0.25}}}))
    assert fitted(str(path)).factor is None
