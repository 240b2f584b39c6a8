"""Fits programs whose words all fit themselves: scalers, encoders, trees, linear models."""

from __future__ import annotations

from perennial.lang import FitContext, Learner, Program
from perennial.trainers.base import Batch, Fitted, Trainer, fitted_words, walk


class Direct(Trainer):
    """One pass through the program; each learner is fitted on what the words before it give."""

    def can_train(self, program: Program) -> bool:
        return all(isinstance(word, Learner) for word in fitted_words(program))

    def fit(self, program: Program, data: Batch, context: FitContext) -> Fitted:
        return walk(program, data, context)
