"""Tribune alone for a long time: whether its memory stays flat and no scrape is missed."""

import time


def missed(server, minutes, settings):
    """Of the scrapes due in the last minutes: targets that had too few samples of `up`, and how often one was down.

    A target's phase is fixed, so that a span of whole intervals holds the same number of scrapes whenever it begins; scrapes of a
    lane that come a little late shift by less than an interval. A second ago, so that no scrape is committed in the middle.
    """
    span = int(minutes * 60)
    due = span // settings.interval
    late = server.series(f'sum({due} - (count_over_time(up{{job="fleet"}}[{span}s] offset 1s) < {due}))')
    down = server.series(f'sum(count_over_time(up{{job="fleet"}}[{span}s] offset 1s) - sum_over_time(up{{job="fleet"}}[{span}s] offset 1s))')
    return tuple(round(float(result[0]["value"][1])) if result else 0 for result in (late, down))


def measure_sustained(server, fleet, settings):
    """Prints a line a minute; the first rounds, in which every series is made, are left out of the sums."""
    fleet.wait_for_rounds([server], 4, settings.targets)
    series = settings.targets * settings.series
    # Queries are asked of whole minutes that the store has.
    print("\n| minute | resident MiB | anonymous + files + shared | bytes per series | CPU s per million samples | scrapes missed | scrapes failed |")
    print("|---|---|---|---|---|---|---|", flush=True)
    begin, resident, lost = time.monotonic(), [], [0, 0]
    before = server.cpu_seconds(), fleet.scrapes(server.agent)
    for minute in range(1, int(settings.minutes) + 1):
        time.sleep(max(0, begin + 60 * minute - time.monotonic()))
        now = server.cpu_seconds(), fleet.scrapes(server.agent)
        cost = (now[0] - before[0]) / max((now[1] - before[1]) * settings.series, 1) * 1e6
        before = now
        resident.append(server.resident_bytes())
        parts = " + ".join(f"{part / 2**20:.0f}" for part in server.resident_parts())
        figures = missed(server, 1, settings)
        lost = [old + new for old, new in zip(lost, figures)]
        print(
            f"| {minute} | {resident[-1] / 2**20:.0f} | {parts} | {resident[-1] / series:.0f} | {cost:.3f} | {figures[0]} | {figures[1]} |",
            flush=True,
        )
    half = resident[len(resident) // 2 :]
    print(f"\n{lost[0]} scrapes missed and {lost[1]} failed in {len(resident)} minutes; in the second half of them resident "
          f"memory went from {half[0] / 2**20:.0f} to {half[-1] / 2**20:.0f} MiB, at most {max(half) / 2**20:.0f}.")  # fmt: skip
    stored = server.series('count({job="fleet",service!=""})')
    count = float(stored[0]["value"][1]) if stored else 0
    if count != series:
        raise RuntimeError(f"{server.name} has {count:.0f} of {series} series")
