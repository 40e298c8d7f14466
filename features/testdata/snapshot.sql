WITH ifNull(s4.a1, nullIf(arrayMin([toInt64(9223372036854775807), ifNull(s1.a2, toInt64(9223372036854775807)), ifNull(s3.a9, toInt64(9223372036854775807)), ifNull(s2.a13, toInt64(9223372036854775807))]), toInt64(9223372036854775807))) AS _born
SELECT
    p.customer_id AS customer_id,
    toFloat32(ifNull((ifNull(toFloat64(s0.a0), 0)) * 0.016666666666666666, nan)) AS `usage_minutes_sum_28d`,
    toFloat32(ifNull(toFloat64(s0.a2), nan)) AS `usage_active_days_28d`,
    toFloat32(ifNull(if(ifNull(_born <= 1684972800000, false), arrayMap(change -> if(change < -1, -1, if(change > 10, 10, change)), [(toFloat64(s0.a4) - nullIf(toFloat64(s0.a3), 0)) / nullIf(toFloat64(s0.a3), 0)])[1], NULL), nan)) AS `usage_sessions_change_28d`,
    toFloat32(ifNull(s0.a5, nan)) AS `usage_features_entropy_84d`,
    toFloat32(ifNull(toFloat64(s1.a1), nan)) AS `usage_features_new_28d`,
    toFloat32(ifNull((toFloat64(s0.a7)) / nullIf(toFloat64(s2.a0), 0), nan)) AS `usage_users_per_seat_28d`,
    toFloat32(ifNull((1689811200000 - s3.a0) / 86400000, nan)) AS `purchase_recency_days`,
    toFloat32(ifNull(if(ifNull(_born <= 1658275200000, false), NULL, toFloat64(s3.a2 + s3.a3)), nan)) AS `purchase_count_365d`,
    toFloat32(ifNull(s3.a6, nan)) AS `purchase_interval_sd_days`,
    toFloat32(ifNull(if(ifNull(_born <= 1658275200000, false), NULL, toFloat64(s3.a7) / nullIf(toFloat64(s3.a8), 0)), nan)) AS `purchase_returned_share_365d`,
    s2.a1 AS `subscription_plan_last`,
    toFloat32(ifNull(s2.a7, nan)) AS `subscription_mrr_renewal_change`,
    toFloat32(ifNull(s2.a9, nan)) AS `subscription_discount_renewal_difference`,
    toFloat32(ifNull(toFloat64(s2.a10), nan)) AS `subscription_upgrades_count_180d`,
    toFloat32(ifNull(toFloat64(s2.a12), nan)) AS `subscription_returns_count`,
    toFloat32(ifNull((1689811200000 - _born) / 86400000, nan)) AS `profile_tenure_days`,
    s4.a0 AS `profile_region`
