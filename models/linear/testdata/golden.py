"""Makes golden.json, what linear's test compares with: python golden.py (scikit-learn 1.9.1, numpy).

Columns stand at mean 0 and standard deviation 1 (by the weights), levels as 0/1; C = 1/(lambda * sum of weights)."""
import json
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(20240607)
n = 240
a = rng.normal(size=n)
b = .6 * a + .8 * rng.normal(size=n)
c = rng.uniform(-2, 2, n)
k = rng.integers(0, 3, n)
m = -.6 + .9 * a - .5 * b + .4 * (k == 1) - .3 * (k == 2)
y = (rng.random(n) < 1 / (1 + np.exp(-m))).astype(int)
X = np.round(np.c_[a, b, c], 3).astype(np.float32)
w = rng.integers(1, 4, n).astype(float)
out = dict(provenance=f"scikit-learn {sklearn.__version__}, testdata/golden.py", x=[[float(v) for v in X[:, j]] for j in range(3)],
           level=k.tolist(), y=y.tolist(), weight=w.tolist(), fits=[])
for lam, alpha, weighted in ((.01, 0, False), (.01, .5, False), (.03, 1, False), (.02, .3, True), (.0005, .1, False)):
    s = w if weighted else np.ones(n)
    R = X.astype(float)
    mean = np.average(R, axis=0, weights=s)
    D = np.c_[(R - mean) / np.sqrt(np.average((R - mean) ** 2, axis=0, weights=s)), k == 0, k == 1, k == 2].astype(float)
    f = LogisticRegression(C=1 / (lam * s.sum()), l1_ratio=alpha, solver='saga', tol=1e-13, max_iter=200000).fit(D, y, sample_weight=s)
    out['fits'].append(dict(lam=lam, alpha=alpha, weighted=weighted, coef=f.coef_[0].tolist(), intercept=float(f.intercept_[0])))
json.dump(out, open('golden.json', 'w'))
