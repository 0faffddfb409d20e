-- One row per metric, its data points still in an array. It stands between otlp_metrics_in and the five landing tables,
-- because five views that each take a whole request apart cost 160 ms of analysis an insert; this way it is 65.
CREATE TABLE otlp_metrics
(
    ResourceAttributes Map(LowCardinality(String), String),
    ResourceSchemaUrl String,
    ScopeName String,
    ScopeVersion String,
    ScopeAttributes Map(LowCardinality(String), String),
    ScopeDroppedAttrCount UInt32,
    ScopeSchemaUrl String,
    ServiceName LowCardinality(String),
    MetricName LowCardinality(String),
    MetricDescription String,
    MetricUnit String,
    gauge_points Array(Tuple(
            start_time_unix_nano UInt64,
            time_unix_nano UInt64,
            value Enum8('none' = 0, 'as_double' = 4, 'as_int' = 6), as_double Float64, as_int Int64,
            exemplars Array(Tuple(
                time_unix_nano UInt64,
                value Enum8('none' = 0, 'as_double' = 3, 'as_int' = 6), as_double Float64, as_int Int64,
                span_id String,
                trace_id String,
                filtered_attributes Array(Tuple(key String, value Tuple(
                    value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                        'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))))),
            attributes Array(Tuple(key String, value Tuple(
                value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                    'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))),
            flags UInt32)),
    sum_points Array(Tuple(
            start_time_unix_nano UInt64,
            time_unix_nano UInt64,
            value Enum8('none' = 0, 'as_double' = 4, 'as_int' = 6), as_double Float64, as_int Int64,
            exemplars Array(Tuple(
                time_unix_nano UInt64,
                value Enum8('none' = 0, 'as_double' = 3, 'as_int' = 6), as_double Float64, as_int Int64,
                span_id String,
                trace_id String,
                filtered_attributes Array(Tuple(key String, value Tuple(
                    value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                        'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))))),
            attributes Array(Tuple(key String, value Tuple(
                value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                    'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))),
            flags UInt32)),
    sum_temporality Int32,
    sum_is_monotonic Bool,
    histogram_points Array(Tuple(
        start_time_unix_nano UInt64,
        time_unix_nano UInt64,
        count UInt64,
        sum Float64,
        bucket_counts Array(UInt64),
        explicit_bounds Array(Float64),
        exemplars Array(Tuple(
            time_unix_nano UInt64,
            value Enum8('none' = 0, 'as_double' = 3, 'as_int' = 6), as_double Float64, as_int Int64,
            span_id String,
            trace_id String,
            filtered_attributes Array(Tuple(key String, value Tuple(
                value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                    'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))))),
        attributes Array(Tuple(key String, value Tuple(
            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))),
        flags UInt32,
        min Float64,
        max Float64)),
    histogram_temporality Int32,
    exponential_histogram_points Array(Tuple(
        attributes Array(Tuple(key String, value Tuple(
            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))),
        start_time_unix_nano UInt64,
        time_unix_nano UInt64,
        count UInt64,
        sum Float64,
        scale Int32,
        zero_count UInt64,
        positive Tuple(offset Int32, bucket_counts Array(UInt64)),
        negative Tuple(offset Int32, bucket_counts Array(UInt64)),
        flags UInt32,
        exemplars Array(Tuple(
            time_unix_nano UInt64,
            value Enum8('none' = 0, 'as_double' = 3, 'as_int' = 6), as_double Float64, as_int Int64,
            span_id String,
            trace_id String,
            filtered_attributes Array(Tuple(key String, value Tuple(
                value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                    'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))))),
        min Float64,
        max Float64)),
    exponential_histogram_temporality Int32,
    summary_points Array(Tuple(
        start_time_unix_nano UInt64,
        time_unix_nano UInt64,
        count UInt64,
        sum Float64,
        quantile_values Array(Tuple(quantile Float64, value Float64)),
        attributes Array(Tuple(key String, value Tuple(
            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))),
        flags UInt32))
)
ENGINE = Null
