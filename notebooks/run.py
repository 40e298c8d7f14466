"""Runs the notebooks from top to bottom and looks at what they say. --write keeps their outputs; names run only these.

A notebook fails by an exception, by anything on standard error, by outputs that name a path or a time of this machine, and by pictures that weigh
too much. Without --write it also fails if the notebook as committed has no outputs, or others than text and pictures of the cells it has now.
"""

import base64
import io
import pathlib
import re
import sys
import time

import nbformat
from nbconvert.preprocessors import CellExecutionError, ExecutePreprocessor
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
CELL_SECONDS = 600
MAX_BYTES = 300_000  # of a notebook with its outputs
FORBIDDEN = [(re.compile(p), what) for p, what in (
    (r"/(?:tmp|home|root|work|usr|var)/\w", "a path of this machine"),
    (r"\b(?!00:00)\d\d:\d\d:\d\d\b", "a time of day"),
    (r"\brk_[0-9A-Za-z]+_", "a key"),
    (r"Warning:", "a warning"),
)]


def execute(path):
    """The notebook with the outputs of a run from top to bottom."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    ExecutePreprocessor(timeout=CELL_SECONDS, kernel_name="python3").preprocess(notebook, {"metadata": {"path": str(HERE)}})
    return notebook


def normalise(notebook, name):
    """Takes out what differs between runs and machines and says nothing."""
    notebook.metadata = nbformat.from_dict({"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    count = 0
    for i, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = nbformat.from_dict({}), f"{name[0]}-{i + 1:02d}"
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            if "image/png" in output.get("data", {}):
                output.data.pop("text/plain", None)
                output.data["image/png"] = smaller(output.data["image/png"])
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})


def smaller(png):
    """A picture of at most 64 colours, without metadata: a third of the bytes, and plots need no more."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def complaints(notebook):
    """What is wrong with the outputs."""
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        where = f"cell {i + 1}: "
        if cell.execution_count is None:
            yield where + "was not run"
        for output in cell.outputs:
            if output.output_type == "error":
                yield where + "ends in an error"
            if output.get("name") == "stderr":
                yield where + "writes to standard error: " + output.text.strip()[:300]
            texts = [output.get("text", "")] + [t for kind, t in output.get("data", {}).items() if kind.startswith("text/")]
            for pattern, what in FORBIDDEN:
                found = pattern.search("".join(texts))
                if found:
                    yield f"{where}its output has {what}: {found.group()}"
    size = len(nbformat.writes(notebook))
    if size > MAX_BYTES:
        yield f"weighs {size:,} bytes, more than {MAX_BYTES:,}: make the pictures smaller"


def main():
    write = "--write" in sys.argv[1:]
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    paths = [p for p in sorted(HERE.glob("*.ipynb")) if not names or any(n in p.name for n in names)]
    if not paths:
        sys.exit(f"no notebook matches {names}")
    failed = False
    for path in paths:
        begin = time.monotonic()
        try:
            notebook = execute(path)
        except CellExecutionError as e:
            print(f"{path.name}: FAILED\n{e}", file=sys.stderr)
            failed = True
            continue
        normalise(notebook, path.stem)
        found = list(complaints(notebook))
        if not write:
            committed = nbformat.read(path, as_version=4)
            found += ["as committed, " + c for c in complaints(committed)]
            said = lambda n: [[o.output_type for o in c.outputs] for c in n.cells if c.cell_type == "code"]
            if not found and said(committed) != said(notebook):
                found.append("its outputs are not those of its cells")
            if any(c.startswith("as committed") or c.startswith("its outputs") for c in found):
                found.append("run `make notebooks ARGS=--write` and commit it")
        elif not found:
            path.write_text(nbformat.writes(notebook) + "\n")
        for complaint in found:
            print(f"{path.name}: {complaint}", file=sys.stderr)
        failed = failed or bool(found)
        print(f"{path.name}: {'FAILED' if found else 'ok'}, {time.monotonic() - begin:.0f} s, {len(nbformat.writes(notebook)) / 1000:.0f} kB", flush=True)
    sys.exit(failed)


main()
