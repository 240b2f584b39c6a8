"""scikit-learn's own checks of the two estimators, and what they promise beyond them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from perennial.estimators import GrownClassifier, GrownRegressor

EXCEPTIONS = {}


@parametrize_with_checks(
    [GrownClassifier(trials=1, workers=0), GrownRegressor(trials=1, workers=0)],
    expected_failed_checks=lambda estimator: EXCEPTIONS,
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_accepts_the_estimators(estimator, check):
    check(estimator)


def test_cross_validation_works_and_beats_chance():
    x, y = load_iris(return_X_y=True)
    assert cross_val_score(GrownClassifier(trials=2, workers=0), x, y, cv=3).mean() > 0.9


def test_labels_of_any_kind_come_back():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = GrownClassifier(trials=2, workers=0).fit(x, names)
    assert set(model.predict(x)) == set(names) and model.predict_proba(x).shape == (150, 3)


def test_the_same_seed_and_trials_give_the_same_predictions():
    x, y = load_diabetes(return_X_y=True)
    model = GrownRegressor(trials=3, workers=0, seed=1)
    assert np.array_equal(clone(model).fit(x, y).predict(x), clone(model).fit(x, y).predict(x))
