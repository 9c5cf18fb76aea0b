import ConfigurationFields
import Instrumentation
import MetricModel
import Runtime
import Synchronization
import TestSupport
import YAML

@testable import Discovery

/// A runner with mechanisms from a configuration file.
final class DiscoveryBench: Sendable {
    let registry = Registry()
    let runner: DiscoveryRunner
    let mechanisms: [DiscoveryMechanism]

    /// - Parameter sections: The `…_sd_configs` sections of a job.
    init(_ sections: String) throws {
        mechanisms = try Self.mechanisms(sections)
        runner = DiscoveryRunner(registry: registry)
        runner.reload(mechanisms)
    }

    static func mechanisms(_ sections: String) throws(YAMLError) -> [DiscoveryMechanism] {
        let node = try YAML.parse(Array(sections.utf8), file: "p.yml")[0]
        var fields = try FieldReader(node, path: "scrape_configs[0]", file: "p.yml")
        let mechanisms = try DiscoveryMechanism.list(&fields, directory: "/etc/tribune")
        try fields.finish()
        return mechanisms
    }

    /// The groups of all mechanisms, by source.
    var groups: [TargetGroup] {
        mechanisms.flatMap { runner.finding(of: $0).groups.values }.sorted { $0.source < $1.source }
    }

    /// The labels of all targets with those of their groups, by address.
    var targets: [Labels] {
        groups.flatMap { group in group.targets.map { group.labels.setting($0) } }
            .sorted { ($0["__address__"] ?? "") < ($1["__address__"] ?? "") }
    }

    func counter(_ name: String, _ mechanism: String) -> Double {
        registry.counter(name, "", labels: ["mechanism": mechanism]).value
    }
}

/// A response that a test may change.
final class Changing<Value: Sendable>: Sendable {
    private let content: Mutex<Value>

    init(_ value: Value) {
        content = Mutex(value)
    }

    var value: Value {
        get { content.withLock { $0 } }
        set { content.withLock { $0 = newValue } }
    }
}
