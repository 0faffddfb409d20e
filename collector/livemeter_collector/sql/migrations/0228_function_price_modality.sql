-- Under which modality a row of usage is priced.
CREATE FUNCTION livemeter_price_modality AS (kind, modality) ->
    multiIf(kind = 'grounding', 'QUERY', modality = 'MODALITY_UNSPECIFIED', 'TEXT', modality = 'DOCUMENT', 'IMAGE', modality)
