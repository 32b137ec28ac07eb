"""Prints values of each method from SciPy, statsmodels and NumPy, for random inputs from a seed.

    python -m venv /tmp/oracle && /tmp/oracle/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    /tmp/oracle/bin/python crates/promptops-stats/tests/make_oracle.py 20261122 > crates/promptops-stats/tests/oracle.json

The recorded values are compared in every test run. `cargo xtask test`, which has an environment with these libraries, also
runs this script with a fresh seed.

Methods that neither library has (Tango's interval, clustered Wilson) are computed here from their definition, by another
route than the Rust code takes: maximum likelihood by numerical optimisation, root finding by Brent's method.
"""

import json
import math
import random
import sys
import types

import numpy
import scipy
import statsmodels
import statsmodels.api
from scipy import optimize, stats
from statsmodels.stats import multitest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import confint_proportions_2indep

CASES = 60
pick = random.Random(int(sys.argv[1]))


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


def wilson():
    successes, trials = proportion()
    at = level()
    found = stats.binomtest(successes, trials).proportion_ci(at, "wilson")
    return {"successes": successes, "trials": trials, "level": at, "expected": [found.low, found.high]}


def clopper_pearson(successes, trials, at):
    """By quantiles: `binomtest(...).proportion_ci` looks for the same ends, but only to 2e-12 of the whole range."""
    tail = (1 - at) / 2
    low = stats.beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = stats.beta.isf(tail, successes + 1, trials - successes) if successes < trials else 1.0
    near = stats.binomtest(successes, trials).proportion_ci(at, "exact")
    assert abs(low - near.low) < 1e-10 and abs(high - near.high) < 1e-10
    return {"successes": successes, "trials": trials, "level": at, "expected": [float(low), float(high)]}


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
    tails = [float(stats.ttest_rel(candidate, parent, alternative=tail).pvalue) for tail in ("less", "greater")]
    ends = [float(found.low), float(found.high)]
    return {"parent": parent, "candidate": candidate, "alpha": alpha, "tails": tails, "expected": ends}


def exact_mcnemar():
    losses, wins = pick.randint(0, 60), pick.randint(0, 40)
    both = mcnemar([[0, losses], [wins, 0]], exact=True).pvalue if losses + wins else 1.0
    total = losses + wins
    worse = stats.binomtest(losses, total, alternative="greater").pvalue if total else 1.0
    better = stats.binomtest(wins, total, alternative="greater").pvalue if total else 1.0
    return {"losses": losses, "wins": wins, "expected": [float(worse), float(better), float(min(1.0, both))]}


def sign_flip():
    # Either sums tie to the last bit or they do not tie: SciPy takes sums that differ by rounding for ties only as far as that is
    # little beside the mean, which may be next to nothing.
    step = pick.choice([1, 0.25, None])
    drawn = [pick.gauss(0.3, 1) for _ in range(pick.randint(2, 10))]
    x = [round(one / step) * step if step else one for one in drawn]

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


def required_cases():
    effect, alpha, wanted = pick.uniform(0.02, 1.2), pick.choice([0.01, 0.05, 0.1]), pick.choice([0.7, 0.8, 0.9, 0.95])
    one, two = pick.choice([("larger", 1), ("two-sided", 2)])
    exact = TTestPower().solve_power(effect, nobs=None, alpha=alpha, power=wanted, alternative=one)
    if abs(exact - round(exact)) < 1e-6:
        return required_cases()
    # A t test needs two cases, however large the effect.
    needed = max(2, math.ceil(float(numpy.squeeze(exact))))
    return {"effect": effect, "alpha": alpha, "power": wanted, "sides": two, "expected": [needed]}


def weighted():
    """Weighted least squares of a constant: robust errors by case (HC1) or by cluster."""
    x = values(low=6)
    weights = [pick.choice([1.0, 2.0, pick.uniform(0.1, 5)]) for _ in x]
    groups = clusters(len(x)) if pick.random() < 0.5 else None
    scale = max(map(abs, x))
    model = statsmodels.api.WLS(numpy.array(x) / scale, numpy.ones(len(x)), weights=weights)
    units = len(set(groups)) if groups else len(x)
    kind = {"cov_kwds": {"groups": numpy.array(groups or range(len(x))), "use_correction": False}}
    fit = model.fit(cov_type="cluster", **kind)
    error = float(fit.bse[0]) * scale * math.sqrt(units / (units - 1))
    return {"values": x, "weights": weights, "clusters": groups, "expected": [float(fit.params[0]) * scale, error]}


