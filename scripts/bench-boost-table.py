#!/usr/bin/env python3
"""Prints what scripts/bench-boost measured. usage: bench-boost-table.py MEASURED TREES THREADS

In brackets: how many times better ours is. Of several draws the fastest counts, but AUC and log loss are means over the draws.
"""
import json
import statistics
import sys

with open(sys.argv[1]) as f:
    lines = [json.loads(line) for line in f]
print(f"{sys.argv[2]} trees, rate 0.1, {sys.argv[3]} threads. (x) = how many times better ours is than this one; one row includes Python's call for peers")
for key in dict.fromkeys((r["set"], r["leaves"]) for r in lines):
    drawn = {}
    for r in lines:
        if (r["set"], r["leaves"]) == key:
            drawn.setdefault(r["library"] + " " + r["version"], []).append(r)
    best = {}
    for name, runs in drawn.items():
        best[name] = min(runs, key=lambda r: r["wall_s"]) | {f: statistics.mean(r[f] for r in runs) for f in ("auc", "log_loss")}
    ours = next((r for r in best.values() if r["library"] == "retain"), None)
    print(f"\n{key[0]}, {key[1] + ' leaves' if key[1].isdigit() else key[1]}")
    print(f"| {'library':26} | {'train s':>14} | {'CPU s':>7} | {'peak MB':>13} | {'AUC':>8} | {'log loss':>8} | {'rows/s':>15} | {'one row µs':>15} | {'SHAP µs':>14} |")
    print("|---|" + "---:|" * 8)

    def cell(r, field, form, width, better):
        v = r.get(field)
        if not v:
            return " " * (width - 1) + "–"
        text = form.format(v)
        if ours and r is not ours and ours.get(field):
            ratio = v / ours[field] if better == "less" else ours[field] / v
            text += f" ({ratio:.2f})"
        return f"{text:>{width}}"

    for name, r in best.items():
        cells = [cell(r, "wall_s", "{:.1f}", 14, "less"), f"{r['cpu_s']:7.1f}", cell(r, "peak_mb", "{:.0f}", 13, "less"), f"{r['auc']:8.5f}",
                 f"{r['log_loss']:8.5f}", cell(r, "rows_per_s", "{:.0f}", 15, "more"), cell(r, "one_row_us", "{:.1f}", 15, "less"),
                 cell(r, "shap_us", "{:.0f}", 14, "less")]
        print(f"| {name:26} | " + " | ".join(cells) + " |")
    peers = [name for name in best if not name.startswith("retain")]
    if ours and peers:
        rival = max(peers, key=lambda name: best[name]["auc"])
        ahead = [a["auc"] - b["auc"] for a in drawn["retain " + ours["version"]] for b in drawn[rival] if a["draw"] == b["draw"]]
        error = f", standard error {statistics.stdev(ahead) / len(ahead) ** 0.5:.5f} over {len(ahead)} draws" if len(ahead) > 1 else ""
        print(f"AUC less that of the best peer, {rival}: {statistics.mean(ahead):+.5f}{error}")
