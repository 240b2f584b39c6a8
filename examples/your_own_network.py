"""A network of your own: a program of layers with open choices, grown on images, and a plain Keras model at the end."""

from pathlib import Path

from perennial import Study, Task, compiler
from perennial.lang import Lambda, Var, call, parse
from perennial.primitives import vocabulary
from perennial.spaces import Limits, Space, integer, one_of, real
from perennial.weights import Weights

DATA = Path(__file__).parent / "data" / "sign-digits"


def main():
    words, image = vocabulary(), Var("image")
    width = integer("width", 8, 48, log=True, default=16)

    # Convolution, pooling and activation, twice; the space says what grows, so children start where parents stopped.
    x = call(words["pixels"], image)
    for kernel in (5, 3):
        x = call(words["max_pool"], call(words["conv"], x, width=width, kernel=kernel), size=2)
        x = call(one_of("activation", [words["relu"], words["gelu"]]), call(words["batch_norm"], x))
    rate = real("rate", 1e-3, 3e-2, log=True, default=1e-2)
    network = Lambda(
        ("image",), call(words["head"], call(words["global_pool"], x), learning_rate=rate, epochs=12)
    )
    space = Space(network, limits=Limits(parameters=50_000), growing=["width"])

    with Study(Task.from_data(DATA), space=space, strategy="evolution", workers=1).run(trials=3) as study:
        for record in study.board():
            print(f"{record.value:.3f}  {dict(record.trial.genotype)}")
        best = study.best
        weights = Weights.from_bytes(study.replicas(best)[0])
        model = compiler.keras_model(parse(best.source, words), weights)
        model.summary()


if __name__ == "__main__":
    main()
