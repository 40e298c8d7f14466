#!/usr/bin/env bash
# Rebuilds purchases.csv.gz from the PyPI package lifetimes 0.11.3 (MIT). Needs pip and unzip; nothing of retain needs it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip download --quiet --no-deps --only-binary :all: --dest "$work" lifetimes==0.11.3
unzip -q "$work"/*.whl -d "$work"
# Columns: customer_id date number_of_cds dollar_value, blank-separated, dates as yyyymmdd.
awk 'BEGIN { print "customer_id,at,quantity,amount" }
     NR > 1 && NF == 4 { printf "%s,%s-%s-%s,%s,%s\n", $1, substr($2,1,4), substr($2,5,2), substr($2,7,2), $3, $4 }' \
  <(tr -d "\r" < "$work/lifetimes/datasets/CDNOW_master.txt") | gzip -9n > "$here/purchases.csv.gz"
