-- As 0111 has it, but what the server itself calls UNATTRIBUTED and what its details lack are one row: a fact's
-- name holds its modality, and of two rows of one name only one would stay.
CREATE OR REPLACE FUNCTION livemeter_split_tokens AS (total, details, audio_tokens) ->
    arrayFilter(row -> tupleElement(row, 2) > 0, arrayConcat(
        arrayMap(
            (modality, tokens) -> (modality, toUInt64(tokens * (modality != 'UNATTRIBUTED')), 'reported'),
            mapKeys(details), mapValues(details)
        ),
        [(
            'AUDIO',
            toUInt64(empty(mapKeys(details)) ? least(total, audio_tokens) : 0),
            'derived'
        )],
        [(
            'UNATTRIBUTED',
            toUInt64(
                details['UNATTRIBUTED']
                + total - least(total, empty(mapKeys(details)) ? audio_tokens : arraySum(mapValues(details)))
            ),
            empty(mapKeys(details)) AND audio_tokens > 0 ? 'derived' : 'reported'
        )]
    ))
