#!/usr/bin/env python3
"""Prints SciPy's results for the inputs of GateStatisticsTests.swift, as rows for its tables. Needs numpy and scipy."""
import numpy as np
import scipy
from scipy import special, stats

print(f"// SciPy {scipy.__version__}")
print("// fisher_exact(alternative='greater'): candidate events, trials, stable events, trials, p")
for k1, n1, k0, n0 in [(1, 3, 0, 5), (5, 100, 0, 100), (3, 7, 3, 7), (0, 10, 4, 10), (10, 1000, 2, 5000), (30, 10000, 0, 10000),
                       (520, 100000, 500, 100000), (2000, 1000000, 1800, 1000000), (50, 50, 10, 50), (7, 9, 2, 11)]:
    p = stats.fisher_exact([[k1, n1 - k1], [k0, n0 - k0]], alternative="greater").pvalue
    print((k1, n1, k0, n0, float(p)), end=",\n")
print("// binomtest(k1, k1 + k0, n1 / (n1 + n0), 'greater') and the one-sided 95 % exact limits as ratios of rates")
for k1, n1, k0, n0 in [(5, 100, 1, 100), (10, 1000, 2, 5000), (0, 100, 3, 100), (40, 2000, 20, 2000)]:
    p = stats.binomtest(k1, k1 + k0, n1 / (n1 + n0), alternative="greater").pvalue
    lo = stats.binomtest(k1, k1 + k0, alternative="greater").proportion_ci(0.95, "exact").low
    hi = stats.binomtest(k1, k1 + k0, alternative="less").proportion_ci(0.95, "exact").high
    print((k1, n1, k0, n0, float(p), float(lo / (1 - lo) * n0 / n1), float(hi / (1 - hi) * n0 / n1)), end=",\n")
print("// Wilson 90 % two-sided, which is 95 % one-sided: events, trials, low, high")
for k, n in [(0, 20), (3, 50), (50, 50), (500, 100000)]:
    ci = stats.binomtest(k, n).proportion_ci(0.9, "wilson")
    print((k, n, float(ci.low), float(ci.high)), end=",\n")
print("// mannwhitneyu(candidate, stable, 'greater', method='exact') without ties")
for c, s in [([3, 5, 9], [1, 2, 4, 6]), ([1.5, 2.5, 3.5, 4.5], [0.5, 1, 2, 3]), ([10, 11, 12, 13, 14], [1, 2, 3, 4, 5])]:
    r = stats.mannwhitneyu(c, s, alternative="greater", method="exact")
    print((c, s, float(r.statistic), float(r.pvalue)), end=",\n")
print("// permutation_test of the rank sum with ties, all permutations")
for c, s in [([2, 2, 3], [1, 2, 2, 1]), ([1, 1, 2, 5], [1, 1, 1, 3, 4]), ([3, 3, 3], [3, 3, 2])]:
    def statistic(x, y):
        return stats.mannwhitneyu(x, y).statistic
    r = stats.permutation_test((c, s), statistic, alternative="greater", n_resamples=np.inf)
    print((c, s, float(r.statistic), float(r.pvalue)), end=",\n")
print("// mannwhitneyu(method='asymptotic') of bucket counts: stable, candidate, U, p")
for s, c in [([50, 30, 15, 5], [40, 30, 20, 10]), ([1000, 500, 100], [950, 520, 130]), ([5, 0, 20, 100, 3], [2, 1, 25, 110, 9]),
             ([40, 40, 40], [40, 40, 40])]:
    expand = lambda counts: np.repeat(np.arange(len(counts)), counts)
    r = stats.mannwhitneyu(expand(c), expand(s), alternative="greater", method="asymptotic")
    print((s, c, float(r.statistic), float(r.pvalue)), end=",\n")
print("// norm.sf, norm.ppf")
print([(z, float(stats.norm.sf(z))) for z in (-3.0, 0.0, 1.0, 1.959963984540054, 6.0, 12.0)])
print([(p, float(stats.norm.ppf(p))) for p in (1e-12, 0.001, 0.025, 0.3, 0.5, 0.95, 0.999999)])
print("// t.sf(t, df), t.ppf(0.95, df)")
print([(t, d, float(stats.t.sf(t, d))) for t, d in ((0.5, 3.0), (2.0, 18.0), (4.5, 18.0), (-1.0, 7.0))])
print([(d, float(stats.t.ppf(0.95, d))) for d in (1.0, 18.0, 200.0)])
print("// gammaln, betainc(a, b, x)")
print([(x, float(special.gammaln(x))) for x in (0.01, 0.5, 1.0, 2.5, 9.99, 123.4, 1e6)])
print([(a, b, x, float(special.betainc(a, b, x))) for a, b, x in ((2.0, 3.0, 0.4), (0.5, 0.5, 0.1), (30.0, 1000.0, 0.02), (5000.0, 5000.0, 0.51), (1e5, 2e6, 0.0477))])
print("// Hodges-Lehmann")
for c, s in [([3, 5, 9], [1, 2, 4, 6]), ([10, 11, 12, 13], [1, 2, 3, 4])]:
    print((c, s, float(np.median(np.subtract.outer(c, s)))))
