-- Ids that cut the connections to be settled into pieces of about so many.
SELECT lower(hex(connection_id)) AS step
FROM
(
    SELECT connection_id, row_number() OVER (ORDER BY connection_id) AS number
    FROM livemeter.touched_connections
)
WHERE number % {piece:UInt64} = 0
ORDER BY step
