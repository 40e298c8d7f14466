"""Writes the figures of metrics_sklearn.json anew from the rows in it: python3 metrics_sklearn.py

scikit-learn gives AUC, average precision, log loss, Brier, slope, intercept and the reliability bins; numpy the ECE; scipy the EMPC, by numerical
integration over the share of churners who stay, and Wilson's intervals."""

import json
import pathlib

import numpy
import scipy
import scipy.integrate
import scipy.stats
import sklearn
from sklearn import calibration, linear_model, metrics

CUSTOMER, OFFER, CONTACT = 200, 10, 1


def ece(p, y):
    """Ten bins of equal mass by rank; for rows without equal probabilities."""
    order = numpy.argsort(p, kind="stable")
    bins = 10 * numpy.arange(len(p)) // len(p)
    return sum(abs((p[order] - y[order])[bins == b].sum()) for b in range(10)) / len(p)


def empc(p, y):
    n = len(y)
    curve = [(0, 0)] + [(y[p >= t].sum(), (1 - y)[p >= t].sum()) for t in numpy.unique(p)]
    pos, neg = numpy.array(curve, dtype=float).T

    def best(g):
        return ((g * (CUSTOMER - OFFER) - CONTACT) * pos - (OFFER + CONTACT) * neg).max() / n

    beta = scipy.stats.beta(6, 14)
    at = numpy.linspace(0, 1, 200_001)
    return scipy.integrate.simpson([best(g) * d for g, d in zip(at, beta.pdf(at))], x=at)


def figures(case):
    p, y = numpy.array(case["p"]), numpy.array(case["y"])
    w = None if case.get("w") is None else numpy.array(case["w"])
    case["auc"] = metrics.roc_auc_score(y, p, sample_weight=w)
    case["pr_auc"] = metrics.average_precision_score(y, p, sample_weight=w)
    case["log_loss"] = metrics.log_loss(y, p, sample_weight=w)
    case["brier"] = metrics.brier_score_loss(y, p, sample_weight=w)
    if w is not None:
        return
    logit = numpy.log(p) - numpy.log1p(-p)
    line = linear_model.LogisticRegression(C=numpy.inf, tol=1e-10, max_iter=10_000).fit(logit[:, None], y)
    case["slope"], case["intercept"] = line.coef_[0, 0], line.intercept_[0]
    case["empc"] = empc(p, y)
    if len(set(case["p"])) == len(p):
        case["ece"] = ece(p, y)
    if len(set(case["p"])) == len(p) and len(p) % 10 == 0:  # else its bins are not those by rank
        observed, mean = calibration.calibration_curve(y, p, n_bins=10, strategy="quantile")
        case["bins"] = [{"mean": m, "observed": o} for m, o in zip(mean, observed)]


def main():
    path = pathlib.Path(__file__).with_suffix(".json")
    stored = json.loads(path.read_text())
    if all(case["name"] != "two hundred" for case in stored["cases"]):
        rng = numpy.random.default_rng(8)
        p = rng.beta(2, 6, 200).round(6)
        y = rng.random(200) < 0.8 * p + 0.05
        stored["cases"].append({"name": "two hundred", "p": p.tolist(), "y": y.astype(float).tolist()})
    for case in stored["cases"]:
        figures(case)
    stored["wilson"] = []
    for hits, n in [(0, 10), (3, 10), (17, 40), (400, 400), (1, 1000)]:
        low, high = scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")
        stored["wilson"].append({"hits": hits, "n": n, "low": low, "high": high})
    stored["source"] = f"metrics_sklearn.py with scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {numpy.__version__}"
    path.write_text(json.dumps(stored) + "\n")


main()
