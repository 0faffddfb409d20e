-- Under which direction a kind of usage is priced; cached tokens have a price of their own where there is one.
CREATE FUNCTION livemeter_price_direction AS (kind) ->
    multiIf(kind IN ('prompt', 'tool_use_prompt', 'cached'), 'input', kind = 'grounding', 'grounding', 'output')
