"""Print decay.csv: a charge that leaks away, as a class might read it from a voltmeter.

Fourteen readings, one every minute and a half, of y = a*exp(-k*t) + c with a = 9 V, k = 0.25 per
minute and c = 1 V; each has a standard uncertainty of 0.1 V and 4 %. They are simulated, with a
fixed seed, so that this script always prints the same table.
"""

import math
import random


def main() -> None:
    """Print the table."""
    draw = random.Random(3)  # noqa: S311, no secret
    print("t,y,sy")
    for i in range(14):
        t = 1.5 * i
        y = 9 * math.exp(-0.25 * t) + 1
        sigma = 0.1 + 0.04 * y
        print(f"{t:.1f},{draw.gauss(y, sigma):.3f},{sigma:.3f}")


if __name__ == "__main__":
    main()
