"""A space of your own: a program with open choices, closed by any strategy."""

from pathlib import Path

from perennial import Space, Study, Task
from perennial.lang import Lambda, Var, call
from perennial.primitives import vocabulary
from perennial.spaces import integer, one_of, real

DATA = Path(__file__).parent / "data"


def main():
    words, row = vocabulary(), Var("row")
    numbers = call(
        words["join"], call(words["numbers"], row), call(words["ordinal"], call(words["categories"], row))
    )
    boosted = call(words["lightgbm"], numbers, leaves=integer("leaves", 4, 64, log=True))
    forest = call(words["extra_trees"], numbers, max_features=real("max_features", 0.2, 1.0))
    space = Space(Lambda(("row",), one_of("learner", [boosted, forest])))

    task = Task.from_data(DATA / "abalone.csv", target="rings")
    with Study(task, space=space, strategy="evolution", workers=1) as study:
        study.run(trials=4)
        for record in study.board():
            print(f"{record.value:.4f}", record.trial.genotype)


if __name__ == "__main__":
    main()
