// swift-tools-version: 6.2
import PackageDescription

// Arrows between targets follow docs/architecture/overview.md. A new arrow is a design decision: add it here and write
// a note in docs/design. Build with `--explicit-target-dependency-import-check error` (scripts/build.sh does).

/// The settings of source targets.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// The settings of test targets: `#expect` expands to code that strict memory safety would flag.
let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

func source(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

/// A C library as Debian ships it: a module map and a header of shims, no code.
func system(_ name: String, pkgConfig: String? = nil, debian: String) -> Target {
    .systemLibrary(name: name, path: "Sources/\(name)", pkgConfig: pkgConfig, providers: [.apt([debian])])
}

/// C or C++ code for macros, variadics and C++ APIs that Swift does not import.
func shim(_ name: String, linked libraries: [String]) -> Target {
    .target(name: name, linkerSettings: libraries.map { .linkedLibrary($0) })
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.target(name: name), "TestSupport"] + dependencies, exclude: exclude,
        swiftSettings: testing)
}

let package = Package(
    name: "Tribune",
    products: [.executable(name: "tribune", targets: ["Tribune"])],
    targets: [
        // Values and base modules
        source("MetricModel"),
        source("JSON"),
        source("Protobuf"),
        source("Instrumentation"),
        shim("CRuntime", linked: []),
        source("Runtime", ["CRuntime", "MetricModel"]),
        source("Durable", ["Runtime"]),

        // One owner per C library
        system("CYAML", debian: "libyaml-dev"),
        source("YAML", ["CYAML"]),
        shim("CRE2", linked: ["re2"]),
        source("RE2", ["CRE2"]),
        shim("CCurl", linked: ["curl"]),
        shim("CHTTPParser", linked: ["http_parser"]),
        source("CurlHTTP", ["CCurl", "CHTTPParser", "TLS", "Runtime"]),
        system("CNghttp2", debian: "libnghttp2-dev"),
        shim("CWebServer", linked: []),
        source("WebServer", ["CWebServer", "CNghttp2", "TLS", "Zlib", "Runtime"]),
        shim("CCrypt", linked: ["crypt"]),
        source("Passwords", ["CCrypt", "TLS"]),
        source("WebConfiguration", ["Passwords", "WebServer", "TLS", "YAML", "Runtime"]),
        system("CPostgreSQL", pkgConfig: "libpq", debian: "libpq-dev"),
        source("PostgreSQL", ["CPostgreSQL"]),
        system("CSQLite", debian: "libsqlite3-dev"),
        source("SQLite", ["CSQLite"]),
        shim("CHiredis", linked: ["hiredis"]),
        source("Hiredis", ["CHiredis"]),
        system("CZlib", debian: "zlib1g-dev"),
        source("Zlib", ["CZlib"]),
        system("CSnappy", debian: "libsnappy-dev"),
        source("Snappy", ["CSnappy"]),
        shim("COpenSSL", linked: ["ssl", "crypto"]),
        source("TLS", ["COpenSSL"]),
        // Connections and migrations for modules with state in SQL.
        source("Database", ["PostgreSQL", "SQLite", "TLS"]),
        shim("CFastFloat", linked: []),
        shim("CResolver", linked: ["resolv"]),

        source("ConfigurationFields", ["CurlHTTP", "JSON", "MetricModel", "Runtime", "TLS", "YAML"]),

        // Store and language
        source("Exposition", ["MetricModel", "Protobuf", "CFastFloat", "Instrumentation"]),
        source("MetricStore", ["MetricModel", "Instrumentation", "RE2", "Runtime"]),
        source("PromQL", ["MetricModel", "RE2", "JSON"]),

        source("GoTemplate", ["MetricModel", "RE2", "Runtime"]),
        // Types and modules shared by engines
        source("RuleModel", ["MetricModel"]),
        source("Lease", ["Database", "JSON", "MetricModel", "Runtime", "Instrumentation"]),
        source("KubernetesClient", ["CurlHTTP", "JSON", "Runtime", "TLS", "YAML"]),

        source(
            "Receivers",
            ["ConfigurationFields", "CurlHTTP", "GoTemplate", "JSON", "MetricModel", "Runtime", "TLS", "YAML"]),

        // Engines
        source(
            "Discovery",
            [
                "ConfigurationFields", "CResolver", "CurlHTTP", "Instrumentation", "JSON", "KubernetesClient",
                "MetricModel", "Runtime", "YAML",
            ]),
        source(
            "Scraper",
            [
                "ConfigurationFields", "CurlHTTP", "Discovery", "Exposition", "Instrumentation", "MetricModel",
                "MetricStore", "RE2", "Runtime", "TLS", "YAML", "Zlib",
            ]),
        source(
            "RuleEngine",
            [
                "GoTemplate", "MetricModel", "MetricStore", "PromQL", "RE2", "RuleModel", "TLS", "YAML", "Runtime",
                "Instrumentation",
            ]),
        source(
            "RemoteQuery",
            [
                "ConfigurationFields", "CurlHTTP", "Instrumentation", "JSON", "MetricModel", "PromQL", "Runtime",
                "YAML",
            ]),
        source(
            "Notification",
            [
                "ConfigurationFields", "Database", "GoTemplate", "Lease", "MetricModel", "Receivers", "RuleModel",
                "CurlHTTP", "RE2", "YAML", "JSON", "Durable", "Runtime", "Instrumentation",
            ]),
        source("LoadTest", ["CurlHTTP", "JSON", "MetricModel", "Runtime", "YAML"]),
        source("OnCall", ["ConfigurationFields", "JSON", "MetricModel", "Runtime", "YAML"]),
        source(
            "OnCallRunner",
            [
                "OnCall", "Receivers", "Database", "Lease", "MetricModel", "JSON", "Durable", "Runtime",
                "Instrumentation", "TLS",
            ]),
        // Decisions only: no clock, file, socket or thread. A test checks its object files.
        source("Rollback", ["MetricModel", "RuleModel", "YAML", "JSON"]),
        source(
            "TrafficRouters",
            ["Rollback", "CurlHTTP", "KubernetesClient", "MetricModel", "JSON", "Durable", "Runtime"]),
        source(
            "RolloutRunner",
            [
                "Rollback", "TrafficRouters", "Lease", "RuleModel", "MetricModel", "CurlHTTP", "JSON", "Durable",
                "Runtime", "Instrumentation",
            ]),
        source(
            "DeploymentGates",
            ["Rollback", "MetricModel", "CurlHTTP", "YAML", "JSON", "Durable", "Runtime", "Instrumentation"]),
        source(
            "History",
            [
                "MetricModel", "Database", "CurlHTTP", "Hiredis", "TLS", "JSON", "Durable", "Runtime",
                "Instrumentation", "Zlib",
            ],
            resources: [.embedInCode("Pack/verify.py")]),

        // Edge
        source(
            "Identity",
            [
                "CurlHTTP", "Instrumentation", "JSON", "MetricModel", "Passwords", "Runtime", "TLS", "WebServer",
                "YAML",
            ]),
        source("WebCore", ["Identity", "MetricModel", "JSON", "WebServer", "Runtime", "Instrumentation"]),
        source(
            "RemoteWrite",
            [
                "ConfigurationFields", "CurlHTTP", "Durable", "Identity", "JSON", "MetricModel", "MetricStore",
                "Exposition", "Snappy", "Protobuf", "Scraper", "TLS", "WebCore", "WebServer", "Runtime",
                "Instrumentation", "Zlib",
            ]),
        source(
            "Tracing",
            [
                "CurlHTTP", "Instrumentation", "JSON", "MetricModel", "Protobuf", "Rollback", "RuleModel", "Runtime",
                "Scraper", "TLS", "Zlib",
            ]),
        source(
            "PrometheusAPI",
            [
                "Identity", "Instrumentation", "JSON", "MetricModel", "MetricStore", "PromQL", "RE2", "RuleEngine",
                "RuleModel", "Runtime", "Scraper", "TLS", "WebCore", "WebServer",
            ]),
        source(
            "AlertmanagerAPI",
            ["Identity", "JSON", "MetricModel", "Notification", "RE2", "RuleModel", "Runtime", "WebCore", "WebServer"]),
        source(
            "TribuneAPI",
            [
                "DeploymentGates", "History", "Identity", "JSON", "MetricModel", "OnCall", "OnCallRunner", "Rollback",
                "RolloutRunner", "RuleModel", "Runtime", "Scraper", "TLS", "WebCore", "WebServer",
            ]),
        source(
            "Exporter",
            [
                "Instrumentation", "MetricModel", "MetricStore", "PromQL", "Rollback", "RolloutRunner", "RuleEngine",
                "RuleModel", "Runtime", "WebCore", "WebServer",
            ]),
        // The web application's files, embedded by the C compiler.
        shim("CWebUI", linked: []),
        source("WebUI", ["CWebUI", "TLS", "WebCore", "WebServer"]),
        .executableTarget(
            name: "Tribune",
            dependencies: [
                "ConfigurationFields", "Database", "Discovery", "Durable", "GoTemplate", "Instrumentation", "JSON",
                "MetricModel",
                "MetricStore", "Receivers", "Runtime", "YAML", "PromQL", "Exposition", "Scraper", "RuleModel",
                "RuleEngine",
                "Notification", "OnCall", "OnCallRunner", "Rollback", "TrafficRouters", "RolloutRunner",
                "DeploymentGates", "Lease",
                "KubernetesClient", "Hiredis", "PostgreSQL",
                "History", "Identity", "Exporter", "LoadTest", "PrometheusAPI", "AlertmanagerAPI", "TribuneAPI",
                "RemoteQuery", "RemoteWrite",
                "Tracing",
                "WebUI",
                "WebCore", "WebConfiguration", "CurlHTTP", "WebServer", "Passwords", "TLS",
            ],
            swiftSettings: strict),

        // Fuzzing; the driver is added below.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "MetricModel", "MetricStore", "PromQL", "Exposition", "RemoteWrite", "GoTemplate", "Scraper",
                "RuleEngine", "Snappy", "WebServer", "YAML", "JSON", "Durable", "Identity", "TLS",
                "WebConfiguration", "OnCall", "Runtime",
            ],
            path: "Fuzzing/Targets", swiftSettings: testing),
        .testTarget(
            name: "FuzzingTests", dependencies: ["FuzzTargets", "Runtime"], swiftSettings: testing),

        // Benchmarks
        .executableTarget(
            name: "RollbackBenchmark",
            dependencies: [
                "CurlHTTP", "Instrumentation", "MetricModel", "MetricStore", "WebServer", "PromQL", "Rollback",
                "RolloutRunner", "RuleEngine", "RuleModel", "Runtime", "TestSupport",
            ],
            path: "Benchmarks/Rollback", swiftSettings: testing),
        .executableTarget(
            name: "ExpositionBenchmark", dependencies: ["MetricModel", "Exposition", "Runtime"],
            path: "Benchmarks/Exposition", swiftSettings: testing),
        .executableTarget(
            name: "ScrapeBenchmark",
            dependencies: [
                "Discovery", "MetricModel", "MetricStore", "Scraper", "WebServer", "CurlHTTP", "Instrumentation",
                "Runtime",
            ],
            path: "Benchmarks/Scrape", swiftSettings: testing),
        .executableTarget(
            name: "SyntheticFleet", dependencies: ["WebServer", "Runtime"], path: "Benchmarks/SyntheticFleet",
            swiftSettings: testing),
        .executableTarget(
            name: "WebhookBenchmark", dependencies: ["JSON", "WebServer", "Runtime", "TestSupport"],
            path: "Benchmarks/Webhook", swiftSettings: testing),
        .executableTarget(
            name: "WebServerBenchmark", dependencies: ["WebServer", "Runtime"], path: "Benchmarks/WebServer",
            exclude: ["run"], swiftSettings: testing),
        .executableTarget(
            name: "QueryClient", dependencies: [], path: "Benchmarks/QueryClient", swiftSettings: testing),
        .executableTarget(
            name: "AccessBenchmark", dependencies: ["Identity", "Runtime", "TLS", "WebServer"],
            path: "Benchmarks/Access", swiftSettings: testing),
        .executableTarget(
            name: "HistoryBenchmark",
            dependencies: ["Database", "History", "Instrumentation", "JSON", "MetricModel", "Runtime"],
            path: "Benchmarks/History", swiftSettings: testing),
        .executableTarget(
            name: "RuleBenchmark",
            dependencies: ["Instrumentation", "MetricModel", "MetricStore", "PromQL", "RuleEngine", "Runtime"],
            path: "Benchmarks/Rules", swiftSettings: testing),
        // Labelled deployments: the benchmark counts the correct verdicts, a test requires a minimum.
        .target(
            name: "SyntheticDeployments", dependencies: ["DeploymentGates"], path: "Benchmarks/SyntheticDeployments",
            swiftSettings: testing),
        .executableTarget(
            name: "GateBenchmark", dependencies: ["DeploymentGates", "Runtime", "SyntheticDeployments"],
            path: "Benchmarks/Gates", swiftSettings: testing),

        // Benchmarks
        .executableTarget(
            name: "IngestBenchmark",
            dependencies: ["Instrumentation", "MetricModel", "MetricStore", "Protobuf", "RemoteWrite", "Snappy"],
            path: "Benchmarks/Ingest",
            swiftSettings: testing),
        .executableTarget(
            name: "ImportBenchmark", dependencies: ["Exposition", "MetricModel", "MetricStore"],
            path: "Benchmarks/Import",
            swiftSettings: testing),
        .executableTarget(
            name: "StoreBenchmark", dependencies: ["MetricModel", "MetricStore", "PromQL"],
            path: "Benchmarks/StoreBenchmark",
            swiftSettings: testing),

        // Tests
        .target(
            name: "TestSupport", dependencies: ["Runtime"], path: "Tests/TestSupport", swiftSettings: testing),
        tests("MetricModel", []),
        tests("JSON", ["Runtime"]),
        tests("Protobuf", []),
        tests("YAML", []),
        tests("RE2", []),
        tests("Runtime", ["CRuntime"]),
        tests("Durable", ["Runtime"]),
        tests("Instrumentation", []),
        tests("Identity", ["Instrumentation", "JSON", "Passwords", "Runtime", "TLS", "WebServer", "YAML"]),
        tests("WebConfiguration", ["Runtime", "TLS", "WebServer"]),
        tests("WebServer", ["Runtime", "TLS", "Zlib"]),
        tests("CurlHTTP", ["Runtime"]),
        tests("Zlib", []),
        tests("Exposition", ["MetricModel", "JSON", "Instrumentation", "Runtime"]),
        tests("MetricStore", ["MetricModel", "Runtime"]),
        tests("PromQL", ["MetricModel", "MetricStore", "JSON", "Runtime"]),
        tests(
            "Discovery", ["ConfigurationFields", "MetricModel", "WebServer", "YAML", "Runtime", "Instrumentation"]),
        tests(
            "Scraper",
            [
                "ConfigurationFields", "Discovery", "MetricModel", "MetricStore", "Exposition", "CurlHTTP", "WebServer",
                "YAML",
                "Runtime",
                "Instrumentation",
                "Zlib",
            ]),
        tests(
            "Receivers", ["ConfigurationFields", "CurlHTTP", "GoTemplate", "JSON", "MetricModel", "Runtime", "YAML"]),
        tests("ConfigurationFields", ["CurlHTTP", "Runtime", "YAML"]),
        tests("GoTemplate", ["MetricModel", "JSON", "Runtime"]),
        tests(
            "RuleEngine",
            [
                "GoTemplate", "MetricModel", "MetricStore", "PromQL", "RuleModel", "YAML", "JSON", "Runtime",
                "Instrumentation",
            ]),
        tests(
            "Notification",
            [
                "MetricModel", "Database", "History", "Lease", "Receivers", "RuleModel", "CurlHTTP", "WebServer",
                "JSON",
                "Runtime", "Instrumentation", "YAML",
            ]),
        tests("LoadTest", ["CurlHTTP", "JSON", "Runtime", "WebServer", "YAML"]),
        tests(
            "RemoteQuery",
            [
                "ConfigurationFields", "CurlHTTP", "Instrumentation", "JSON", "MetricModel", "MetricStore", "PromQL",
                "Rollback", "RuleEngine", "RuleModel", "Runtime", "Snappy", "YAML",
            ]),
        tests("OnCall", ["JSON", "MetricModel", "Runtime", "YAML"]),
        tests(
            "OnCallRunner",
            [
                "OnCall", "Database", "History", "Lease", "Receivers", "CurlHTTP", "MetricModel", "JSON", "Durable",
                "Runtime", "Instrumentation", "YAML",
            ]),
        // Seeded worlds around the machines of Rollback.
        .target(
            name: "RollbackSimulation",
            dependencies: ["Rollback", "RuleModel", "MetricModel", "JSON", "Durable", "Runtime"],
            path: "Tests/RollbackSimulation", swiftSettings: testing),
        .executableTarget(
            name: "Simulation", dependencies: ["RollbackSimulation", "Runtime"], path: "Benchmarks/Simulation",
            swiftSettings: testing),
        // Killed and restarted by the tests of Rollback.
        .executableTarget(
            name: "RollbackCrashProcess",
            dependencies: ["Rollback", "RolloutRunner", "RuleModel", "MetricModel", "Runtime"],
            path: "Tests/RollbackCrashProcess", swiftSettings: testing),
        // Real routers on loopback for the tests of several targets.
        .target(
            name: "RouterFixtures", dependencies: ["Rollback", "TrafficRouters", "CurlHTTP", "Runtime", "TestSupport"],
            path: "Tests/RouterFixtures", swiftSettings: testing),
        tests(
            "Rollback",
            ["RollbackSimulation", "MetricModel", "RuleModel", "RuleEngine", "PromQL", "JSON", "Runtime", "YAML"]),
        tests(
            "TrafficRouters",
            [
                "RouterFixtures", "Rollback", "RolloutRunner", "MetricModel", "WebServer", "CurlHTTP", "JSON",
                "Runtime",
                "YAML",
            ]),
        tests(
            "RolloutRunner",
            [
                "RollbackCrashProcess", "RollbackSimulation", "RouterFixtures", "Rollback", "TrafficRouters", "Lease",
                "RuleModel", "MetricModel", "CurlHTTP", "Durable", "JSON", "Runtime",
            ]),
        tests("Lease", ["Database", "History", "MetricModel", "Runtime"]),
        tests(
            "DeploymentGates",
            [
                "SyntheticDeployments", "RollbackSimulation", "RouterFixtures", "Rollback", "RolloutRunner",
                "RuleModel",
                "MetricModel", "CurlHTTP", "JSON", "Runtime", "YAML",
            ]),
        tests("TLS", []),
        tests("SQLite", []),
        tests("PostgreSQL", []),
        tests("Database", []),
        tests(
            "History",
            [
                "MetricModel", "Database", "PostgreSQL", "SQLite", "Hiredis", "TLS", "JSON", "Durable", "Runtime",
                "Instrumentation",
            ]),
        // Every API behind a real server.
        .target(
            name: "WebFixture",
            dependencies: [
                "Identity", "MetricModel", "MetricStore", "PrometheusAPI", "AlertmanagerAPI", "TribuneAPI",
                "RemoteWrite", "Exporter", "WebUI", "WebCore", "WebServer", "CurlHTTP", "JSON", "Instrumentation",
                "Rollback",
                "RolloutRunner", "RuleModel", "RuleEngine",
            ],
            path: "Tests/WebFixture", swiftSettings: testing),
        tests("WebCore", ["Identity", "WebServer", "JSON", "Instrumentation", "Runtime"]),
        tests(
            "PrometheusAPI",
            [
                "WebFixture", "WebCore", "MetricModel", "MetricStore", "PromQL", "Scraper", "RuleModel", "RuleEngine",
                "WebServer",
                "CurlHTTP", "JSON", "Instrumentation", "Runtime",
            ]),
        tests(
            "AlertmanagerAPI",
            [
                "WebFixture", "WebCore", "MetricModel", "RuleModel", "RuleEngine", "Notification", "WebServer",
                "CurlHTTP",
                "JSON",
                "Instrumentation", "Runtime",
            ]),
        tests(
            "TribuneAPI",
            [
                "WebFixture", "WebCore", "MetricModel", "Rollback", "RolloutRunner", "DeploymentGates", "RuleModel",
                "RuleEngine",
                "History", "WebServer", "CurlHTTP",
                "JSON",
            ]),
        tests(
            "RemoteWrite",
            [
                "ConfigurationFields", "WebFixture", "PrometheusAPI", "MetricModel", "MetricStore", "CurlHTTP",
                "Protobuf",
                "Scraper",
                "Snappy",
                "JSON", "Instrumentation", "Runtime",
            ]),
        tests(
            "Tracing",
            [
                "CurlHTTP", "Instrumentation", "JSON", "MetricModel", "Rollback", "RuleModel", "Runtime", "Scraper",
                "WebServer", "Zlib",
            ]),
        tests(
            "Exporter",
            [
                "WebFixture", "MetricModel", "RuleModel", "RuleEngine", "Rollback", "RolloutRunner", "CurlHTTP",
                "Instrumentation", "Runtime",
            ]),
        tests("WebUI", ["WebFixture", "PrometheusAPI", "WebCore", "CurlHTTP"]),
        tests(
            "Tribune",
            [
                "MetricModel", "MetricStore", "Snappy", "JSON", "CurlHTTP", "Runtime", "RuleModel", "Rollback",
                "DeploymentGates", "Instrumentation", "PromQL", "RemoteQuery", "RolloutRunner", "YAML",
            ],
            exclude: ["Fixtures"]),
    ],
    cxxLanguageStandard: .cxx17
)

// libFuzzer's runtime; Fuzzing/run sets its path, and only Fuzzing needs it.
if let runtime = Context.environment["TRIBUNE_FUZZING"] {
    package.targets += [
        .systemLibrary(name: "CLibFuzzer", path: "Fuzzing/CLibFuzzer"),
        .executableTarget(
            name: "FuzzDriver", dependencies: ["CLibFuzzer", "FuzzTargets"], path: "Fuzzing/Driver",
            swiftSettings: testing,
            linkerSettings: [.unsafeFlags([runtime]), .linkedLibrary("stdc++")]),
    ]
    package.products.append(.executable(name: "FuzzDriver", targets: ["FuzzDriver"]))
}
