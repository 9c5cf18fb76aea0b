import GoTemplate
import JSON
import MetricModel
import Receivers
import Runtime
import TestSupport
import Testing

/// Alertmanager's own template cases.
@Suite struct TemplateConformanceTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var json: JSON
        var testDescription: String { json["title"]?.text ?? "" }
    }

    static let cases: [Case] = {
        guard let directory = Conformance.directory,
            let text = FileText.read("\(directory)/alertmanager/templates.json"),
            let json = try? JSON(parsing: text)
        else { return [] }
        return (json["cases"]?.elements ?? []).map { Case(json: $0) }
    }()

    @Test(.enabled(if: Conformance.isAvailable), arguments: cases)
    func expandsLikeAlertmanager(item: Case) throws {
        let json = item.json
        let (dot, labels) = Self.data(json["data"] ?? .null)
        let result = Result {
            try NotificationTemplates.defaults.expand(
                json["in"]?.text ?? "", for: dot, mode: json["html"]?.bool == true ? .html : .text, routeLabels: labels)
        }
        if let expected = json["exp"]?.text {
            #expect(try result.get() == expected)
        } else {
            let error = #expect(throws: TemplateError.self) { try result.get() }
            if let text = json["expErr"]?.text { #expect(error?.message == text) }
        }
    }

    private static func data(_ json: JSON) -> (TemplateValue, [String: String]) {
        guard json["node"]?.text == "Data" else { return (value(json), [:]) }
        func labels(_ name: String) -> Labels { self.labels(json[name]) }
        let alerts = (json["Alerts"]?.elements ?? []).map { CaseAlert($0) }
        let routeLabels = Dictionary(
            labels("RouteLabels").pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let members: [String: TemplateValue] = [
            "GroupLabels": .texts(labels("GroupLabels").pairs.map { ($0.name, $0.value) }),
            "CommonLabels": .texts(labels("CommonLabels").pairs.map { ($0.name, $0.value) }),
            "Alerts": .object(CaseAlerts(alerts: alerts)),
        ]
        return (.map(members, zero: .absent), routeLabels)
    }

    static func labels(_ json: JSON?) -> Labels {
        Labels((json?.members ?? []).filter { $0.name != "node" }.map { Label($0.name, $0.value.text ?? "") })
    }

    private static func value(_ json: JSON) -> TemplateValue {
        switch json {
        case .null: .absent
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .number(let value): .float(value)
        case .string(let text): .string(text)
        case .array(let elements): .list(elements.map(value))
        case .object(let members):
            .map(
                Dictionary(members.map { ($0.name, value($0.value)) }, uniquingKeysWith: { first, _ in first }),
                zero: .absent)
        }
    }
}

/// Alerts of the cases, some of which have no labels at all.
private struct CaseAlerts: TemplateObject {
    let alerts: [CaseAlert]
    var typeName: String { "template.Alerts" }
    var text: String { "" }
    var collection: TemplateValue? { .list(alerts.map { .object($0) }) }

    func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? {
        name == "Firing" ? .list(alerts.filter { $0.status == "firing" }.map { .object($0) }) : nil
    }
}

private struct CaseAlert: TemplateObject {
    let status: String
    let labels: Labels?
    var typeName: String { "template.Alert" }
    var text: String { "" }

    init(_ json: JSON) {
        status = json["Status"]?.text ?? ""
        labels = json["Labels"].map { TemplateConformanceTests.labels($0) }
    }

    /// Go's JSON for a struct with zero times.
    var json: String {
        let shown = labels.map { TemplateValue.texts($0.pairs.map { ($0.name, $0.value) }).json } ?? "null"
        return #"{"status":"\#(status)","labels":\#(shown),"annotations":null,"startsAt":"0001-01-01T00:00:00Z","#
            + #""endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":""}"#
    }

    func member(_ name: String, _ arguments: [TemplateValue]) -> TemplateValue? { nil }
}
