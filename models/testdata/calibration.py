"""Makes calibration.json, what the test of calibration compares with: python calibration.py (scikit-learn 1.9.1, numpy)."""
import json
import numpy as np
import sklearn
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

rng = np.random.default_rng(7)
n = 200
m = np.round(rng.normal(size=n) * 1.5 - .4, 2)
y = (rng.random(n) < 1 / (1 + np.exp(-(.6 * m + .3)))).astype(int)
s = _SigmoidCalibration().fit(m, y)
i = IsotonicRegression(out_of_bounds='clip').fit(m, y)
q = np.round(np.linspace(-5, 5, 21), 2)
json.dump(dict(provenance=f"scikit-learn {sklearn.__version__}, testdata/calibration.py", margin=m.tolist(), y=y.tolist(),
               slope=-float(s.a_), intercept=-float(s.b_), at=q.tolist(), isotonic=i.predict(q).tolist()), open('calibration.json', 'w'))