class SplitMix64:
    """The generator of the Rust crate, so that both resample alike."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        return ((mixed ^ (mixed >> 31)) * bound) >> 64


def bca():
    x, at, seed = values(low=5, high=40), pick.choice([0.8, 0.9, 0.95]), pick.randint(0, 2**32)
    generator = SplitMix64(seed)
    drawn, mean = [numpy.mean([x[generator.below(len(x))] for _ in x]) for _ in range(400)], numpy.mean(x)
    # A draw that is a permutation of all values is a tie, which SciPy sees only when it is rounded alike.
    drawn = [mean if abs(one - mean) <= 1e-13 * abs(mean) else one for one in drawn]
    # SciPy adds no draws of its own to those of an earlier result, and computes the interval from them.
    earlier = types.SimpleNamespace(bootstrap_distribution=numpy.array(drawn))
    found = stats.bootstrap(
        (numpy.array(x),), numpy.mean, n_resamples=0, bootstrap_result=earlier, method="BCa", confidence_level=at
    ).confidence_interval
    return {"values": x, "draws": 400, "seed": seed, "level": at, "expected": [float(found.low), float(found.high)]}


def betting():
    """The interval from its definition: products of plain factors, inverted by Brent's method."""
    most = pick.randint(20, 300)
    count, alpha = pick.randint(5, most), pick.choice([0.025, 0.05])
    low, high = pick.choice([(-1.0, 1.0), (0.0, 1.0)])
    centre = pick.uniform(low, high)
    sizes = [pick.choice([1.0, 1.0, 2.0, 3.5]) for _ in range(count)]
    x = [min(high, max(low, pick.gauss(centre, 0.2))) for _ in range(count)]
    largest, log = max(sizes), math.log(1 / alpha)
    horizons = [max(1.0, share * most) for share in (1.0, 0.4, 0.15, 0.05)]
    stakes, squares = [], 0.0
    for index in range(count):
        variance = ((high - low) ** 2 / 4 + squares) / (index + 1)
        stakes.append([math.sqrt(2 * log / (variance * horizon)) for horizon in horizons])
        mean = numpy.average(x[: index + 1], weights=sizes[: index + 1])
        squares += (sizes[index] * (x[index] - mean) / largest) ** 2
    def excess(m, sign):
        worst = m - low if sign > 0 else high - m
        bound = 0.75 / worst if worst > 0 else math.inf
        factors = [
            [1 + sign * min(stake[k], bound) * size * (value - m) / largest for value, size, stake in zip(x, sizes, stakes)]
            for k in range(4)
        ]
        # From log(1/alpha) to infinity without overflow.
        return float(numpy.logaddexp.reduce([math.fsum(map(math.log, row)) for row in factors])) - math.log(4) - log

    estimate = float(numpy.average(x, weights=sizes))
    ends = [
        optimize.brentq(excess, end, estimate, args=(sign,), xtol=1e-14) if excess(end, sign) >= 0 else end
        for end, sign in ((low, 1), (high, -1))
    ]
    return {"values": x, "weights": sizes, "range": [low, high], "alpha": alpha, "most": most, "expected": ends}


def kappa():
    count, kinds = pick.randint(5, 200), pick.randint(2, 5)
    first = [pick.randrange(kinds) for _ in range(count)]
    second = [one if pick.random() < 0.6 else pick.randrange(kinds) for one in first]
    table = numpy.zeros((kinds, kinds))
    for one, other in zip(first, second):
        table[one][other] += 1
    found = cohens_kappa(table, return_results=False)
    return kappa() if math.isnan(found) else {"first": first, "second": second, "expected": [float(found)]}


def adjusted(method):
    p = [pick.choice([pick.random(), 0.02 * pick.random()]) for _ in range(pick.randint(1, 25))]
    return {"p": p, "expected": [float(value) for value in multitest.multipletests(p, method=method)[1]]}


FUNCTIONS = {
    "wilson": wilson,
    "clopper_pearson": lambda: clopper_pearson(*proportion(), level()),
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
    "required_cases": required_cases,
    "weighted": weighted,
    "bca": bca,
    "betting": betting,
    "kappa": kappa,
    "holm": lambda: adjusted("holm"),
    "benjamini_hochberg": lambda: adjusted("fdr_bh"),
}


def large():
    """Sizes of a drift window, where a fixed number of terms of a series would not do."""
    sizes = [(50_000, 100_000), (123, 1_000_000), (999_000, 1_000_000), (250_000, 10_000_000)]
    return [clopper_pearson(successes, trials, 0.999) for successes, trials in sizes]


def main():
    sections = {name: [make() for _ in range(CASES)] for name, make in FUNCTIONS.items()}
    sections["clopper_pearson"] += large()
    versions = {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "numpy": numpy.__version__}
    lines = [f'"{name}": [\n' + ",\n".join(map(json.dumps, cases)) + "\n]" for name, cases in sections.items()]
    print('{\n"versions": ' + json.dumps(versions) + ",\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
