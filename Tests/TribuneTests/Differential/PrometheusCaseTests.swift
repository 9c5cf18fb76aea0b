import Runtime
import TestSupport
import Testing

/// Shapes of configurations that teams have, with Prometheus's verdict on each.
@Suite(.enabled(if: Conformance.isAvailable))
struct PrometheusCaseTests {
    /// The files that are refused, with the start of each line of the report after the name of the file.
    private static let refused: [String: [String]] = [
        "blackbox-without-relabelling.yml": [":3:31: scrape_configs[0].static_configs[0].targets[0]: "],
        "six-faults.yml": [
            ":1:27: global.scrape_interval: ", ":1:30: global.foo: unknown field", ":2:31: rule_files[1]: ",
            ":5:3: scrape_configs[1].job_name: ", ":7:19: scrape_configs[2].scrape_timeout: ",
            ":8:20: scrape_configs[2].static_configs[0]: ", ":9:49: scrape_configs[2].relabel_configs[0].regex: ",
            ":9:62: scrape_configs[2].relabel_configs[0].action: ",
        ],
    ]

    private static let files = Conformance.directory.map { Paths.matching("\($0)/../cases/prometheus/*.yml").sorted() }

    @Test(arguments: files ?? []) func verdictsArePrometheusOwn(path: String) throws {
        let name = String(path.split(separator: "/").last ?? "")
        let result = try TribuneProgram.run(["check", "config", path])
        guard let faults = Self.refused[name] else {
            #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
            return
        }
        #expect(result.exit == .code(1))
        let lines = (result.output + result.errors).split(separator: "\n").filter { $0.hasPrefix("FAILED: ") }
        #expect(lines.count == faults.count, "\(lines)")
        for (line, fault) in zip(lines, faults) { #expect(line.contains(name + fault), "\(line)") }
    }
}
