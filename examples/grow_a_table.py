"""From a CSV file to a tested model in a quarter of a minute."""

from pathlib import Path

import perennial as pn

DATA = Path(__file__).parent / "data"


def main():
    model = pn.grow(DATA / "penguins.csv", target="species", seconds=10)
    print(model.report)
    print(model.program)
    print(model.predict({"island": ["Biscoe"], "bill_length_mm": [47.5], "bill_depth_mm": [15.0],
                         "flipper_length_mm": [217], "body_mass_g": [5000], "sex": ["MALE"]}))  # fmt: skip


if __name__ == "__main__":
    main()
