import GoTemplate
import MetricModel
import PromQL
import RuleEngine
import Scraper
import YAML

/// The files that users write.
enum FileFuzzing {
    static func ruleFinding(in bytes: [UInt8]) -> String? {
        let file: RuleFile
        do {
            file = try RuleFile(parsing: bytes, path: "rules.yml", options: .init(features: .all))
        } catch {
            return error.faults.isEmpty ? "refused without a fault" : nil
        }
        for case .alerting(let rule) in file.groups.flatMap(\.rules) {
            for text in rule.labels + rule.annotations { _ = expand(text.template) }
        }
        let exported = RuleExport.prometheusRules(for: file.groups)
        do {
            _ = try RuleFile(parsing: Array(exported.utf8), path: "exported.yml", options: .init(features: .all))
            return nil
        } catch {
            return "what is exported is refused: \(error.faults)\n\(exported)"
        }
    }

    static func templateFinding(in bytes: [UInt8]) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        do {
            let expanded = expand(try AlertTemplate(text, alert: "fuzzed"))
            return expanded.utf8.count > 2 << 20 ? "\(expanded.utf8.count) bytes" : nil
        } catch {
            return error.message.isEmpty ? "an error without text" : nil
        }
    }

    private static func expand(_ template: AlertTemplate) -> String {
        let labels = Labels(metric: "up", [Label("instance", "a:9090"), Label("job", "x")])
        let element = AlertTemplate.Element(
            labels: labels, externalLabels: Labels([Label("region", "r")]), externalURL: "http://t.example/p",
            value: .number(1.5))
        let functions = PrometheusFunctions(
            time: Timestamp(milliseconds: 1_700_000_000_123), externalURL: "http://t.example/p",
            query: { _ in [TemplateSample(labels: labels, value: 3), TemplateSample(labels: .empty, value: .nan)] })
        return template.expand(for: element, functions: functions)
    }

    static func configurationFinding(in bytes: [UInt8]) -> String? {
        let configuration: PrometheusConfiguration
        do {
            configuration = try PrometheusConfiguration(parsing: bytes, file: "prometheus.yml")
        } catch {
            return error.errors.isEmpty ? "refused without an error" : nil
        }
        let labels = Labels(metric: "m", [Label("__address__", "a:1"), Label("job", "j"), Label("é", "\u{e9}\u{301}")])
        for pool in configuration.pools {
            for rules in [pool.relabelRules, pool.metricRelabelRules] {
                guard let relabelling = try? Relabelling(rules) else { return "rules that were read do not compile" }
                guard let result = relabelling.apply(to: labels) else { continue }
                let names = result.pairs.map { Array($0.name.utf8) }
                if Set(names).count != names.count { return "a label stands twice in \(result)" }
            }
        }
        return nil
    }

    static func yamlFinding(in bytes: [UInt8]) -> String? {
        let documents: [YAMLNode]
        do {
            documents = try YAML.parse(bytes)
        } catch {
            return error.message.isEmpty ? "an error without text" : nil
        }
        for document in documents {
            let text = document.blockText
            guard let again = try? YAML.parse(text), again.count == 1 else { return "not read again: \(text)" }
            if again[0].blockText != text { return "written \(text), and then \(again[0].blockText)" }
        }
        return nil
    }
}
