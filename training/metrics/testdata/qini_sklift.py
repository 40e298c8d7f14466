"""Writes the figures of qini_sklift.json anew from the rows in it: python3 qini_sklift.py

scikit-uplift gives the Qini curve of rows without equal scores. Its points are met at each row by asking for the curve of the scores as they are; the mean
distance from the straight line to its end is our figure. numpy weighs the sums where propensities vary."""

import json
import pathlib

import numpy
import sklift
import sklift.metrics


def sklift_qini(y, treated, score):
    n = len(y)
    at, curve = sklift.metrics.qini_curve(y, score, treated)
    at, curve = at[1:], curve[1:]  # it begins at 0 rows
    assert list(at) == list(range(1, n + 1))
    return (curve - at / n * curve[-1]).mean() * 1000 / n


def weighted_qini(y, treated, score, e):
    n = len(y)
    order = numpy.argsort(-score)
    y, treated, e = y[order], treated[order], numpy.clip(e[order], 0.02, 0.98)
    w = numpy.where(treated == 1, e.mean() / e, (1 - e.mean()) / (1 - e))
    sums = [numpy.cumsum(w * v) for v in (treated * y, treated, (1 - treated) * y, 1 - treated)]
    ratio = numpy.divide(sums[1], sums[3], out=numpy.zeros(n), where=sums[3] != 0)
    q = sums[0] - sums[2] * ratio
    return (q - numpy.arange(1, n + 1) / n * q[-1]).mean() * 1000 / n


path = pathlib.Path(__file__).with_name("qini_sklift.json")
if path.exists():
    rows = json.loads(path.read_text())
else:
    rng = numpy.random.default_rng(1)
    n = 300
    score = rng.permutation(n) / n
    e = numpy.round(rng.uniform(0.005, 0.9, n), 3)
    treated = (rng.uniform(size=n) < e).astype(int)
    y = (rng.uniform(size=n) < 0.2 + 0.4 * treated * score).astype(int)
    rows = {"score": [round(float(s), 6) for s in score], "e": e.tolist(), "treated": treated.tolist(), "y": y.tolist()}
y, treated, score, e = (numpy.array(rows[k]) for k in ("y", "treated", "score", "e"))
rows["scikit-uplift"] = sklift.__version__
rows["qini"] = sklift_qini(y, treated, score)
rows["weighted"] = weighted_qini(y, treated, score, e)
path.write_text(json.dumps(rows) + "\n")
