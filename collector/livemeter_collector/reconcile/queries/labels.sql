-- What was recorded of connections whose setup has these labels, which go to the bill as well.
SELECT label.1 AS key, label.2 AS value, sum(costs.usd) AS usd
FROM
(
    SELECT connection_id, sum(live_costs.usd) AS usd
    FROM livemeter.live_costs
    WHERE ts >= fromUnixTimestamp64Milli({start_ms:Int64}) AND ts < fromUnixTimestamp64Milli({end_ms:Int64})
    GROUP BY connection_id
) AS costs
INNER JOIN
(
    SELECT connection_id, CAST(setup_labels, 'Array(Tuple(String, String))') AS pairs
    FROM livemeter.live_connections
    WHERE notEmpty(setup_labels)
) AS connections ON connections.connection_id = costs.connection_id
ARRAY JOIN pairs AS label
WHERE label.1 IN {keys:Array(String)}
GROUP BY key, value
ORDER BY key, value
