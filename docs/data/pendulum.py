"""Print pendulum.csv: measurements of a pendulum, as a class might take them.

Ten lengths, four runs each. A run is the mean period of ten swings, timed by hand. The numbers are
simulated, not measured: g = 9.81 m/s2, with errors from a random generator with a fixed seed, so
that this script always prints the same table. One reading is missing, as often happens.
"""

import math
import random

G = 9.81
SIGMA_LENGTH = 0.002  # metres: a tape, and where the bob's centre may be
SIGMA_PERIOD = 0.012  # seconds: 0.12 s of reaction over ten swings


def main() -> None:
    """Print the table."""
    draw = random.Random(1656)  # noqa: S311, no secret
    print("run,who,L,s_L,T,s_T")
    for run in range(1, 41):
        length = 0.3 + 0.1 * ((run - 1) // 4)
        period = 2 * math.pi * math.sqrt(length / G) + draw.gauss(0, SIGMA_PERIOD)
        measured = length + draw.gauss(0, SIGMA_LENGTH)
        who = ("Ana", "Bo", "Chi", "Dov")[run % 4]
        shown = "" if run == 23 else f"{period:.3f}"
        print(f"{run:03},{who},{measured:.3f},{SIGMA_LENGTH},{shown},{SIGMA_PERIOD}")


if __name__ == "__main__":
    main()
