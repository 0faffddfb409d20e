-- The price tier of a pass, from Vertex's trafficType or the Developer API's serviceTier.
-- Provisioned Throughput is paid by the month, so it has a tier of its own that no price row has.
CREATE FUNCTION livemeter_tier AS (traffic_type, service_tier) -> multiIf(
    traffic_type = 'PROVISIONED_THROUGHPUT', 'provisioned',
    traffic_type = 'ON_DEMAND_PRIORITY' OR lower(service_tier) = 'priority', 'priority',
    traffic_type IN ('ON_DEMAND_FLEX', 'ON_DEMAND_OFFPEAK') OR lower(service_tier) = 'flex', 'flex',
    'standard'
)
