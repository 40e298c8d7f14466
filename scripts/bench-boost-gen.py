#!/usr/bin/env python3
"""A synthetic table in the likeness of churn. usage: bench-boost-gen.py SHAPE ROWS COLUMNS SEED PREFIX

SHAPE: mixed    60 % numeric (a third of them with 5 to 30 % missing, a fifth of them counts), 40 % of 2 to 12 levels
       numeric  all numeric and continuous: no two columns can share a byte
       sparse   90 % zeros, the rest small counts and amounts

Writes PREFIX.x.f32 (rows x columns float32, row by row, NaN = missing), PREFIX.y.u8 and PREFIX.json. About 8 % are positive.
What is true (which columns matter, and how) follows from SHAPE and COLUMNS alone; SEED draws the rows, so that two seeds give a
training and a test set of the same world.
"""
import json
import sys

import numpy as np

BLOCK = 50_000


class World:
    """The truth: log-odds from latent normal columns and levels."""

    def __init__(self, shape, columns):
        rng = np.random.default_rng(7)
        self.shape, self.columns = shape, columns
        self.numeric = columns if shape != "mixed" else round(columns * 0.6)
        q, levels = self.numeric, columns - self.numeric
        self.levels = rng.integers(2, 13, levels)
        self.missing = np.zeros(q)
        if shape == "mixed":
            self.missing[::3] = rng.uniform(0.05, 0.30, len(self.missing[::3]))
        self.linear = rng.normal(0, 0.25, q) * (rng.random(q) < 0.5) * np.sqrt(min(1, 30 / q))
        self.hinges = [(rng.integers(q), rng.normal(0, 0.7)) for _ in range(6)]
        self.pairs = [(rng.integers(q), rng.integers(q), rng.normal(0, 0.35)) for _ in range(10)]
        self.effects = [rng.normal(0, 0.35 * np.sqrt(min(1, 20 / max(1, levels))), k) for k in self.levels]
        self.mixed = []
        if levels:
            for _ in range(6):
                c = rng.integers(levels)
                self.mixed.append((c, rng.integers(q), rng.normal(0, 0.4, self.levels[c])))
        self.offset = 0.0
        z = self.rows(np.random.default_rng(8), BLOCK)[1]
        lo, hi = -20.0, 20.0
        for _ in range(60):
            self.offset = (lo + hi) / 2
            lo, hi = (lo, self.offset) if (1 / (1 + np.exp(-z - self.offset))).mean() > 0.08 else (self.offset, hi)

    def shown(self, u, j, rng):
        """The values of numeric column j as the learner sees them, from its latent normal u."""
        if self.shape == "sparse":
            v = np.where(u > 1.2816, u - 1.2816, 0)  # 90 % zeros
            return np.ceil(4 * v) if j % 2 else v * 100
        kind = j % 5
        if kind == 4 and self.shape == "numeric":
            kind = 0
        if kind == 0:
            return u
        if kind == 1:
            return np.exp(u)
        if kind == 2:
            return np.exp(0.7 * u) * rng.exponential(1, len(u))
        if kind == 3:
            return 50 + 20 * u if self.shape == "numeric" else np.round(50 + 20 * u, 1)
        return rng.poisson(np.exp(np.clip(0.8 * u + 1, -4, 5)))

    def rows(self, rng, n):
        q = self.numeric
        factors = rng.normal(size=(n, 3))
        u = 0.5 * factors[:, np.arange(q) % 3] + 0.866 * rng.normal(size=(n, q))
        x = np.empty((n, self.columns), np.float32)
        for j in range(q):
            x[:, j] = self.shown(u[:, j], j, rng)
        seen = np.maximum(u, 1.2816) - 1.2816 if self.shape == "sparse" else u
        strength = 3.0 if self.shape == "sparse" else 1.0
        z = strength * (seen @ self.linear)
        for a, t in self.hinges:
            z += 0.6 * strength * np.maximum(seen[:, a] - (0 if self.shape == "sparse" else t), 0)
        for a, b, c in self.pairs:
            z += c * strength * seen[:, a] * seen[:, b]
        codes = []
        for k, effect in zip(self.levels, self.effects):
            share = np.linspace(2, 1, k)
            code = rng.choice(k, n, p=share / share.sum())
            x[:, q + len(codes)] = code
            codes.append(code)
            z += effect[code]
        for c, a, effect in self.mixed:
            z += effect[codes[c]] * u[:, a]
        for j in np.flatnonzero(self.missing):
            gone = rng.random(n) < self.missing[j] * (1 + 0.5 * np.tanh(u[:, j]))
            x[gone, j] = np.nan
            z += 0.15 * gone
        return x, z + self.offset


def main():
    shape, n, columns, seed, prefix = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    world, rng, positive = World(shape, columns), np.random.default_rng(seed), 0
    with open(prefix + ".x.f32", "wb") as fx, open(prefix + ".y.u8", "wb") as fy:
        for lo in range(0, n, BLOCK):
            x, z = world.rows(rng, min(BLOCK, n - lo))
            y = (rng.random(len(z)) < 1 / (1 + np.exp(-z))).astype(np.uint8)
            positive += int(y.sum())
            x.tofile(fx)
            y.tofile(fy)
    with open(prefix + ".json", "w") as f:
        json.dump({"shape": shape, "rows": n, "columns": columns, "positive": positive / n}, f)


main()
