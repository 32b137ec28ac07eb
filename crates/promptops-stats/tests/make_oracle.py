"""Writes oracle.json: values of each method from SciPy, statsmodels and NumPy, for seeded random inputs.

    python -m venv /tmp/oracle && /tmp/oracle/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    /tmp/oracle/bin/python crates/promptops-stats/tests/make_oracle.py

Methods that neither library has (Tango's interval, clustered Wilson) are computed here from their definition, by another
route than the Rust code takes: maximum likelihood by numerical optimisation, root finding by Brent's method.
"""

import json
import math
import pathlib
import random

import numpy
import scipy
import statsmodels
import statsmodels.api
from scipy import optimize, stats
from statsmodels.stats import multitest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

CASES = 60
pick = random.Random(20261122)


def level():
    return pick.choice([0.8, 0.9, 0.95, 0.99, 0.999])


def proportion(most=5000):
    trials = int(round(math.exp(pick.uniform(0, math.log(most)))))
    share = pick.choice([0.0, 1.0, pick.random(), pick.random(), 0.02 * pick.random()])
    return [sum(pick.random() < share for _ in range(trials)), trials]


def values(low=2, high=60):
    scale = 10 ** pick.uniform(-6, 4)
    return [scale * (pick.gauss(0, 1) + 3 * pick.random() ** 4) for _ in range(pick.randint(low, high))]


