#!/usr/bin/env python3
"""Trains one peer and measures it. usage: bench-boost-peer.py LIBRARY LEAVES TRAIN TEST TREES THREADS

LIBRARY: xgboost, lightgbm or sklearn (HistGradientBoosting). LEAVES: 63 = that many, leaf by leaf; depth6 = level by level.
One library a process, so that the peak of memory is its own. Prints one line of JSON.
"""
import json
import os
import resource
import sys
import time

library, leaves, train, test, trees, threads = sys.argv[1:7]
trees, threads = int(trees), int(threads)
os.environ["OMP_NUM_THREADS"] = str(threads)
import numpy as np  # noqa: E402 (reads the variable above)


def load(prefix):
    with open(prefix + ".json") as f:
        shape = json.load(f)
    x = np.fromfile(prefix + ".x.f32", np.float32).reshape(shape["rows"], shape["columns"])
    return x, np.fromfile(prefix + ".y.u8", np.uint8)


def auc(y, p):
    order = np.argsort(p, kind="stable")
    value, first, count = np.unique(p[order], return_index=True, return_counts=True)
    rank = np.empty(len(p))
    rank[order] = np.repeat(first + (count + 1) / 2, count)
    ones = float(y.sum())
    return (rank[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones))


def fit(x, y):
    """Returns the version, a function from rows to probabilities and one from rows to SHAP values, or None."""
    by_depth = leaves == "depth6"
    if library == "xgboost":
        import xgboost as xgb
        rows = xgb.DMatrix(x, y, nthread=threads)
        choices = {"objective": "binary:logistic", "tree_method": "hist", "eta": 0.1, "max_bin": 256, "nthread": threads, "reg_lambda": 1}
        choices |= {"max_depth": 6} if by_depth else {"max_depth": 0, "max_leaves": int(leaves), "grow_policy": "lossguide"}
        b = xgb.train(choices, rows, trees)
        return xgb.__version__, b.inplace_predict, lambda a: b.predict(xgb.DMatrix(a, nthread=threads), pred_contribs=True)
    if library == "lightgbm":
        import lightgbm as lgb
        choices = {"objective": "binary", "learning_rate": 0.1, "num_leaves": 64 if by_depth else int(leaves), "max_bin": 255,
                   "max_depth": 6 if by_depth else -1, "num_threads": threads, "lambda_l2": 1, "min_data_in_leaf": 20, "verbosity": -1}
        b = lgb.train(choices, lgb.Dataset(x, y, params=choices), trees)
        return lgb.__version__, lambda a: b.predict(a, num_threads=threads), lambda a: b.predict(a, pred_contrib=True, num_threads=threads)
    import sklearn
    from sklearn.ensemble import HistGradientBoostingClassifier
    b = HistGradientBoostingClassifier(
        max_iter=trees, learning_rate=0.1, max_leaf_nodes=None if by_depth else int(leaves), max_depth=6 if by_depth else None,
        max_bins=255, early_stopping=False, l2_regularization=1.0, min_samples_leaf=20).fit(x, y)
    return sklearn.__version__, lambda a: b.predict_proba(a)[:, 1], None


x, y = load(train)
wall, cpu = time.perf_counter(), time.process_time()
version, predict, shap = fit(x, y)
out = {"library": library, "version": version, "leaves": leaves, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu,
       "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
x, y = load(test)
predict(x[:1000])
best = float("inf")
for _ in range(3):
    wall = time.perf_counter()
    p = predict(x)
    best = min(best, time.perf_counter() - wall)
out["rows_per_s"] = len(x) / best
one = []
for i in range(200):
    wall = time.perf_counter()
    predict(x[i:i + 1])
    one.append(time.perf_counter() - wall)
out["one_row_us"] = sorted(one)[100] * 1e6
if shap:
    best = float("inf")
    for _ in range(2):
        wall = time.perf_counter()
        shap(x[:1000])
        best = min(best, time.perf_counter() - wall)
    out["shap_us"] = best / 1000 * 1e6
p = np.clip(p.astype(float), 1e-12, 1 - 1e-12)
out["auc"] = auc(y, p)
out["log_loss"] = float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))
print(json.dumps(out))
