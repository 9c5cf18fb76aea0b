import Testing

@testable import RemoteWrite

/// Expectations are those of prometheus/otlptranslator (metric_namer_test.go, label_namer_test.go, unit_namer_test.go).
@Suite struct TelemetryNamesTests {
    private let escaping = TelemetryNames(escapes: true, addsSuffixes: true)
    private let plain = TelemetryNames(escapes: true, addsSuffixes: false)
    private let utf8 = TelemetryNames(escapes: false, addsSuffixes: true)
    private let untouched = TelemetryNames(escapes: false, addsSuffixes: false)

    @Test(arguments: [
        ("system.filesystem.usage", "By", TelemetryNames.Kind.gauge, "system_filesystem_usage_bytes"),
        ("system.io", "By", .counter, "system_io_bytes_total"),
        ("nginx_io_total", "By", .counter, "nginx_io_bytes_total"),
        ("hw.gpu.utilization", "1", .gauge, "hw_gpu_utilization_ratio"),
        ("requests.count", "1", .counter, "requests_count_total"),
        ("system.network.dropped", "{packets}", .counter, "system_network_dropped_total"),
        ("hw.fan.speed", "m/min", .gauge, "hw_fan_speed_meters_per_min"),
        ("astro.light.speed", "m/s", .gauge, "astro_light_speed_meters_per_second"),
        ("system.memory.usage_initial_bytes", "By", .gauge, "system_memory_usage_initial_bytes"),
        ("network_transmitted_bytes_total", "By", .counter, "network_transmitted_bytes_total"),
        ("3.14.digits", "", .gauge, "_3_14_digits"),
        ("unsupported.metric.temperature", "°F", .gauge, "unsupported_metric_temperature_F"),
        ("unsupported.metric.weird", "+=.:,!* & #", .gauge, "unsupported_metric_weird_:_"),
        ("unsupported.metric.redundant", "__test $/°C", .gauge, "unsupported_metric_redundant_test_per_C"),
        ("metric__with__gaps", "", .gauge, "metric_with_gaps"),
    ]) func metricsAreEscapedAndSuffixed(name: String, unit: String, kind: TelemetryNames.Kind, expected: String) {
        #expect(escaping.metric(name, unit: unit, kind) == expected)
    }

    @Test func otherStrategiesChangeLess() {
        #expect(plain.metric("system.io", unit: "By", .counter) == "system_io")
        #expect(plain.metric("a__b", unit: "", .gauge) == "a__b")
        #expect(plain.metric("2xx", unit: "", .gauge) == "_2xx")
        #expect(utf8.metric("system.io", unit: "By", .counter) == "system.io_bytes_total")
        #expect(utf8.metric("system.io_total", unit: "By", .counter) == "system.io_bytes_total")
        #expect(utf8.metric("disk.speed", unit: "By/s", .gauge) == "disk.speed_bytes_per_second")
        #expect(utf8.metric("gpu.utilization_ratio", unit: "1", .gauge) == "gpu.utilization_ratio")
        #expect(untouched.metric("système.io", unit: "By", .counter) == "système.io")
    }

    @Test func nothingIsNoName() {
        #expect(escaping.metric("", unit: "", .gauge) == nil)
        #expect(escaping.metric("ööö", unit: "", .gauge) == nil)
        #expect(plain.metric("...", unit: "", .gauge) == nil)
        var names = escaping
        names.prefixesUnderscores = false
        #expect(names.label("ö") == nil)
        #expect(untouched.label("__") == nil)
    }

    @Test func labelsAreEscaped() {
        #expect(escaping.label("http.method") == "http_method")
        #expect(escaping.label("1st") == "key_1st")
        #expect(escaping.label("_private") == "key_private")
        #expect(escaping.label("__reserved__") == "__reserved__")
        #expect(escaping.label("a..b") == "a__b")
        var names = escaping
        names.prefixesUnderscores = false
        names.keepsUnderscores = false
        #expect(names.label("_private") == "_private")
        #expect(names.label("a..b") == "a_b")
        #expect(names.label("__my__reserved__") == "__my_reserved__")
        #expect(untouched.label("http.method") == "http.method")
    }

    @Test func unitsAreTranslated() {
        #expect(escaping.unit("s") == "seconds")
        #expect(escaping.unit("By/s") == "bytes_per_second")
        #expect(escaping.unit("1") == "")
        #expect(escaping.unit("{packets}") == "")
        #expect(escaping.unit("{packets}/s") == "per_second")
    }
}