def clusters(count):
    labels = [pick.randint(0, max(1, count // 3)) for _ in range(count)]
    labels[0], labels[1] = 900, 901
    return labels


def one_proportion(method):
    successes, trials = proportion()
    at = level()
    found = stats.binomtest(successes, trials).proportion_ci(at, method)
    return {"successes": successes, "trials": trials, "level": at, "expected": [found.low, found.high]}


def newcombe():
    (k0, n0), (k1, n1) = proportion(), proportion()
    at = level()
    found = confint_proportions_2indep(k1, n1, k0, n0, method="newcomb", compare="diff", alpha=1 - at)
    return {"baseline": [k0, n0], "current": [k1, n1], "level": at, "expected": list(map(float, found))}


def tango():
    n = pick.randint(3, 400)
    wins, losses, both, neither = numpy.random.default_rng(pick.randint(0, 10**9)).multinomial(
        n, pick.choice([[0.1, 0.1, 0.6, 0.2], [0.02, 0.08, 0.8, 0.1], [0.3, 0.2, 0.3, 0.2], [0.0, 0.1, 0.5, 0.4]])
    )
    wins, losses, at = int(wins), int(losses), level()
    if n in (wins, losses):
        return tango()
    critical = stats.norm.isf((1 - at) / 2)

    def score(difference):
        # The shares (win, loss) = (step + max(d, 0), step + max(-d, 0)) that maximise the likelihood given d.
        room = (1 - abs(difference)) / 2
        more_wins, more_losses = max(difference, 0.0), max(-difference, 0.0)

        def slope(step):
            total = wins / (step + more_wins) if wins else 0.0
            total += losses / (step + more_losses) if losses else 0.0
            return total - ((n - wins - losses) / (room - step) if n > wins + losses else 0.0)

        edge = 1e-13 * room
        if slope(edge) <= 0:
            step = 0.0
        elif slope(room - edge) >= 0:
            step = room
        else:
            step = optimize.brentq(slope, edge, room - edge, xtol=1e-17, rtol=1e-15)
        variance = n * (2 * step + abs(difference) - difference**2)
        return (wins - losses - n * difference) / math.sqrt(variance) if variance > 0 else math.inf

    estimate = (wins - losses) / n
    low = optimize.brentq(lambda d: score(d) - critical, -1 + 1e-9, estimate - 1e-13, xtol=1e-14)
    high = optimize.brentq(lambda d: score(d) + critical, estimate + 1e-13, 1 - 1e-9, xtol=1e-14)
    return {"wins": wins, "losses": losses, "cases": n, "level": at, "expected": [low, high]}


def mean():
    x, at = values(), level()
    found = stats.t.interval(at, len(x) - 1, numpy.mean(x), stats.sem(x))
    return {"values": x, "level": at, "expected": list(map(float, found))}


def mean_clustered():
    x = values(low=6)
    groups, at = clusters(len(x)), level()
    # Clusters of 1 and 2 share a fit of a constant; scaled to order one, as the solver is not scale-free.
    scale = max(map(abs, x))
    fit = statsmodels.api.OLS(numpy.array(x) / scale, numpy.ones(len(x))).fit(
        cov_type="cluster", cov_kwds={"groups": numpy.array(groups), "use_correction": False}
    )
    units = len(set(groups))
    error = float(fit.bse[0]) * scale * math.sqrt(units / (units - 1))
    found = stats.t.interval(at, units - 1, numpy.mean(x), error)
    return {"values": x, "clusters": groups, "level": at, "error": error, "expected": list(map(float, found))}


def welch():
    x, y, at = values(), values(), level()
    found = stats.ttest_ind(y, x, equal_var=False).confidence_interval(at)
    return {"baseline": x, "current": y, "level": at, "expected": [float(found.low), float(found.high)]}


def wilson_clustered():
    size = pick.randint(8, 300)
    groups = clusters(size)
    tendency = {group: pick.choice([0.1, 0.3, 0.8]) for group in groups}
    success = [pick.random() < tendency[group] for group in groups]
    success[0], success[1] = True, False
    at, units, share = level(), len(set(groups)), numpy.mean(success)
    fit = statsmodels.api.OLS(numpy.array(success, float), numpy.ones(size)).fit(
        cov_type="cluster", cov_kwds={"groups": numpy.array(groups), "use_correction": False}
    )
    design = float(fit.bse[0]) ** 2 * units / (units - 1) / (share * (1 - share) / size)
    effective = size / max(1, design)
    z = stats.t.isf((1 - at) / 2, units - 1)
    ends = [
        optimize.brentq(lambda p: (share - p) ** 2 - z * z * p * (1 - p) / effective, *ends, xtol=1e-16)
        for ends in ([0, share], [share, 1])
    ]
    return {"successes": success, "clusters": groups, "level": at, "effective": effective, "expected": ends}


def quantile():
    x, at = values(low=1, high=200), level()
    probability = pick.choice([0.5, 0.25, 0.9, 0.95, pick.uniform(0.05, 0.95)])
    found = stats.quantile_test(x, p=probability).confidence_interval(at)
    ends = [None if math.isnan(end) else float(end) for end in found]
    estimate = float(numpy.quantile(x, probability))
    return {"values": x, "probability": probability, "level": at, "estimate": estimate, "expected": ends}


def paired():
    parent = values(low=3)
    candidate = [value + pick.gauss(0.1, 1) * abs(parent[0]) for value in parent]
    alpha = pick.choice([0.005, 0.025, 0.05, 0.1])
    found = stats.ttest_rel(candidate, parent).confidence_interval(1 - 2 * alpha)
    return {"parent": parent, "candidate": candidate, "alpha": alpha, "expected": [float(found.low), float(found.high)]}


def exact_mcnemar():
    losses, wins = pick.randint(0, 60), pick.randint(0, 40)
    both = mcnemar([[0, losses], [wins, 0]], exact=True).pvalue if losses + wins else 1.0
    total = losses + wins
    worse = stats.binomtest(losses, total, alternative="greater").pvalue if total else 1.0
    better = stats.binomtest(wins, total, alternative="greater").pvalue if total else 1.0
    return {"losses": losses, "wins": wins, "expected": [float(worse), float(better), float(min(1.0, both))]}


def sign_flip():
    x = [round(pick.gauss(0.3, 1), pick.choice([0, 1, 6])) for _ in range(pick.randint(2, 10))]

    def tail(alternative):
        test = stats.permutation_test(
            (numpy.array(x),), numpy.mean, permutation_type="samples", alternative=alternative, n_resamples=10**6
        )
        return float(test.pvalue)

    return {"differences": x, "expected": [tail("less"), tail("greater"), tail("two-sided")]}


def power():
    freedom = pick.choice([1, 2, 5, 20, 100, 1000, 20000])
    shift, alpha = pick.uniform(0.05, 6), pick.choice([0.01, 0.05, 0.1])
    one_critical, two_critical = stats.t.isf(alpha, freedom), stats.t.isf(alpha / 2, freedom)
    one = stats.nct.sf(one_critical, freedom, shift)
    two = stats.nct.sf(two_critical, freedom, shift) + stats.nct.cdf(-two_critical, freedom, shift)
    return {"shift": shift, "freedom": freedom, "alpha": alpha, "expected": [float(one), float(two)]}


def adjusted(method):
    p = [pick.choice([pick.random(), 0.02 * pick.random()]) for _ in range(pick.randint(1, 25))]
    return {"p": p, "expected": [float(value) for value in multitest.multipletests(p, method=method)[1]]}


FUNCTIONS = {
    "wilson": lambda: one_proportion("wilson"),
    "clopper_pearson": lambda: one_proportion("exact"),
    "newcombe": newcombe,
    "tango": tango,
    "mean": mean,
    "mean_clustered": mean_clustered,
    "welch": welch,
    "wilson_clustered": wilson_clustered,
    "quantile": quantile,
    "paired": paired,
    "mcnemar": exact_mcnemar,
    "sign_flip": sign_flip,
    "power": power,
    "holm": lambda: adjusted("holm"),
    "benjamini_hochberg": lambda: adjusted("fdr_bh"),
}


def large():
    """Sizes of a drift window, where a fixed number of terms of a series would not do."""
    cases = []
    for successes, trials in [(50_000, 100_000), (123, 1_000_000), (999_000, 1_000_000), (250_000, 10_000_000)]:
        found = stats.binomtest(successes, trials).proportion_ci(0.999, "exact")
        expected = [found.low, found.high]
        cases.append({"successes": successes, "trials": trials, "level": 0.999, "expected": expected})
    return cases


def main():
    sections = {name: [make() for _ in range(CASES)] for name, make in FUNCTIONS.items()}
    sections["clopper_pearson"] += large()
    versions = {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "numpy": numpy.__version__}
    target = pathlib.Path(__file__).with_name("oracle.json")
    lines = [f'"{name}": [\n' + ",\n".join(map(json.dumps, cases)) + "\n]" for name, cases in sections.items()]
    target.write_text('{\n"versions": ' + json.dumps(versions) + ",\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
