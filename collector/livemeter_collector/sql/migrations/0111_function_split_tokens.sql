-- A total and its details by modality to rows (modality, tokens, source) that add up to the total.
-- What the details lack is UNATTRIBUTED. Without any details the measured audio gives the audio part
-- (derived), and the rest is UNATTRIBUTED. Details beyond the total stay as reported.
CREATE FUNCTION livemeter_split_tokens AS (total, details, audio_tokens) ->
    arrayFilter(row -> tupleElement(row, 2) > 0, arrayConcat(
        arrayMap((modality, tokens) -> (modality, tokens, 'reported'), mapKeys(details), mapValues(details)),
        [(
            'AUDIO',
            toUInt64(empty(mapKeys(details)) ? least(total, audio_tokens) : 0),
            'derived'
        )],
        [(
            'UNATTRIBUTED',
            toUInt64(total - least(total, empty(mapKeys(details)) ? audio_tokens : arraySum(mapValues(details)))),
            empty(mapKeys(details)) AND audio_tokens > 0 ? 'derived' : 'reported'
        )]
    ))
