import JSON
import MetricModel
import Notification
import Receivers
import Runtime
import TestSupport
import Testing
import YAML

/// Alertmanager's own cases of configurations and matchers, and shapes of public files.
@Suite struct AlertmanagerConformanceTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var json: JSON
        var testDescription: String { json["name"]?.text ?? json["input"]?.text ?? "" }
    }

    private static func cases(_ file: String) -> [Case] {
        guard let directory = Conformance.directory,
            let text = FileText.read("\(directory)/alertmanager/\(file).json"), let json = try? JSON(parsing: text)
        else { return [] }
        return (json["cases"]?.elements ?? []).map { Case(json: $0) }
    }

    static let configurations = cases("configs")
    static let matchers = cases("matchers")
    static let shapes: [String] = {
        guard let directory = Conformance.directory else { return [] }
        return Paths.matching("\(directory)/../cases/alertmanager/*.yml").sorted()
    }()

    @Test(.enabled(if: Conformance.isAvailable), arguments: configurations)
    func configurationsAreTakenOrRefusedLikeAlertmanagerDoes(item: Case) throws {
        let text = try #require(item.json["config"]?.text ?? item.json["yaml"]?.text ?? item.json["text"]?.text)
        let result = Result {
            try NotificationConfiguration(try #require(try YAML.parse(text, file: "am.yml").first), file: "am.yml")
        }
        if item.json["ok"]?.bool == true {
            _ = try result.get()
        } else {
            let error = #expect(throws: YAMLError.self) { try result.get() }
            if let message = item.json["message"]?.text {
                #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
            }
        }
    }

    @Test(.enabled(if: Conformance.isAvailable), arguments: matchers)
    func matchersAreReadLikeAlertmanagerReadsThem(item: Case) throws {
        let json = item.json
        let text = try #require(json["input"]?.text)
        let syntax: MatcherSyntax = json["mode"]?.text == "classic" ? .classic : .utf8
        let result = Result {
            json["one"]?.bool == true
                ? [try LabelMatcher(parsing: text)] : try LabelMatcher.list(parsing: text, syntax: syntax)
        }
        if json["ok"]?.bool == true {
            let expected = (json["matchers"]?.elements ?? []).map { $0.elements?.map { $0.text ?? "" } ?? [] }
            #expect(
                try result.get().map { [$0.matcher.name, $0.matcher.operation.rawValue, $0.matcher.value] } == expected)
        } else {
            let error = #expect(throws: LabelMatcherError.self) { try result.get() }
            #expect(error?.reason == json["error"]?.text)
        }
    }

    @Test(.enabled(if: Conformance.isAvailable), arguments: shapes)
    func shapesOfPublicFilesAreTaken(path: String) throws {
        if path.hasSuffix("webhook-http-config.yml") {
            // Mutes the root, which Alertmanager's own cases and amtool refuse. On a route below everything is taken.
            let error = #expect(throws: YAMLError.self) { try NotificationConfiguration.load(path) }
            #expect(error?.message == "root route must not have any mute time intervals")
            let below = try #require(FileText.read(path)).replacing(
                "mute_time_intervals: [nights]", with: "routes: [{mute_time_intervals: [nights]}]")
            let taken = try NotificationConfiguration(
                try #require(try YAML.parse(below, file: path).first), file: path)
            #expect(taken.warnings.isEmpty && taken.receivers["w"]?.integrations.count == 2)
            return
        }
        let configuration = try NotificationConfiguration.load(path)
        #expect(configuration.warnings.isEmpty)
        if path.hasSuffix("matchers.yml") {
            func receivers(_ labels: Labels) -> [String] { configuration.route.matching(labels).map(\.receiver) }
            #expect(receivers(["team": "db", "sev": "crit"]) == ["r1"])
            #expect(receivers(["team": "db"]) == ["default"])
            #expect(receivers(["kind": "net"]) == ["r2"])
            #expect(receivers(["a": "b", "c": "d"]) == ["r3"])
            #expect(receivers(["a": "x", "c": "delta"]) == ["r4"])
        }
    }
}
