SELECT
    toUInt32(number) AS session,
    $apps[1 + fleet_roll(session, 0, 'app') % 10] AS app,
    least(fleet_roll(session, 0, 'user') % 2000, fleet_roll(session, 1, 'user') % 2000) AS user_number,
    if(app = 'kiosk', '', concat('user-', leftPad(toString(user_number), 4, '0'))) AS user_id,
    $models[1 + fleet_roll(session, 0, 'model') % 20] AS served,
    served.1 AS model,
    served.2 AS platform,
    map(
        'tenant', concat('tenant-', toString(user_number % 40)),
        'experiment', if(app = 'tutor', ['control', 'shorter'][1 + fleet_roll(session, 0, 'experiment') % 2], '')
    ) AS labels,
    toUInt32(12 + fleet_roll(session, 0, 'turns') % 17) AS turns,
    fleet_roll(session, 0, 'connections') % 100 AS luck,
    toUInt8(multiIf(luck < 80, 1, luck < 94, 2, 3)) AS connections,
    connections > 1 AND fleet_roll(session, 0, 'elsewhere') % 6 = 0 AS goes_elsewhere,
    if(
        fleet_roll(session, 0, 'named') % 3 = 0,
        concat(app, '-', substring(fleet_hex(session, 0, 'name'), 1, 20)), ''
    ) AS session_name,
    arrayMap(turn -> toInt64(1000 + fleet_roll(session, turn, 'user speaks') % 3000), range(turns)) AS user_ms,
    arrayMap(turn -> toInt64(1000 + fleet_roll(session, turn, 'model speaks') % 4000), range(turns)) AS model_ms,
    arrayMap((user, model) -> user + intDiv(model * 6, 10) + 1000, user_ms, model_ms) AS turn_ms,
    arrayCumSum(turn_ms) AS until_ms,
    arrayMap(turn -> toUInt8(fleet_roll(session, turn, 'tool') % 8 = 0), range(turns)) AS has_tool,
    toInt64($end_ms - $longest_ms - intDiv((session + 1) * $span_ms, $sessions)
        + fleet_roll(session, 0, 'begins') % intDiv($span_ms, $sessions)) AS began_ms,
    arrayMap(
        part -> began_ms + 1500 * part + until_ms[intDiv(turns * part, connections)],
        range(connections)
    ) AS opened,
    arrayMap(
        (part, at) -> concat(
            leftPad(lower(hex(at)), 12, '0'), '7', substring(fleet_hex(session, part, 'id'), 1, 3),
            ['8', '9', 'a', 'b'][1 + session % 4], substring(fleet_hex(session, part, 'id'), 4, 15)
        ),
        range(connections), opened
    ) AS ids
FROM numbers($first, $count)