FROM `eligible` AS p
LEFT ANY JOIN (
    SELECT
        *,
        bitCount(bitAnd(bitShiftRight(a1, 0), bitShiftLeft(toUInt128(1), 28) - 1)) AS a2,
        arrayCount(d -> d < 28, a6) AS a7
    FROM (
    SELECT
        customer_id,
        sumIf(`duration_s`, toUnixTimestamp64Milli(at) >= 1687392000000) AS a0,
        groupBitOrIf(bitShiftLeft(toUInt128(1), toUInt8(least(intDiv(1689811199999 - toUnixTimestamp64Milli(at), 86400000), 127))), toUnixTimestamp64Milli(at) >= 1678752000000) AS a1,
        countIf(toUnixTimestamp64Milli(at) >= 1684972800000 AND toUnixTimestamp64Milli(at) < 1687392000000) AS a3,
        countIf(toUnixTimestamp64Milli(at) >= 1687392000000) AS a4,
        if(countIf(`feature` != '') = 0, NULL, greatest(log(countIf(`feature` != '')) - arraySum(k -> k * log(k) - if(k > 1, (k - 1) * log(k - 1), 0), arraySort(arrayEnumerateUniq(groupArrayIf(cityHash64(`feature`), `feature` != '')))) / countIf(`feature` != ''), 0)) AS a5,
        arrayMap(v -> v % 65536, arrayCompact(v -> bitShiftRight(v, 16), arraySort(groupArrayIf(bitOr(bitShiftLeft(cityHash64(`user_id`) % 140737488355328, 16), toUInt64(least(intDiv(1689811199999 - toUnixTimestamp64Milli(at), 86400000), 65534))), `user_id` != '')))) AS a6
    FROM (SELECT r.`customer_id` AS `customer_id`, r.`duration_s` AS `duration_s`, r.`feature` AS `feature`, r.`user_id` AS `user_id`, r.`at` AS `at` FROM `usage` AS r WHERE r.`at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.`at` >= toDateTime64('2023-04-27 00:00:00.000', 3, 'UTC') AND r.ingested_at < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\' AND r.event_hash NOT IN (SELECT r.event_hash FROM `usage_fixes` AS r WHERE 1 AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\') UNION ALL SELECT r.`customer_id` AS `customer_id`, r.`duration_s` AS `duration_s`, r.`feature` AS `feature`, r.`user_id` AS `user_id`, r.`at` AS `at` FROM (SELECT * FROM `usage_fixes` AS r WHERE r.ingested_at < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\' ORDER BY r.customer_id, r.event_hash, r.ingested_at DESC, r.imported_at DESC, r.`at` DESC, r.row_hash DESC LIMIT 1 BY r.customer_id, r.event_hash) AS r WHERE r.`at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.`at` >= toDateTime64('2023-04-27 00:00:00.000', 3, 'UTC'))
    GROUP BY customer_id)
) AS s0 ON s0.customer_id = p.customer_id
LEFT ANY JOIN (
    SELECT
        *,
        arrayCount(d -> d < 28, a0) AS a1
    FROM (
    SELECT
        customer_id,
        arrayMap(v -> toInt32(v % 65536), arrayCompact(v -> bitShiftRight(v, 16), arrayReverseSort(groupArrayIf(bitOr(bitShiftLeft(cityHash64(`feature`) % 140737488355328, 16), toUInt64(least(intDiv(1689811199999 - toUnixTimestamp64Milli(at), 86400000), 65534))), `feature` != '')))) AS a0,
        minOrNull(toUnixTimestamp64Milli(at)) AS a2
    FROM (SELECT r.`customer_id` AS `customer_id`, r.`feature` AS `feature`, r.`at` AS `at` FROM `usage` AS r WHERE r.`at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.ingested_at < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\' AND r.event_hash NOT IN (SELECT r.event_hash FROM `usage_fixes` AS r WHERE 1 AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\') UNION ALL SELECT r.`customer_id` AS `customer_id`, r.`feature` AS `feature`, r.`at` AS `at` FROM (SELECT * FROM `usage_fixes` AS r WHERE r.ingested_at < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\' ORDER BY r.customer_id, r.event_hash, r.ingested_at DESC, r.imported_at DESC, r.`at` DESC, r.row_hash DESC LIMIT 1 BY r.customer_id, r.event_hash) AS r WHERE r.`at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC'))
    GROUP BY customer_id)
) AS s1 ON s1.customer_id = p.customer_id
LEFT ANY JOIN (
    SELECT
        *,
        arrayMap(change -> if(change < -1, -1, if(change > 10, 10, change)), [a6[a5]])[1] AS a7,
        a8[a5] AS a9
    FROM (
    SELECT
        *,
        indexOf(a3, arrayMax(arrayMap((k, same) -> if(same, k, 0), a3, a4))) AS a5,
        arrayMap((same, before, after) -> if(same, (after - nullIf(before, 0)) / nullIf(before, 0), NULL), a4, arrayPopBack(a2.3), arrayPopFront(a2.3)) AS a6,
        arrayMap((same, before, after) -> if(same, after - before, NULL), a4, arrayPopBack(a2.4), arrayPopFront(a2.4)) AS a8,
        arrayCount((same, before, after, start) -> same AND ifNull(after > before, false) AND toInt64(intDiv(start, 1048576)) - 2208988800000 >= 1674259200000 AND toInt64(intDiv(start, 1048576)) - 2208988800000 < 1689811200000, a4, arrayPopBack(a2.3), arrayPopFront(a2.3), a3) AS a10
    FROM (
    SELECT
        *,
        arrayPopFront(a2.2) AS a3,
        arrayMap((p, q) -> p = q, arrayPopBack(a2.1), arrayPopFront(a2.1)) AS a4,
        arrayCount((e, running) -> bitAnd(e, 1) = 0 AND running = 1, arrayPopFront(a11), arrayPopFront(arrayCumSum(e -> if(bitAnd(e, 1) = 0, 1, -1), a11))) AS a12
    FROM (
    SELECT
        customer_id,
        maxOrNullIf(toFloat64(`seats`), ifNull(ifNull(ended_at, ends_at) >= toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC'), true)) AS a0,
        argMaxIf(toString(`plan`), toUInt64(toUnixTimestamp64Milli(at) + 2208988800000) * 1048576 + row_hash % 1048576, ifNull(ifNull(ended_at, ends_at) >= toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC'), true) AND `plan` != '') AS a1,
        arraySort(p -> (p.1, p.2), groupArray((cityHash64(subscription_id), toUInt64(toUnixTimestamp64Milli(at) + 2208988800000) * 1048576 + row_hash % 1048576, toFloat64(`mrr`), toFloat64((if(ifNull(list_mrr, 0) > 0, toDecimal128(1 - toFloat64(mrr) / toFloat64(if(ifNull(list_mrr, 0) > 0, assumeNotNull(list_mrr), 1)), 10), NULL)))))) AS a2,
        arraySort(arrayConcat(groupArray(2 * toUnixTimestamp64Milli(at)), groupArray(2 * greatest(toUnixTimestamp64Milli(at), ifNull(toUnixTimestamp64Milli(ifNull(ended_at, ends_at)), toInt64(4000000000000000))) + 1))) AS a11,
        minOrNull(toUnixTimestamp64Milli(at)) AS a13
    FROM (SELECT r.`customer_id` AS `customer_id`, if(r.`ended_at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC'), r.`ended_at`, NULL) AS `ended_at`, if(r.ingested_mapped OR ifNull(r.billing_days, 0) = 0 OR ifNull(r.`ends_at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC'), false), r.`ends_at`, r.started_at + toIntervalDay(greatest(toInt64(r.billing_days), 1) * (intDiv(dateDiff('millisecond', r.started_at, toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC')), greatest(toInt64(r.billing_days), 1) * 86400000) + 1))) AS `ends_at`, r.`seats` AS `seats`, r.`plan` AS `plan`, r.`row_hash` AS `row_hash`, r.`subscription_id` AS `subscription_id`, r.`mrr` AS `mrr`, r.`list_mrr` AS `list_mrr`, r.`started_at` AS `at` FROM `subscriptions` AS r WHERE r.`started_at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.ingested_at < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\')
    GROUP BY customer_id)))
) AS s2 ON s2.customer_id = p.customer_id
LEFT ANY JOIN (
    SELECT
        *,
        if(length(a5) < 3, NULL, sqrt(greatest(toFloat64(arraySum(g -> toInt64(g) * toInt64(g), arrayPopFront(arrayDifference(a5)))) - toFloat64(a5[-1] - a5[1]) * toFloat64(a5[-1] - a5[1]) / (toFloat64(length(a5)) - 1), 0) / ((toFloat64(length(a5)) - 1) - 1))) AS a6
    FROM (
    SELECT
        *,
        arrayCount(d -> d < 365, a1) AS a2,
        arrayFlatten(arrayMap((w, i) -> arrayMap(b -> toInt32(64 * (toInt64(i) - 1) + b), bitPositionsToArray(w)), a4, arrayEnumerate(a4))) AS a5
    FROM (
    SELECT
        customer_id,
        maxOrNull(toUnixTimestamp64Milli(at)) AS a0,
        arrayMap(v -> v % 65536, arrayCompact(v -> bitShiftRight(v, 16), arraySort(groupArrayIf(bitOr(bitShiftLeft(cityHash64(`order_id`) % 140737488355328, 16), toUInt64(least(intDiv(1689811199999 - toUnixTimestamp64Milli(at), 86400000), 65534))), `order_id` != '')))) AS a1,
        countIf(toUnixTimestamp64Milli(at) >= 1658275200000 AND `order_id` = '') AS a3,
        groupBitOrResample(0, 3, 1)(bitShiftLeft(toUInt64(1), toUInt8(intDiv(1689811199999 - toUnixTimestamp64Milli(at), 86400000) % 64)), toUInt16(intDiv(intDiv(1689811199999 - toUnixTimestamp64Milli(at), 86400000), 64))) AS a4,
        countIf(toUnixTimestamp64Milli(at) >= 1658275200000 AND ifNull(`returned`, false) = true) AS a7,
        countIf(toUnixTimestamp64Milli(at) >= 1658275200000 AND isNotNull(`returned`)) AS a8,
        minOrNull(toUnixTimestamp64Milli(at)) AS a9
    FROM (SELECT r.`customer_id` AS `customer_id`, r.`order_id` AS `order_id`, if(r.ingested_mapped, r.`returned`, NULL) AS `returned`, r.`at` AS `at` FROM `purchases` AS r WHERE r.`at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.ingested_at < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\')
    GROUP BY customer_id))
) AS s3 ON s3.customer_id = p.customer_id
LEFT ANY JOIN (
    SELECT
        customer_id,
        any(toString(`region`)) AS a0,
        any(toUnixTimestamp64Milli(at)) AS a1
    FROM (SELECT r.`customer_id` AS `customer_id`, if(r.ingested_mapped, toString(r.`region`), '') AS `region`, r.`created_at` AS `at` FROM (SELECT * FROM `customers` AS r WHERE r.ingested_at < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC') AND r.customer_id >= 'a' AND r.customer_id < 'b\'\\' ORDER BY r.customer_id, r.ingested_at DESC, r.imported_at DESC, r.`created_at` DESC, r.row_hash DESC LIMIT 1 BY r.customer_id) AS r WHERE (isNull(r.`created_at`) OR r.`created_at` < toDateTime64('2023-07-20 00:00:00.000', 3, 'UTC')))
    GROUP BY customer_id
) AS s4 ON s4.customer_id = p.customer_id
WHERE 1 AND p.customer_id >= 'a' AND p.customer_id < 'b\'\\'
SETTINGS join_use_nulls = 0
