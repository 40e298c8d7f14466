"""What the notebooks share: a folder of their own, the retain program, its HTTP service, and how pictures look.

Nothing beyond Debian's python3-pandas and python3-matplotlib is needed. The program is bin/retain of this repository
(`make build`), or the one that the environment variable RETAIN names.
"""

import atexit
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import matplotlib.dates
import matplotlib.pyplot as plt
import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parent.parent
CDNOW = ROOT / "testdata" / "cdnow" / "purchases.csv.gz"
CDNOW_SAMPLE = ROOT / "testdata" / "cdnow" / "sample.csv.gz"

# Okabe & Ito's palette, which colour-blind people can tell apart; churn is always vermillion, staying always blue.
STAY, CHURN, ORANGE, GREEN, SKY, GREY = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#56B4E9", "#999999"

plt.rcParams.update({
    "figure.figsize": (7.2, 3.2), "figure.dpi": 96, "savefig.dpi": 96, "figure.autolayout": True,
    "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e6e6e6", "grid.linewidth": 0.7, "axes.axisbelow": True, "legend.frameon": False,
    "axes.prop_cycle": plt.cycler(color=[STAY, CHURN, GREEN, ORANGE, SKY, GREY]),
})
pd.set_option("display.max_columns", 12, "display.width", 120, "display.precision", 3)


class Workbench:
    """A folder with a warehouse of its own, gone when the notebook ends, and retain in it."""

    def __init__(self, config=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="retain-notebook-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.configure(config)
        named = os.environ.get("RETAIN")
        self.program = named or str(ROOT / "bin" / "retain")
        if not pathlib.Path(self.program).exists():
            raise FileNotFoundError(f"{self.program} is not there: run `make build` first")

    def configure(self, text):
        """Writes retain.yaml: the warehouse in this folder, and then text."""
        (self.folder / "retain.yaml").write_text("warehouse: {url: embedded:./warehouse}\n" + text)

    def write(self, name, text):
        """Writes a file into the folder."""
        (self.folder / name).write_text(text)

    def retain(self, *args):
        """Runs `retain ARGS --json` and returns the document. What it says beside that is told if it fails."""
        done = subprocess.run([self.program, *map(str, args), "--json"], cwd=self.folder, capture_output=True, text=True, env=self._environment())
        if done.returncode != 0:
            raise RuntimeError(f"retain {' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)

    def features(self, cutoff, *flags):
        """The matrix of a cutoff, `retain features export`, indexed by customer_id."""
        self.retain("features", "export", "--cutoff", cutoff, "--out", "features.csv", *flags)
        return pd.read_csv(self.folder / "features.csv", dtype={"customer_id": str}, index_col="customer_id")

    def serve(self, scopes="scores:read"):
        """`retain serve` with a key of these scopes; use it in a with statement."""
        return Service(self, scopes)

    def _environment(self):
        # The settings of who runs the notebook are not those of its story.
        return {k: v for k, v in os.environ.items() if not k.startswith("RETAIN_") or k == "RETAIN_CHDB_LIB"}


class Service:
    """A running `retain serve`: get() asks it over HTTP as a CRM would."""

    def __init__(self, bench, scopes):
        self.key = bench.retain("keys", "create", "--scopes", scopes, "--label", "notebook")["key"]
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{s.getsockname()[1]}"
        self.url = "http://" + address
        environment = dict(bench._environment(), RETAIN_SERVE_ADDR=address)
        self.process = subprocess.Popen([bench.program, "serve"], cwd=bench.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
        atexit.register(self.close)
        self._wait()

    def _wait(self, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError("retain serve: " + self.process.stderr.read())
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise TimeoutError("retain serve was not ready within a minute")

    def get(self, path, **query):
        """GET path as JSON."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(self.url + path, headers={"Authorization": "Bearer " + self.key})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def pages(self, path, **query):
        """All items of a list, page by page."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    def close(self):
        """Stops the service."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def months(axis):
    """Writes the ticks of an axis of times as months, with the year at its first one."""
    locator = matplotlib.dates.AutoDateLocator(minticks=4, maxticks=10)
    axis.set_major_locator(locator)
    axis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator, show_offset=False))


def percent(axis):
    """Writes the ticks of an axis as whole per cents."""
    axis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
