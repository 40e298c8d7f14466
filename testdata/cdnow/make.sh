#!/usr/bin/env bash
# Rebuilds purchases.csv.gz and sample.csv.gz from the PyPI package lifetimes 0.11.3 (MIT). Needs pip and unzip; nothing of retain needs it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip download --quiet --no-deps --only-binary :all: --dest "$work" lifetimes==0.11.3
unzip -q "$work"/*.whl -d "$work"
# rebuild FROM TO FIRST: blank-separated lines that end in customer_id date number_of_cds dollar_value, dates as yyyymmdd, from line FIRST on.
# The sample's begin with the customer's id in the master set.
rebuild() {
  awk -v first="$3" 'BEGIN { print "customer_id,at,quantity,amount" }
       NR >= first && NF >= 4 { printf "%s,%s-%s-%s,%s,%s\n", $(NF-3), substr($(NF-2),1,4), substr($(NF-2),5,2), substr($(NF-2),7,2), $(NF-1), $NF }' \
    <(tr -d "\r" < "$work/lifetimes/datasets/$1") | gzip -9n > "$here/$2"
}
rebuild CDNOW_master.txt purchases.csv.gz 2
rebuild CDNOW_sample.txt sample.csv.gz 1
