"""Writes types.parquet, the table of TestParquetTypes, with pyarrow: an implementation that is not the one under test."""
import datetime as dt
import decimal
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

D = decimal.Decimal
table = pa.table({
    "i64": pa.array([1, -2, None], pa.int64()),
    "i8": pa.array([-128, 0, None], pa.int8()),
    "u32": pa.array([2**32 - 1, 0, None], pa.uint32()),
    "u64": pa.array([2**64 - 1, 0, None], pa.uint64()),
    "f64": pa.array([1.0, 2.5, float("nan")], pa.float64()),
    "f32": pa.array([0.1, 1e20, None], pa.float32()),
    "f16": pa.array(np.array([1.5, -0.0, 65504], dtype=np.float16)),
    "dec9": pa.array([D("1.50"), D("-0.01"), None], pa.decimal128(9, 2)),
    "dec38": pa.array([D("12345678901234567890.123"), D("-5.000"), None], pa.decimal128(38, 3)),
    "bool": pa.array([True, False, None]),
    "text": pa.array(["x", "", None]),
    "bytes": pa.array([b"ab", "ü".encode(), None]),
    "fixed": pa.array([b"abc", b"def", None], pa.binary(3)),
    "dictionary": pa.array(["p", "q", "p"]).dictionary_encode(),
    "date": pa.array([dt.date(2024, 2, 29), dt.date(1960, 1, 1), None]),
    "local_ms": pa.array([1704070923456, -1, None], pa.timestamp("ms")),
    "utc_us": pa.array([1704070923456789, -1, None], pa.timestamp("us", tz="Europe/Berlin")),
    "local_ns": pa.array([1704070923456789123, -1, None], pa.timestamp("ns")),
    "time": pa.array([dt.time(1, 2, 3, 4), dt.time(0, 0), None], pa.time64("us")),
    "null": pa.nulls(3),
})
here = os.path.dirname(os.path.abspath(__file__))
pq.write_table(table, os.path.join(here, "types.parquet"), row_group_size=2, compression="snappy")
pq.write_table(table.select(["local_ns"]), os.path.join(here, "int96.parquet"), use_deprecated_int96_timestamps=True)
pq.write_table(pa.table({"customer_id": ["a"], "tags": [["x", "y"]]}), os.path.join(here, "list.parquet"))
