"""prototype"""
from statistics import NormalDist
import numpy as np

def normal_quantile(level):
    return NormalDist().inv_cdf((1 + level) / 2)

def student_quantile(level, df):
    z = normal_quantile(level)
    return (z + (z**3 + z)/(4*df) + (5*z**5+16*z**3+3*z)/(96*df**2)
            + (3*z**7+19*z**5+17*z**3-15*z)/(384*df**3))

def wilson(value, n, level):
    z2 = normal_quantile(level)**2
    value = np.asarray(value, float)
    centre = (value*n + z2/2)/(n+z2)
    half = np.sqrt(z2*(value*(1-value)*n + z2/4))/(n+z2)
    return np.minimum(np.clip(centre-half,0,1), value), np.maximum(np.clip(centre+half,0,1), value)

def binomial_upper(k, n, tail):
    out = np.ones(len(k))
    for c in range(len(k)):
        if k[c] == n[c]: continue
        lf = np.concatenate([[0.], np.cumsum(np.log(np.arange(1, n[c]+1)))])
        j = np.arange(k[c]+1)
        comb = lf[n[c]] - lf[j] - lf[n[c]-j]
        lo, hi = 0., 1.
        for _ in range(40):
            p = (lo+hi)/2
            t = np.exp(comb + j*np.log(p) + (n[c]-j)*np.log1p(-p)).sum()
            lo, hi = (p, hi) if t > tail else (lo, p)
        out[c] = hi
    return out

def mean_interval(values, sizes, weights, level, correlation=None, bias=0.0):
    z2 = normal_quantile(level)**2
    R = np.eye(len(values)) if correlation is None else correlation
    cautious = (values*sizes + z2/2)/(sizes+z2)
    centre = weights@cautious
    spread = weights*np.sqrt(cautious*(1-cautious)/sizes)
    size = centre*(1-centre)/(spread@R@spread)
    v = weights@values
    low, high = wilson(np.clip(v-bias,0,1), size, level)
    l, u = wilson(values, sizes, level)
    a, b = weights*(values-l), weights*(u-values)
    low = min(low, v-np.sqrt(a@R@a)); high=max(high, v+np.sqrt(b@R@b))
    return max(low, weights@l), min(high, weights@u)

def minimum_interval(k, n, level):
    tail = (1-level)/2
    high = binomial_upper(k, n, 1-(1-tail)**(1/len(k))).min()
    low = (1-binomial_upper(n-k, n, tail)).min()
    return low, high

def geometric_interval(k, n, level):
    l, u = wilson(k/n, n, level)
    z = normal_quantile(level)
    K = len(k)
    i = np.arange(1, n.max()+1)
    h = np.concatenate([[0.], np.cumsum(1/i)]); h2 = np.concatenate([[0.], np.cumsum(1/i**2)])
    high = np.exp(-(h[n]-h[k]).mean() + z*np.sqrt((h2[n]-h2[k]).sum())/K)
    high = min(high, np.exp(np.log(u).mean()))
    if (k == 0).any(): return 0., high
    logp = np.log(k/n)
    low = np.exp(logp.mean() - np.sqrt(((logp-np.log(l))**2).sum())/K)
    return low, high
