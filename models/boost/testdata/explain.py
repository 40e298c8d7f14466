#!/usr/bin/env python3
"""Trains a model with XGBoost and tells what a row's pred_contribs cost it; BenchmarkPeerContributions then explains the same
rows by the same trees. usage: explain.py DIR [ROWS COLUMNS TREES LEAVES]; DIR gets model.json, rows.f32 and contributions.f32.

    OMP_NUM_THREADS=1 ENV/bin/python models/boost/testdata/explain.py /tmp/explain
    RETAIN_BENCH_PEER=/tmp/explain go test -run '^$' -bench PeerContributions -cpu 1 ./models/boost

Both print CPU time, on one thread: on a busy machine wall times mean nothing, and XGBoost's threads spin while they wait.
"""
import os, sys, time
import numpy as np, xgboost as xgb

out = sys.argv[1]
rows, columns, trees, leaves = map(int, (sys.argv[2:] + "200000 50 200 63".split()[len(sys.argv) - 2:]))
os.makedirs(out, exist_ok=True)
if not os.path.exists(out + "/model.json"):
    r = np.random.default_rng(1)
    x = r.normal(size=(rows + 2000, columns)).astype(np.float32)
    x[:, ::3] = np.exp(x[:, ::3])
    x[:, 1::3] = np.round(2 * x[:, 1::3])
    m = x @ (r.normal(size=columns) * (r.random(columns) < .5) * .3) - 2
    for a, b, c in zip(r.integers(0, columns, 15), r.integers(0, columns, 15), r.normal(size=15) * .4):
        m += c * np.tanh(x[:, a]) * np.tanh(x[:, b])
    x[:, ::4][r.random(x[:, ::4].shape) < .15] = np.nan
    y = r.random(len(m)) < 1 / (1 + np.exp(-m))
    b = xgb.train(dict(objective="binary:logistic", tree_method="hist", eta=.1, max_depth=0, max_leaves=leaves, grow_policy="lossguide", base_score=.5),
                  xgb.DMatrix(x[:rows], y[:rows]), trees)
    b.save_model(out + "/model.json")
    x[rows:].tofile(out + "/rows.f32")
b = xgb.Booster(model_file=out + "/model.json")
b.set_param(dict(nthread=1))
d = xgb.DMatrix(np.fromfile(out + "/rows.f32", np.float32).reshape(2000, -1), nthread=1)
cost = []
for _ in range(3):
    t = time.process_time()
    phi = b.predict(d, pred_contribs=True)
    cost.append((time.process_time() - t) / 2000 * 1e6)
phi.astype(np.float32).tofile(out + "/contributions.f32")
print(f"XGBoost {xgb.__version__}: {min(cost):.0f} µs of CPU a row (of {', '.join(f'{c:.0f}' for c in cost)})")
