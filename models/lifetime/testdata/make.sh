#!/usr/bin/env bash
# Rebuilds cdnow_sample.csv.gz from the PyPI package lifetimes 0.11.3 (MIT). Needs pip and unzip; nothing of retain needs it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip download --quiet --no-deps --only-binary :all: --dest "$work" lifetimes==0.11.3
unzip -q "$work"/*.whl -d "$work"
# Columns: master_id customer_id date number_of_cds dollar_value, blank-separated, dates as yyyymmdd.
awk 'BEGIN { print "customer_id,at,quantity,amount" }
     NF == 5 { printf "%s,%s-%s-%s,%s,%s\n", $2, substr($3,1,4), substr($3,5,2), substr($3,7,2), $4, $5 }' \
  <(tr -d "\r" < "$work/lifetimes/datasets/CDNOW_sample.txt") | gzip -9n > "$here/cdnow_sample.csv.gz"
