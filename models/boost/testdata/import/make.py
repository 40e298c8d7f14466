#!/usr/bin/env python3
"""Trains small models with XGBoost and LightGBM and writes them beside what these libraries predict, for import_test.go.

    python3 -m venv ENV && ENV/bin/pip install xgboost==3.2.0 lightgbm==4.7.0 pandas==3.1.1 && ENV/bin/python make.py
    /usr/bin/python3 make.py      # with Debian's python3-xgboost 1.7.4 and python3-pandas: the models of that version only

NAME.json or NAME.txt is a model as its library saves it; NAME.expect.json holds the columns, 80 rows (null = missing), the
library's margin of each (log-odds) and its path-dependent Shapley values (p values and the base, row by row); of two models
also the p·p interactions of the first 10 rows.
Thresholds fall on values that occur (rounded numbers), so that "below" and "up to" differ.
"""
import json, os, warnings
import numpy as np, pandas as pd, xgboost as xgb

warnings.filterwarnings("ignore")
os.chdir(os.path.dirname(os.path.abspath(__file__)))
LEVELS = ["basic", "plus", "team", "firm", "trial", "legacy", "student"]


def make(n, seed, zeros=False):
    r = np.random.default_rng(seed)
    x = np.column_stack([np.round(r.exponential(30, n)), np.round(r.normal(size=n), 1), r.integers(0, 5, n) - 2.0,
                         np.round(r.normal(size=n), 2), r.integers(0, 7, n).astype(float)])
    m = -1 + .03 * x[:, 0] - .7 * x[:, 1] + .3 * abs(x[:, 2]) + np.array([-1, .8, -.3, 1.2, 0, -.6, .4])[x[:, 4].astype(int)]
    gone = r.random(n) < .15
    m += gone
    x[gone, 1] = np.nan
    if zeros:
        z = r.random(n) < .3
        x[z, 3] = 0
        m += 1.5 * z
    x[r.random(n) < .05, 4] = np.nan
    return x, (r.random(n) < 1 / (1 + np.exp(-m))).astype(int)


NAMES = ["recency_days", "usage", "seats", "noise", "plan"]


def expect(name, columns, x, margin, phi, pairs=None):
    rows = [[None if np.isnan(v) else float(np.float32(v)) for v in row] for row in np.asarray(x, float)]
    said = dict(columns=columns, rows=rows, margin=[float(v) for v in margin], contributions=np.asarray(phi, float).tolist())
    if pairs is not None:
        said["interactions"] = np.asarray(pairs, float).tolist()
    json.dump(said, open(name + ".expect.json", "w"))


def frame(x):
    d = pd.DataFrame(x, columns=NAMES)
    d["plan"] = pd.Categorical.from_codes(np.where(np.isnan(x[:, 4]), -1, x[:, 4]).astype(int), LEVELS)
    return d


def boosted(name, params, rounds, x, y, tx, names=None, cat=False):
    kw = dict(enable_categorical=True) if cat else dict(feature_names=names)
    d, t = (xgb.DMatrix(frame(x), y, **kw), xgb.DMatrix(frame(tx), **kw)) if cat else (xgb.DMatrix(x, y, **kw), xgb.DMatrix(tx, **kw))
    b = xgb.train(dict(objective="binary:logistic", nthread=2, seed=1, **params), d, rounds)
    b.save_model(name + ".json")
    numeric = [dict(name=n) for n in (names or NAMES if cat or names else [f"f{i}" for i in range(x.shape[1])])]
    if cat:
        numeric[4].update(levels=LEVELS)
    pairs = b.predict(t, pred_interactions=True)[:10, :-1, :-1] if name in ("xgboost-numeric", "xgboost-levels") else None
    expect(name, numeric, tx, b.predict(t, output_margin=True), b.predict(t, pred_contribs=True), pairs)


x, y = make(2000, 1)
tx, _ = make(80, 2)
if xgb.__version__.startswith("1."):
    boosted("xgboost1-numeric", dict(tree_method="hist", max_depth=4, eta=.3, base_score=.4), 8, x, y, tx, NAMES)
    boosted("xgboost1-levels", dict(tree_method="hist", max_depth=4, eta=.3, max_cat_to_onehot=1), 6, x, y, tx, cat=True)
    raise SystemExit

import lightgbm as lgb

boosted("xgboost-numeric", dict(tree_method="hist", max_depth=4, eta=.3), 12, x, y, tx, NAMES)
boosted("xgboost-exact", dict(tree_method="exact", max_depth=5, eta=.3, base_score=.3), 6, x, y, tx)
boosted("xgboost-lossguide", dict(tree_method="hist", max_depth=0, max_leaves=12, grow_policy="lossguide", scale_pos_weight=2), 10, x, y, tx, NAMES)
boosted("xgboost-levels", dict(tree_method="hist", max_depth=4, eta=.3, max_cat_to_onehot=1), 8, x, y, tx, cat=True)
boosted("xgboost-onehot", dict(tree_method="hist", max_depth=4, eta=.3, max_cat_to_onehot=100), 8, x, y, tx, cat=True)
alone, after = x.copy(), tx.copy()
for a in (alone, after):  # a constant where it is known: the split is missing against all others
    a[:, 1] = np.where(np.isnan(a[:, 1]), np.nan, 3)
boosted("xgboost-missing-alone", dict(tree_method="hist", max_depth=3, eta=.3), 5, alone, y, after, NAMES)


def light(name, params, rounds, x, y, tx, cat=False):
    d = lgb.Dataset(frame(x) if cat else x, y, feature_name=NAMES if not cat else "auto", free_raw_data=False)
    p = dict(objective="binary", verbose=-1, seed=1, deterministic=True, num_threads=2, num_leaves=10, learning_rate=.2, min_data_in_leaf=10)
    b = lgb.train({**p, **params}, d, rounds)
    b.save_model(name + ".txt")
    s = params.get("sigmoid", 1)
    columns = [dict(name=n) for n in NAMES]
    if cat:
        columns[4].update(levels=LEVELS)
    t = frame(tx) if cat else tx
    expect(name, columns, tx, s * b.predict(t, raw_score=True), s * b.predict(t, pred_contrib=True))


light("lightgbm-nan", {}, 10, x, y, tx)
light("lightgbm-levels", dict(min_data_per_group=20, cat_smooth=2), 10, x, y, tx, cat=True)
light("lightgbm-sigmoid", dict(sigmoid=.7, boost_from_average=False, is_unbalance=True), 10, x, y, tx)
light("lightgbm-none", dict(use_missing=False), 10, x, y, tx)
zx, zy = make(2000, 3, zeros=True)
zt, _ = make(80, 4, zeros=True)
light("lightgbm-zero", dict(zero_as_missing=True), 12, zx, zy, zt)
