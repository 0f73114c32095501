"""`make bench`: every benchmark in turn, or those named; JSON lines on stdout."""

import sys

from tests.benchmarks import baseline, fairness, recovery, restarts, throughput

PARTS = {
    "baseline": baseline.run, "throughput": throughput.run, "fairness": fairness.run, "restarts": restarts.run,
    "recovery": recovery.run,
}  # fmt: skip


def main() -> None:
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
