#!/bin/sh
# The night of many simulated customers, job by job with its time and peak memory: scripts/night-100k.sh [CUSTOMERS] [DAYS] [DIR]
# Fills DIR (made anew) with the known world, exports one day of usage for the watched folder, and runs import, train, snapshot, score and monitor.
set -eu
customers=${1:-100000} days=${2:-365} dir=${3:-/tmp/retain-night}
retain=${RETAIN:-$(cd "$(dirname "$0")/.." && pwd)/bin/retain}
rm -rf "$dir"
mkdir -p "$dir/in"
cd "$dir"
cat > retain.yaml <<'YAML'
warehouse: {url: "embedded:./house"}
churn: {setting: contractual, horizon_days: 91, grace_days: 30}
schedule: {import: {folder: ./in, settle: 0s}}
YAML
timed() {
	name=$1
	shift
	/usr/bin/time -f "$name: %e s wall, %U s user, %S s system, %M kB peak" "$@"
}
timed simulate "$retain" simulate --customers "$customers" --days "$days" --seed 1
# A million rows of usage in one file, as a night would bring them.
awk -v n="$customers" 'BEGIN { print "customer_id,at,event_id,feature,duration_s"; for (i = 0; i < 1000000; i++) printf "c%07d,2026-06-30 %02d:%02d:%02d,night-%d,night,60\n", i % n, i % 24, i % 60, (i * 7) % 60, i }' > in/usage-night.csv
for job in import train snapshot score monitor; do
	timed "$job" "$retain" run "$job"
done
"$retain" run --list
