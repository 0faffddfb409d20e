-- The shape of one ExportMetricsServiceRequest: the engine parses the request's bytes into it, the views below take it apart.
-- `value` is the oneof's own column: it tells '' and 0 from absent.
CREATE TABLE otlp_metrics_in
(
    resource_metrics Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String)))),
        scope_metrics Array(Tuple(
            scope Tuple(
                name String,
                version String,
                attributes Array(Tuple(key String, value Tuple(
                    value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                        'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))),
                dropped_attributes_count UInt32),
            metrics Array(Tuple(
                name String,
                description String,
                unit String,
                gauge Tuple(data_points Array(Tuple(
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
                        flags UInt32))),
                sum Tuple(
                    data_points Array(Tuple(
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
                    aggregation_temporality Int32,
                    is_monotonic Bool),
                histogram Tuple(
                    data_points Array(Tuple(
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
                    aggregation_temporality Int32),
                exponential_histogram Tuple(
                    data_points Array(Tuple(
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
                    aggregation_temporality Int32),
                summary Tuple(
                    data_points Array(Tuple(
                        start_time_unix_nano UInt64,
                        time_unix_nano UInt64,
                        count UInt64,
                        sum Float64,
                        quantile_values Array(Tuple(quantile Float64, value Float64)),
                        attributes Array(Tuple(key String, value Tuple(
                            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                                'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7),
                            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String))),
                        flags UInt32))))),
            schema_url String)),
        schema_url String))
)
ENGINE = Null
